"""Ingest checks over HTTP: no longer published, and still called."""

import base64
from datetime import timedelta
from typing import Any

import pytest

from nectary import clock
from tests.harness.pipelines import core_instance
from tests.harness.world import World

TAIL = [{"key": "Name", "value": "tail"}, {"key": "path", "value": "/var/log/*.log"}]


@pytest.fixture
async def ci(world: World) -> dict[str, Any]:
    return await core_instance(world, name="ci")


async def section(world: World, kind: str = "input", properties: list[dict[str, Any]] | None = None) -> str:
    body = {"kind": kind, "properties": properties or TAIL}
    made = await world.machine.ask("POST", f"/v1/projects/{world.project_id}/config_sections", 201, json=body)
    return str(made["id"])


async def test_a_core_instance_finds_runs_and_reports_a_check(world: World, ci: dict[str, Any]) -> None:
    path = f"/v1/core_instances/{ci['id']}/ingest_checks"
    body = {"configSectionID": await section(world), "collectLogs": True, "status": "", "retries": 0, "logs": None}
    made = await world.machine.ask("POST", path, 201, json=body)
    assert made.keys() == {"id", "createdAt"}
    itself = world.http(**{"X-Aggregator-Token": ci["token"]})
    [check] = await itself.ask("GET", path, 200)
    assert (check["id"], check["status"], check["retries"], check["collectLogs"]) == (made["id"], "new", 3, True)
    assert check["config"] == "[INPUT]\n    Name tail\n    path /var/log/*.log\n"
    one = f"/v1/ingest_checks/{made['id']}"
    logs = base64.b64encode(b"it works").decode()
    await itself.ask("PATCH", one, 204, json={"status": "ok", "logs": logs})
    check = await world.machine.ask("GET", one, 200)
    assert (check["status"], check["logs"]) == ("ok", logs)
    await world.machine.ask("DELETE", one, 204)
    await world.machine.refused("GET", one, 404, "ingest check not found")


async def test_a_check_that_nothing_is_heard_of_has_failed(world: World, ci: dict[str, Any]) -> None:
    path = f"/v1/core_instances/{ci['id']}/ingest_checks"
    made = await world.machine.ask("POST", path, 201, json={"configSectionID": await section(world), "retries": 2})
    one = f"/v1/ingest_checks/{made['id']}"
    with clock.moved(timedelta(seconds=69)):
        assert (await world.machine.ask("GET", one, 200))["status"] == "new"
        await world.machine.ask("PATCH", one, 204, json={"status": "running"})
    with clock.moved(timedelta(seconds=138)):
        assert (await world.machine.ask("GET", one, 200))["status"] == "running"
    with clock.moved(timedelta(seconds=141)):
        assert (await world.machine.ask("GET", one, 200))["status"] == "failed"


async def test_a_value_that_classic_cannot_hold_is_written_as_yaml(world: World, ci: dict[str, Any]) -> None:
    properties = [{"key": "name", "value": "dummy"}, {"key": "dummy", "value": '{"a":\n"b"}'}]
    path = f"/v1/core_instances/{ci['id']}/ingest_checks"
    made = await world.machine.ask("POST", path, 201, json={"configSectionID": await section(world, properties=properties)})
    check = await world.machine.ask("GET", f"/v1/ingest_checks/{made['id']}", 200)
    assert check["config"].startswith("pipeline:")


async def test_wrong_checks_are_refused(world: World, ci: dict[str, Any]) -> None:
    path = f"/v1/core_instances/{ci['id']}/ingest_checks"
    id = await section(world)
    body = {"configSectionID": id}
    await world.machine.ask("POST", path, 201, json=body)
    # 422, not 409: the contract counts it among wrong values.
    await world.machine.refused("POST", path, 422, "ingestion check already exists", json=body)
    filtering = await section(world, "filter", [{"key": "name", "value": "stdout"}, {"key": "match", "value": "*"}])
    refusal = "invalid config section kind"
    await world.machine.refused("POST", path, 422, refusal, json={"configSectionID": filtering})
    for wrong, sentence in (
        ({"configSectionID": "nope"}, "invalid config section ID"),
        ({"status": "done"}, "invalid ingest check status"),
        ({"retries": -1}, "invalid ingest check retries"),
        ({"logs": "no base64!"}, "invalid ingest check logs"),
    ):
        await world.machine.refused("POST", path, 422, sentence, json=body | wrong)
    stranger, project = await world.stranger()
    theirs = await stranger.ask(
        "POST", f"/v1/projects/{project}/config_sections", 201, json={"kind": "input", "properties": TAIL}
    )
    await world.machine.refused("POST", path, 404, "config section not found", json={"configSectionID": theirs["id"]})
    await stranger.refused("GET", path, 404, "aggregator not found")
    await stranger.refused("POST", path, 404, "aggregator not found", json=body)
    await world.machine.refused("GET", "/v1/ingest_checks/nope", 422, "invalid ingest check ID")


async def test_a_check_goes_with_its_section(world: World, ci: dict[str, Any]) -> None:
    id = await section(world)
    path = f"/v1/core_instances/{ci['id']}/ingest_checks"
    await world.machine.ask("POST", path, 201, json={"configSectionID": id})
    await world.machine.ask("DELETE", f"/v1/config_sections/{id}", 204)
    assert await world.machine.ask("GET", path, 200) == []
