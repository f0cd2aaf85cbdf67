"""Fleet polls as agents make them: with a project token, often, and trusting Last-Modified."""

import asyncio
import json
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import yaml
from sqlalchemy import event

from nectary import clock
from nectary.loops.credentials import read_revocations
from nectary.server import make_app, make_context
from tests.harness.world import Http, World

CONFIG = "[SERVICE]\n    flush 1\n\n[INPUT]\n    name dummy\n    tag a\n\n[OUTPUT]\n    name stdout\n    match a\n"
_EVERY = "format=ini&config_format=ini"


async def make(world: World, **body: Any) -> str:
    path = f"/v1/projects/{world.project_id}/fleets"
    made = await world.machine.ask("POST", path, 201, json={"name": "edge", "rawConfig": CONFIG, **body})
    return str(made["id"])


async def poll(client: Http, id: str, query: str = _EVERY) -> tuple[int, str]:
    """What an agent reads of an answer: the version, in seconds since the epoch, and the body."""
    answer = await client.get(f"/v1/fleets/{id}/config?{query}", headers={"Fleet-Config-Version": "-1"})
    assert answer.status_code == 200, answer.text
    stamp = answer.headers["last-modified"]
    moment = parsedate_to_datetime(stamp)
    assert stamp == moment.strftime("%a, %d %b %Y %H:%M:%S GMT"), "IMF-fixdate, in GMT"
    assert int(answer.headers["content-length"]) == len(answer.content) > 0
    return int(moment.timestamp()), answer.text


async def test_an_agent_gets_the_config_with_reloading_switched_on(world: World) -> None:
    earlier = int(clock.seconds())
    id = await make(world)
    version, body = await poll(world.machine, id)
    assert earlier <= version <= clock.seconds(), "the moment it was made"
    assert body == CONFIG.replace("    flush 1\n", "    flush 1\n    hot_reload on\n")
    own = CONFIG.replace("flush 1", "hot_reload off")
    await world.machine.ask("PATCH", f"/v1/fleets/{id}", 200, json={"rawConfig": own})
    assert (await poll(world.machine, id))[1] == own, "what the author says of it stands"


async def test_each_format_has_its_exact_media_type(world: World) -> None:
    id = await make(world)
    for name, kind in (
        ("ini", "text/plain"),
        ("classic", "text/plain"),
        ("yaml", "application/yaml"),
        ("json", "application/json"),
    ):
        for client in (world.machine, world.admin):
            for query in (f"config_format={name}", f"format={name}", f"format=ini&config_format={name}"):
                answer = await client.get(f"/v1/fleets/{id}/config?{query}")
                assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    as_yaml = yaml.safe_load((await poll(world.machine, id, "format=yaml&config_format=yaml"))[1])
    as_json = json.loads((await poll(world.machine, id, "format=json"))[1])
    assert as_yaml["service"]["hot_reload"] in (True, "on")
    assert as_yaml["pipeline"]["inputs"] == as_json["pipeline"]["inputs"] == [{"name": "dummy", "tag": "a"}]
    await world.machine.refused("GET", f"/v1/fleets/{id}/config?format=toml", 422, "invalid fleet config format")


async def test_agents_and_people_get_the_same_bytes(world: World) -> None:
    id = await make(world, Files=[{"name": "a", "contents": "YQ=="}, {"name": "b", "contents": "Yg=="}])
    for path in ("config?config_format=yaml", "config", "files"):
        agent, person = [await client.get(f"/v1/fleets/{id}/{path}") for client in (world.machine, world.admin)]
        assert agent.content == person.content
        for header in ("last-modified", "content-type", "link"):
            assert agent.headers.get(header) == person.headers.get(header)
    first = await world.machine.get(f"/v1/fleets/{id}/files?last=1")
    assert [file["name"] for file in first.json()] == ["b"], "a machine that pages gets pages"


async def test_an_empty_config_is_no_empty_body_and_no_files_are_an_empty_array(world: World) -> None:
    id = await make(world, rawConfig="")
    assert "hot_reload" in (await poll(world.machine, id))[1]
    other = await make(world, name="yaml", rawConfig="", configFormat="yaml", skipConfigValidation=True)
    assert (await poll(world.machine, other, "format=yaml"))[1] != ""
    files = await world.machine.get(f"/v1/fleets/{id}/files")
    assert (files.status_code, files.content, files.headers["content-type"]) == (200, b"[]", "application/json")


async def test_the_version_stands_while_nothing_changes(world: World) -> None:
    id = await make(world)
    before = await poll(world.machine, id)
    with clock.moved(timedelta(hours=1)):
        await world.machine.ask("PATCH", f"/v1/fleets/{id}", 200, json={"name": "renamed", "tags": ["x"], "rawConfig": CONFIG})
        assert await poll(world.machine, id) == before
        await world.machine.refused("PATCH", f"/v1/fleets/{id}", 422, "invalid fluentbit config", json={"rawConfig": "[X"})
        assert await poll(world.machine, id) == before


