"""What pipelines count: read from their Fluent Bits, and found on the server."""

from pathlib import Path
from typing import Any

import pytest

from nectary import clock
from nectary.core import metrics
from nectary.core.runtimes.fake import Machine
from nectary.metrics import cmetrics
from tests.core.fluent_bits import METRICS, fluent_bit
from tests.core.instances import opened
from tests.harness.pipelines import encoded, pipeline
from tests.harness.world import World

CONFIG = "[INPUT]\n    Name http\n    Port 9880\n[OUTPUT]\n    Name null\n    Match *\n    Alias {{ secrets.word }}\n"


def test_what_is_read_is_what_the_server_keeps(shared: Path) -> None:
    text = (shared / "captures/http_api/v2_metrics_prometheus_rich.txt").read_text()
    [snapshot] = cmetrics.decode(metrics.encode(metrics.read(text), {"pipeline_id": "p"}, 1_795_472_900_000_000_000))
    assert snapshot.labels == {"pipeline_id": "p"}
    assert snapshot.version == "5.1.1"
    assert snapshot.started_at is not None
    assert snapshot.taken_at == 1_795_472_900
    assert snapshot.values.input
    assert snapshot.values.output
    for kind, field in (("input", "records_total"), ("filter", "records_total"), ("output", "proc_records_total")):
        column = cmetrics.FIELDS[kind].index(field)
        for name, row in getattr(snapshot.values, kind).items():
            assert f'fluentbit_{kind}_{field}{{name="{name}"}} {row[column]}\n' in text


def test_names_are_read_whatever_is_in_them_and_nonsense_is_passed_over() -> None:
    families = metrics.read(METRICS.replace("RECORDS", "7").replace("START", "1.5e9").replace("BYTES", "70"))
    assert families["fluentbit_output_proc_records_total"] == [({"name": 'say "hi"'}, 7.0)]
    assert "fluentbit_logger_logs_total" not in families
    assert "fluentbit_input_ring_buffer_writes_total" not in families
    [snapshot] = cmetrics.decode(metrics.encode(families, {}, 1))
    assert set(snapshot.values.output) == {'say "hi"'}


async def counted(world: World, me: Any, id: str) -> Any:
    await world.write_metrics()
    query = {"start": "-1h", "pipeline_id": id}
    path = f"/v1/aggregators/{me.identity.id}/pipelines_metrics"
    found = await world.machine.ask("GET", path, 200, params=query)
    measured = found[id].get("data", found[id])["measurements"]
    return {kind: said["totals"]["records"][0]["value"] for kind, said in measured.items()}


async def test_replicas_are_agents_whose_counts_are_their_pipelines(world: World, tmp_path: Path) -> None:
    now = clock.seconds()
    async with fluent_bit(records=100, started=now - 30) as one, fluent_bit(records=20, started=now - 30) as two:
        machine = Machine(http=[one.url, two.url])
        async with opened(world, tmp_path, machine) as me:
            await me.turn()
            assert me.identity is not None
            secrets = [{"key": "word", "value": encoded("hush")}]
            made = await pipeline(world, me.identity.id, rawConfig=CONFIG, secrets=secrets)
            await me.turn()
            await me.count()
            assert await counted(world, me, made["id"]) == {
                "fluentbit_input": 120, "fluentbit_filter": 120, "fluentbit_output": 120
            }  # fmt: skip
            agents = await world.machine.ask("GET", f"/v1/projects/{world.project_id}/agents", 200)
            assert sorted(agent["name"] for agent in agents) == [f"{made['name']}-0", f"{made['name']}-1"]
            for agent in agents:
                assert (agent["pipelineID"], agent["version"], agent["status"]) == (made["id"], "5.1.1", "healthy")
                assert "{{ secrets.word }}" in agent["rawConfig"]
                assert "hush" not in agent["rawConfig"]
            one.records += 50
            await me.count()
            assert (await counted(world, me, made["id"]))["fluentbit_output"] == 170

            await world.machine.ask("DELETE", f"/v1/agents/{agents[0]['id']}", 204)
            await me.count()  # refused
            await me.count()  # and registered anew
            assert len(await world.machine.ask("GET", f"/v1/projects/{world.project_id}/agents", 200)) == 2

            await world.machine.ask("DELETE", f"/v1/aggregator_pipelines/{made['id']}", 204)
            await me.turn()
            assert await world.machine.ask("GET", f"/v1/projects/{world.project_id}/agents", 200) == []


async def test_the_last_counts_are_read_before_a_version_replaces_another(world: World, tmp_path: Path) -> None:
    started = clock.seconds() - 30
    async with fluent_bit(records=100, started=started) as one, opened(world, tmp_path, Machine(http=[one.url])) as me:
        await me.turn()
        assert me.identity is not None
        made = await pipeline(world, me.identity.id, rawConfig="[INPUT]\n    Name dummy\n[OUTPUT]\n    Name null\n")
        await me.turn()
        await me.count()
        one.records = 175
        patch = {"rawConfig": "[INPUT]\n    Name dummy\n[OUTPUT]\n    Name stdout\n"}
        await world.machine.ask("PATCH", f"/v1/aggregator_pipelines/{made['id']}", 200, json=patch)
        await me.turn()
        one.records, one.started = 5, clock.seconds()
        await me.count()
        assert (await counted(world, me, made["id"]))["fluentbit_input"] == 180


async def test_the_counts_of_one_that_leaves_are_posted_though_it_is_gone(world: World, tmp_path: Path) -> None:
    started = clock.seconds() - 30
    async with fluent_bit(records=100, started=started) as one, fluent_bit(records=7, started=clock.seconds()) as next:
        machine = Machine(http=[one.url])
        async with opened(world, tmp_path, machine) as me:
            await me.turn()
            assert me.identity is not None
            made = await pipeline(world, me.identity.id, rawConfig="[INPUT]\n    Name dummy\n[OUTPUT]\n    Name null\n")
            await me.turn()
            await me.count()
            machine.http = []
            await me.count()  # it is not ready any more, and about to leave
            one.records = 175
            await me.meter.last(made["id"], one.url)
            machine.http = [next.url]
            await me.count()
            assert (await counted(world, me, made["id"]))["fluentbit_input"] == 182
            [agent] = await world.machine.ask("GET", f"/v1/projects/{world.project_id}/agents", 200)
            assert (agent["machineID"], agent["os"]) == (f"pipeline-{made['id']}-0", "linux")


async def test_one_that_does_not_answer_keeps_nobody_from_being_counted(world: World, tmp_path: Path) -> None:
    async with fluent_bit(records=3, started=clock.seconds() - 30) as one:
        machine = Machine(http=["http://127.0.0.1:9", one.url])
        async with opened(world, tmp_path, machine) as me:
            await me.turn()
            assert me.identity is not None
            made = await pipeline(world, me.identity.id, rawConfig="[INPUT]\n    Name dummy\n[OUTPUT]\n    Name null\n")
            await me.turn()
            await me.count()
            assert (await counted(world, me, made["id"]))["fluentbit_input"] == 3


@pytest.mark.parametrize("text", ["", "not metrics", "fluentbit_uptime", 'fluentbit_uptime{hostname="a} 1', "\0" * 100])
def test_what_is_not_metrics_is_nothing(text: str) -> None:
    assert metrics.read(text) == {}
