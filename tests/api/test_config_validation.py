"""Config validation over HTTP, in its three forms."""

from typing import Any

import pytest

from tests.harness.world import World

GOOD = {"command": "INPUT", "name": "tail", "optional": {"path": "/var/log/a.log"}, "id": "1"}
WRONG = {"command": "INPUT", "name": "tail", "optional": {"pth": "x", "refresh_interval": "soon"}, "id": "2"}
UNKNOWN = {"command": "OUTPUT", "name": "nope", "optional": None, "id": "3"}


async def test_version_one_lists_faults_by_the_plugins_name(world: World) -> None:
    for client in (world.admin, world.machine):
        answer = await client.ask("POST", "/v1/config_validate/fluentbit", 200, json={"config": [GOOD, WRONG, UNKNOWN]})
        errors = answer["errors"]
        assert set(errors) == {"runtime", "input", "output", "filter"}
        assert any("pth" in text for text in errors["input"]["tail"])
        assert any("nope" in text for text in errors["runtime"])
        assert (errors["output"], errors["filter"]) == ({}, {})
    fine = await world.machine.ask("POST", "/v1/config_validate/fluentbit", 200, json={"config": [GOOD]})
    assert fine == {"errors": {"runtime": [], "input": {}, "output": {}, "filter": {}}}


async def test_version_two_says_which_property_of_which_section(world: World) -> None:
    answer = await world.machine.ask("POST", "/v1/config_validate_v2", 200, json={"config": [GOOD, WRONG, UNKNOWN]})
    faults = {fault["property"]: fault for fault in answer["errors"]["input"]["tail"]}
    assert (faults["pth"]["id"], faults["pth"]["text"]) == ("2", "x")
    assert faults["pth"]["errors"]
    [unknown] = answer["errors"]["runtime"]
    assert unknown["id"] == "3"


@pytest.mark.parametrize("path", ["/v1/config_validate/fluentbit", "/v1/config_validate_v2"])
async def test_a_question_of_another_shape_is_refused(world: World, path: str) -> None:
    questions: list[Any] = [{}, {"config": None}, {"config": "x"}, {"config": [1]}, {"config": [{"command": "INPUT"}]}]
    for question in [*questions, {"config": [GOOD] * 1001}, {"config": [{**GOOD, "optional": 1}]}]:
        await world.machine.refused("POST", path, 422, "invalid configuration validation payload", json=question)
    await world.anyone.refused("POST", path, 401, "unauthenticated", json={"config": []})
    await world.agent("x").refused("POST", path, 401, "invalid agent token", json={"config": []})


async def test_fluentd_is_not_checked(world: World) -> None:
    await world.machine.refused("POST", "/v1/config_validate/fluentd", 422, "invalid agent type", json={"config": [GOOD]})


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ("[INPUT]\n    name dummy\n", None),
        ("[INPUT]\n    name dummy\n", "ini"),
        ("pipeline:\n  inputs:\n    - name: dummy\n", "yaml"),
        ('{"pipeline": {"inputs": [{"name": "dummy"}]}}', "json"),
        ("", "classic"),
    ],
)
async def test_a_sound_config_is_told_to_anybody(world: World, text: str, format: str | None) -> None:
    answer = await world.anyone.ask(
        "POST", "/v2/validate_fluentbit_config", 204, json={"rawConfig": text, "configFormat": format}
    )
    assert answer.content == b""


@pytest.mark.parametrize(
    ("text", "format", "detail"),
    [
        ("[INPUT]\n    name nope\n", "classic", 'unknown plugin "nope"'),
        ("[INPUT]\n    name http\n    port @nope@\n", "classic", "port"),
        ("[INPUT", "classic", "line 1"),
        ("a: [", "yaml", "line "),
        ("[" * 100_000, "json", "line 1"),
        ("\ufffe\u200b\x01", "yaml", "line 1"),
    ],
)
async def test_what_is_wrong_with_a_config_is_said_first(world: World, text: str, format: str, detail: str) -> None:
    refused = await world.anyone.refused(
        "POST",
        "/v2/validate_fluentbit_config",
        422,
        "invalid fluentbit config",
        json={"rawConfig": text, "configFormat": format},
    )
    assert detail in refused["detail"]


async def test_what_is_no_config_at_all_is_refused(world: World) -> None:
    path = "/v2/validate_fluentbit_config"
    for body in ({}, {"rawConfig": None}, {"rawConfig": "x" * (1024 * 1024 + 1)}):
        await world.anyone.refused("POST", path, 422, "invalid fluentbit config", json=body)
    await world.anyone.refused(
        "POST", path, 422, "invalid pipeline config format", json={"rawConfig": "", "configFormat": "toml"}
    )
