"""Metrics posts, with the bodies a real Fluent Bit 5.1.1 sent, and what people read of them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nectary import clock
from nectary.metrics import cmetrics
from tests.harness.world import Http, World

CAPTURES = Path(__file__).parents[1] / "captures" / "metrics"


@pytest.fixture
async def agent(world: World) -> tuple[str, Http]:
    body = {"name": "edge", "machineID": "m", "type": "fluentbit", "version": "5.1.1", "rawConfig": ""}
    made = await world.machine.ask("POST", "/v1/agents", 201, json=body)
    return made["id"], world.agent(made["token"])


def document(at: float, started: float, records: int, name: str = "tail.0") -> bytes:
    """A document as Fluent Bit makes them, with one input that read this many records of ten bytes."""

    def family(ss: str, name: str, labels: list[str], values: list[dict[str, Any]], kind: int = 0) -> dict[str, Any]:
        meta = {"ver": 2, "type": kind, "opts": {"ns": "fluentbit", "ss": ss, "name": name, "desc": ""}, "labels": labels}
        return {"meta": meta, "values": values}

    ts = int(at * 1e9)
    families = [
        family("", "process_start_time_seconds", ["hostname"], [{"ts": ts, "value": started, "labels": ["edge"]}], kind=1),
        family("input", "records_total", ["name"], [{"ts": ts, "value": float(records), "labels": [name], "hash": 1}]),
        family("input", "bytes_total", ["name"], [{"ts": ts, "value": float(records * 10), "labels": [name], "hash": 1}]),
    ]
    meta: dict[str, Any] = {"cmetrics": {}, "external": {}, "processing": {"static_labels": []}}
    return msgspec.msgpack.encode({"meta": meta, "metrics": families})


@pytest.mark.parametrize("file", sorted(CAPTURES.glob("*.msgpack")), ids=lambda file: file.stem)
async def test_what_a_real_agent_posts_is_taken_and_read_back(world: World, agent: tuple[str, Http], file: Path) -> None:
    id, mine = agent
    body = file.read_bytes()
    answer = await mine.ask(
        "POST", f"/v1/agents/{id}/metrics", 201, content=body, headers={"Content-Type": "application/x-msgpack"}
    )
    assert answer == {"totalInserted": len(cmetrics.decode(body))}
    await world.write_metrics()
    counted = cmetrics.decode(body)[-1].values
    shown = await world.machine.ask("GET", f"/v2/agents/{id}/metrics_by_plugin?start=-240h", 200)
    assert [plugin["instance"] for plugin in shown["inputs"]] == sorted(counted.input)
    assert [plugin["instance"] for plugin in shown["outputs"]] == sorted(counted.output)
    assert (await world.machine.ask("GET", f"/v1/agents/{id}", 200))["metricsCount"] == answer["totalInserted"]


async def test_the_content_type_says_nothing_and_the_old_address_works(world: World, agent: tuple[str, Http]) -> None:
    _, mine = agent
    body = (CAPTURES / "derived_two_contexts.msgpack").read_bytes()
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert await mine.ask("POST", "/v1/agent_metrics", 201, content=body, headers=headers) == {"totalInserted": 2}


async def test_undecodable_bodies_are_422_and_nothing_else_is(world: World, agent: tuple[str, Http]) -> None:
    id, mine = agent
    path = f"/v1/agents/{id}/metrics"
    whole = (CAPTURES / "agent_first.msgpack").read_bytes()
    for body in (
        b"",
        b"\x00",
        b"{}",
        b'{"meta":1}',
        whole[:-1],
        whole[:40],
        b"\xc1" * 100,
        b"\x91" * 5000,
        b"\xdf\xff\xff\xff\xff",
    ):
        await mine.refused("POST", path, 422, "invalid metrics", content=body)
    await world.anyone.refused("POST", path, 401, "unauthenticated", content=whole)
    await world.agent("x.y").refused("POST", path, 401, "invalid agent token", content=whole)
    await mine.refused("POST", "/v1/agents/no-id/metrics", 422, "invalid agent ID", content=whole)
    assert len(world.context.buffer) == 0


async def test_rates_are_right_across_a_restart_of_the_agent(world: World, agent: tuple[str, Http]) -> None:
    id, mine = agent
    now = clock.seconds()
    start = now - 300
    posts = [
        (start + 30, start, 300),
        (start + 60, start, 600),
        (start + 120, start + 100, 200),
        (start + 150, start + 100, 500),
    ]
    for at, started, records in posts:
        with clock.moved(timedelta(seconds=at - clock.seconds())):
            await mine.ask("POST", f"/v1/agents/{id}/metrics", 201, content=document(at, started, records))
            await world.write_metrics()
    current = await world.machine.ask("GET", f"/v2/agents/{id}/metrics?start=-1h", 200)
    assert current["input"] == {"records": pytest.approx(10), "bytes": pytest.approx(100)}
    sums = await world.machine.ask("GET", f"/v1/agents/{id}/metrics?start=-1h", 200)
    [total] = sums["measurements"]["fluentbit_input"]["totals"]["records"]
    assert total["value"] == 600 + 500, "what was counted before the restart stays counted"
    project = await world.admin.ask("GET", f"/v1/projects/{world.project_id}/metrics?start=-1h", 200)
    assert project["measurements"]["fluentbit_input"]["totals"]["records"] == 1100
    assert project["topPlugins"]["fluentbit_input"] == {"tail.0": 1100}


async def test_what_an_agent_counted_before_it_joined_is_not_its_projects(world: World, agent: tuple[str, Http]) -> None:
    id, mine = agent
    start = clock.seconds() - 40 * 86400
    for at, records in ((clock.seconds() - 30, 1_000_000), (clock.seconds(), 1_000_300)):
        await mine.ask("POST", f"/v1/agents/{id}/metrics", 201, content=document(at, start, records))
        await world.write_metrics()
    project = await world.admin.ask("GET", f"/v1/projects/{world.project_id}/metrics?start=-1h", 200)
    assert project["measurements"]["fluentbit_input"]["totals"]["records"] == 300


async def test_counters_survive_a_restart_of_the_server(world: World, agent: tuple[str, Http]) -> None:
    id, mine = agent
    start = clock.seconds() - 120
    for at, records in ((start + 30, 100), (start + 60, 250)):
        await mine.ask("POST", f"/v1/agents/{id}/metrics", 201, content=document(at, start, records))
        await world.write_metrics()  # nothing of it is remembered between two writes
    sums = await world.machine.ask("GET", f"/v1/agents/{id}/metrics?start=-1h", 200)
    assert sums["measurements"]["fluentbit_input"]["totals"]["records"][0]["value"] == 250


async def test_the_same_post_again_counts_once(world: World, agent: tuple[str, Http]) -> None:
    id, mine = agent
    start = clock.seconds() - 60
    for _ in range(3):
        await mine.ask("POST", f"/v1/agents/{id}/metrics", 201, content=document(start + 30, start, 100))
    await world.write_metrics()
    sums = await world.machine.ask("GET", f"/v1/agents/{id}/metrics?start=-1h", 200)
    assert sums["measurements"]["fluentbit_input"]["totals"]["records"][0]["value"] == 100


async def test_a_full_buffer_is_503_and_loses_nothing_it_took(world: World, agent: tuple[str, Http]) -> None:
    id, mine = agent
    start = clock.seconds() - 60
    body = document(start + 30, start, 100)
    room = world.context.settings.metrics_buffer
    await mine.ask("POST", f"/v1/agents/{id}/metrics", 201, content=body)
    [post] = world.context.buffer.take()
    world.context.buffer.put([post] * room)
    refused = await mine.post(f"/v1/agents/{id}/metrics", content=body)
    assert (refused.status_code, refused.json()["error"], "retry-after" in refused.headers) == (503, "unavailable", True)
    assert len(world.context.buffer) == room
    ready = await world.anyone.get("/readyz")
    assert (ready.status_code, ready.json()) == (503, {"ok": False, "database": True, "metrics": False})


async def test_an_agent_deleted_before_its_post_is_written_leaves_nothing(world: World, agent: tuple[str, Http]) -> None:
    id, mine = agent
    start = clock.seconds() - 60
    await mine.ask("POST", f"/v1/agents/{id}/metrics", 201, content=document(start + 30, start, 100))
    await world.admin.ask("DELETE", f"/v1/agents/{id}", 204)
    await world.write_metrics()
    rows = await world.rows()
    assert [rows[name] for name in ("counters", "samples_raw")] == [[], []]


@pytest.mark.parametrize("wrong", ["yesterday", "-24", "1d", "P", "PT", "1e99h", "h", "9" * 200 + "h"])
async def test_wrong_durations_are_refused(world: World, agent: tuple[str, Http], wrong: str) -> None:
    id, _ = agent
    await world.machine.refused("GET", f"/v2/agents/{id}/metrics", 422, "invalid start", params={"start": wrong})
    path = f"/v2/agents/{id}/metrics_over_time"
    await world.machine.refused("GET", path, 422, "invalid interval", params={"interval": wrong})


async def test_no_more_steps_than_a_chart_can_show(world: World, agent: tuple[str, Http]) -> None:
    id, _ = agent
    await world.machine.refused(
        "GET", f"/v2/agents/{id}/metrics_over_time", 422, "invalid interval", params={"start": "-720h", "interval": "1s"}
    )


@pytest.mark.parametrize("start", ["-1h", "1h", "-1h0m0s", "0s", "", "PT1H", "-3600000ms"])
async def test_every_spelling_of_a_duration_is_understood(world: World, agent: tuple[str, Http], start: str) -> None:
    id, _ = agent
    shown = await world.machine.ask(
        "GET", f"/v2/agents/{id}/metrics_over_time", 200, params={"start": start, "interval": "10m"}
    )
    assert shown["input"] == {"bytes": [], "records": []}
