"""Pipelines over HTTP: made, listed, shown, deleted."""

import base64
import re
from typing import Any

import pytest

from nectary import sealing
from tests.harness.pipelines import CLASSIC, core_instance, encoded, one, pipeline
from tests.harness.queries import counted
from tests.harness.world import World

FIVE_OUTPUTS = """
[INPUT]
    Name dummy
[OUTPUT]
    Name tcp
    Host one.example.com
    Port 1001
    Match *
[OUTPUT]
    Name opensearch
    Host two.example.com
    Match *
[OUTPUT]
    Name syslog
    Host three.example.com
    Port 1003
    Mode udp
    Match *
[OUTPUT]
    Name syslog
    Host three.example.com
    Port 1003
    Mode tcp
    Match *
[OUTPUT]
    Name gelf
    Host 10.0.0.4
    Match *
"""


async def test_a_pipeline_needs_no_more_than_its_configuration(world: World) -> None:
    ci = await core_instance(world)
    made = await pipeline(world, ci["id"])
    assert re.fullmatch(r"[a-z]+-[a-z]+-[0-9a-f]{6}", made["name"])
    assert (made["kind"], made["replicasCount"], made["deploymentStrategy"]) == ("deployment", 1, "recreate")
    assert made["resourceProfile"]["name"] == "best-effort-low-resource"
    assert made["config"]["rawConfig"] == CLASSIC
    assert made["config"]["configFormat"] == "classic"
    assert made["status"]["status"] == "NEW"
    assert made["status"]["config"] == made["config"]
    assert [file["name"] for file in made["files"]] == ["parsers"]
    assert made["createdAt"] == made["updatedAt"]
    [port] = made["ports"]
    assert (port["protocol"], port["frontendPort"], port["backendPort"], port["endpoint"]) == ("tcp", 24224, 24224, "")
    assert (port["pluginID"], port["pluginName"], port["pluginAlias"]) == ("forward.0", "forward", None)
    assert port["kind"] == "LoadBalancer"
    assert (made["checks"], made["secrets"], made["configSections"]) == ([], [], [])

    shown = await one(world.machine, made["id"], include="ports,files,secrets")
    assert shown == {key: value for key, value in made.items() if key != "checks"}


async def test_empty_words_of_older_clients_mean_the_usual(world: World) -> None:
    ci = await core_instance(world)
    body = {"name": "", "kind": "", "deploymentStrategy": "", "resourceProfile": "", "scaleUpType": "", "configFormat": "ini"}
    nothing = dict.fromkeys(("tags", "metadata", "secrets", "files", "image", "labels"))
    made = await pipeline(world, ci["id"], **body, **nothing)
    assert (made["kind"], made["scaleUpType"], made["config"]["configFormat"]) == ("deployment", "Unknown", "classic")
    assert (made["tags"], made["metadata"], made["image"]) == ([], {}, None)


async def test_secrets_and_sealed_files_can_be_opened_by_the_core_instance_only(world: World) -> None:
    ci = await core_instance(world)
    config = "[INPUT]\n Name http\n[OUTPUT]\n Name http\n Match *\n Host h.example.com\n Header X {{ secrets.api-key }}\n"
    made = await pipeline(
        world,
        ci["id"],
        rawConfig=config + " tls.ca_file {{files.ca}}\n",
        secrets=[{"key": "api-key", "value": encoded("hunter2")}],
        files=[
            {"name": "ca", "contents": encoded("certificate"), "encrypted": True},
            {"name": "open", "contents": encoded("open")},
        ],
    )
    private = ci["privateRSAKey"]
    [secret] = made["secrets"]
    assert sealing.unseal(private, base64.b64decode(secret["value"])) == b"hunter2"
    by_name = {file["name"]: file for file in made["files"]}
    assert set(by_name) == {"ca", "open", "parsers"}
    assert sealing.unseal(private, base64.b64decode(by_name["ca"]["contents"])) == b"certificate"
    assert base64.b64decode(by_name["open"]["contents"]) == b"open"
    assert "hunter2" not in repr(await world.rows())


async def test_a_parsers_file_that_was_sent_is_kept(world: World) -> None:
    ci = await core_instance(world)
    made = await pipeline(world, ci["id"], files=[{"name": "parsers", "contents": encoded("[PARSER]\n")}])
    [file] = made["files"]
    assert base64.b64decode(file["contents"]) == b"[PARSER]\n"


