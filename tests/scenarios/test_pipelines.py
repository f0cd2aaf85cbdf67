"""Scenarios 33 to 48: pipelines made, shown, changed, rolled back."""

import asyncio
import json
import re
from typing import Any

import pytest
import yaml

from tests.harness.world import World
from tests.scenarios.script import CLASSIC, YAML, Script, moment, new_pipeline

UNSOUND = "[INPUT]\n  Name no_such_plugin\n[OUTPUT]\n  Name stdout\n"


@pytest.fixture
async def script(world: World) -> Script:
    script = Script(world)
    await script.core_instance()
    return script


async def _p1(script: Script) -> dict[str, Any]:
    return await script.create_pipeline("ci", name="p1")


async def _history(script: Script, name: str, **query: Any) -> list[dict[str, Any]]:
    return await script.rows(f"/v1/aggregator_pipelines/{await script.find('pipeline', name)}/config_history", **query)


async def test_a_pipeline_is_made_from_a_config_file(script: Script) -> None:
    """Scenario 33."""
    made = await _p1(script)
    assert made["name"] == "p1"
    assert made["id"] == await script.find("pipeline", "p1")
    moment(made["createdAt"])


async def test_a_pipeline_without_a_name_gets_one(script: Script) -> None:
    """Scenario 34."""
    made = await script.create_pipeline("ci", rawConfig=YAML, configFormat="yaml")
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", made["name"])
    assert made["id"] == await script.find("pipeline", made["name"])


async def test_pipelines_of_a_core_instance_are_listed(script: Script) -> None:
    """Scenario 35."""
    await _p1(script)
    id = await script.find("core_instance", "ci")
    page = await script.get(f"/v1/core_instances/{id}/pipelines", {"last": 0, "config_format": "yaml"})
    [row] = page["items"]
    assert (row["name"], row["replicasCount"], row["deploymentStrategy"]) == ("p1", 1, "recreate")
    assert (row["status"]["status"], page["count"]) == ("NEW", 1)


async def test_a_config_is_shown_as_yaml(script: Script) -> None:
    """Scenario 36."""
    await _p1(script)
    shown = yaml.safe_load((await script.pipeline("p1"))["config"]["rawConfig"])
    assert shown["pipeline"] == {"inputs": [{"Name": "forward", "Port": 24224}], "outputs": [{"Name": "stdout"}]}


async def test_a_config_is_shown_in_the_other_formats(script: Script) -> None:
    """Scenario 37."""
    await _p1(script)
    classic = (await script.pipeline("p1", config_format="ini"))["config"]["rawConfig"]
    assert classic == CLASSIC
    shown = json.loads((await script.pipeline("p1", config_format="json"))["config"]["rawConfig"])
    assert shown["pipeline"]["inputs"][0]["Name"] == "forward"


async def test_ports_are_found_in_the_config(script: Script) -> None:
    """Scenario 38."""
    id = (await _p1(script))["id"]
    [port] = await script.rows(f"/v1/aggregator_pipelines/{id}/ports")
    assert (port["protocol"], port["kind"], port["endpoint"]) == ("tcp", "LoadBalancer", "")
    assert (port["frontendPort"], port["backendPort"]) == (24224, 24224)


async def test_no_ports_are_made_where_none_are_wanted(script: Script) -> None:
    """Scenario 39."""
    made = await script.create_pipeline("ci", name="p2", noAutoCreateEndpointsFromConfig=True)
    assert await script.rows(f"/v1/aggregator_pipelines/{made['id']}/ports") == []


async def test_a_second_pipeline_of_a_name_is_refused(script: Script) -> None:
    """Scenario 40."""
    await _p1(script)
    path = f"/v1/aggregators/{await script.find('core_instance', 'ci')}/pipelines"
    assert await script.refused("POST", path, 409, new_pipeline(name="p1")) == "pipeline name already exists"


async def test_an_unsound_config_is_refused_unless_checking_is_skipped(script: Script) -> None:
    """Scenario 41."""
    path = f"/v1/aggregators/{await script.find('core_instance', 'ci')}/pipelines"
    body = new_pipeline(name="p1", rawConfig=UNSOUND)
    assert await script.refused("POST", path, 422, body) == "invalid pipeline config"
    made = await script.post(path, body | {"skipConfigValidation": True})
    assert made["config"]["rawConfig"] == UNSOUND


