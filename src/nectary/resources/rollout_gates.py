"""Health gates: how an agent does with a new revision, and whether a rollout goes on; made of facts and nothing else.

A stock Fluent Bit says nothing of a config it could not load: what tells is that it registers again, with what it then runs,
and what it counts. Every judgement here holds an agent against its own past.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from nectary.resources.fleet_serving import COHORTS
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

    downloaded_at: when its polls were first served the new revision; None: not yet. registrations: those since then, the newest
    at `registered_at`. runs: whether its newest report is the new revision by meaning; None: not looked into yet. before and
    since: what it counted in equal times before the download and since it applied the revision; None: too little to say.
    """

    id: UUID
    name: str
    cohort: int
    seen_at: float
    downloaded_at: float | None = None
    registered_at: float | None = None
    registrations: int = 0
    recent_registrations: int = 0
    runs: bool | None = None
    before: Rates | None = None
    since: Rates | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One agent's state; `cause` and `why`, a clause without its name, where it failed."""

    facts: Facts
    state: State
    cause: Cause | None = None
    why: str = ""


def judge(facts: Facts, thresholds: Thresholds, now: float, silent_after: float) -> Judgement:
    """How an agent is doing. `silent_after`: the server's own, used where the thresholds name none."""
    if facts.downloaded_at is None:
        return Judgement(facts, State.WAITING)
    if (cause := _broken(facts, thresholds, now, silent_after)) is not None:
        return Judgement(facts, State.FAILED, *cause)
    if not facts.registrations or not facts.runs:
        return Judgement(facts, State.APPLYING)
    if (cause := _worse(facts, thresholds)) is not None:
        return Judgement(facts, State.FAILED, *cause)
    return Judgement(facts, State.APPLIED)


def _broken(facts: Facts, thresholds: Thresholds, now: float, silent_after: float) -> tuple[Cause, str] | None:
    assert facts.downloaded_at is not None, "an agent that fetched nothing cannot fail for it"
    # One registration is the reload itself; an agent that starts with a kept config makes two (custom_calyptia's bootstrap).
    if facts.recent_registrations - 1 >= thresholds.most_registrations:
        return Cause.LOOPING, f"registered {facts.recent_registrations} times within {_told(thresholds.loop_seconds)}"
    since = now - facts.downloaded_at
    overdue = since > thresholds.apply_seconds
    if overdue and not facts.registrations:
        return Cause.LATE, f"did not register within {_told(thresholds.apply_seconds)} of fetching the revision"
    if overdue and facts.runs is False:
        return Cause.OTHER, f"registered again, but runs something else {_told(since)} after fetching the revision"
    silence = now - facts.seen_at
    if silence > (thresholds.silent_seconds or silent_after) and facts.seen_at < now:
        return Cause.SILENT, f"has not been heard of for {_told(silence)}"
    return None


def _worse(facts: Facts, thresholds: Thresholds) -> tuple[Cause, str] | None:
    before, since = facts.before, facts.since
    if since is None:
        return None
    looked_at = (
        (Cause.ERRORS, "output errors", thresholds.errors_per_second, before and before.errors, since.errors),
        (Cause.RETRIES, "retries", thresholds.retries_per_second, before and before.retries, since.retries),
        (Cause.DROPS, "dropped records", thresholds.dropped_per_second, before and before.dropped, since.dropped),
    )
    for cause, what, floor, was, rate in looked_at:
        if floor is not None and rate > floor and rate > (was or 0.0) * thresholds.factor:
            return cause, f"{rate:.2f} {what} a second, {was or 0.0:.2f} before"
    least = thresholds.records_per_second
    if least is not None and before is not None and before.records > least and since.records == 0:
        return Cause.MUTE, f"no records since, {before.records:.2f} a second before"
    return None


def _told(seconds: float) -> str:
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


