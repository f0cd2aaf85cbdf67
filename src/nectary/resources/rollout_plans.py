"""How a rollout goes: its stages, who goes first, what is taken for a failure, and what then."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from nectary import durations
from nectary.errors import Invalid
from nectary.shape import Says, Shape

BAD_STAGES = "invalid rollout stages"
MOST_STAGES = 20
MOST_CANARIES = 1000
LONGEST_STAGE = 30 * 86400
_PIECE = re.compile(r"(?:([0-9]{1,3}(?:\.[0-9]{1,2})?)[ ]?%|(canaries))(?:[ ]+(\S+))?")
_STAGE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Stage:
    """A share of the fleet's agents, in percent, that is reached for at least so many seconds; 0 is the canaries alone."""

    share: float
    seconds: float


def parse_stages(text: str) -> tuple[Stage, ...]:
    """`5% 10m, 25% 10m, 100%`, or `canaries 5m, 100%`: shares rise to 100, without a duration it is ten minutes and for the
    last none. Raises Invalid."""
    stages: list[Stage] = []
    pieces = [piece.strip() for piece in text.split(",")]
    if len(pieces) > MOST_STAGES:
        raise Invalid(BAD_STAGES, f"at most {MOST_STAGES} stages")
    for number, piece in enumerate(pieces):
        match = _PIECE.fullmatch(piece)
        if match is None:
            raise Invalid(BAD_STAGES, f"{piece[:60]!r} is no stage such as `5% 10m`, `canaries 5m` or `100%`")
        share = 0.0 if match[2] else float(match[1])
        default = 0 if number == len(pieces) - 1 else _STAGE_SECONDS
        seconds = durations.parse(match[3], BAD_STAGES) if match[3] else default
        if not 0 <= seconds <= LONGEST_STAGE:
            raise Invalid(BAD_STAGES, f"{piece[:60]!r} lasts less than no time or more than thirty days")
        if match[2] and number:
            raise Invalid(BAD_STAGES, "canaries go first")
        if not match[2] and share <= (stages[-1].share if stages else 0):
            raise Invalid(BAD_STAGES, f"{piece[:60]!r} is not more than the stage before it")
        stages.append(Stage(share, seconds))
    if stages[-1].share != 100:
        raise Invalid(BAD_STAGES, "the last stage is 100%: a rollout ends with everybody")
    return tuple(stages)


def stages_text(stages: tuple[Stage, ...]) -> str:
    """The stages as `parse_stages` takes them."""
    said = []
    for stage in stages:
        who = f"{stage.share:g}%" if stage.share else "canaries"
        said.append(f"{who} {durations.go_text(round(stage.seconds * 1e9))}" if stage.seconds else who)
    return ", ".join(said)


def _sound(text: str) -> str:
    try:
        return stages_text(parse_stages(text))
    except Invalid as refusal:
        raise ValueError(refusal.detail or refusal.error) from None


Stages = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_sound), Says(BAD_STAGES)]
_Seconds = Annotated[float, Field(ge=0.1, le=86400)]
_Rate = Annotated[float, Field(ge=0, le=1e9)]


class Thresholds(Shape, extra="forbid"):
    """What a failed agent is, and how many of them are too many. Rates are per second, of the agent's own outputs and inputs;
    each is held against the agent's own rate over an equal time before it got the new revision."""

    apply_seconds: _Seconds = 60  # from its download to its registration with the new config
    silent_seconds: _Seconds | None = None  # without a sign of life; none: the server's own `agent_silent_after`
    most_registrations: Annotated[int, Field(ge=1, le=1000)] = 3  # within loop_seconds, beyond the one of a reload
    loop_seconds: _Seconds = 300
    window_seconds: Annotated[float, Field(ge=10, le=3600)] = 120  # how much of the recent past rates are measured over
    factor: Annotated[float, Field(ge=1, le=1000)] = 2  # times its own earlier rate
    errors_per_second: _Rate | None = 0.1  # what is no trouble however much it grew; null: not looked at
    retries_per_second: _Rate | None = 0.2
    dropped_per_second: _Rate | None = 0.1
    records_per_second: _Rate | None = 0.1  # an agent with this much before and nothing at all now is mute
    most_failed: Annotated[float, Field(ge=0, le=1)] = 0.05  # share of those that downloaded it
    on_failure: Literal["roll_back", "pause"] = "roll_back"


class RolloutPlan(Shape, extra="forbid"):
    """How to roll out. `canaries`: names or ids of agents of the fleet that go first, before any share. A key that is not known
    is refused: the default in place of what was meant would reach others, or sooner."""

    stages: Stages = "5% 10m0s, 25% 10m0s, 100%"
    canaries: Annotated[list[Annotated[str, Field(min_length=1, max_length=253)]], Field(max_length=MOST_CANARIES)] = []
    most_applying: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    thresholds: Thresholds = Thresholds()

    @model_validator(mode="after")
    def _canaries_have_a_stage(self) -> "RolloutPlan":
        if self.stages.startswith("canaries") and not self.canaries:
            raise ValueError("a stage of canaries, and no canaries")
        return self

    def parsed(self) -> tuple[Stage, ...]:
        """The stages; canaries that no stage speaks of get one of their own, ahead."""
        stages = parse_stages(self.stages)
        return stages if not self.canaries or stages[0].share == 0 else (Stage(0, _STAGE_SECONDS), *stages)


def kept(stages: tuple[Stage, ...]) -> list[dict[str, Any]]:
    """The stages as the database keeps them."""
    return [{"share": stage.share, "seconds": stage.seconds} for stage in stages]


def recalled(rows: list[dict[str, Any]]) -> tuple[Stage, ...]:
    """What `kept` gave."""
    return tuple(Stage(row["share"], row["seconds"]) for row in rows)
