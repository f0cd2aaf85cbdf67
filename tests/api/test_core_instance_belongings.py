"""What a core instance holds, over HTTP: resource profiles, files, secrets, checks and cluster objects."""

import base64
from typing import Any

import pytest

from nectary import sealing
from tests.harness.world import World

NOWHERE = "6f0b2d0e-4d0c-4f8e-9a53-0e4a5f3f8f10"


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def plain(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


@pytest.fixture
async def ci(world: World) -> dict[str, Any]:
    made: dict[str, Any] = await world.machine.ask("POST", "/v1/aggregators", 201, json={"name": "ci"})
    return made


# -- Resource profiles -----------------------------------------------------------------------------------------------------


async def test_the_three_profiles_have_the_published_traits(world: World, ci: dict[str, Any]) -> None:
    listed = await world.machine.ask("GET", f"/v1/aggregators/{ci['id']}/resource_profiles", 200)
    profiles = {profile["name"]: profile for profile in listed}
    assert profiles.keys() == {profile["name"] for profile in ci["resourceProfiles"]}
    backlogs = {name: profile["storageBacklogMemLimit"] for name, profile in profiles.items()}
    assert backlogs["best-effort-low-resource"] == "5M"
    assert backlogs["high-performance-guaranteed-delivery"] == "256M"
    assert profiles["best-effort-low-resource"]["storageSyncFull"] is False
    [one] = [profile for profile in ci["resourceProfiles"] if profile["name"] == "best-effort-low-resource"]
    assert await world.machine.ask("GET", f"/v1/resource_profiles/{one['id']}", 200) == one


async def test_a_profile_is_made_changed_and_deleted(world: World, ci: dict[str, Any]) -> None:
    path = f"/v1/aggregators/{ci['id']}/resource_profiles"
    body = {"name": "mine", "storageMaxChunksUp": 7, "storageSyncFull": True, "cpuLimit": "30Mi", "memoryLimit": "1.5Gi"}
    made = await world.machine.ask("POST", path, 201, json=body)
    assert made.keys() == {"id", "createdAt"}
    one = f"/v1/resource_profiles/{made['id']}"
    found = await world.machine.ask("GET", one, 200)
    assert {key: found[key] for key in body} == body
    await world.machine.ask("PATCH", one, 204, json={"name": "yours", "storageMaxChunksUp": None})
    found = await world.machine.ask("GET", one, 200)
    assert (found["name"], found["storageMaxChunksUp"], found["cpuLimit"]) == ("yours", 7, "30Mi")
    taken = "resource profile name already exists"
    await world.machine.refused("POST", path, 409, taken, json={"name": "yours"})
    await world.machine.refused("PATCH", one, 409, taken, json={"name": "best-effort-low-resource"})
    [newest] = await world.machine.ask("GET", f"{path}?last=1", 200)
    assert newest["id"] == made["id"]
    await world.machine.ask("DELETE", one, 204)
    await world.machine.refused("GET", one, 404, "resource profile not found")


async def test_a_profile_in_use_stays(world: World, ci: dict[str, Any]) -> None:
    path = f"/v1/aggregators/{ci['id']}/resource_profiles"
    made = await world.machine.ask("POST", path, 201, json={"name": "mine"})
    config = "[INPUT]\n    name dummy\n[OUTPUT]\n    name stdout\n    match *\n"
    body = {"rawConfig": config, "resourceProfile": "mine"}
    pipeline = await world.machine.ask("POST", f"/v1/aggregators/{ci['id']}/pipelines", 201, json=body)
    refusal = "resource profile still in use by pipelines"
    await world.machine.refused("DELETE", f"/v1/resource_profiles/{made['id']}", 403, refusal)
    await world.machine.ask("DELETE", f"/v1/aggregator_pipelines/{pipeline['id']}", 204)
    await world.machine.ask("DELETE", f"/v1/resource_profiles/{made['id']}", 204)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "invalid resource profile name"),
        ({"name": " "}, "invalid resource profile name"),
        ({"name": "x", "storageMaxChunksUp": -1}, "invalid resource profile spec"),
        ({"name": "x", "storageMaxChunksUp": 2**31}, "invalid resource profile spec"),
        ({"name": "x", "cpuLimit": "much"}, "invalid resource profile spec"),
        ({"name": "x", "memoryLimit": "1Gi\n[INPUT]"}, "invalid resource profile spec"),
        ({"name": "x", "storageSyncFull": "perhaps"}, "invalid resource profile spec"),
    ],
)
async def test_a_wrong_profile_is_refused(world: World, ci: dict[str, Any], body: dict[str, Any], sentence: str) -> None:
    refusal = await world.machine.refused("POST", f"/v1/aggregators/{ci['id']}/resource_profiles", 422, sentence, json=body)
    assert refusal["detail"]


