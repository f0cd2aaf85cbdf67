"""Facts in, verdicts out: how agents and rollouts are judged, without a server."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from nectary.errors import Invalid
from nectary.resources import rollout_gates, rollout_plans
from nectary.resources.rollout_gates import Cause, Facts, Judgement, Next, Rates, State
from nectary.resources.rollout_plans import RolloutPlan, Stage, Thresholds

NOW = 1_000_000.0
QUIET = Rates(120, 10.0, 0.0, 0.0, 0.0)
NEW = Facts(UUID(int=1), "one", 0, seen_at=NOW - 1)
FETCHED = replace(NEW, downloaded_at=NOW - 100)
APPLIED = replace(FETCHED, registered_at=NOW - 90, recent_registrations=1, runs=True, before=QUIET, since=QUIET)


def judged(facts: Facts, **thresholds: float | None) -> tuple[State, Cause | None]:
    found = rollout_gates.judge(facts, Thresholds.model_validate(thresholds), NOW, silent_after=75)
    assert bool(found.cause) == bool(found.why) == (found.state is State.FAILED)
    return found.state, found.cause


@pytest.mark.parametrize(
    ("facts", "state", "cause"),
    [
        (NEW, State.WAITING, None),
        (replace(NEW, seen_at=0), State.WAITING, None),
        (replace(FETCHED, downloaded_at=NOW - 10), State.APPLYING, None),
        (replace(APPLIED, runs=None), State.APPLYING, None),
        (replace(APPLIED, downloaded_at=NOW - 20, runs=False), State.APPLYING, None),
        (APPLIED, State.APPLIED, None),
        (replace(APPLIED, before=None, since=None), State.APPLIED, None),
        (replace(APPLIED, recent_registrations=3), State.APPLIED, None),
        (FETCHED, State.FAILED, Cause.LATE),
        (replace(APPLIED, runs=False), State.FAILED, Cause.OTHER),
        (replace(APPLIED, recent_registrations=4), State.FAILED, Cause.LOOPING),
        (replace(FETCHED, downloaded_at=NOW - 30, recent_registrations=4), State.FAILED, Cause.LOOPING),
        (replace(APPLIED, seen_at=NOW - 80), State.FAILED, Cause.SILENT),
        (replace(APPLIED, since=replace(QUIET, errors=1)), State.FAILED, Cause.ERRORS),
        (replace(APPLIED, since=replace(QUIET, retries=1)), State.FAILED, Cause.RETRIES),
        (replace(APPLIED, since=replace(QUIET, dropped=1)), State.FAILED, Cause.DROPS),
        (replace(APPLIED, since=replace(QUIET, records=0)), State.FAILED, Cause.MUTE),
        (replace(APPLIED, since=replace(QUIET, records=1)), State.APPLIED, None),
    ],
)
def test_an_agent_is_what_its_facts_say(facts: Facts, state: State, cause: Cause | None) -> None:
    assert judged(facts) == (state, cause)


def test_an_agent_is_held_against_its_own_past() -> None:
    noisy = replace(QUIET, errors=5, retries=5, dropped=5)
    assert judged(replace(APPLIED, before=noisy, since=replace(noisy, errors=9))) == (State.APPLIED, None)
    assert judged(replace(APPLIED, before=noisy, since=replace(noisy, errors=11))) == (State.FAILED, Cause.ERRORS)
    assert judged(replace(APPLIED, before=None, since=replace(QUIET, errors=1))) == (State.FAILED, Cause.ERRORS)
    silent = replace(QUIET, records=0)
    assert judged(replace(APPLIED, before=silent, since=silent)) == (State.APPLIED, None), "it never said much"
    assert judged(replace(APPLIED, before=None, since=silent)) == (State.APPLIED, None)


def test_what_comes_in_bursts_is_not_judged_by_a_short_time() -> None:
    bursts = replace(QUIET, records=2, retries=0.1)  # a batch every two minutes, and a dozen retries with it
    assert judged(replace(APPLIED, before=bursts, since=Rates(25, 0, 0, 0, 0))) == (State.APPLIED, None)
    assert judged(replace(APPLIED, before=bursts, since=Rates(60, 0, 0, 0, 0))) == (State.FAILED, Cause.MUTE)
    assert judged(replace(APPLIED, before=bursts, since=Rates(25, 9, 0, 12 / 25, 0))) == (State.APPLIED, None)
    assert judged(replace(APPLIED, before=bursts, since=Rates(25, 9, 0, 2, 0))) == (State.FAILED, Cause.RETRIES), "as ever more"
    assert judged(replace(APPLIED, before=None, since=Rates(25, 9, 3 / 25, 0, 0))) == (State.APPLIED, None)


def test_what_was_not_heard_while_the_server_was_away_is_no_failure() -> None:
    def judged_since(facts: Facts, heard_since: float) -> State:
        return rollout_gates.judge(facts, Thresholds(), NOW, silent_after=75, heard_since=heard_since).state

    assert judged_since(FETCHED, NOW - 30) is State.APPLYING
    assert judged_since(FETCHED, NOW - 61) is State.FAILED
    assert judged_since(replace(APPLIED, runs=False), NOW - 30) is State.APPLYING
    assert judged_since(replace(APPLIED, recent_registrations=4), NOW - 30) is State.FAILED, "what was heard counts"


def test_an_agent_that_could_not_run_it_otherwise_has_registered_since() -> None:
    assert judged(replace(APPLIED, registered_at=NOW - 120)) == (State.APPLIED, None), "the download was noted late"
    assert judged(replace(APPLIED, registered_at=NOW - 120, runs=False)) == (State.FAILED, Cause.LATE)


def test_thresholds_can_be_moved_and_switched_off() -> None:
    failing = replace(APPLIED, since=replace(QUIET, errors=1, records=0))
    assert judged(failing, errorsPerSecond=2) == (State.FAILED, Cause.MUTE)
    assert judged(failing, errorsPerSecond=None, recordsPerSecond=None) == (State.APPLIED, None)
    assert judged(FETCHED, applySeconds=200) == (State.APPLYING, None)
    assert judged(replace(APPLIED, seen_at=NOW - 80), silentSeconds=100) == (State.APPLIED, None)
    assert judged(replace(APPLIED, seen_at=NOW - 60), silentSeconds=50) == (State.FAILED, Cause.SILENT)


STAGES = (Stage(5, 60), Stage(25, 60), Stage(100, 0))


def ruled(*judgements: Judgement, stage: int = 0, in_stage: float = 60, narrow: bool = False, **thresholds: float) -> Next:
    limits = Thresholds.model_validate(thresholds)
    counted = rollout_gates.tally(judgements, NOW, 75)
    assert counted.in_reach == len(judgements)
    found = rollout_gates.verdict(counted, STAGES, stage, in_stage=in_stage, narrow=narrow, thresholds=limits)
    assert found.reason
    return found.next


def many(state: State, number: int, *, seen_at: float = NOW) -> list[Judgement]:
    cause = (Cause.LATE, "was late") if state is State.FAILED else (None, "")
    return [Judgement(replace(NEW, id=uuid4(), seen_at=seen_at), state, *cause) for _ in range(number)]


def test_a_stage_ends_when_its_time_is_over_and_all_that_fetched_it_run_it() -> None:
    applied, applying = many(State.APPLIED, 3), many(State.APPLYING, 1)
    assert ruled(*applied) is Next.ADVANCE
    assert ruled(*applied, in_stage=59) is Next.STAY
    assert ruled(*applied, *applying) is Next.STAY
    assert ruled(*applied, narrow=True) is Next.STAY
    assert ruled(*applied, stage=2, in_stage=0) is Next.FINISH
    assert ruled(*applied, *applying, stage=2) is Next.STAY


def test_agents_that_show_no_life_hold_nothing_up_and_no_stage_ends_on_no_evidence() -> None:
    gone, alive = many(State.WAITING, 2, seen_at=0), many(State.WAITING, 1)
    assert ruled(*many(State.APPLIED, 1), *gone) is Next.ADVANCE
    assert ruled(*many(State.APPLIED, 1), *alive) is Next.STAY, "it may fetch it any moment"
    assert ruled(*many(State.APPLIED, 1), *alive, in_stage=200) is Next.ADVANCE, "it sends metrics and does not poll"
    assert ruled(*alive, in_stage=10_000) is Next.STAY
    assert ruled(*gone, in_stage=10_000) is Next.STAY
    assert ruled(in_stage=10_000) is Next.STAY
    assert ruled(stage=2) is Next.FINISH, "a fleet of none"
    assert ruled(*gone, stage=2) is Next.FINISH


def test_too_many_failures_stop_it_and_one_of_few_is_too_many() -> None:
    failed = many(State.FAILED, 1)
    assert ruled(*failed, in_stage=0) is Next.STOP
    assert ruled(*failed, *many(State.APPLIED, 18)) is Next.STOP
    assert ruled(*failed, *many(State.APPLIED, 19)) is Next.ADVANCE, "one in twenty is borne"
    assert ruled(*failed, *many(State.APPLIED, 18), *many(State.WAITING, 100, seen_at=0)) is Next.STOP, (
        "of those that fetched it"
    )
    assert ruled(*failed, mostFailed=1) is Next.STAY, "but none runs it"
    assert ruled(*many(State.FAILED, 9), *many(State.APPLIED, 1), mostFailed=0.9) is Next.ADVANCE


def test_the_sentence_names_the_agents_and_why_and_not_all_of_many() -> None:
    counted = rollout_gates.tally(many(State.FAILED, 50), NOW, 75)
    found = rollout_gates.verdict(counted, STAGES, 0, in_stage=1, narrow=False, thresholds=Thresholds())
    assert found.reason == "50 of 50 that fetched it failed: " + "; ".join(["one was late"] * 3) + "; and 47 more"
    assert len(found.agents) == rollout_gates.MOST_NAMED


def test_settled_agents_count_as_applied() -> None:
    counted = rollout_gates.tally(many(State.FAILED, 1), NOW, 75, settled=19)
    assert (counted.in_reach, counted.downloaded, counted.applied) == (20, 20, 19)


@pytest.mark.parametrize(
    ("agents", "share", "covered"),
    [
        (23, 0, 0),
        (23, 0.01, 1),
        (23, 1, 1),
        (23, 5, 2),
        (20, 5, 1),
        (23, 25, 6),
        (100, 7, 7),
        (23, 99, 23),
        (23, 100, 23),
        (0, 5, 0),
    ],
)
def test_a_share_covers_that_many_agents_and_at_least_one(agents: int, share: float, covered: int) -> None:
    assert rollout_gates.covered(agents, share) == covered


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        ("100%", [(100, 0)]),
        ("5% 10m, 25% 10m, 100%", [(5, 600), (25, 600), (100, 0)]),
        ("5%,100% 1h30m", [(5, 600), (100, 5400)]),
        ("0.5 % 90s , 100 %", [(0.5, 90), (100, 0)]),
        ("canaries 1m, 50% PT5M, 100%", [(0, 60), (50, 300), (100, 0)]),
        ("canaries, 100%", [(0, 600), (100, 0)]),
    ],
)
def test_stages_are_read_and_said_again(text: str, stages: list[tuple[float, float]]) -> None:
    found = rollout_plans.parse_stages(text)
    assert [(stage.share, stage.seconds) for stage in found] == stages
    assert rollout_plans.parse_stages(rollout_plans.stages_text(found)) == found
    assert rollout_plans.recalled(rollout_plans.kept(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", "5%", "100% 10m, 100%", "50%, 25%, 100%", "0%, 100%", "101%", "5% -1m, 100%", "5% ten, 100%", "five%, 100%"),
        *(
            "5%, canaries, 100%",
            "canaries",
            "100%" + ", 100%" * 30,
            "5% 31d, 100%",
            "5% 721h, 100%",
            "5 10m, 100%",
            "1e1%, 100%",
        ),
    ],
)
def test_what_is_no_stages_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        rollout_plans.parse_stages(text)
    assert caught.value.detail


@pytest.mark.parametrize("plan", [{"canarys": ["x"]}, {"stage": "1%, 100%"}, {"thresholds": {"mostFaild": 1}}])
def test_a_misspelt_plan_is_refused_and_not_taken_for_the_default(plan: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        RolloutPlan.model_validate(plan)


def test_canaries_get_a_stage_of_their_own() -> None:
    plan = RolloutPlan(canaries=["edge-1"], stages="25% 1m, 100%")
    assert [(stage.share, stage.seconds) for stage in plan.parsed()] == [(0, 600), (25, 60), (100, 0)]
    assert len(RolloutPlan(canaries=["edge-1"], stages="canaries 5s, 100%").parsed()) == 2
    with pytest.raises(ValueError, match="no canaries"):
        RolloutPlan(stages="canaries 5s, 100%")
