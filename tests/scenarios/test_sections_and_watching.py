"""Scenarios 57 to 62: config sections, traces, logs and ingest checks."""

from datetime import timedelta
from typing import Any

import pytest
import yaml

from tests.harness.world import World
from tests.scenarios.script import Script, moment

HTTP = [{"key": "name", "value": "http"}, {"key": "host", "value": "h"}, {"key": "port", "value": "80"}]


@pytest.fixture
async def script(world: World) -> Script:
    script = Script(world)
    await script.core_instance()
    await script.create_pipeline("ci", name="p")
    return script


async def _section(script: Script) -> dict[str, Any]:
    body = {"kind": "output", "properties": HTTP, "skipConfigValidation": False}
    made: dict[str, Any] = await script.post(f"/v1/projects/{script.project}/config_sections", body)
    return made


async def _outputs(script: Script, **query: Any) -> list[str]:
    shown = yaml.safe_load((await script.pipeline("p", **query))["config"]["rawConfig"])
    return [next(value for key, value in one.items() if key.lower() == "name") for one in shown["pipeline"]["outputs"]]


async def test_a_config_section_is_kept_for_the_project(script: Script) -> None:
    """Scenario 57."""
    made = await _section(script)
    moment(made["createdAt"])
    [row] = await script.rows(f"/v1/projects/{script.project}/config_sections")
    assert (row["id"], row["kind"], row["properties"]) == (made["id"], "output", HTTP)


async def test_a_pipeline_is_shown_with_its_set_of_sections_when_asked_so(script: Script) -> None:
    """Scenario 58: no sections at all are `null` to the program."""
    section = await _section(script)
    path = f"/v1/pipelines/{await script.find('pipeline', 'p')}/config_section_set"
    await script.patch_silently(path, [section["id"]])
    assert await _outputs(script, render_with_config_sections="true") == ["stdout", "http"]
    assert await _outputs(script) == ["stdout"]
    await script.patch_silently(path, None)
    assert await _outputs(script, render_with_config_sections="true") == ["stdout"]


async def test_one_trace_session_at_a_time_runs_and_is_ended(script: Script) -> None:
    """Scenario 59."""
    id = await script.find("pipeline", "p")
    body = {"plugins": ["forward.0"], "lifespan": "5m0s"}
    made = await script.post(f"/v1/pipelines/{id}/trace_sessions", body)
    active = await script.get(f"/v1/pipelines/{id}/trace_session")
    assert (active["id"], active["plugins"], active["lifespan"]) == (made["id"], ["forward.0"], "5m0s")
    said = await script.refused("POST", f"/v1/pipelines/{id}/trace_sessions", 409, body)
    assert said == "active trace session in progress"
    ended = await script.delete(f"/v1/pipelines/{id}/trace_session")
    assert (ended["id"], set(ended)) == (made["id"], {"id", "lifespan", "updatedAt"})
    [row] = await script.rows(f"/v1/pipelines/{id}/trace_sessions")
    # The program counts it active while its creation and its lifespan together are not past.
    assert _ends(row) < moment(ended["updatedAt"])


def _ends(session: dict[str, Any]) -> Any:
    """Lifespans of less than an hour, as Go writes them: `1m2.5s`, `350.1ms`, `12µs`."""
    text = session["lifespan"]
    minutes, _, rest = text.rpartition("m") if "m" in text and not text.endswith("ms") else ("0", "", text)
    for unit, seconds in (("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0)):
        if rest.endswith(unit):
            lived = int(minutes) * 60 + float(rest.removesuffix(unit)) * seconds
            return moment(session["createdAt"]) + timedelta(seconds=lived)
    raise AssertionError(f"{text} is no duration of Go's")


async def test_trace_records_are_listed_by_what_they_saw(script: Script) -> None:
    """Scenario 60: the four kinds of records by number, and times as Go reads them."""
    id = await script.find("pipeline", "p")
    session = await script.post(f"/v1/pipelines/{id}/trace_sessions", {"plugins": ["forward.0"], "lifespan": "5m0s"})
    for kind in (1, 2, 3, 4):
        record = {"type": kind, "trace_id": "trace.0", "start_time": 1700000000, "end_time": 1700000001, "return_code": 0}
        seen = {"plugin_instance": "forward.0", "plugin_alias": "", "records": [{"timestamp": 1700000000, "record": {"a": 1}}]}
        made = await script.post(f"/v1/pipelines/{id}/trace_session/records", record | seen)
        assert made["sessionID"] == session["id"]
    rows = await script.rows(f"/v1/trace_sessions/{session['id']}/records")
    assert [row["type"] for row in rows] == [4, 3, 2, 1]
    assert {row["trace_id"] for row in rows} == {"trace.0"}
    assert {moment(row["end_time"]) - moment(row["start_time"]) for row in rows} == {timedelta(seconds=1)}


async def test_logs_are_asked_for_and_come_when_the_core_instance_sends_them(script: Script) -> None:
    """Scenario 61."""
    id = await script.find("pipeline", "p")
    body = {"pipelineID": id, "logs": "", "lines": 10, "status": None}
    made = await script.post(f"/v1/pipelines/{id}/logs", body)
    moment(made["createdAt"])
    [row] = await script.rows(f"/v1/pipelines/{id}/logs")
    assert (row["id"], row["status"], row["lines"]) == (made["id"], "NEW", 10)
    [asked] = await script.rows(f"/v1/pipelines/{id}/logs", status="NEW")  # as the core instance looks for work
    answer = {"id": asked["id"], "logs": "[info] it runs\n", "status": "DONE"}
    await script.patch(f"/v1/pipeline_logs/{asked['id']}", answer)
    assert (await script.get(f"/v1/pipeline_logs/{made['id']}"))["logs"] == "[info] it runs\n"
    watched = await script.get(f"/v1/pipelines/{id}/logs", {"status": "DONE"})
    assert [each["logs"] for each in watched["items"]] == ["[info] it runs\n"]
    assert (await script.delete(f"/v1/pipeline_logs/{made['id']}"))["deleted"] is True


async def test_an_ingest_check_is_made_listed_and_deleted(script: Script) -> None:
    """Scenario 62."""
    id, section = await script.find("core_instance", "ci"), await _section(script)
    body = {"status": "new", "retries": 0, "configSectionID": section["id"], "collectLogs": False, "logs": None}
    made = await script.post(f"/v1/core_instances/{id}/ingest_checks", body)
    [row] = await script.rows(f"/v1/core_instances/{id}/ingest_checks")
    assert (row["id"], row["status"], row["retries"]) == (made["id"], "new", 3)
    assert (await script.get(f"/v1/ingest_checks/{made['id']}"))["id"] == made["id"]
    await script.delete_silently(f"/v1/ingest_checks/{made['id']}")
    assert await script.rows(f"/v1/core_instances/{id}/ingest_checks") == []
