"""Metrics of pipelines and core instances: what their agents post adds up for them, in both versions of the API."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from nectary import clock
from tests.harness.pipelines import core_instance, pipeline
from tests.harness.world import Http, World


def points(shown: Any) -> list[Any]:
    """Everything at the ends of nested lists and objects."""
    inner = shown.values() if isinstance(shown, dict) else shown if isinstance(shown, list) else None
    return [shown] if inner is None else [point for one in inner for point in points(one)]


def document(
    at: float,
    started: float,
    records: int,
    pipeline_id: str | None,
    plugin: str = "dummy.0",
    *,
    family: str = "input",
    name: str = "records_total",
) -> bytes:
    """A document as Fluent Bit makes them: an input that read this many records of ten bytes, and a pipeline's label. Or a
    counter of another kind of plugin."""

    def one(ss: str, name: str, labels: list[str], values: list[dict[str, Any]], kind: int = 0) -> dict[str, Any]:
        meta = {"ver": 2, "type": kind, "opts": {"ns": "fluentbit", "ss": ss, "name": name, "desc": ""}, "labels": labels}
        return {"meta": meta, "values": values}

    ts = int(at * 1e9)
    families = [
        one("", "process_start_time_seconds", ["hostname"], [{"ts": ts, "value": started, "labels": ["edge"]}], kind=1),
        one(family, name, ["name"], [{"ts": ts, "value": float(records), "labels": [plugin], "hash": 1}]),
        one(
            family,
            "bytes_total" if family == "input" else "proc_bytes_total",
            ["name"],
            [{"ts": ts, "value": float(records * 10), "labels": [plugin], "hash": 1}],
        ),
    ]
    labels = [["pipeline_id", pipeline_id]] if pipeline_id else []
    meta: dict[str, Any] = {"cmetrics": {}, "external": {}, "processing": {"static_labels": labels}}
    return msgspec.msgpack.encode({"meta": meta, "metrics": families})


@pytest.fixture
def _time_stands_still() -> Iterator[None]:
    """But for what a test moves it: rates are per second, and a busy machine takes its own."""
    with clock.stopped():
        yield


async def agent(world: World, machine: str) -> tuple[str, Http]:
    body = {"name": machine, "machineID": machine, "type": "fluentbit", "version": "5.1.1", "rawConfig": ""}
    made = await world.machine.ask("POST", "/v1/agents", 201, json=body)
    return made["id"], world.agent(made["token"])


async def post(
    world: World, who: tuple[str, Http], ago: float, started: float, records: int, label: str | None, plugin: str = "dummy.0"
) -> None:
    """One post, as if `ago` seconds had not passed yet."""
    with clock.moved(timedelta(seconds=-ago)):
        body = document(clock.seconds(), started, records, label, plugin)
        await who[1].ask("POST", f"/v1/agents/{who[0]}/metrics", 201, content=body)
        await world.write_metrics()


@pytest.mark.usefixtures("_time_stands_still")
async def test_a_pipeline_and_its_core_instance_add_up_what_their_agents_count(world: World) -> None:
    ci = await core_instance(world, name="ci")
    one, two = await pipeline(world, ci["id"], name="one"), await pipeline(world, ci["id"], name="two")
    a, b = await agent(world, "a"), await agent(world, "b")
    start = clock.seconds() - 240
    for ago, counts in ((200, (400, 100)), (140, (1000, 400)), (80, (1600, 700))):
        await post(world, a, ago, start, counts[0], one["id"], "dummy.0")
        await post(world, b, ago - 1, start, counts[1], two["id"], "tail.0")
    shown = await world.machine.ask("GET", f"/v2/pipelines/{one['id']}/metrics", 200)
    assert shown["input"] == {"records": pytest.approx(10, rel=0.01), "bytes": pytest.approx(100, rel=0.01)}
    assert shown["output"].keys() >= {"records", "retries", "droppedRecords"}
    shown = await world.machine.ask("GET", f"/v2/core_instances/{ci['id']}/metrics", 200)
    assert shown["input"]["records"] == pytest.approx(15, rel=0.05), "both, over long enough to hear of both"
    shown = await world.machine.ask("GET", f"/v2/core_instances/{ci['id']}/metrics_by_plugin", 200)
    assert [plugin["instance"] for plugin in shown["inputs"]] == ["dummy.0", "tail.0"]
    shown = await world.machine.ask("GET", f"/v2/pipelines/{two['id']}/metrics_by_plugin", 200)
    assert [plugin["instance"] for plugin in shown["inputs"]] == ["tail.0"]

    sums = await world.machine.get(f"/v1/pipeline_metrics/{one['id']}?start=-1h&interval=1m")
    assert sums.headers["sunset"] == "Tue, 01 Nov 2022 00:00:00 GMT"
    measured = sums.json()["measurements"]["fluentbit_input"]
    assert measured["totals"]["records"][0]["value"] == 1600, "all since it started, the first post's too"
    assert sum(point["value"] for point in measured["plugins"]["dummy.0"]["metrics"]["records"]) == 1600
    sums = await world.machine.ask("GET", f"/v1/aggregator_metrics/{ci['id']}?start=-1h", 200)
    assert sums["measurements"]["fluentbit_input"]["totals"]["records"][0]["value"] == 2300
    assert "plugins" not in sums["measurements"]["fluentbit_input"]
    project = await world.machine.ask("GET", f"/v1/projects/{world.project_id}/metrics?start=-1h", 200)
    assert project["measurements"]["fluentbit_input"]["totals"]["records"] == 2300


@pytest.mark.usefixtures("_time_stands_still")
async def test_rates_over_time_are_those_of_the_agents(world: World) -> None:
    ci = await core_instance(world)
    made = await pipeline(world, ci["id"])
    a = await agent(world, "a")
    start = clock.seconds() - 700
    for ago, records in ((600, 1000), (300, 4000), (0, 7000)):
        await post(world, a, ago, start, records, made["id"])
    for path in (f"/v2/pipelines/{made['id']}", f"/v2/core_instances/{ci['id']}"):
        shown = await world.machine.ask("GET", f"{path}/metrics_over_time?start=-5m&interval=1m", 200)
        rates = [point["value"] for point in shown["input"]["records"] if point["value"] is not None]
        assert rates == pytest.approx([10.0] * len(rates), rel=0.05)
        assert len(rates) >= 5
        assert shown["output"]["loads"] == []
        shown = await world.machine.ask("GET", f"{path}/metrics_over_time_by_plugin?start=-5m&interval=1m", 200)
        [plugin] = shown["inputs"]
        assert plugin["instance"] == "dummy.0"
        assert plugin["metrics"]["bytes"][-1]["value"] == pytest.approx(100, rel=0.05)


async def test_an_agent_is_its_pipelines_once_its_label_said_so(world: World) -> None:
    ci = await core_instance(world)
    made = await pipeline(world, ci["id"])
    a = await agent(world, "a")
    start = clock.seconds() - 100
    await post(world, a, 60, start, 100, made["id"])
    assert (await world.machine.ask("GET", f"/v1/agents/{a[0]}", 200))["pipelineID"] == made["id"]
    listed = await world.machine.ask("GET", f"/v1/projects/{world.project_id}/agents?pipeline_id={made['id']}", 200)
    assert [found["id"] for found in listed] == [a[0]]
    await post(world, a, 0, start, 700, None)
    sums = await world.machine.ask("GET", f"/v1/pipeline_metrics/{made['id']}?start=-1h", 200)
    assert sums["measurements"]["fluentbit_input"]["totals"]["records"][0]["value"] == 700
    await world.machine.ask("DELETE", f"/v1/aggregator_pipelines/{made['id']}", 204)
    assert (await world.machine.ask("GET", f"/v1/agents/{a[0]}", 200))["pipelineID"] is None
    rows = await world.rows()
    assert made["id"] not in repr([row for name in ("counters", "samples_raw") for row in rows[name]])


async def test_a_label_that_names_anothers_pipeline_counts_for_nobody_there(world: World) -> None:
    stranger, project = await world.stranger()
    [token] = await stranger.ask("GET", f"/v1/projects/{project}/tokens", 200)
    theirs = await world.token_of(token["token"]).ask("POST", "/v1/aggregators", 201, json={})
    body = {"rawConfig": "[INPUT]\n name dummy\n[OUTPUT]\n name stdout\n match *\n"}
    other = await stranger.ask("POST", f"/v1/aggregators/{theirs['id']}/pipelines", 201, json=body)
    a = await agent(world, "a")
    for ago, records in ((60, 100), (0, 700)):
        await post(world, a, ago, clock.seconds() - 100, records, other["id"])
    assert (await world.machine.ask("GET", f"/v1/agents/{a[0]}", 200))["pipelineID"] is None
    assert await stranger.ask("GET", f"/v1/pipeline_metrics/{other['id']}", 200) == {"measurements": {}}
    await world.machine.refused("GET", f"/v1/pipeline_metrics/{other['id']}", 404, "pipeline not found")


async def test_many_pipelines_are_read_at_once(world: World) -> None:
    ci, elsewhere = await core_instance(world), await core_instance(world)
    mine, quiet = await pipeline(world, ci["id"]), await pipeline(world, ci["id"])
    other = await pipeline(world, elsewhere["id"])
    a = await agent(world, "a")
    for ago, records in ((60, 100), (0, 700)):
        await post(world, a, ago, clock.seconds() - 100, records, mine["id"])
    path = f"/v1/aggregators/{ci['id']}/pipelines_metrics"
    answer = await world.machine.ask("GET", path, 200, params={"pipeline_id": [mine["id"], quiet["id"], other["id"]]})
    assert answer.keys() == {mine["id"], quiet["id"], other["id"]}
    assert answer[mine["id"]]["error"] is None
    assert answer[mine["id"]]["data"]["measurements"]["fluentbit_input"]["plugins"].keys() == {"dummy.0"}
    assert answer[quiet["id"]] == {"data": {"measurements": {}}, "error": None}
    assert answer[other["id"]] == {"data": {"measurements": {}}, "error": "pipeline not found"}
    await world.machine.refused("GET", path, 422, "zero pipeline IDs")
    await world.machine.refused("GET", path, 422, "invalid pipeline ID", params={"pipeline_id": "nope"})


async def test_without_posts_everything_is_empty_and_the_addresses_of_2022_answer_the_same(world: World) -> None:
    ci = await core_instance(world)
    made = await pipeline(world, ci["id"])
    plugins = {"pipelines": "metrics_by_plugin", "core_instances": "metricsByPlugin"}
    for kind, id in (("pipelines", made["id"]), ("core_instances", ci["id"])):
        for name in ("metrics", "metrics_by_plugin", "metrics_over_time", "metrics_over_time_by_plugin"):
            shown = await world.machine.ask("GET", f"/v2/{kind}/{id}/{name}", 200)
            assert set(points(shown)) <= {None}
            old = plugins[kind] if name == "metrics_by_plugin" else name
            assert shown == await world.machine.ask("GET", f"/v1/{kind}/{id}/{old}", 200)
    for path in (f"/v2/pipelines/{made['id']}", f"/v2/core_instances/{ci['id']}"):
        await world.machine.refused("GET", f"{path}/metrics?start=soon", 422, "invalid start")
        await world.machine.refused("GET", f"{path}/metrics_over_time?interval=often", 422, "invalid interval")
        stranger, _ = await world.stranger()
        noun = "pipeline" if "pipelines" in path else "aggregator"
        await stranger.refused("GET", f"{path}/metrics", 404, f"{noun} not found")


async def test_a_pipeline_says_how_much_less_it_sent(world: World) -> None:
    ci = await core_instance(world, name="ci")
    made, who = await pipeline(world, ci["id"], name="one"), await agent(world, "a")
    for ago, count in ((120, 0), (60, 400)):
        await post(world, who, ago, clock.seconds() - 200, count, made["id"])
    shown = await world.machine.ask("GET", f"/v2/pipelines/{made['id']}/reduction", 200, params={"start": "-3m"})
    assert (shown["recordsIn"], shown["bytesIn"], shown["bytesOut"], shown["reduction"]) == (400, 4000, 0, 1.0)
    assert (shown["filters"], shown["outputs"]) == ([], [])
    stranger, _ = await world.stranger()
    await stranger.refused("GET", f"/v2/pipelines/{made['id']}/reduction", 404, "pipeline not found")
