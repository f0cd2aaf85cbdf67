"""Health gates: how an agent does with a new revision, and whether a rollout goes on; made of facts and nothing else.

A stock Fluent Bit says nothing of a config it could not load: what tells is that it registers again, with what it then runs,
and what it counts. Every judgement here holds an agent against its own past.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from nectary.resources.rollout_plans import Stage, Thresholds


class State(StrEnum):
    """How far an agent in a rollout's reach is.

    waiting: it has not fetched the new revision. applying: it has, and has not said yet what became of it. applied: it runs it.
    failed: see `Judgement.cause`.
    """

    WAITING = "waiting"
    APPLYING = "applying"
    APPLIED = "applied"
    FAILED = "failed"


class Cause(StrEnum):
    """Why an agent counts as failed."""

    LATE = "late"
    OTHER = "other"
    LOOPING = "looping"
    SILENT = "silent"
    ERRORS = "errors"
    RETRIES = "retries"
    DROPS = "drops"
    MUTE = "mute"


@dataclass(frozen=True, slots=True)
class Rates:
    """What an agent counted in a stretch of time, per second: records its inputs took, and its outputs' troubles."""

    seconds: float
    records: float
    errors: float
    retries: float
    dropped: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an agent in reach. Times are seconds since the epoch.

    downloaded_at: when its polls were first served the new revision; None: not yet. registered_at: its newest registration.
    recent_registrations: those since the download and within the thresholds' loop_seconds. runs: whether its newest report is
    the new revision by meaning; None: not looked into yet. before and since: what it counted before the download and since it
    applied the revision; None: too little to say.
    """

    id: UUID
    name: str
    cohort: int
    seen_at: float
    downloaded_at: float | None = None
    registered_at: float | None = None
    recent_registrations: int = 0
    runs: bool | None = None
    before: Rates | None = None
    since: Rates | None = None

    @property
    def registered(self) -> bool:
        """Whether it registered since it fetched the new revision: by the times, or because it could not run it otherwise. A
        server that is killed forgets the last second's downloads, and notes them at the next poll."""
        return self.runs is True or (self.registered_at or 0.0) >= (self.downloaded_at or math.inf)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One agent's state; `cause` and `why`, a clause without its name, where it failed."""

    facts: Facts
    state: State
    cause: Cause | None = None
    why: str = ""


def judge(facts: Facts, thresholds: Thresholds, now: float, silent_after: float, *, heard_since: float = 0.0) -> Judgement:
    """How an agent is doing. `silent_after`: the server's own, used where the thresholds name none. `heard_since`: when the
    server was last away, what an agent did not say before that moment is held against nobody."""
    if facts.downloaded_at is None:
        return Judgement(facts, State.WAITING)
    if (cause := _broken(facts, thresholds, now, silent_after, heard_since)) is not None:
        return Judgement(facts, State.FAILED, *cause)
    if not facts.registered or not facts.runs:
        return Judgement(facts, State.APPLYING)
    if (cause := _worse(facts, thresholds)) is not None:
        return Judgement(facts, State.FAILED, *cause)
    return Judgement(facts, State.APPLIED)


def _broken(
    facts: Facts, thresholds: Thresholds, now: float, silent_after: float, heard_since: float
) -> tuple[Cause, str] | None:
    assert facts.downloaded_at is not None, "an agent that fetched nothing cannot fail for it"
    # One registration is the reload itself; an agent that starts with a kept config makes two (custom_calyptia's bootstrap).
    if facts.recent_registrations - 1 >= thresholds.most_registrations:
        return Cause.LOOPING, f"registered {facts.recent_registrations} times within {told(thresholds.loop_seconds)}"
    since = now - facts.downloaded_at
    overdue = now - max(facts.downloaded_at, heard_since) > thresholds.apply_seconds
    if overdue and not facts.registered:
        return Cause.LATE, f"did not register within {told(thresholds.apply_seconds)} of fetching the revision"
    if overdue and facts.runs is False:
        return Cause.OTHER, f"registered again, but runs something else {told(since)} after fetching the revision"
    silence = now - facts.seen_at
    if silence > (thresholds.silent_seconds or silent_after) and facts.seen_at < now:
        return Cause.SILENT, f"has not been heard of for {told(silence)}"
    return None


def _worse(facts: Facts, thresholds: Thresholds) -> tuple[Cause, str] | None:
    before, since = facts.before, facts.since
    if since is None:
        return None
    # What comes in bursts says little in a short time: it is spread over half of the time that it is held against.
    enough = (before.seconds if before else thresholds.window_seconds) / 2
    share = min(1.0, since.seconds / enough)
    looked_at = (
        (Cause.ERRORS, "output errors", thresholds.errors_per_second, before and before.errors, since.errors),
        (Cause.RETRIES, "retries", thresholds.retries_per_second, before and before.retries, since.retries),
        (Cause.DROPS, "dropped records", thresholds.dropped_per_second, before and before.dropped, since.dropped),
    )
    for cause, what, floor, was, rate in looked_at:
        if floor is not None and rate * share > max(floor, (was or 0.0) * thresholds.factor):
            return cause, f"{rate:.2f} {what} a second, {was or 0.0:.2f} before"
    least = thresholds.records_per_second
    if least is not None and share == 1 and before is not None and before.records > least and since.records == 0:
        return Cause.MUTE, f"no records since, {before.records:.2f} a second before"
    return None