async def test_checks_are_made_of_outputs(world: World) -> None:
    ci = await core_instance(world)
    made = await pipeline(world, ci["id"], rawConfig=FIVE_OUTPUTS)
    found = sorted(
        (check["protocol"], check["host"], check["port"], check["status"], check["retries"]) for check in made["checks"]
    )
    assert found == [
        ("tcp", "one.example.com", 1001, "new", 3),
        ("tcp", "three.example.com", 1003, "new", 3),
        ("tcp", "two.example.com", 9200, "new", 3),
        ("udp", "10.0.0.4", 12201, "new", 3),
        ("udp", "three.example.com", 1003, "new", 3),
    ]
    assert (made["checksTotal"], made["checksOK"], made["checksRunning"]) == (5, 0, 0)
    [first, second, *_] = [check["id"] for check in made["checks"]]
    await world.machine.ask("PATCH", f"/v1/pipeline_checks/{first}", 204, json={"status": "ok"})
    await world.machine.ask("PATCH", f"/v1/pipeline_checks/{second}", 204, json={"status": "running"})
    shown = await one(world.machine, made["id"])
    assert (shown["checksTotal"], shown["checksOK"], shown["checksRunning"]) == (5, 1, 1)


async def test_plugins_of_one_name_are_counted_for_themselves(world: World) -> None:
    ci = await core_instance(world)
    config = (
        "[INPUT]\n Name tcp\n Port 1\n[INPUT]\n Name forward\n Alias edge\n[INPUT]\n Name syslog\n Mode udp\n Port 5141\n"
        "[INPUT]\n Name syslog\n[INPUT]\n Name tcp\n Port 2\n[OUTPUT]\n Name stdout\n Match *\n"
    )
    made = await pipeline(world, ci["id"], rawConfig=config)
    found = sorted((port["pluginID"], port["protocol"], port["frontendPort"], port["pluginAlias"]) for port in made["ports"])
    assert found == [
        ("forward.0", "tcp", 24224, "edge"),
        ("syslog.0", "udp", 5141, None),
        ("tcp.0", "tcp", 1, None),
        ("tcp.1", "tcp", 2, None),
    ]


@pytest.mark.parametrize(
    "flags",
    [
        {"noAutoCreateEndpointsFromConfig": True, "noAutoCreateChecksFromConfig": True},
        {"autoCreatePortsFromConfig": False, "autoCreateChecksFromConfig": False},
    ],
)
async def test_ports_and_checks_can_be_declined_in_both_ways(world: World, flags: dict[str, bool]) -> None:
    ci = await core_instance(world)
    made = await pipeline(world, ci["id"], rawConfig=CLASSIC + FIVE_OUTPUTS, **flags)
    assert (made["ports"], made["checks"]) == ([], [])


