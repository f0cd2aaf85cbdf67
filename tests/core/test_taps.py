"""Live taps: switched on for as long as a session lasts, input by input, and off again whatever happens."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nectary import clock
from nectary.core.runtimes.fake import Machine
from nectary.core.taps import traced
from nectary.fluentbit import classic
from tests.core.fluent_bits import FluentBit, fluent_bit
from tests.core.instances import Wire, opened
from tests.harness.pipelines import pipeline
from tests.harness.world import World

CONFIG = """\
[INPUT]
    Name tcp
[INPUT]
    Name dummy
    Alias made up
[INPUT]
    Name tcp
    Port 5171
[FILTER]
    Name modify
    Match *
    Add a b
[OUTPUT]
    Name null
    Match *
"""


@pytest.mark.parametrize(
    ("asked", "inputs"),
    [
        (["tcp.0"], ["tcp.0"]),
        (["tcp.1"], ["tcp.2"]),  # the contract counts each plugin's name for itself, Fluent Bit all inputs in one row
        (["made up", "dummy.0"], ["made up"]),
        (["null.0"], ["tcp.0", "made up", "tcp.2"]),
        (["modify.0", "tcp.0"], ["tcp.0", "made up", "tcp.2"]),
    ],
)
def test_what_is_asked_for_says_which_inputs_are_traced(asked: Sequence[str], inputs: Sequence[str]) -> None:
    assert traced(classic.parse(CONFIG, "a.conf"), asked) == inputs


async def tapped(world: World, me: Any, **body: Any) -> tuple[str, str]:
    await me.turn()
    made = await pipeline(world, me.identity.id, rawConfig=CONFIG)
    await me.turn()
    session = {"plugins": ["made up"], "lifespan": "10m", **body}
    started = await world.machine.ask("POST", f"/v1/pipelines/{made['id']}/trace_sessions", 201, json=session)
    me.wake()
    await me.turn()
    return made["id"], started["id"]


async def test_a_tap_is_on_while_its_session_runs_and_posts_as_its_replica(world: World, tmp_path: Path) -> None:
    async with fluent_bit() as one, opened(world, tmp_path, Machine(http=[one.url])) as me:
        await me.turn()
        id, _ = await tapped(world, me)
        body = one.traced["made%20up"]
        params = body["params"]
        assert (body["output"], params["uri"], params["port"]) == ("http", f"/v1/traces/{id}", "5000")
        assert all(isinstance(value, str) for value in params.values())
        header, token = params["header"].split(" ")
        await world.http(**{header: token}).ask("POST", f"/v1/traces/{id}", 201, content='{"type":4,"return":1}')
        await world.machine.ask("DELETE", f"/v1/pipelines/{id}/trace_session", 200)
        await me.turn()
        assert one.traced == {}
        assert not me.errands.taps.any_on


async def test_a_tap_posts_with_the_token_of_the_agent_that_its_replica_is(world: World, tmp_path: Path) -> None:
    started = clock.seconds() - 10
    async with fluent_bit(records=1, started=started) as one, opened(world, tmp_path, Machine(http=[one.url])) as me:
        await me.turn()
        assert me.identity is not None
        made = await pipeline(world, me.identity.id, rawConfig=CONFIG)
        await me.turn()
        await me.count()
        body = {"plugins": ["tcp.0"], "lifespan": "10m"}
        await world.machine.ask("POST", f"/v1/pipelines/{made['id']}/trace_sessions", 201, json=body)
        await me.turn()
        header = one.traced["tcp.0"]["params"]["header"]
        assert header.startswith("X-Agent-Token ")
        assert world.token not in header


async def test_other_plugins_and_other_sessions_are_followed(world: World, tmp_path: Path) -> None:
    async with fluent_bit() as one, opened(world, tmp_path, Machine(http=[one.url])) as me:
        id, session = await tapped(world, me)
        await world.machine.ask("PATCH", f"/v1/trace_sessions/{session}", 200, json={"plugins": ["tcp.0", "tcp.1"]})
        await me.turn()
        assert set(one.traced) == {"tcp.0", "tcp.2"}
        await world.machine.ask("DELETE", f"/v1/pipelines/{id}/trace_session", 200)
        body = {"plugins": ["made up"], "lifespan": "5m"}
        await world.machine.ask("POST", f"/v1/pipelines/{id}/trace_sessions", 201, json=body)
        await me.turn()
        assert set(one.traced) == {"made%20up"}


async def test_a_tap_ends_by_itself_also_while_the_server_is_away(world: World, tmp_path: Path) -> None:
    wire = Wire(world)
    async with fluent_bit() as one, opened(world, tmp_path, Machine(http=[one.url]), wire=wire) as me:
        id, _ = await tapped(world, me)
        wire.cut = True
        me.errands.taps._on[id].ends = 0.0  # its lifespan is over
        await me._turn_taken()
        assert one.traced == {}


async def test_a_tap_that_an_earlier_run_left_on_is_swept_off(world: World, tmp_path: Path) -> None:
    machine = Machine()
    async with fluent_bit() as one:
        machine.http = [one.url]
        async with opened(world, tmp_path, machine) as me:
            id, _ = await tapped(world, me)
        left: FluentBit = one
        left.traced["made%20up"] = {"left": "on"}  # as after kill -9
        with clock.moved(timedelta(hours=1)):  # and its session is over
            async with opened(world, tmp_path, machine) as again:
                await again.turn()
                assert again.desired.known[id].pipeline.tracing_enabled is False
                assert one.traced == {}


async def test_a_new_version_is_tapped_again(world: World, tmp_path: Path) -> None:
    async with fluent_bit() as one, opened(world, tmp_path, Machine(http=[one.url])) as me:
        id, _ = await tapped(world, me)
        one.traced.clear()  # as a reload does
        patch = {"rawConfig": CONFIG.replace("Add a b", "Add a c")}
        await world.machine.ask("PATCH", f"/v1/aggregator_pipelines/{id}", 200, json=patch)
        await me.turn()
        assert set(one.traced) == {"made%20up"}


async def test_where_much_passes_a_tap_is_on_for_a_moment_now_and_then(world: World, tmp_path: Path) -> None:
    async with fluent_bit(records=370_000) as one, opened(world, tmp_path, Machine(http=[one.url])) as me:  # in 37 seconds
        await me.turn()
        assert me.identity is not None
        config = "[INPUT]\n    Name http\n[OUTPUT]\n    Name null\n    Match *\n"
        made = await pipeline(world, me.identity.id, rawConfig=config)
        await me.turn()
        body = {"plugins": ["http.0"], "lifespan": "10m"}
        await world.machine.ask("POST", f"/v1/pipelines/{made['id']}/trace_sessions", 201, json=body)
        await me.turn()
        switched = ("POST", "/api/v1/trace/http.0"), ("DELETE", "/api/v1/trace/http.0")
        assert [each for each in one.asked if each in switched][-2:] == list(switched)
        assert one.traced == {}, "it was on, and is off"
        asked = len(one.asked)
        await me.turn()
        assert not [each for each in one.asked[asked:] if each in switched], "it rests"
        # Little passes now, as it takes a few looks to be sure of, and the tap is on for good.
        [place] = me.errands.taps._on[made["id"]].places.values()
        while place.cost > 4 * 1024 * 1024:
            place.at -= 1.0
            await me.turn()
        assert set(one.traced) == {"http.0"}