def told(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


# -- The rollout -----------------------------------------------------------------------------------------------------------


class Next(StrEnum):
    """What a rollout does next: stay as it is, reach the next stage's share, end with everybody, or stop."""

    STAY = "stay"
    ADVANCE = "advance"
    FINISH = "finish"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The next step, a sentence why, and the names of the agents it was decided by."""

    next: Next
    reason: str
    agents: tuple[str, ...] = ()


MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Tally:
    """How the agents in reach are doing: how many, and those by name that a sentence may name. `waiting` are those that show
    signs of life; others that fetched nothing are `stragglers`, and hold nothing up."""

    in_reach: int
    applied: int
    failed: Sequence[Judgement]
    applying: Sequence[str]
    waiting: Sequence[str]
    stragglers: int

    @property
    def downloaded(self) -> int:
        return self.applied + len(self.failed) + len(self.applying)


def tally(judgements: Iterable[Judgement], now: float, silent_after: float, *, settled: int = 0) -> Tally:
    """`settled`: agents that applied it long enough ago, and are not among the judgements."""
    failed, applying, waiting, stragglers, applied = [], [], [], 0, settled
    for one in judgements:
        match one.state:
            case State.FAILED:
                failed.append(one)
            case State.APPLYING:
                applying.append(one.facts.name)
            case State.APPLIED:
                applied += 1
            case State.WAITING if now - one.facts.seen_at <= silent_after:
                waiting.append(one.facts.name)
            case State.WAITING:
                stragglers += 1
    in_reach = applied + len(failed) + len(applying) + len(waiting) + stragglers
    return Tally(in_reach, applied, failed, applying, waiting, stragglers)


def verdict(
    tally: Tally, stages: Sequence[Stage], stage: int, *, in_stage: float, narrow: bool, thresholds: Thresholds
) -> Verdict:
    """Whether a rollout goes on. in_stage: seconds since the stage began. narrow: its reach is not yet the stage's share."""
    if (stop := _too_many(tally, thresholds)) is not None:
        return stop
    said = f"{tally.applied} of {tally.in_reach} in reach run it" + (f", {len(tally.failed)} failed" if tally.failed else "")
    if tally.applying:
        return Verdict(Next.STAY, f"{said}; {_names(tally.applying)} yet to apply it")
    if narrow:
        held = f"{_names(tally.waiting)} yet to fetch it; " if tally.waiting else ""
        return Verdict(Next.STAY, f"{said}; {held}more are reached as these apply it")
    if in_stage < stages[stage].seconds:
        return Verdict(Next.STAY, f"{said}; the stage lasts {told(stages[stage].seconds)}")
    patience = stages[stage].seconds + thresholds.apply_seconds
    last = stage == len(stages) - 1
    # Some send metrics and never poll: they are waited for, and not for ever where others have shown that it works.
    if tally.waiting and (in_stage < patience or not (tally.applied or last)):
        return Verdict(Next.STAY, f"{said}; {_names(tally.waiting)} yet to fetch it")
    if last:
        return Verdict(Next.FINISH, said)
    return Verdict(Next.ADVANCE, said) if tally.applied else Verdict(Next.STAY, "no agent in reach runs it yet")


def _too_many(tally: Tally, thresholds: Thresholds) -> Verdict | None:
    failed, downloaded = tally.failed, tally.downloaded
    if not failed or len(failed) <= thresholds.most_failed * downloaded:
        return None
    reasons = "; ".join(f"{one.facts.name} {one.why}" for one in failed[:3])
    more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
    named = tuple(one.facts.name for one in failed[:MOST_NAMED])
    return Verdict(Next.STOP, f"{len(failed)} of {downloaded} that fetched it failed: {reasons}{more}", named)


def _names(names: Sequence[str]) -> str:
    if len(names) > 3:
        return f"{', '.join(names[:3])} and {len(names) - 3} more have"
    return f"{', '.join(names)} {'has' if len(names) == 1 else 'have'}"


def covered(agents: int, share: float) -> int:
    """How many of so many agents a share in percent is: at least one, so that no stage is without evidence.

    Counted in agents and not in cohorts, so that 5 % of twenty is one agent and not whatever chance gives.
    """
    return 0 if share <= 0 else min(agents, max(1, math.ceil(agents * share / 100 - 1e-9)))