REFUSED: list[tuple[dict[str, Any], int, str, str | None]] = [
    ({"rawConfig": "[INPUT]\n"}, 422, "invalid pipeline config", 'unknown plugin ""'),
    ({"rawConfig": "[INPUT]\n Name @nope@\n"}, 422, "invalid pipeline config", 'unknown plugin "@nope@"'),
    (
        {"rawConfig": "[INPUT]\n name dummy\n[OUTPUT]\n name http\n match *\n host h\n port @nope@\n"},
        422,
        "invalid pipeline config",
        'http: expected "port" to be a valid integer; got "@nope@"',
    ),
    (
        {"rawConfig": "[INPUT]\n name dummy\n[OUTPUT]\n name http\n host h\n match *\n[OUTPUT]\n name tcp\n match *\n"},
        422,
        "invalid pipeline config",
        'host property not defined in section "tcp.0"',
    ),
    ({"rawConfig": 7}, 422, "invalid pipeline config", None),
    ({"rawConfig": CLASSIC + "# {{x}}\n" + " " * 2_000_000}, 422, "invalid pipeline config", None),
    ({"configFormat": "toml"}, 422, "invalid pipeline config format", None),
    ({"name": "Not a label"}, 422, "invalid pipeline name", None),
    ({"kind": "job"}, 422, "invalid pipeline kind", None),
    ({"deploymentStrategy": "hope"}, 422, "invalid pipeline deployment strategy", None),
    ({"image": "not an image"}, 422, "invalid pipeline image", None),
    ({"portKind": "Tunnel"}, 422, "invalid pipeline port type", None),
    ({"scaleUpType": "Much"}, 422, "invalid pipeline HPA scaling type", None),
    ({"minReplicas": -1}, 422, "invalid min replica count", None),
    ({"minReplicas": 3, "maxReplicas": 2}, 422, "invalid min replica count", "3 is more than maxReplicas, 2"),
    ({"metadata": []}, 422, "invalid pipeline metadata", None),
    ({"tags": [""]}, 422, "invalid tag", None),
    ({"resourceProfile": "none-such"}, 404, "resource profile not found", None),
    ({"secrets": [{"key": "a b", "value": "YQ=="}]}, 422, "invalid secret key", None),
    ({"secrets": [{"key": "a"}]}, 422, "secret value required", None),
    ({"files": [{"name": "", "contents": "YQ=="}]}, 422, "invalid file name", None),
    ({"files": [{"name": "a"}]}, 422, "file contents required", None),
    (
        {"secrets": [{"key": "a", "value": "YQ=="}, {"key": "a", "value": "YQ=="}]},
        409,
        "pipeline secret already exists",
        None,
    ),
    (
        {"rawConfig": "[INPUT]\n name dummy\n[OUTPUT]\n name http\n match *\n host h\n header a {{ secrets.gone }}\n"},
        404,
        "undefined pipeline secret",
        "gone",
    ),
    (
        {"rawConfig": "[INPUT]\n name dummy\n[OUTPUT]\n name http\n match *\n host h\n tls.ca_file {{ files.gone }}\n"},
        422,
        "invalid pipeline config",
        "undefined pipeline file 'gone'",
    ),
]


async def test_what_is_wrong_is_refused_in_the_contracts_words_and_changes_nothing(world: World) -> None:
    ci = await core_instance(world)
    before = await world.rows()
    path = f"/v1/aggregators/{ci['id']}/pipelines"
    for body, status, error, detail in REFUSED:
        said = await world.machine.refused("POST", path, status, error, json={"rawConfig": CLASSIC, **body})
        assert detail is None or said["detail"] == detail, said
    assert await world.rows() == before


async def test_an_unsound_configuration_is_taken_where_checking_is_skipped(world: World) -> None:
    ci = await core_instance(world)
    made = await pipeline(world, ci["id"], rawConfig="[INPUT]\n Name @nope@\n", skipConfigValidation=True)
    assert (made["ports"], made["checks"]) == ([], [])
    unreadable = await pipeline(world, ci["id"], rawConfig="garbage", skipConfigValidation=True)
    assert unreadable["config"]["rawConfig"] == "garbage"
    path = f"/v1/aggregator_pipelines/{unreadable['id']}?config_format=yaml"
    await world.machine.refused("GET", path, 422, "invalid pipeline config")
    listed = await world.machine.ask("GET", f"/v1/core_instances/{ci['id']}/pipelines?config_format=yaml", 200)
    assert [(each["config"]["configFormat"], each["error"] is None) for each in listed["items"]] == [
        ("classic", False),
        ("yaml", True),
    ]


async def test_names_are_unique_in_their_core_instance(world: World) -> None:
    one_, other = await core_instance(world), await core_instance(world)
    await pipeline(world, one_["id"], name="edge")
    await pipeline(world, other["id"], name="edge")
    path = f"/v1/aggregators/{one_['id']}/pipelines"
    await world.machine.refused("POST", path, 409, "pipeline name already exists", json={"name": "edge", "rawConfig": CLASSIC})