# -- Files and secrets -----------------------------------------------------------------------------------------------------


async def test_a_file_comes_back_as_sent_unless_it_is_to_be_sealed(world: World, ci: dict[str, Any]) -> None:
    path = f"/v1/core_instances/{ci['id']}/files"
    open_ = await world.machine.ask("POST", path, 201, json={"name": "ca", "contents": b64("cert")})
    sealed = await world.machine.ask("POST", path, 201, json={"name": "key", "contents": b64("k" * 300), "encrypted": True})
    listed = await world.machine.ask("GET", path, 200)
    assert listed["count"] == 2
    second, first = listed["items"]
    assert (first["id"], first["contents"], first["encrypted"]) == (open_["id"], b64("cert"), False)
    assert (second["id"], second["encrypted"], second["coreInstanceID"]) == (sealed["id"], True, ci["id"])
    assert sealing.unseal(ci["privateRSAKey"], plain(second["contents"])) == b"k" * 300


async def test_a_file_is_sealed_later_but_never_opened(world: World, ci: dict[str, Any]) -> None:
    path = f"/v1/core_instances/{ci['id']}/files"
    made = await world.machine.ask("POST", path, 201, json={"name": "ca", "contents": b64("cert")})
    one = f"/v1/core_instance_files/{made['id']}"
    updated = await world.machine.ask("PATCH", one, 200, json={"encrypted": True, "name": "renamed"})
    [file] = (await world.machine.ask("GET", path, 200))["items"]
    assert (file["name"], file["updatedAt"]) == ("renamed", updated["updatedAt"])
    assert sealing.unseal(ci["privateRSAKey"], plain(file["contents"])) == b"cert"
    await world.machine.refused("PATCH", one, 422, "file contents required", json={"encrypted": False})
    await world.machine.ask("PATCH", one, 200, json={"contents": b64("new")})
    [file] = (await world.machine.ask("GET", path, 200))["items"]
    assert sealing.unseal(ci["privateRSAKey"], plain(file["contents"])) == b"new"
    await world.machine.ask("PATCH", one, 200, json={"encrypted": False, "contents": b64("open")})
    [file] = (await world.machine.ask("GET", path, 200))["items"]
    assert (file["contents"], file["encrypted"]) == (b64("open"), False)
    gone = await world.machine.ask("DELETE", one, 200)
    assert gone["deleted"] is True
    await world.machine.refused("DELETE", one, 404, "core instance file not found")


async def test_a_secret_is_nowhere_to_be_read_but_by_its_core_instance(world: World, ci: dict[str, Any]) -> None:
    path, word = f"/v1/core_instances/{ci['id']}/secrets", "open-sesame-4711"
    made = await world.machine.ask("POST", path, 201, json={"key": "password", "value": b64(word)})
    listed = await world.machine.ask("GET", path, 200)
    [secret] = listed["items"]
    assert (secret["id"], secret["key"], secret["coreInstanceID"]) == (made["id"], "password", ci["id"])
    assert (listed["count"], "encrypted" in secret) == (1, False)
    assert sealing.unseal(ci["privateRSAKey"], plain(secret["value"])) == word.encode()
    everything = repr(await world.rows())
    assert word not in everything
    assert b64(word) not in everything
    one = f"/v1/core_instance_secrets/{made['id']}"
    await world.machine.ask("PATCH", one, 200, json={"name": "renamed", "value": b64("other")})  # the Go client's `name`
    [secret] = (await world.machine.ask("GET", path, 200))["items"]
    assert secret["key"] == "renamed"
    assert sealing.unseal(ci["privateRSAKey"], plain(secret["value"])) == b"other"
    assert (await world.machine.ask("DELETE", one, 200))["deleted"] is True