async def test_other_replicas_leave_config_and_format_as_they_are(script: Script) -> None:
    """Scenario 42: `configFormat: ini` comes with every change of anything."""
    await script.create_pipeline("ci", name="p1", rawConfig=YAML, configFormat="yaml")
    await script.update_pipeline("p1", replicasCount=2)
    shown = await script.get(f"/v1/aggregator_pipelines/{await script.find('pipeline', 'p1')}")
    assert shown["replicasCount"] == 2
    assert (shown["config"]["rawConfig"], shown["config"]["configFormat"]) == (YAML, "yaml")
    assert len(await _history(script, "p1")) == 1


async def test_another_config_is_one_more_in_the_history(script: Script) -> None:
    """Scenario 43."""
    await _p1(script)
    told = await script.update_pipeline("p1", rawConfig=YAML, configFormat="yaml")
    assert [port["frontendPort"] for port in told["removedPorts"]] == [24224]
    newest, oldest = await _history(script, "p1")
    assert (newest["rawConfig"], oldest["rawConfig"]) == (YAML, CLASSIC)
    assert moment(newest["createdAt"]) > moment(oldest["createdAt"])


async def test_a_rollback_sends_an_older_config_without_its_format(script: Script) -> None:
    """Scenario 44: the newest row is the present config, so that two steps back is the one before."""
    await _p1(script)
    await script.update_pipeline("p1", rawConfig=YAML, configFormat="yaml")
    rows = await _history(script, "p1", last=2)
    assert len(rows) == 2
    body = {"rawConfig": rows[-1]["rawConfig"], "noAutoCreateEndpointsFromConfig": False, "skipConfigValidation": False}
    told = await script.patch(f"/v1/aggregator_pipelines/{await script.find('pipeline', 'p1')}", body)
    assert [port["frontendPort"] for port in told["addedPorts"]] == [24224]
    history = await _history(script, "p1")
    assert [(row["rawConfig"], row["configFormat"]) for row in history] == [
        (CLASSIC, "classic"),
        (YAML, "yaml"),
        (CLASSIC, "classic"),
    ]


async def test_a_history_shorter_than_asked_for_is_given_whole(script: Script) -> None:
    """Scenario 45: the program counts the rows, and sends nothing more."""
    await _p1(script)
    assert len(await _history(script, "p1", last=99)) == 1


async def test_a_renamed_pipeline_is_found_by_its_new_name_only(script: Script) -> None:
    """Scenario 46."""
    made = await _p1(script)
    await script.update_pipeline("p1", name="p9")
    assert await script.find("pipeline", "p9") == made["id"]
    with pytest.raises(LookupError, match='could not find pipeline "p1"'):
        await script.find("pipeline", "p1")


async def test_a_name_that_others_begin_with_is_not_ambiguous(script: Script) -> None:
    made = await _p1(script)
    other = await script.create_pipeline("ci", name="p10")
    assert await script.find("pipeline", "p1") == made["id"]
    assert await script.find("pipeline", "p10") == other["id"]
    with pytest.raises(LookupError, match='ambiguous pipeline name "p"'):
        await script.find("pipeline", "p")


async def test_a_pipeline_is_shown_with_what_belongs_to_it(script: Script) -> None:
    """Scenario 47: four requests at once."""
    await script.create_pipeline("ci", name="p9", secrets=[{"key": "A", "value": "MQ=="}])
    mine = f"/v1/aggregator_pipelines/{await script.find('pipeline', 'p9')}"
    shown, ports, history, secrets = await asyncio.gather(
        script.get(mine, {"config_format": "yaml"}),
        script.rows(f"{mine}/ports"),
        script.rows(f"{mine}/config_history"),
        script.rows(f"{mine}/secrets"),
    )
    assert shown["name"] == "p9"
    assert (len(ports), len(history), [secret["key"] for secret in secrets]) == (1, 1, ["A"])


async def test_a_pipeline_begins_with_a_status(script: Script) -> None:
    """Scenario 48."""
    made = await _p1(script)
    [status] = await script.rows(f"/v1/aggregator_pipelines/{made['id']}/status_history")
    assert (status["status"], status["config"]["id"]) == ("NEW", made["config"]["id"])
    moment(status["createdAt"])
