"""Changes to pipelines over HTTP: configurations and their history, statuses and events, ports and checks that follow."""

import base64
from typing import Any

from nectary import sealing
from tests.harness.pipelines import CLASSIC, core_instance, encoded, one, pipeline
from tests.harness.world import World

OTHER = "[INPUT]\n Name syslog\n Mode udp\n Port 5140\n[OUTPUT]\n Name stdout\n Match *\n"
YAML = "pipeline:\n  inputs:\n    - name: dummy\n  outputs:\n    - name: stdout\n      match: '*'\n"


def _http(*hosts: str) -> str:
    outputs = "".join(f"[OUTPUT]\n Name http\n Match *\n Host {host}\n Port 80\n" for host in hosts)
    return "[INPUT]\n Name dummy\n" + outputs


async def patch(world: World, id: str, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await world.machine.ask("PATCH", f"/v1/aggregator_pipelines/{id}", 200, json=body)
    return answer


async def test_a_new_configuration_tells_which_ports_came_and_went(world: World) -> None:
    made = await pipeline(world, (await core_instance(world))["id"])
    [old] = made["ports"]
    said = await patch(world, made["id"], rawConfig=OTHER)
    assert [(port["protocol"], port["frontendPort"]) for port in said["addedPorts"]] == [("udp", 5140)]
    assert [port["id"] for port in said["removedPorts"]] == [old["id"]]
    assert (said["addedChecks"], said["removedChecks"]) == ([], [])
    listed = await world.machine.ask("GET", f"/v1/aggregator_pipelines/{made['id']}/ports", 200)
    assert listed == said["addedPorts"]


async def test_ports_that_stay_keep_their_address_and_ports_made_by_hand_stay(world: World) -> None:
    made = await pipeline(world, (await core_instance(world))["id"])
    [old] = made["ports"]
    moved = {"endpoint": "10.1.1.1:5000", "frontendPort": 5000}
    await world.machine.ask("PATCH", f"/v1/pipeline_ports/{old['id']}", 204, json=moved)
    by_hand = {"protocol": "tcp", "frontendPort": 9000, "backendPort": 9000, "endpoint": ""}
    await world.machine.ask("POST", f"/v1/aggregator_pipelines/{made['id']}/ports", 201, json=by_hand)
    said = await patch(
        world, made["id"], rawConfig=CLASSIC.replace("Name forward", "Name forward\n    Alias edge") + "# more\n"
    )
    assert (said["addedPorts"], said["removedPorts"]) == ([], [])
    listed = await world.machine.ask("GET", f"/v1/aggregator_pipelines/{made['id']}/ports", 200)
    found = {port["backendPort"]: (port["frontendPort"], port["endpoint"], port["pluginAlias"]) for port in listed}
    assert found == {24224: (5000, "10.1.1.1:5000", "edge"), 9000: (9000, "", None)}
    said = await patch(world, made["id"], rawConfig=YAML, configFormat="yaml")
    assert [port["id"] for port in said["removedPorts"]] == [old["id"]]


async def test_ports_are_left_alone_where_they_were_declined(world: World) -> None:
    made = await pipeline(world, (await core_instance(world))["id"])
    said = await patch(world, made["id"], rawConfig=OTHER, noAutoCreateEndpointsFromConfig=True)
    assert (said["addedPorts"], said["removedPorts"]) == ([], [])
    shown = await one(world.machine, made["id"])
    assert shown["noAutoCreateEndpointsFromConfig"] is True
    said = await patch(world, made["id"], rawConfig=OTHER, autoCreatePortsFromConfig=True)
    assert len(said["addedPorts"]) == 1


async def test_checks_of_the_old_configuration_go_and_all_of_the_new_one_come(world: World) -> None:
    made = await pipeline(world, (await core_instance(world))["id"], rawConfig=_http("a.example.com"))
    [old] = made["checks"]
    by_hand = {"protocol": "tcp", "host": "mine.example.com", "port": 443}
    await world.machine.ask("POST", f"/v1/pipelines/{made['id']}/checks", 201, json=by_hand)
    hosts = [f"{letter}.example.com" for letter in "abcde"]
    said = await patch(world, made["id"], rawConfig=_http(*hosts))
    assert [check["host"] for check in said["addedChecks"]] == hosts
    assert [check["id"] for check in said["removedChecks"]] == [old["id"]]
    listed = await world.machine.ask("GET", f"/v1/pipelines/{made['id']}/checks", 200)
    assert {check["host"] for check in listed} == {*hosts, "mine.example.com"}


async def test_every_configuration_is_in_the_history_and_can_be_sent_again(world: World) -> None:
    made = await pipeline(world, (await core_instance(world))["id"])
    await patch(world, made["id"], rawConfig=YAML, configFormat="yaml")
    path = f"/v1/aggregator_pipelines/{made['id']}/config_history"
    history = await world.machine.ask("GET", path, 200)
    assert [(each["rawConfig"], each["configFormat"]) for each in history] == [(YAML, "yaml"), (CLASSIC, "classic")]
    assert history[1] == made["config"]

    # As the CLI rolls back: the text of an older entry, without its format.
    [_, older] = await world.machine.ask("GET", path, 200, params={"last": 2})
    await patch(world, made["id"], rawConfig=older["rawConfig"])
    shown = await one(world.machine, made["id"])
    assert (shown["config"]["rawConfig"], shown["config"]["configFormat"]) == (CLASSIC, "classic")
    history = await world.machine.ask("GET", path, 200)
    assert [each["configFormat"] for each in history] == ["classic", "yaml", "classic"]
    in_json = await world.machine.ask("GET", path, 200, params={"config_format": "json"})
    assert {each["configFormat"] for each in in_json} == {"json"}

    answer = await world.machine.get(path, params={"last": 2})
    rest = await world.machine.get(answer.headers["link"].partition(">")[0].lstrip("<"))
    assert [each["id"] for each in rest.json()] == [made["config"]["id"]]


async def test_the_format_changes_with_the_text_only(world: World) -> None:
    made = await pipeline(world, (await core_instance(world))["id"], rawConfig=YAML, configFormat="yaml")
    await patch(world, made["id"], replicasCount=2, configFormat="ini", portKind="LoadBalancer", name="renamed")
    shown = await one(world.machine, made["id"])
    assert shown["config"] == made["config"]
    assert (shown["replicasCount"], shown["replicasCountPrev"], shown["name"]) == (2, 1, "renamed")
    # A text without its format is what it can be read as.
    await patch(world, made["id"], rawConfig=OTHER)
    assert (await one(world.machine, made["id"]))["config"]["configFormat"] == "classic"


async def test_null_and_absent_leave_everything_as_it_is(world: World) -> None:
    made = await pipeline(
        world,
        (await core_instance(world))["id"],
        kind="daemonSet",
        deploymentStrategy="hotReload",
        image="ghcr.io/a/b:1",
        portKind="NodePort",
        tags=["a"],
        metadata={"a": {"b": 1}},
        labels={"team": "x"},
        minReplicas=1,
        scaleUpType="Pods",
        scaleUpValue=2,
        storageClass="fast",
        tolerations=[{"key": "k", "operator": "Exists", "effect": "NoSchedule"}],
        affinity={"key": "zone", "operator": "In", "values": ["a"]},
        waitForChecksBeforeDeploying=True,
    )
    before = await one(world.machine, made["id"], include="ports,files,secrets")
    await patch(world, made["id"])
    keys = (
        "name kind deploymentStrategy replicasCount rawConfig configFormat image secrets files resourceProfile status events"
        " metadata portKind tags labels scaleUpType minReplicas storageClass affinity lifecycle checksBeforeDeploying"
        " noAutoCreateEndpointsFromConfig"
    )
    await patch(world, made["id"], **dict.fromkeys(keys.split()))
    after = await one(world.machine, made["id"], include="ports,files,secrets")
    assert {**after, "updatedAt": ""} == {**before, "updatedAt": ""}
    await patch(world, made["id"], image="", checksBeforeDeploying=False, scaleUpValue=3, storageClass="slow")
    changed = await one(world.machine, made["id"])
    assert (changed["image"], changed["waitForChecksBeforeDeploying"]) == (None, False)
    assert (changed["scaleUpType"], changed["scaleUpValue"], changed["storageClass"]) == ("Pods", 3, "slow")
    assert changed["affinity"] == before["affinity"]


async def test_what_cannot_be_changed_is_refused(world: World) -> None:
    ci = await core_instance(world)
    made = await pipeline(world, ci["id"], name="daemon", kind="daemonSet")
    await pipeline(world, ci["id"], name="other")
    path = f"/v1/aggregator_pipelines/{made['id']}"
    refused = [
        ({"kind": "deployment"}, 409, "pipeline kind cannot be updated"),
        ({"replicasCount": 2}, 409, "pipeline replicas can only be set for pipelines of kind deployment"),
        ({"name": "other"}, 409, "pipeline name already exists"),
        ({"resourceProfile": "none-such"}, 404, "resource profile not found"),
        ({"rawConfig": "[INPUT]\n Name @nope@\n"}, 422, "invalid pipeline config"),
        ({"status": "DREAMING"}, 422, "invalid pipeline status"),
        ({"minReplicas": 3, "maxReplicas": 1}, 422, "invalid min replica count"),
        ({"secrets": [{"value": "YQ=="}]}, 422, "invalid secret key"),
        ({"secrets": [{"key": "new"}]}, 422, "secret value required"),
        ({"files": [{"name": "new"}]}, 422, "file contents required"),
        ({"files": [{"contents": "YQ=="}]}, 422, "invalid file name"),
    ]
    before = await world.rows()
    for body, status, error in refused:
        await world.machine.refused("PATCH", path, status, error, json=body)
    assert await world.rows() == before
    await patch(world, made["id"], kind="daemonSet", name="daemon")


async def test_secrets_and_files_in_a_change_are_changed_or_added(world: World) -> None:
    ci = await core_instance(world)
    secrets = [{"key": "a", "value": encoded("1")}]
    made = await pipeline(world, ci["id"], secrets=secrets, files=[{"name": "f", "contents": encoded("old")}])
    config = (
        "[INPUT]\n Name dummy\n[OUTPUT]\n Name http\n Match *\n Host h\n Header x {{secrets.a}} {{secrets.b}} {{files.g}}\n"
    )
    await patch(
        world,
        made["id"],
        rawConfig=config,
        secrets=[{"name": "a", "value": encoded("2")}, {"key": "b", "value": encoded("3")}],
        files=[{"name": "f", "contents": encoded("new")}, {"name": "g", "contents": encoded("more"), "encrypted": True}],
    )
    shown = await one(world.machine, made["id"], include="files,secrets")
    opened = {each["key"]: sealing.unseal(ci["privateRSAKey"], base64.b64decode(each["value"])) for each in shown["secrets"]}
    assert opened == {"a": b"2", "b": b"3"}
    contents = {each["name"]: base64.b64decode(each["contents"]) for each in shown["files"]}
    assert contents["f"] == b"new"
    assert sealing.unseal(ci["privateRSAKey"], contents["g"]) == b"more"


async def test_statuses_make_a_history_with_events_and_configurations(world: World) -> None:
    made = await pipeline(world, (await core_instance(world))["id"])
    events = [
        {"source": "k8s:deployment", "reason": "Created", "message": "one", "loggedAt": "2026-01-01T00:00:00Z"},
        {"source": "k8s:pod", "reason": "BackOff", "message": "two", "loggedAt": "2026-01-01T00:00:01.5Z"},
    ]
    await patch(world, made["id"], status="STARTING", events=events)
    shown = await one(world.machine, made["id"])
    assert shown["status"]["status"] == "STARTING"
    assert [event["reason"] for event in shown["status"]["events"]] == ["Created", "BackOff"]
    await patch(world, made["id"], name="renamed")
    assert len((await one(world.machine, made["id"]))["status"]["events"]) == 2
    await patch(world, made["id"], rawConfig=OTHER)
    await patch(world, made["id"], status="STARTED")
    shown = await one(world.machine, made["id"])
    assert (shown["status"]["status"], len(shown["status"]["events"])) == ("STARTED", 2)
    assert shown["status"]["config"]["id"] == shown["config"]["id"]
    await patch(world, made["id"], events=[])
    await patch(world, made["id"], status="CHECKS_FAILED            -", events=None)
    path = f"/v1/aggregator_pipelines/{made['id']}/status_history"
    history = await world.machine.ask("GET", path, 200)
    found = [(each["status"], len(each["events"]), each["config"]["rawConfig"]) for each in history]
    assert found == [
        ("CHECKS_FAILED", 0, OTHER),
        ("STARTED", 0, OTHER),
        ("STARTING", 2, CLASSIC),
        ("NEW", 0, CLASSIC),
    ]
    started = await world.machine.ask("GET", path, 200, params={"status": "STARTED", "config_format": "yaml"})
    assert [(each["status"], "inputs:" in each["config"]["rawConfig"]) for each in started] == [("STARTED", True)]
    assert await world.machine.ask("GET", path, 200, params={"status": "DELETED"}) == []
    await world.machine.refused("GET", path, 422, "invalid pipeline status", params={"status": "DREAMING"})
    assert len(await world.machine.ask("GET", path, 200, params={"last": 1})) == 1


async def test_ports_are_opened_changed_and_closed_by_hand(world: World) -> None:
    made = await pipeline(world, (await core_instance(world))["id"], portKind="ClusterIP")
    path = f"/v1/aggregator_pipelines/{made['id']}/ports"
    body = {"protocol": "udp", "frontendPort": 514, "backendPort": 5140, "endpoint": "", "kind": ""}
    opened = await world.machine.ask("POST", path, 201, json=body)
    assert set(opened) == {"id", "kind", "pluginID", "pluginName", "pluginAlias", "createdAt"}
    assert (opened["kind"], opened["pluginID"]) == ("ClusterIP", None)
    said = await world.machine.refused("POST", path, 409, "pipeline port already in use", json=body)
    assert said["detail"] == "protocol udp, port 514"
    mine = f"/v1/pipeline_ports/{opened['id']}"
    await world.machine.refused(
        "PATCH", mine, 409, "pipeline port already in use", json={"protocol": "tcp", "frontendPort": 24224}
    )
    await world.machine.ask("PATCH", mine, 204, json={"endpoint": "a:514", "kind": "NodePort", "protocol": None})
    shown = await world.machine.ask("GET", mine, 200)
    assert (shown["endpoint"], shown["kind"], shown["protocol"]) == ("a:514", "NodePort", "udp")
    for field, value, error in (
        ("protocol", "sctp", "invalid pipeline port protocol"),
        ("frontendPort", 65536, "invalid pipeline port number"),
        ("backendPort", -1, "invalid pipeline port number"),
        ("kind", "x", "invalid pipeline port type"),
        ("endpoint", 7, "invalid pipeline port endpoint"),
    ):
        await world.machine.refused("POST", path, 422, error, json={**body, field: value})
        await world.machine.refused("PATCH", mine, 422, error, json={field: value})
    stranger, _ = await world.stranger()
    await stranger.refused("GET", mine, 404, "pipeline port not found")
    await world.machine.ask("DELETE", mine, 204)
    await world.machine.refused("GET", mine, 404, "pipeline port not found")