def verdict(
    judgements: Sequence[Judgement],
    stages: Sequence[Stage],
    stage: int,
    *,
    in_stage: float,
    narrow: bool,
    thresholds: Thresholds,
    heard: Iterable[UUID],
) -> Verdict:
    """Whether a rollout goes on.

    in_stage: seconds since the stage began. narrow: its reach is not yet the stage's whole share. heard: the agents in reach
    that show signs of life; others are stragglers, and hold nothing up.
    """
    if (stop := _too_many(judgements, thresholds)) is not None:
        return stop
    alive = set(heard)
    failed = [one for one in judgements if one.state is State.FAILED]
    applying = [one for one in judgements if one.state is State.APPLYING]
    waiting = [one for one in judgements if one.state is State.WAITING and one.facts.id in alive]
    applied = sum(one.state is State.APPLIED for one in judgements)
    last = stage == len(stages) - 1
    said = f"{applied} of {len(judgements)} in reach run it"
    if applying:
        return Verdict(Next.STAY, f"{said}; {_names(applying)} {'has' if len(applying) == 1 else 'have'} yet to")
    if narrow:
        return Verdict(Next.STAY, f"{said}; more are reached as these apply it")
    if in_stage < stages[stage].seconds:
        return Verdict(Next.STAY, f"{said}; the stage lasts {_told(stages[stage].seconds)}")
    patience = stages[stage].seconds + thresholds.apply_seconds
    if waiting and (in_stage < patience or not applied):
        return Verdict(Next.STAY, f"{said}; {_names(waiting)} {'has' if len(waiting) == 1 else 'have'} yet to fetch it")
    if last:
        return Verdict(Next.FINISH, f"{said}{f', {len(failed)} failed' if failed else ''}")
    if not applied:
        return Verdict(Next.STAY, "no agent in reach runs it yet")
    return Verdict(Next.ADVANCE, f"{said}{f', {len(failed)} failed' if failed else ''}")


def _too_many(judgements: Sequence[Judgement], thresholds: Thresholds) -> Verdict | None:
    failed = [one for one in judgements if one.state is State.FAILED]
    downloaded = sum(one.state is not State.WAITING for one in judgements)
    if not failed or len(failed) <= thresholds.most_failed * downloaded:
        return None
    named = failed[:MOST_NAMED]
    reasons = "; ".join(f"{one.facts.name}: {one.why}" for one in named[:3])
    more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
    reason = f"{len(failed)} of {downloaded} that fetched it failed: {reasons}{more}"
    return Verdict(Next.STOP, reason, tuple(one.facts.name for one in named))


def _names(judgements: Sequence[Judgement]) -> str:
    names = [one.facts.name for one in judgements[:3]]
    return ", ".join(names) if len(judgements) <= 3 else f"{', '.join(names)} and {len(judgements) - 3} more"


# -- Reach -----------------------------------------------------------------------------------------------------------------


def share_reach(cohorts: Sequence[int], share: float) -> int:
    """The reach that covers so many percent of the agents with these cohorts: at least one of them, where there is one.

    Counted in agents and not in cohorts, so that 5 % of twenty is one agent and not whatever chance gives.
    """
    if share <= 0:
        return 0
    if share >= 100 or not cohorts:
        return COHORTS if share >= 100 else round(share * COHORTS / 100)
    ordered = sorted(cohorts)
    covered = max(1, -(-round(share * len(ordered) * 100) // 10_000))
    return ordered[min(covered, len(ordered)) - 1] + 1


def widened(reach: int, target: int, cohorts: Sequence[int], unsettled: int, most_applying: int | None) -> int:
    """The next reach on the way to `target`: as far as no more than `most_applying` agents would be applying at once.

    unsettled: those in reach that may be at it, now or any moment. One is always let in when there is none. Never goes down.
    """
    if target <= reach:
        return reach
    if most_applying is None:
        return target
    room = most_applying - unsettled
    beyond = sorted(cohort for cohort in cohorts if reach <= cohort < target)
    if room >= len(beyond):
        return target
    return beyond[room - 1] + 1 if room > 0 else reach