async def test_lists_come_in_both_shapes_with_what_was_asked_for(world: World) -> None:
    ci = await core_instance(world, addHealthCheckPipeline=True)
    await pipeline(world, ci["id"], name="one", tags=["a"])
    await pipeline(world, ci["id"], name="two", tags=["a", "b"], kind="daemonSet", secrets=[{"key": "k", "value": "YQ=="}])
    for path in (f"/v1/core_instances/{ci['id']}/pipelines", f"/v1/projects/{world.project_id}/pipelines"):
        listed = await world.machine.ask("GET", path, 200)
        assert (listed["count"], [each["name"] for each in listed["items"]][:2]) == (3, ["two", "one"])
        assert listed["items"][0]["ports"] is None
        hidden = await world.machine.ask("GET", path, 200, params={"exclude_internal": "true"})
        assert [each["name"] for each in hidden["items"]] == ["two", "one"]
        assert hidden["count"] == 2
        daemons = await world.machine.ask("GET", path, 200, params={"kind": "daemonSet"})
        assert [each["name"] for each in daemons["items"]] == ["two"]
        tagged = await world.machine.ask("GET", path, 200, params={"tags_query": "a AND b", "include": "secrets"})
        assert [[secret["key"] for secret in each["secrets"]] for each in tagged["items"]] == [["k"]]
        await world.machine.refused("GET", path, 422, "invalid pipeline kind", params={"kind": "job"})
        await world.machine.refused("GET", path, 422, "invalid include", params={"include": "dreams"})
        await world.machine.refused("GET", path, 422, "invalid pipeline config format", params={"config_format": "toml"})
    for path in (f"/v1/aggregators/{ci['id']}/pipelines", f"/v1/projects/{world.project_id}/aggregator_pipelines"):
        params: Any = [("include", "ports"), ("include", "files"), ("last", 1), ("name", "one")]
        answer = await world.machine.get(path, params=params)
        [found] = answer.json()
        assert [port["frontendPort"] for port in found["ports"]] == [24224]
        assert [file["name"] for file in found["files"]] == ["parsers"]
        beyond = await world.machine.get(answer.headers["link"].partition(">")[0].lstrip("<"))
        assert (beyond.json(), "link" in beyond.headers) == ([], False)


async def test_the_object_list_is_paged_by_its_cursor(world: World) -> None:
    ci = await core_instance(world)
    for name in ("a", "b", "c"):
        await pipeline(world, ci["id"], name=name)
    path = f"/v1/core_instances/{ci['id']}/pipelines"
    seen, cursor = [], ""
    for _ in range(5):
        listed = await world.machine.ask("GET", path, 200, params={"last": 2, "before": cursor})
        assert listed["count"] == 3
        seen += [each["name"] for each in listed["items"]]
        cursor = listed["endCursor"]
        if cursor is None:
            break
    assert seen == ["c", "b", "a"]
    await world.machine.refused("GET", path, 422, "decode cursor", params={"before": "x"})


async def test_configurations_are_shown_in_the_format_asked_for(world: World) -> None:
    ci = await core_instance(world)
    made = await pipeline(world, ci["id"])
    in_yaml = await one(world.machine, made["id"], config_format="yaml")
    assert in_yaml["config"]["configFormat"] == "yaml"
    assert "inputs:" in in_yaml["config"]["rawConfig"]
    assert in_yaml["status"]["config"]["rawConfig"] == in_yaml["config"]["rawConfig"]
    in_json = await one(world.machine, made["id"], config_format="json")
    assert in_json["config"]["rawConfig"].startswith("{")
    for name in ("ini", "classic"):
        assert (await one(world.machine, made["id"], config_format=name))["config"] == made["config"]


async def test_a_format_that_cannot_hold_a_configuration_says_so(world: World) -> None:
    ci = await core_instance(world)
    config = (
        "pipeline:\n  inputs:\n    - name: dummy\n      processors:\n        logs:\n          - name: content_modifier\n"
        "            action: insert\n            key: a\n            value: b\n"
        "  outputs:\n    - name: stdout\n      match: '*'\n"
    )
    made = await pipeline(world, ci["id"], rawConfig=config, configFormat="yaml")
    path = f"/v1/aggregator_pipelines/{made['id']}?config_format=ini"
    said = await world.machine.refused("GET", path, 422, "invalid pipeline config")
    assert "processors" in said["detail"]