@pytest.mark.parametrize(
    ("kind", "body", "sentence"),
    [
        ("files", {"contents": "eA=="}, "invalid file name"),
        ("files", {"name": "../up", "contents": "eA=="}, "invalid file name"),
        ("files", {"name": "two words", "contents": "eA=="}, "invalid file name"),
        ("files", {"name": "x"}, "file contents required"),
        ("files", {"name": "x", "contents": ""}, "file contents required"),
        ("files", {"name": "x", "contents": "no base64"}, "file contents required"),
        ("files", {"name": "x", "contents": b64(b"x" * (1024 * 1024 + 1))}, "file size exceeded"),
        ("secrets", {"value": "eA=="}, "invalid secret key"),
        ("secrets", {"key": "a b", "value": "eA=="}, "invalid secret key"),
        ("secrets", {"key": "x"}, "secret value required"),
        ("secrets", {"key": "x", "value": None}, "secret value required"),
        ("secrets", {"key": "x", "value": "c2VjcmV0!"}, "secret value required"),
        ("secrets", {"key": "x", "value": b64(b"x" * (64 * 1024 + 1))}, "secret size exceeded"),
    ],
)
async def test_a_wrong_file_or_secret_is_refused(
    world: World, ci: dict[str, Any], kind: str, body: dict[str, Any], sentence: str
) -> None:
    refusal = await world.machine.refused("POST", f"/v1/core_instances/{ci['id']}/{kind}", 422, sentence, json=body)
    assert "c2VjcmV0" not in repr(refusal)


async def test_names_and_keys_are_taken_once(world: World, ci: dict[str, Any]) -> None:
    files, secrets = f"/v1/core_instances/{ci['id']}/files", f"/v1/core_instances/{ci['id']}/secrets"
    file, secret = {"name": "x", "contents": "eA=="}, {"key": "x", "value": "eA=="}
    await world.machine.ask("POST", files, 201, json=file)
    await world.machine.ask("POST", secrets, 201, json=secret)
    await world.machine.refused("POST", files, 409, "core instance file already exists", json=file)
    await world.machine.refused("POST", secrets, 409, "core instance secret already exists", json=secret)


# -- Checks ----------------------------------------------------------------------------------------------------------------


async def test_a_check_is_made_reported_and_deleted(world: World, ci: dict[str, Any]) -> None:
    path = f"/v1/core_instances/{ci['id']}/checks"
    body = {"protocol": "tcp", "host": "logs.example.com", "port": 443, "status": ""}  # as Go says that it says nothing
    made = await world.machine.ask("POST", path, 201, json=body)
    assert made.keys() == {"id", "createdAt"}
    one = f"/v1/core_instance_checks/{made['id']}"
    found = await world.machine.ask("GET", one, 200)
    assert (found["status"], found["retries"], found["port"]) == ("new", 3, 443)
    itself = world.http(**{"X-Aggregator-Token": ci["token"]})
    await itself.ask("PATCH", one, 204, json={"status": "ok", "retries": 0})
    [found] = await itself.ask("GET", path, 200)
    assert (found["status"], found["retries"], found["host"]) == ("ok", 0, "logs.example.com")
    body = {"protocol": "tcp", "host": "logs.example.com", "port": 443}
    await world.machine.refused("POST", path, 409, "conflict", json=body)
    for host in ("10.0.0.1", "opensearch", "::1", "2001:db8::2"):
        await world.machine.ask("POST", path, 201, json={"protocol": "udp", "host": host, "port": 0})
    await world.machine.ask("DELETE", one, 204)
    await world.machine.refused("GET", one, 404, "core instance check not found")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"protocol": "icmp"}, "invalid core instance check protocol"),
        ({"protocol": None}, "invalid core instance check protocol"),
        ({"host": "not a host"}, "invalid core instance check host"),
        ({"host": "under_score"}, "invalid core instance check host"),
        ({"host": ""}, "invalid core instance check host"),
        ({"port": 65536}, "invalid core instance check port"),
        ({"port": -1}, "invalid core instance check port"),
        ({"status": "fine"}, "invalid core instance check status"),
        ({"retries": -1}, "invalid argument"),
    ],
)
async def test_a_wrong_check_is_refused(world: World, ci: dict[str, Any], wrong: dict[str, Any], sentence: str) -> None:
    path = f"/v1/core_instances/{ci['id']}/checks"
    good = {"protocol": "tcp", "host": "h", "port": 1}
    await world.machine.refused("POST", path, 422, sentence, json=good | wrong)


# -- Cluster objects -------------------------------------------------------------------------------------------------------


