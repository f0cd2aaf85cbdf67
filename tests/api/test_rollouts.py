"""Rollouts over HTTP, with simulated agents and a clock that is moved; on both databases."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from uuid import UUID

import pytest

from nectary import clock
from nectary.db.transaction import Database
from nectary.loops import rollouts as rollouts_loop
from nectary.resources.fleet_running import Answers
from nectary.server import make_context
from nectary.settings import Settings
from tests.harness.fleets import GOOD, SimulatedFleet, simulated_fleet
from tests.harness.world import World

BETTER = GOOD.replace("tag a", "tag better").replace("match a", "match better")
DEADLY = GOOD.replace("tag a", "tag DEADLY")
BROKEN = GOOD.replace("tag a", "tag BROKEN")
STAGES = {"stages": "10% 30s, 50% 30s, 100%"}
QUICK = {**STAGES, "thresholds": {"applySeconds": 20}}


@pytest.fixture
async def fleet(world: World) -> AsyncIterator[SimulatedFleet]:
    with await simulated_fleet(world, 20) as made:
        await made.pass_time(10)
        yield made


async def test_a_good_revision_reaches_stage_after_stage_and_then_everybody(fleet: SimulatedFleet) -> None:
    await fleet.publish(BETTER, rollout=STAGES)
    reached: dict[int, float] = {}
    for _ in range(30):
        await fleet.pass_time(5)
        reached.setdefault(len(fleet.running("better")), clock.seconds())
        if (await fleet.rollout())["state"] == "done":
            break
    assert list(reached) == [0, 2, 10, 20], "10 % of twenty, half, all"
    assert reached[10] - reached[2] >= 25, "thirty seconds, seen in steps of five"
    ended = await fleet.rollout()
    assert (ended["state"], ended["stage"], ended["reach"], ended["progress"]) == ("done", 2, 100, None)
    kinds = [event["kind"] for event in await fleet.events()]
    assert kinds == ["started", "widened", "advanced", "widened", "advanced", "widened", "done"]
    before = [agent.heard[-1] for agent in fleet.agents]
    await fleet.pass_time(10)
    assert [agent.heard[-1] for agent in fleet.agents] == before, "the end of a rollout is no change to an agent"


def first_stage(fleet: SimulatedFleet, mark: str) -> set[str]:
    return {agent.name for agent in fleet.agents if any(mark in text for _, text in agent.heard)}


@pytest.mark.parametrize("bad", [DEADLY, BROKEN], ids=["dies at its start", "does not load"])
async def test_a_bad_revision_stops_at_the_first_stage_and_is_taken_back_from_those_that_have_it(
    fleet: SimulatedFleet, bad: str
) -> None:
    mark = "DEADLY" if bad is DEADLY else "BROKEN"
    before = {agent.name: agent.heard[-1] for agent in fleet.agents}
    await fleet.publish(bad, rollout=QUICK)
    await fleet.pass_time(60)
    ended = await fleet.rollout()
    assert (ended["state"], ended["stage"]) == ("rolled_back", 0)
    hit = first_stage(fleet, mark)
    assert len(hit) == 2
    for agent in fleet.agents:
        if agent.name in hit:
            version, text = agent.heard[-1]
            assert text == before[agent.name][1], "the old text"
            assert version > max(version for version, text in agent.heard if mark in text), "as a newer version"
            assert (agent.runs, agent.had) == (text, version)
        else:
            assert set(agent.heard) == {before[agent.name]}, "same bytes, same date, throughout"
    events = await fleet.events()
    assert [event["kind"] for event in events] == ["started", "widened", "paused", "rolled_back"]
    assert set(events[-1]["agents"]) <= hit
    assert "of 2 that fetched it failed: sim-" in events[-1]["reason"]
    [fleet_now] = await fleet.world.machine.ask("GET", f"/v1/projects/{fleet.world.project_id}/fleets", 200)
    assert (fleet_now["rawConfig"], fleet_now["revision"]) == (GOOD, 3)
    await fleet.pass_time(60)
    assert (await fleet.rollout())["state"] == "rolled_back"


async def test_every_step_is_in_the_audit_log_with_its_reason(fleet: SimulatedFleet) -> None:
    await fleet.publish(DEADLY, rollout=QUICK)
    await fleet.pass_time(60)
    id = (await fleet.rollout())["id"]
    path = f"/v1/projects/{fleet.world.project_id}/audit_logs"
    rows = (await fleet.world.admin.ask("GET", f"{path}?components[rolloutID]={id}", 200))["items"]
    steps = [(row["identity"], row["components"]) for row in rows]
    assert steps[0][0].keys() == {"token"}, "who published it"
    assert [components.get("state") for _, components in steps[1:]] == ["running", "rolled_back"]
    assert all(identity["server"]["name"] == "Nectary" for identity, _ in steps[1:])
    assert "registered" in steps[-1][1]["reason"]
    assert steps[-1][1]["fleetID"] == fleet.id


async def test_unless_told_otherwise_a_failure_only_pauses(fleet: SimulatedFleet) -> None:
    await fleet.publish(BROKEN, rollout={**STAGES, "thresholds": {"applySeconds": 20, "onFailure": "pause"}})
    await fleet.pass_time(60)
    now = await fleet.rollout()
    assert (now["state"], now["progress"]["failed"], now["progress"]["inReach"]) == ("paused", 2, 2)
    assert {one["cause"] for one in now["progress"]["failures"]} == {"late"}
    assert len(first_stage(fleet, "BROKEN")) == 2
    path = f"/v1/rollouts/{now['id']}"
    await fleet.world.machine.ask("POST", f"{path}/resume", 200, json={})
    await fleet.pass_time(10)
    assert (await fleet.rollout())["state"] == "paused", "they fail as before"
    await fleet.world.machine.ask("POST", f"{path}/rollback", 200, json={"reason": "enough"})
    await fleet.pass_time(10)
    now = await fleet.rollout()
    assert now["state"] == "rolled_back"
    assert now["reason"].endswith(": enough")
    assert all(agent.runs == agent.heard[0][1] for agent in fleet.agents)


async def test_named_canaries_go_first(fleet: SimulatedFleet) -> None:
    plan = {"canaries": ["sim-07", fleet["sim-11"].id], "stages": "canaries 20s, 100%"}
    await fleet.publish(BETTER, rollout=plan)
    await fleet.pass_time(15)
    assert set(fleet.running("better")) == {"sim-07", "sim-11"}
    await fleet.pass_time(40)
    assert len(fleet.running("better")) == 20
    detail = (await fleet.publish(GOOD, 422, rollout={"canaries": ["nobody"], "stages": "canaries 20s, 100%"}))["detail"]
    assert "'nobody' is no agent of this fleet" in detail
    [fleet_now] = await fleet.world.machine.ask("GET", f"/v1/projects/{fleet.world.project_id}/fleets", 200)
    assert fleet_now["revision"] == 2, "nothing came of it"


async def test_no_more_apply_at_once_than_allowed(fleet: SimulatedFleet) -> None:
    await fleet.publish(BETTER, rollout={"stages": "100%", "mostApplying": 3})
    most = before = 0
    for _ in range(60):
        await fleet.pass_time(5)
        now = len(first_stage(fleet, "better"))
        most, before = max(most, now - before), now
        if now == 20:
            break
    assert (most, before) == (3, 20)


async def test_one_change_at_a_time_unless_it_is_urgent(fleet: SimulatedFleet) -> None:
    await fleet.publish(BETTER, rollout=STAGES)
    await fleet.pass_time(10)
    refusal = await fleet.publish(DEADLY, 409)
    assert refusal["error"] == "rollout already open"
    assert (await fleet.rollout())["id"] in refusal["detail"]
    first = await fleet.rollout()
    await fleet.publish(GOOD.replace("tag a", "tag urgent"), urgent=True)
    await fleet.pass_time(10)
    assert len(fleet.running("urgent")) == 20
    ended = await fleet.world.machine.ask("GET", f"/v1/rollouts/{first['id']}", 200)
    assert (ended["state"], ended["progress"]) == ("cancelled", None)


async def test_paused_it_reaches_nobody_else_and_resumed_it_goes_on(fleet: SimulatedFleet) -> None:
    await fleet.publish(BETTER, rollout=STAGES)
    await fleet.pass_time(10)
    path = f"/v1/rollouts/{(await fleet.rollout())['id']}"
    paused = await fleet.world.admin.ask("POST", f"{path}/pause", 200, json={"reason": "lunch"})
    assert (paused["state"], paused["reason"].endswith(": lunch")) == ("paused", True)
    await fleet.pass_time(60)
    assert len(fleet.running("better")) == 2
    await fleet.world.admin.ask("POST", f"{path}/resume", 200, json={})
    await fleet.pass_time(20)
    assert len(fleet.running("better")) == 2, "the stage's time begins anew"
    await fleet.world.admin.ask("POST", f"{path}/advance", 200, json={"reason": "looks good"})
    await fleet.pass_time(15)
    assert len(fleet.running("better")) == 10
    await fleet.pass_time(60)
    assert len(fleet.running("better")) == 20
    for step in ("pause", "resume", "advance", "cancel", "rollback"):
        await fleet.world.admin.refused("POST", f"{path}/{step}", 409, "rollout not open", json={})


async def test_cancelled_it_stays_as_it_stands_until_the_next_is_published(fleet: SimulatedFleet) -> None:
    await fleet.publish(BETTER, rollout=STAGES)
    await fleet.pass_time(10)
    path = f"/v1/rollouts/{(await fleet.rollout())['id']}"
    await fleet.world.admin.ask("POST", f"{path}/cancel", 200, json={})
    await fleet.pass_time(60)
    assert len(fleet.running("better")) == 2
    await fleet.publish(DEADLY, rollout={**QUICK, "stages": "50% 30s, 100%"})
    await fleet.pass_time(60)
    assert (await fleet.rollout())["state"] == "rolled_back"
    assert len(first_stage(fleet, "DEADLY")) == 10
    assert not fleet.running("better"), "back to what all ran before either"
    await fleet.publish(BETTER)
    await fleet.pass_time(10)
    assert len(fleet.running("better")) == 20


async def test_a_rollout_survives_a_restart_of_the_server_anywhere(fleet: SimulatedFleet) -> None:
    await fleet.publish(BETTER, rollout=STAGES)
    for _ in range(40):
        await fleet.pass_time(5, loops=False)
        rollouts_loop._answers = Answers()  # all that is kept in memory
        fleet.world.context.forget([UUID(fleet.id)])
        await fleet.turn()
    assert len(fleet.running("better")) == 20
    assert (await fleet.rollout())["state"] == "done"


@pytest.mark.parametrize(
    ("trouble", "cause"), [("errors", "errors"), ("retries", "retries"), ("dropped", "drops"), ("", "mute")]
)
async def test_an_agent_that_counts_worse_than_before_fails_the_stage(fleet: SimulatedFleet, trouble: str, cause: str) -> None:
    await fleet.pass_time(40, post_every=5)
    limits = {"applySeconds": 20, "windowSeconds": 30, "onFailure": "pause"}
    await fleet.publish(BETTER, rollout={"stages": "10% 5m, 100%", "thresholds": limits})
    await fleet.pass_time(15, post_every=5)
    assert len(fleet.running("better")) == 2
    for _ in range(8):
        for agent in fleet.agents:
            if "better" in agent.runs and trouble:
                setattr(agent.counts, trouble, getattr(agent.counts, trouble) + 20)
            elif "better" in agent.runs:
                agent.counts.records -= 50  # what pass_time adds
        await fleet.pass_time(5, post_every=5)
    now = await fleet.rollout()
    assert now["state"] == "paused", now
    assert {one["cause"] for one in now["progress"]["failures"]} == {cause}


async def test_an_agent_that_falls_silent_fails_the_stage(fleet: SimulatedFleet) -> None:
    await fleet.publish(BETTER, rollout={"stages": "10% 10m, 100%", "thresholds": {"onFailure": "pause"}})
    await fleet.pass_time(15)
    [first, _] = fleet.running("better")
    await fleet.pass_time(90, silent=(first,))
    now = await fleet.rollout()
    assert [(one["name"], one["cause"]) for one in now["progress"]["failures"]] == [(first, "silent")]
    assert now["state"] == "paused"


async def test_agents_that_are_off_are_stragglers_and_hold_nothing_up(fleet: SimulatedFleet) -> None:
    off = tuple(f"sim-{n:02}" for n in range(5))
    await fleet.pass_time(100, silent=off)
    await fleet.publish(BETTER, rollout={"stages": "20% 10s, 100%"})
    await fleet.pass_time(60, silent=off)
    assert len(fleet.running("better")) == 15
    assert (await fleet.rollout())["state"] == "done"
    await fleet.pass_time(10)
    assert len(fleet.running("better")) == 20, "they get it when they are back"


async def test_a_fleet_with_a_policy_rolls_every_change_out_so(world: World) -> None:
    with await simulated_fleet(world, 10, rolloutPolicy={"stages": "20% 10m, 100%"}) as fleet:
        await fleet.pass_time(10)
        await fleet.publish(BETTER)
        await fleet.pass_time(20)
        assert len(fleet.running("better")) == 2
        assert (await fleet.rollout())["stages"] == "20% 10m0s, 100%"
        await fleet.publish(GOOD.replace("tag a", "tag urgent"), urgent=True)
        await fleet.pass_time(10)
        assert len(fleet.running("urgent")) == 10


async def test_a_policy_holds_up_nothing_while_nobody_is_in_the_fleet(world: World) -> None:
    new = {"name": "new", "rawConfig": GOOD, "rolloutPolicy": {"stages": "20% 10m, 100%"}}
    made = await world.machine.ask("POST", f"/v1/projects/{world.project_id}/fleets", 201, json=new)
    for text in (BETTER, GOOD):
        await world.machine.ask("PATCH", f"/v1/fleets/{made['id']}", 200, json={"rawConfig": text})
    assert (await world.machine.ask("GET", f"/v1/fleets/{made['id']}/rollouts", 200)) == []
    asked = {"rawConfig": BETTER, "rollout": {"stages": "20% 10m, 100%"}}
    await world.machine.ask("PATCH", f"/v1/fleets/{made['id']}", 200, json=asked)
    [begun] = await world.machine.ask("GET", f"/v1/fleets/{made['id']}/rollouts", 200)
    assert begun["state"] == "running", "who asks for stages gets them"


async def test_replicas_take_each_step_once(fleet: SimulatedFleet, make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    other = make_context(settings, Database(settings.database))
    await fleet.publish(DEADLY, rollout=QUICK)
    for _ in range(12):
        await fleet.pass_time(5, loops=False)
        await fleet.turn(steps=False)
        looks = (rollouts_loop.step(context) for context in (fleet.world.context, other, fleet.world.context, other))
        await asyncio.gather(*looks)
    await other.database.close()
    assert [event["kind"] for event in await fleet.events()] == ["started", "widened", "paused", "rolled_back"]
    path = f"/v1/projects/{fleet.world.project_id}/audit_logs?components[rolloutID]={(await fleet.rollout())['id']}"
    assert len((await fleet.world.admin.ask("GET", path, 200))["items"]) == 3


async def test_what_nobody_could_hear_while_the_server_was_away_is_held_against_no_agent(fleet: SimulatedFleet) -> None:
    await fleet.publish(BETTER, rollout={"stages": "10% 10m, 100%"})
    await fleet.pass_time(15)
    assert len(fleet.running("better")) == 2
    with clock.moved(timedelta(seconds=200)):
        await fleet.turn()
        await fleet.pass_time(30)
        now = await fleet.rollout()
        assert (now["state"], now["progress"]["applied"]) == ("running", 2)
        [first, _] = fleet.running("better")
        await fleet.pass_time(90, silent=(first,))
        assert (await fleet.rollout())["state"] == "rolled_back", "who is silent from then on is"


async def test_agents_that_never_poll_do_not_keep_others_from_their_turn(fleet: SimulatedFleet) -> None:
    await fleet.publish(BETTER, rollout={"stages": "100%", "mostApplying": 2})
    await fleet.turn()
    first = [agent for agent in fleet.agents if await _should_run(fleet, agent.id) == 2]
    assert len(first) == 2
    for agent in first:
        fleet.agents.remove(
            agent
        )  # it has `fleet.interval_sec` and no `fleet.interval_nsec`: it sends metrics, and never polls
    for _ in range(150):
        await fleet.pass_time(5)
        for agent in first:
            await agent.send_metrics(30)
    assert len(fleet.running("better")) == 18
    assert (await fleet.rollout())["state"] == "done"


async def _should_run(fleet: SimulatedFleet, agent_id: str) -> int:
    found = await fleet.world.machine.ask("GET", f"/v1/agents/{agent_id}/fleet_status", 200)
    return int(found["assignedRevision"])


async def test_a_download_that_a_killed_server_forgot_is_held_against_nobody(fleet: SimulatedFleet) -> None:
    await fleet.publish(BETTER, rollout={"stages": "100%", "thresholds": {"applySeconds": 20}})
    await fleet.turn()
    for agent in fleet.agents:
        await agent.poll()
    fleet.world.context.fleet_polls.take()  # what a kill -9 loses
    fleet.world.context.fleet_polls._served.clear()
    await fleet.pass_time(60)
    assert (await fleet.rollout())["state"] == "done"
    stragglers = await fleet.world.machine.ask("GET", f"/v1/fleets/{fleet.id}/stragglers", 200)
    assert stragglers == []