async def test_every_change_moves_the_version_on_by_a_second_at_least(world: World) -> None:
    id = await make(world)
    versions = [(await poll(world.machine, id))[0]]

    async def changed(method: str, path: str, status: int, **body: Any) -> Any:
        answer = await world.machine.ask(method, path, status, json=body)
        versions.append((await poll(world.machine, id))[0])
        return answer

    await changed("PATCH", f"/v1/fleets/{id}", 200, rawConfig=CONFIG + "# more\n")
    await changed("PATCH", f"/v1/fleets/{id}", 200, rawConfig=CONFIG)  # back to an older text
    file = await changed("POST", f"/v1/fleets/{id}/files", 200, name="a", contents="YQ==")
    await changed("PATCH", f"/v1/fleet_files/{file['id']}", 204, contents="Yg==")
    await changed("PATCH", f"/v1/fleet_files/{file['id']}", 204, name="b")
    await changed("DELETE", f"/v1/fleet_files/{file['id']}", 204)
    as_json = json.dumps({"pipeline": {"inputs": [{"name": "dummy"}]}})
    await changed("PATCH", f"/v1/fleets/{id}", 200, rawConfig=as_json, configFormat="json")
    await changed("PATCH", f"/v1/fleets/{id}", 200, configFormat="yaml")  # JSON is YAML: the same text, told otherwise
    assert versions == sorted(set(versions)), versions
    await world.machine.ask("PATCH", f"/v1/fleet_files/{file['id']}", 404, json={"name": "c"})
    assert (await poll(world.machine, id))[0] == versions[-1]


async def test_a_clock_set_back_does_not_take_the_version_back(world: World) -> None:
    id = await make(world)
    before, _ = await poll(world.machine, id)
    with clock.moved(timedelta(days=-1)):
        await world.machine.ask("PATCH", f"/v1/fleets/{id}", 200, json={"rawConfig": CONFIG + "# more\n"})
        assert (await poll(world.machine, id))[0] == before + 1


async def test_changes_at_the_same_moment_get_different_versions(world: World) -> None:
    id = await make(world)
    names = [f"file-{number}" for number in range(8)]
    before, _ = await poll(world.machine, id)
    await asyncio.gather(
        *(world.machine.ask("POST", f"/v1/fleets/{id}/files", 200, json={"name": name, "contents": "YQ=="}) for name in names)
    )
    assert (await poll(world.machine, id))[0] >= before + len(names)


async def test_polls_are_answered_from_memory(world: World) -> None:
    id = await make(world, Files=[{"name": "a", "contents": "YQ=="}])
    await read_revocations(world.context)
    before = await poll(world.machine, id)
    files = (await world.machine.get(f"/v1/fleets/{id}/files")).content
    asked: list[str] = []
    for engine in world.context.database.engines:
        event.listen(engine, "before_cursor_execute", lambda *what: asked.append(what[2]))
    for _ in range(3):
        assert await poll(world.machine, id) == before
        assert (await world.machine.get(f"/v1/fleets/{id}/files")).content == files
    assert asked == []


async def test_a_change_is_seen_at_once_here_and_soon_in_another_process(world: World) -> None:
    id = await make(world)
    other = make_context(world.context.settings, world.context.database)
    transport = httpx.ASGITransport(make_app(other))
    elsewhere = Http(transport=transport, base_url="http://127.0.0.1:5000", headers={"X-Project-Token": world.token})
    for context in (world.context, other):
        await read_revocations(context)
    before = await poll(world.machine, id)
    assert await poll(elsewhere, id) == before
    await world.machine.ask("PATCH", f"/v1/fleets/{id}", 200, json={"rawConfig": CONFIG + "# more\n"})
    after = await poll(world.machine, id)
    assert after[0] > before[0]
    assert await poll(elsewhere, id) == before, "until it next reads what changed, the old config with its old date"
    await read_revocations(other)
    assert await poll(elsewhere, id) == after
    await world.machine.ask("DELETE", f"/v1/fleets/{id}", 200)
    await read_revocations(other)
    await elsewhere.refused("GET", f"/v1/fleets/{id}/config", 404, "fleet not found")
    await elsewhere.aclose()


async def test_what_a_format_cannot_hold_is_refused_and_not_served_in_part(world: World) -> None:
    text = (
        "pipeline:\n  inputs:\n    - name: dummy\n      processors:\n        logs:\n          - name: content_modifier\n"
        "            action: insert\n            key: a\n            value: b\n"
        "  outputs:\n    - name: stdout\n      match: '*'\n"
    )
    id = await make(world, rawConfig=text, configFormat="yaml")
    assert "content_modifier" in (await poll(world.machine, id, "format=yaml"))[1]
    refused = await world.machine.refused("GET", f"/v1/fleets/{id}/config?{_EVERY}", 422, "invalid fluentbit config")
    assert "classic cannot hold" in refused["detail"]


async def test_text_let_through_unread_is_served_as_it_is(world: World) -> None:
    broken = "[INPUT\n name dummy"
    id = await make(world, rawConfig=broken, skipConfigValidation=True)
    assert (await poll(world.machine, id))[1] == broken
    await world.machine.refused("GET", f"/v1/fleets/{id}/config?format=yaml", 422, "invalid fluentbit config")


async def test_a_poll_needs_a_token_that_may_read(world: World) -> None:
    id = await make(world)
    await world.anyone.refused("GET", f"/v1/fleets/{id}/config", 401, "unauthenticated")
    await world.token_of("nonsense").refused("GET", f"/v1/fleets/{id}/config", 401, "invalid token")
    token = await world.admin.ask(
        "POST", f"/v1/projects/{world.project_id}/tokens", 201, json={"name": "w", "permissions": ["create:*"]}
    )
    await world.token_of(token["token"]).refused("GET", f"/v1/fleets/{id}/config", 403, "permission denied")


async def test_memory_is_bounded(world: World) -> None:
    context = make_context(world.context.settings.model_copy(update={"fleet_config_cache": 20_000}), world.context.database)
    client = Http(
        transport=httpx.ASGITransport(make_app(context)),
        base_url="http://127.0.0.1:5000",
        headers={"X-Project-Token": world.token},
    )
    ids = [await make(world, name=f"f{number}", rawConfig=CONFIG + "# " + "x" * 1000) for number in range(8)]
    for id in ids:
        await poll(client, id)
    assert 0 < len(context.fleet_configs) < len(ids)
    await client.aclose()