async def test_a_core_instance_reports_its_namespaces(world: World, ci: dict[str, Any]) -> None:
    itself = world.http(**{"X-Aggregator-Token": ci["token"]})
    path = f"/v1/core_instances/{ci['id']}/cluster_objects"
    made = await itself.ask("POST", path, 201, json={"name": "kube-system", "kind": "namespace"})
    await itself.ask("POST", path, 201, json={"name": "default"})
    listed = await world.machine.get(path, params={"kind": "namespace", "last": 1})
    assert [found["name"] for found in listed.json()] == ["default"]
    assert "link" in listed.headers
    [found] = await world.machine.ask("GET", path, 200, params={"name": "kube-system"})
    assert (found["id"], found["kind"]) == (made["id"], "namespace")
    one = f"/v1/cluster_objects/{made['id']}"
    updated = await itself.ask("PATCH", one, 200, json={"name": "kube"})
    assert (await world.machine.ask("GET", one, 200))["updatedAt"] == updated["updatedAt"]
    # 422, not 409: the contract counts it among wrong values.
    await itself.refused("POST", path, 422, "cluster object already exists", json={"name": "kube"})
    await itself.refused("PATCH", one, 422, "cluster object already exists", json={"name": "default"})
    answer = await itself.request("DELETE", one)
    assert (answer.status_code, answer.content) == (200, b"")
    await itself.refused("GET", one, 404, "cluster object not found")
    await world.machine.refused("GET", path, 422, "invalid cluster object kind", params={"kind": "pod"})
    await world.machine.refused("POST", path, 422, "invalid cluster object kind", json={"name": "x", "kind": "pod"})
    for name in ("", "Upper", "a_b", "x" * 254, None):
        await world.machine.refused("POST", path, 422, "invalid cluster object name", json={"name": name})


# -- All of them -----------------------------------------------------------------------------------------------------------


async def test_strangers_find_none_of_it(world: World, ci: dict[str, Any]) -> None:
    stranger, _ = await world.stranger()
    base = f"/v1/core_instances/{ci['id']}"
    bodies: dict[str, tuple[str, dict[str, Any], str]] = {
        "core instance file": (f"{base}/files", {"name": "x", "contents": "eA=="}, "core_instance_files"),
        "core instance secret": (f"{base}/secrets", {"key": "x", "value": "eA=="}, "core_instance_secrets"),
        "core instance check": (f"{base}/checks", {"protocol": "tcp", "host": "h", "port": 1}, "core_instance_checks"),
        "cluster object": (f"{base}/cluster_objects", {"name": "x"}, "cluster_objects"),
        "resource profile": (f"/v1/aggregators/{ci['id']}/resource_profiles", {"name": "x"}, "resource_profiles"),
    }
    for noun, (path, body, table) in bodies.items():
        made = await world.machine.ask("POST", path, 201, json=body)
        before = await world.rows()
        await stranger.refused("GET", path, 404, "aggregator not found")
        await stranger.refused("POST", path, 404, "aggregator not found", json=body)
        await stranger.refused("PATCH", f"/v1/{table}/{made['id']}", 404, f"{noun} not found", json={})
        await stranger.refused("DELETE", f"/v1/{table}/{made['id']}", 404, f"{noun} not found")
        await world.machine.refused("DELETE", f"/v1/{table}/{NOWHERE}", 404, f"{noun} not found")
        await world.machine.refused("DELETE", f"/v1/{table}/nope", 422, f"invalid {noun} ID")
        assert await world.rows() == before, noun
    await world.machine.refused("GET", "/v1/core_instances/nope/files", 422, "invalid core instance ID")


async def test_all_of_it_goes_with_its_core_instance(world: World, ci: dict[str, Any]) -> None:
    base = f"/v1/core_instances/{ci['id']}"
    await world.machine.ask("POST", f"{base}/files", 201, json={"name": "x", "contents": "eA=="})
    await world.machine.ask("POST", f"{base}/secrets", 201, json={"key": "x", "value": "eA=="})
    await world.machine.ask("POST", f"{base}/checks", 201, json={"protocol": "tcp", "host": "h", "port": 1})
    await world.machine.ask("POST", f"{base}/cluster_objects", 201, json={"name": "x"})
    await world.machine.ask("DELETE", f"/v1/aggregators/{ci['id']}", 204)
    rows = await world.rows()
    tables = ("files", "secrets", "checks")
    assert [rows[f"core_instance_{name}"] for name in tables] == [[], [], []]
    assert (rows["cluster_objects"], rows["resource_profiles"]) == ([], [])