async def test_internal_pipelines_are_made_and_deleted_by_the_system(world: World) -> None:
    ci = await core_instance(world, addHealthCheckPipeline=True, clusterLogging=True, healthCheckPipelinePort=3030)
    health = ci["healthCheckPipeline"]
    assert re.fullmatch(r"health-check-[0-9a-f]{4}", health["name"])
    assert "fluentbit_metrics" in health["config"]["rawConfig"]
    assert [(port["protocol"], port["frontendPort"]) for port in health["ports"]] == [("tcp", 3030)]
    assert ci["clusterLoggingPipeline"]["kind"] == "daemonSet"
    for internal in (health, ci["clusterLoggingPipeline"]):
        path = f"/v1/aggregator_pipelines/{internal['id']}"
        await world.machine.refused("DELETE", path, 403, "pipeline can only be deleted by the system")
    bulk = f"/v1/aggregators/{ci['id']}/pipelines?pipeline_id={health['id']}"
    await world.machine.refused("DELETE", bulk, 403, "pipeline can only be deleted by the system")
    await world.machine.ask("PATCH", f"/v1/aggregators/{ci['id']}", 204, json={"clusterLogging": False})
    listed = await world.machine.ask("GET", f"/v1/core_instances/{ci['id']}/pipelines", 200)
    assert [each["id"] for each in listed["items"]] == [health["id"]]


async def test_deleting_takes_all_that_a_pipeline_holds(world: World) -> None:
    ci = await core_instance(world)
    before = await world.rows()
    ids = [(await pipeline(world, ci["id"], rawConfig=FIVE_OUTPUTS))["id"] for _ in range(3)]
    await world.machine.ask("DELETE", f"/v1/aggregator_pipelines/{ids[0]}", 204)
    await world.machine.refused("GET", f"/v1/aggregator_pipelines/{ids[0]}", 404, "pipeline not found")
    await world.machine.refused("DELETE", f"/v1/aggregator_pipelines/{ids[0]}", 404, "pipeline not found")
    await world.machine.ask("DELETE", f"/v1/aggregators/{ci['id']}/pipelines", 204)
    query = "&".join(f"pipeline_id={id}" for id in ids)
    await world.machine.ask("DELETE", f"/v1/aggregators/{ci['id']}/pipelines?{query}", 204)
    after = await world.rows()
    assert {name: rows for name, rows in after.items() if name != "audit_logs"} == {
        name: rows for name, rows in before.items() if name != "audit_logs"
    }


async def test_a_quota_counts_pipelines_but_not_internal_ones(world: World) -> None:
    settings = world.context.settings
    settings.quota_pipelines = settings.quota_pipeline_files = 1  # each pipeline has a file, `parsers`
    ci = await core_instance(world, addHealthCheckPipeline=True, clusterLogging=True)
    await pipeline(world, ci["id"])
    path = f"/v1/aggregators/{ci['id']}/pipelines"
    said = await world.machine.refused("POST", path, 403, "pipelines quota exceeded", json={"rawConfig": CLASSIC})
    assert (said["quotaLimit"], said["quotaRemaining"]) == (1, 0)
    await core_instance(world, addHealthCheckPipeline=True)


async def test_strangers_find_no_pipelines(world: World) -> None:
    ci = await core_instance(world)
    made = await pipeline(world, ci["id"])
    stranger, _ = await world.stranger()
    await stranger.refused("GET", f"/v1/aggregator_pipelines/{made['id']}", 404, "pipeline not found")
    await stranger.refused("PATCH", f"/v1/aggregator_pipelines/{made['id']}", 404, "pipeline not found", json={"name": "x"})
    await stranger.refused("DELETE", f"/v1/aggregator_pipelines/{made['id']}", 404, "pipeline not found")
    await stranger.refused("GET", f"/v1/core_instances/{ci['id']}/pipelines", 404, "aggregator not found")
    await stranger.refused(
        "POST", f"/v1/aggregators/{ci['id']}/pipelines", 404, "aggregator not found", json={"rawConfig": CLASSIC}
    )
    await world.machine.refused("GET", "/v1/aggregator_pipelines/nope", 422, "invalid pipeline ID")


async def test_a_list_costs_the_same_statements_however_long_it_is(world: World) -> None:
    ci = await core_instance(world)
    path = f"/v1/core_instances/{ci['id']}/pipelines?include=ports,files,secrets&config_format=yaml"
    costs = []
    for _ in range(3):
        await pipeline(world, ci["id"], rawConfig=FIVE_OUTPUTS, secrets=[{"key": "k", "value": "YQ=="}])
        with counted() as statements:
            await world.machine.ask("GET", path, 200)
        costs.append(len(statements))
    assert costs[0] == costs[1] == costs[2]
    # The core instance, the rows, their count, config sections, ports, files and secrets.
    assert len([each for each in statements if each.startswith("SELECT") and "pipelines" in each]) <= 7
