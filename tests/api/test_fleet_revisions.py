"""What becomes of every change of a fleet: history, drafts, publishing, going back; over HTTP."""

import asyncio
import base64
import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from nectary.resources.fleet_revisions import MOST_TEXT
from nectary.settings import Settings
from tests.harness.world import World, open_world

CONFIG = "[INPUT]\n    name dummy\n    tag a\n\n[OUTPUT]\n    name stdout\n    match a\n"
OTHER = CONFIG.replace("match a", "match *")
YAML = "pipeline:\n  inputs:\n    - name: dummy\n      tag: a\n  outputs:\n    - name: stdout\n      match: a\n"
BAD = "[INPUT]\n    name dumy\n"


def packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def make(world: World, **body: Any) -> str:
    path = f"/v1/projects/{world.project_id}/fleets"
    made = await world.admin.ask("POST", path, 201, json={"name": "edge", "rawConfig": CONFIG, **body})
    return f"/v1/fleets/{made['id']}"


async def history(world: World, fleet: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = await world.admin.ask("GET", f"{fleet}/revisions", 200)
    return listed


async def serves(world: World, fleet: str) -> tuple[str, str]:
    """What an agent is given: the date and the text."""
    answer = await world.machine.get(f"{fleet}/config?format=ini", headers={"Fleet-Config-Version": "-1"})
    assert answer.status_code == 200
    return answer.headers["last-modified"], answer.text


async def register(world: World, fleet: str, name: str, version: str = "5.1.1") -> None:
    body = {"name": name, "machineID": name, "type": "fluentbit", "version": version, "rawConfig": "[INPUT]"}
    await world.machine.ask("POST", "/v1/agents", 201, json={**body, "fleetID": fleet.rpartition("/")[2]})


async def test_every_change_of_text_format_or_file_is_a_revision_with_its_author_and_message(world: World) -> None:
    fleet = await make(world, message="a beginning", Files=[{"name": "a.conf", "contents": packed("one")}])
    await world.admin.ask("PATCH", fleet, 200, json={"rawConfig": OTHER, "message": "match all"})
    await world.machine.ask("PATCH", fleet, 200, json={"rawConfig": YAML, "configFormat": "yaml"})
    file = await world.admin.ask(
        "POST", f"{fleet}/files?message=a%20second", 200, json={"name": "b", "contents": packed("two")}
    )
    await world.admin.ask("PATCH", f"/v1/fleet_files/{file['id']}", 204, json={"contents": packed("three")})
    await world.admin.ask("PATCH", f"/v1/fleet_files/{file['id']}", 204, json={"name": "c"})
    await world.admin.ask("DELETE", f"/v1/fleet_files/{file['id']}?message=gone", 204)
    listed = await history(world, fleet)
    assert [(one["number"], one["cause"], one["message"], one["basedOn"]) for one in listed] == [
        (7, "file", "gone", 6),
        (6, "file", "", 5),
        (5, "file", "", 4),
        (4, "file", "a second", 3),
        (3, "edited", "", 2),
        (2, "edited", "match all", 1),
        (1, "created", "a beginning", None),
    ]
    assert {one["author"]["kind"] for one in listed} == {"user", "token"}
    assert all(one["author"]["name"] and one["author"]["id"] and one["createdAt"] for one in listed)
    assert (await world.admin.ask("GET", fleet, 200))["revision"] == 7
    contents = {
        number: {file["name"]: file["contents"] for file in (await whole(world, fleet, number))["files"]}
        for number in range(1, 8)
    }
    first, second, third = packed("one"), packed("two"), packed("three")
    assert contents[1] == contents[2] == contents[3] == contents[7] == {"a.conf": first}
    assert contents[4] == {"a.conf": first, "b": second}
    assert contents[5] == {"a.conf": first, "b": third}
    assert contents[6] == {"a.conf": first, "c": third}
    assert [(await whole(world, fleet, number))["rawConfig"] for number in (1, 2, 3)] == [CONFIG, OTHER, YAML]
    await world.admin.refused("GET", f"{fleet}/revisions/8", 404, "fleet revision not found")


async def whole(world: World, fleet: str, number: int) -> dict[str, Any]:
    said: dict[str, Any] = await world.admin.ask("GET", f"{fleet}/revisions/{number}", 200)
    return said


async def test_what_changes_nothing_makes_no_revision_and_a_refused_change_none_either(world: World) -> None:
    fleet = await make(world)
    before = await serves(world, fleet)
    await world.admin.ask("PATCH", fleet, 200, json={"name": "core", "tags": ["x"], "rawConfig": CONFIG})
    await world.admin.refused("PATCH", fleet, 422, "invalid fluentbit config", json={"rawConfig": BAD})
    assert [one["number"] for one in await history(world, fleet)] == [1]
    assert await serves(world, fleet) == before


async def test_a_draft_is_seen_by_no_agent_until_it_is_published(world: World) -> None:
    fleet = await make(world)
    before = await serves(world, fleet)
    await world.admin.refused("GET", f"{fleet}/draft", 404, "fleet draft not found")
    await world.admin.refused("POST", f"{fleet}/publish", 409, "no fleet draft", json={})
    await world.admin.ask("PUT", f"{fleet}/draft", 200, json={"rawConfig": BAD, "message": "first try"})
    draft = await world.admin.ask("PUT", f"{fleet}/draft", 200, json={"rawConfig": OTHER, "message": "second try"})
    assert (draft["basedOn"], draft["configFormat"], draft["author"]["kind"]) == (1, "classic", "user")
    assert await serves(world, fleet) == before
    told = await world.admin.ask("GET", f"{fleet}/diff?to=draft", 200)
    assert (told["from"], told["to"], told["text"]) == ("1", "draft", "~ output.stdout.match: a -> *\n")
    said = await world.admin.ask("POST", f"{fleet}/publish", 200, json={})
    assert (said["revision"], said["rolloutID"]) == (2, None)
    assert (await serves(world, fleet))[1].count("match *") == 1
    newest = (await history(world, fleet))[0]
    assert (newest["cause"], newest["message"], newest["basedOn"]) == ("published", "second try", 1)
    await world.admin.refused("GET", f"{fleet}/draft", 404, "fleet draft not found")


async def test_a_wrong_draft_is_kept_and_refused_when_it_is_published(world: World) -> None:
    fleet = await make(world)
    await world.admin.ask("PUT", f"{fleet}/draft", 200, json={"rawConfig": BAD})
    refused = await world.admin.refused("POST", f"{fleet}/publish", 422, "invalid fluentbit config", json={})
    assert refused["detail"] == 'unknown plugin "dumy"'
    assert (await world.admin.ask("GET", f"{fleet}/draft", 200))["rawConfig"] == BAD
    await world.admin.ask("POST", f"{fleet}/publish", 200, json={"skipConfigValidation": True})
    await world.admin.ask("PUT", f"{fleet}/draft", 200, json={"rawConfig": CONFIG})
    await world.admin.ask("DELETE", f"{fleet}/draft", 200)
    await world.admin.refused("DELETE", f"{fleet}/draft", 404, "fleet draft not found")


async def test_a_draft_that_says_what_is_published_changes_nothing(world: World) -> None:
    fleet = await make(world)
    before = await serves(world, fleet)
    await world.admin.ask("PUT", f"{fleet}/draft", 200, json={"rawConfig": CONFIG})
    assert (await world.admin.ask("POST", f"{fleet}/publish", 200, json={}))["revision"] == 1
    assert await serves(world, fleet) == before


async def test_of_two_publishers_one_wins_and_the_other_is_told_of_the_newer_revision(world: World) -> None:
    fleet = await make(world)
    await world.admin.ask("PUT", f"{fleet}/draft", 200, json={"rawConfig": OTHER})
    await world.machine.ask("PATCH", fleet, 200, json={"rawConfig": CONFIG + "# more\n"})
    refused = await world.admin.refused("POST", f"{fleet}/publish", 409, "fleet revision conflict", json={})
    assert "made from revision 1, and revision 2 was published by" in refused["detail"]
    asked = {"rawConfig": OTHER, "ifRevision": 1}
    refused = await world.admin.refused("PATCH", fleet, 409, "fleet revision conflict", json=asked)
    assert refused["detail"].startswith("revision 2 was published by ")
    file = {"name": "a", "contents": "YQ=="}
    await world.admin.refused("POST", f"{fleet}/files?ifRevision=1", 409, "fleet revision conflict", json=file)
    answers = await asyncio.gather(
        *(world.admin.patch(fleet, json={"rawConfig": f"{CONFIG}# {n}\n", "ifRevision": 2}) for n in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    said = await world.admin.ask("POST", f"{fleet}/publish", 200, json={"force": True})
    assert said["revision"] == 4


async def test_any_revision_can_be_gone_back_to_from_any_state(world: World) -> None:
    fleet = await make(world, Files=[{"name": "a", "contents": packed("one")}])
    dates = [(await serves(world, fleet))[0]]
    await world.admin.ask("PATCH", fleet, 200, json={"rawConfig": OTHER})
    await world.admin.ask("POST", f"{fleet}/files", 200, json={"name": "b", "contents": packed("two")})
    [second, first] = await world.admin.ask("GET", f"{fleet}/files", 200)
    await world.admin.ask("PATCH", f"/v1/fleet_files/{first['id']}", 204, json={"contents": packed("three")})
    await world.admin.ask("DELETE", f"/v1/fleet_files/{second['id']}", 204)
    await world.admin.ask("PATCH", fleet, 200, json={"rawConfig": BAD, "skipConfigValidation": True})
    numbers = {1: {"a": "one"}, 2: {"a": "one"}, 3: {"a": "one", "b": "two"}, 4: {"a": "three", "b": "two"}, 5: {"a": "three"}}
    for number, files in [*numbers.items(), (6, {"a": "three"}), *reversed(numbers.items())]:
        said = await world.admin.ask("POST", f"{fleet}/rollback", 200, json={"revision": number, "message": "back"})
        dates.append((await serves(world, fleet))[0])
        now, then = await world.admin.ask("GET", fleet, 200), await whole(world, fleet, number)
        assert (now["rawConfig"], now["configFormat"]) == (then["rawConfig"], then["configFormat"])
        listed = await world.machine.ask("GET", f"{fleet}/files", 200)
        assert {file["name"]: file["contents"] for file in listed} == {name: packed(text) for name, text in files.items()}
        newest = (await history(world, fleet))[0]
        assert (newest["number"], newest["cause"], newest["basedOn"]) == (said["revision"], "rolled_back", number)
    assert len(set(dates)) == len(dates), "agents take nothing whose date is not later"
    await world.admin.refused("POST", f"{fleet}/rollback", 404, "fleet revision not found", json={"revision": 99})


async def test_differences_are_told_by_meaning_and_with_files(world: World) -> None:
    fleet = await make(world, Files=[{"name": "a", "contents": packed("one")}, {"name": "b", "contents": packed("b")}])
    await world.admin.ask("PATCH", fleet, 200, json={"rawConfig": "# a comment\n" + CONFIG})
    same = await world.admin.ask("GET", f"{fleet}/diff", 200)
    assert (same["changes"], same["files"], same["sameText"], same["text"]) == ([], [], False, "")
    await world.admin.ask("PATCH", fleet, 200, json={"rawConfig": OTHER + "[FILTER]\n    name grep\n    match *\n"})
    for file in await world.admin.ask("GET", f"{fleet}/files", 200):
        if file["name"] == "a":
            await world.admin.ask("PATCH", f"/v1/fleet_files/{file['id']}", 204, json={"contents": packed("two")})
        else:
            await world.admin.ask("DELETE", f"/v1/fleet_files/{file['id']}", 204)
    told = await world.admin.ask("GET", f"{fleet}/diff?from=1", 200)
    assert told["text"] == "+ filter.grep\n~ output.stdout.match: a -> *\n~ file a\n- file b\n"
    changed = next(one for one in told["changes"] if one["change"] == "changed")
    assert (changed["subject"], changed["old"], changed["new"], changed["newLine"]) == ("output.stdout.match", "a", "*", 7)
    await world.admin.refused("GET", f"{fleet}/diff?from=draft", 404, "fleet draft not found")
    await world.admin.refused("GET", f"{fleet}/diff?from=last", 422, "invalid fleet revision")
    await world.admin.refused("GET", f"{fleet}/diff?to=77", 404, "fleet revision not found")
    await world.admin.ask("PATCH", fleet, 200, json={"rawConfig": "[X\n", "skipConfigValidation": True})
    assert (await world.admin.ask("GET", f"{fleet}/diff", 200))["unreadable"].startswith("6, line 1")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[INPUT\n    name dummy\n", "line 1"),  # bad syntax
        ("[INPUT]\n    name dumy\n", "unknown plugin"),
        ("[INPUT]\n    name dummy\n    ratte 1\n", "unknown property"),
        ("@INCLUDE more.conf\n" + CONFIG, "there is no file 'more.conf'"),
        ("[SERVICE]\n    parsers_file p.conf\n" + CONFIG, 'there is no file "p.conf"'),
        ("<html><body>404</body></html>\n", "line 1"),
        ("[INPUT]\n    name tcp\n    port 5170\n[INPUT]\n    name tcp\n    port 5170\n" + CONFIG, "already taken"),
        ("", "no input and no output"),
        ("# nothing but a remark\n", "no input and no output"),
        ("[CUSTOM]\n    name calyptia\n    api_key x\n" + CONFIG, "calyptia"),
    ],
)
async def test_what_would_brick_agents_is_refused_and_makes_no_revision(world: World, text: str, says: str) -> None:
    fleet = await make(world)
    before = await serves(world, fleet)
    refused = await world.admin.refused("PATCH", fleet, 422, "invalid fluentbit config", json={"rawConfig": text})
    assert says in refused["detail"]
    assert (await serves(world, fleet), len(await history(world, fleet))) == (before, 1)


async def test_a_text_too_large_is_refused_by_the_documented_error_and_a_body_too_large_by_413(world: World) -> None:
    fleet = await make(world)
    long = {"rawConfig": CONFIG + "#" * MOST_TEXT}
    for method, path in (("PATCH", fleet), ("PUT", f"{fleet}/draft"), ("POST", f"{fleet}/check")):
        await world.admin.refused(method, path, 422, "invalid fluentbit config", json=long)
    huge = {"rawConfig": "#" * world.context.settings.body_limit}
    await world.admin.refused("PATCH", fleet, 413, "request body too large", json=huge)


async def test_a_file_that_the_config_needs_cannot_go_or_be_broken(world: World) -> None:
    parsers = "[PARSER]\n    name mine\n    format json\n"
    config = "[SERVICE]\n    parsers_file p.conf\n" + CONFIG
    fleet = await make(world, rawConfig=config, Files=[{"name": "p.conf", "contents": packed(parsers)}])
    [file] = await world.admin.ask("GET", f"{fleet}/files", 200)
    path = f"/v1/fleet_files/{file['id']}"
    before = await world.rows()
    refused = await world.admin.refused("DELETE", path, 422, "invalid fluentbit config")
    assert "p.conf" in refused["detail"]
    await world.admin.refused("PATCH", path, 422, "invalid fluentbit config", json={"name": "q.conf"})
    broken = {"contents": packed("[PARSER]\n    name mine\n    format jso\n")}
    refused = await world.admin.refused("PATCH", path, 422, "invalid fluentbit config", json=broken)
    assert refused["detail"].startswith("in the file p.conf: ")
    assert await world.rows() == before
    await world.admin.ask("PATCH", f"{path}?skipConfigValidation=true", 204, json=broken)
    await world.admin.ask("DELETE", path, 204)  # it was broken already


async def test_agents_whose_version_is_not_known_are_named_and_no_reason_to_refuse(world: World) -> None:
    fleet = await make(world)
    for number in range(3):
        await register(world, fleet, f"old-{number}", "4.0.3")
    await register(world, fleet, "new")
    said = await world.admin.ask("GET", f"{fleet}/check", 200)
    assert said["sound"] is True
    assert [(one["version"], one["known"], one["agents"], one["names"]) for one in said["versions"]] == [
        ("4.0.3", False, 3, ["old-0", "old-1", "old-2"]),
        ("5.1.1", True, 1, []),
    ]
    assert said["added"] == ["+ service.hot_reload: on"]
    said = await world.admin.ask("POST", f"{fleet}/check", 200, json={"rawConfig": BAD})
    assert (said["sound"], said["minimum"]["findings"][0]["kind"]) == (False, "unknown_plugin")
    await world.admin.ask("PUT", f"{fleet}/draft", 200, json={"rawConfig": BAD})
    assert (await world.admin.ask("GET", f"{fleet}/check?draft=true", 200))["sound"] is False
    sql = "      processors:\n        logs:\n          - name: sql\n            query: 'SELECT a FROM STREAM;'\n"
    processors = YAML.replace("tag: a\n", f"tag: a\n{sql}", 1)
    said = await world.admin.ask("POST", f"{fleet}/check", 200, json={"rawConfig": processors, "configFormat": "yaml"})
    assert list(said["unservable"]) == ["classic"], "agents that ask for classic would get nothing"


async def test_agents_whose_version_cannot_run_it_are_named_and_it_is_refused(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """As if `nectary schema learn` had been shown an older Fluent Bit, whose dummy had no `copies` yet."""
    older = json.loads((resources.files("nectary.fluentbit") / "data/fluentbit-5.1.1.json").read_text())
    older["fluent_bit"]["version"] = "4.0.3"
    options = older["plugins"]["input"]["dummy"]["options"]
    older["plugins"]["input"]["dummy"]["options"] = [one for one in options if one["name"] != "copies"]
    (tmp_path / "fluentbit-4.0.3.json").write_text(json.dumps(older))
    world = await open_world(make_settings(schemas=tmp_path))
    try:
        fleet = await make(world)
        for number in range(25):
            await register(world, fleet, f"old-{number:02}", "4.0.3")
        await register(world, fleet, "new")
        copies = CONFIG.replace("tag a\n", "tag a\n    copies 2\n", 1)
        said = await world.admin.ask("POST", f"{fleet}/check", 200, json={"rawConfig": copies})
        assert (said["sound"], said["minimum"]["runs"]) == (False, True)
        old, new = said["versions"]
        assert (old["version"], old["known"], old["runs"], old["agents"]) == ("4.0.3", True, False, 25)
        assert old["names"] == [f"old-{number:02}" for number in range(20)]
        assert [(one["kind"], one["line"]) for one in old["findings"]] == [("unknown_property", 4)]
        assert (new["version"], new["runs"], new["names"]) == ("5.1.1", True, [])

        before = await world.rows()
        refused = await world.admin.refused("PATCH", fleet, 422, "invalid fluentbit config", json={"rawConfig": copies})
        assert refused["detail"].startswith("Fluent Bit 4.0.3 cannot run it, which old-00, old-01, ")
        assert "old-19 and 5 more have: line 4: " in refused["detail"]
        assert await world.rows() == before
        await world.admin.ask("PUT", f"{fleet}/draft", 200, json={"rawConfig": copies})
        await world.admin.refused("POST", f"{fleet}/publish", 422, "invalid fluentbit config", json={})
        await world.admin.ask("DELETE", f"{fleet}/draft", 200)

        path = f"/v1/projects/{world.project_id}/fleets"
        all_old = {"name": "old", "rawConfig": copies, "minFluentBitVersion": "4.0.3"}
        await world.admin.refused("POST", path, 422, "invalid fluentbit config", json=all_old)
        await world.admin.ask("POST", path, 201, json=all_old | {"rawConfig": CONFIG})
        await world.admin.ask("PATCH", fleet, 200, json={"rawConfig": copies, "skipConfigValidation": True})
    finally:
        await world.context.database.close()


async def test_a_refused_file_name_and_a_file_too_large_are_told(world: World) -> None:
    fleet = await make(world)
    for name in ("../up", "a/b", "a\\b", "..", "config.yaml", ""):
        await world.admin.refused(
            "POST", f"{fleet}/files", 422, "invalid fleet file name", json={"name": name, "contents": "YQ=="}
        )
    big = base64.b64encode(b"x" * (world.context.settings.file_limit + 1)).decode()
    await world.admin.refused("POST", f"{fleet}/files", 422, "fleet file size exceeded", json={"name": "a", "contents": big})
    assert len(await history(world, fleet)) == 1
