"""Which host is served what, and what is written down of it: in a rollout, behind proxies, with tokens of their own."""

import base64
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import event, select

from nectary import clock
from nectary.db import tables
from nectary.loops.credentials import read_revocations
from nectary.loops.fleets import note_polls
from nectary.loops.housekeeping import tidy
from nectary.server import make_app, make_asgi, make_context
from nectary.settings import Settings
from tests.harness.world import Http, World

CONFIG = "[INPUT]\n    name dummy\n    tag a\n\n[OUTPUT]\n    name null\n    match a\n"
OTHER = CONFIG.replace("match a", "match *")


async def make(world: World, **body: Any) -> str:
    path = f"/v1/projects/{world.project_id}/fleets"
    made = await world.admin.ask("POST", path, 201, json={"name": "edge", "rawConfig": CONFIG, **body})
    return f"/v1/fleets/{made['id']}"


async def enroll(world: World, fleet: str, *hosts: str) -> list[Http]:
    made = await world.admin.ask("POST", f"{fleet}/enroll", 201, json={"hosts": hosts})
    return [world.token_of(one["token"]) for one in made]


async def poll(client: Http, fleet: str, **headers: str) -> tuple[int, str]:
    """What an agent reads: the version, and which of the two texts it is."""
    asked = {"Fleet-Config-Version": "-1", **headers}
    answer = await client.get(f"{fleet}/config?format=ini&config_format=ini", headers=asked)
    assert answer.status_code == 200, answer.text
    which = "other" if "match *" in answer.text else "first"
    return int(parsedate_to_datetime(answer.headers["last-modified"]).timestamp()), which


async def noted(world: World) -> list[tuple[str, int, int]]:
    """What is written down: each key with the version and the revision it was served."""
    await note_polls(world.context)
    polls = tables.fleet_polls
    async with world.context.database.read() as tx:
        rows = (await tx.execute(select(polls).order_by(polls.c.poll_key))).all()
    return [(row.poll_key, row.version, row.revision) for row in rows]


async def canary_of(world: World, fleet: str, host: Http, name: str) -> None:
    """A registered agent whose polls come with this host's token."""
    body = {"name": name, "machineID": name, "type": "fluentbit", "version": "5.1.1", "rawConfig": "[INPUT]"}
    await host.ask("POST", "/v1/agents", 201, json={**body, "fleetID": fleet.rpartition("/")[2]})


async def test_a_rollout_reaches_its_canary_and_nobody_else_sees_a_byte_or_a_date_change(world: World) -> None:
    fleet = await make(world, Files=[{"name": "a", "contents": "YQ=="}])
    one, two = await enroll(world, fleet, "one", "two")
    await canary_of(world, fleet, one, "one")
    before = await poll(two, fleet)
    assert await poll(one, fleet) == before
    plan = {"stages": "canaries 1h, 100%", "canaries": ["one"]}
    await world.admin.ask("PATCH", fleet, 200, json={"rawConfig": OTHER, "rollout": plan})
    reached = await poll(one, fleet)
    assert (reached[0] > before[0], reached[1]) == (True, "other")
    assert await poll(two, fleet) == before
    assert await poll(world.machine, fleet) == before, "a token that is shared, too"
    newest = await world.machine.get(f"{fleet}/config?format=ini")
    assert "match *" in newest.text, "somebody who is no agent is told of the newest"

    await world.admin.refused("POST", f"{fleet}/files", 409, "rollout already open", json={"name": "b", "contents": "YQ=="})
    [rollout] = await world.admin.ask("GET", f"{fleet}/rollouts", 200)
    await world.admin.ask("POST", f"/v1/rollouts/{rollout['id']}/rollback", 200, json={})
    back = await poll(one, fleet)
    assert (back[0] > reached[0], back[1]) == (True, "first")
    assert await poll(two, fleet) == before, "who never had it is not asked to load anything"
    await world.admin.ask("PATCH", fleet, 200, json={"rawConfig": OTHER + "# again\n"})
    last = {await poll(client, fleet) for client in (one, two, world.machine)}
    assert len(last) == 1
    assert last.pop()[0] > back[0], "later than anything that anybody had"


async def test_files_come_from_the_revision_that_the_config_came_from(world: World) -> None:
    fleet = await make(world, Files=[{"name": "a", "contents": "b2xk"}])
    one, two = await enroll(world, fleet, "one", "two")
    await canary_of(world, fleet, one, "one")
    await world.admin.ask("PATCH", fleet, 200, json={"rolloutPolicy": {"stages": "canaries 1h, 100%", "canaries": ["one"]}})
    [file] = await world.admin.ask("GET", f"{fleet}/files", 200)
    await world.admin.ask("PATCH", f"/v1/fleet_files/{file['id']}", 204, json={"contents": "bmV3"})

    async def contents(client: Http) -> bytes:
        [file] = (await client.get(f"{fleet}/files", headers={"Fleet-Config-Version": "1"})).json()
        return base64.b64decode(file["contents"])

    assert (await contents(one), await contents(two)) == (b"new", b"old")
    assert (await poll(one, fleet))[0] > (await poll(two, fleet))[0]
    [listed] = await world.machine.ask("GET", f"{fleet}/files", 200)
    assert listed["contents"] == "bmV3"


async def test_with_a_shared_token_the_address_tells_hosts_apart_behind_proxies_as_set(world: World) -> None:
    settings = world.context.settings.model_copy(
        update={"trusted_proxies": Settings(trusted_proxies="127.0.0.0/8").trusted_proxies}
    )
    context = make_context(settings, world.context.database)
    transport = httpx.ASGITransport(make_asgi(make_app(context), context))
    agent = Http(transport=transport, base_url="http://127.0.0.1:5000", headers={"X-Project-Token": world.token})
    fleet = await make(world)
    for address in ("192.0.2.1", "192.0.2.2", "1.1.1.1, 192.0.2.2", "192.0.2.1"):
        await poll(agent, fleet, **{"X-Forwarded-For": address})
    await note_polls(context)
    keys = [key.partition("@")[2] for key, _, _ in await noted(world)]
    assert keys == ["192.0.2.1", "192.0.2.2"]
    body = {"name": "a", "machineID": "a", "type": "fluentbit", "version": "5.1.1", "rawConfig": "[INPUT]"}
    await agent.ask("POST", "/v1/agents", 201, json=body, headers={"X-Forwarded-For": "192.0.2.2"})
    async with world.context.database.read() as tx:
        row = (await tx.execute(select(tables.agents))).one()
    assert row.poll_key.endswith("@192.0.2.2"), "a registration carries the key that the same host's polls do"
    await agent.aclose()


async def test_what_a_key_is_served_is_written_down_once_a_version_and_never_backwards(world: World) -> None:
    fleet = await make(world)
    [host] = await enroll(world, fleet, "one")
    first = await poll(host, fleet)
    [(key, version, revision)] = await noted(world)
    assert (version, revision) == (first[0], 1)
    assert key.startswith("token:")
    for _ in range(3):
        await poll(host, fleet)
    assert world.context.fleet_polls.take() == [], "no news"
    other = make_context(world.context.settings, world.context.database)
    transport = httpx.ASGITransport(make_asgi(make_app(other), other))
    elsewhere = Http(transport=transport, base_url="http://127.0.0.1:5000", headers=host.headers)
    for context in (world.context, other):
        await read_revocations(context)
    await poll(elsewhere, fleet)
    await world.admin.ask("PATCH", fleet, 200, json={"rawConfig": OTHER})
    second = await poll(host, fleet)
    assert await noted(world) == [(key, second[0], 2)]
    assert await poll(elsewhere, fleet) == first, "a replica that has not heard of it yet"
    await note_polls(other)
    assert await noted(world) == [(key, second[0], 2)]
    await world.admin.ask("DELETE", fleet, 200)
    assert await noted(world) == []
    await elsewhere.aclose()


async def test_keys_that_nobody_polls_with_any_more_are_forgotten_a_week_later(world: World) -> None:
    fleet = await make(world)
    gone, agent, alive = await enroll(world, fleet, "gone", "agent", "alive")
    machine = {"name": "a", "machineID": "a", "type": "fluentbit", "version": "5.1.1", "rawConfig": "[INPUT]"}
    await agent.ask("POST", "/v1/agents", 201, json={**machine, "fleetID": fleet.rpartition("/")[2]})
    await poll(gone, fleet)
    [(forgotten, _, _)] = await noted(world)
    for host in (agent, alive):
        await poll(host, fleet)
    before = await noted(world)
    with clock.moved(timedelta(days=8)):
        await tidy(world.context)
        assert await noted(world) == before, "served the newest: it may still be polled for"
        await world.machine.ask("PATCH", fleet, 200, json={"rawConfig": OTHER})
        await poll(alive, fleet)
        await noted(world)
        await tidy(world.context)
        left = await noted(world)
    assert {key for key, _, _ in left} == {key for key, _, _ in before} - {forgotten}
    assert sorted(revision for _, _, revision in left) == [1, 2]


async def test_who_is_no_agent_is_not_noted(world: World) -> None:
    fleet = await make(world)
    await world.machine.ask("GET", f"{fleet}/config?format=ini", 200)
    await world.admin.ask("GET", f"{fleet}/config?format=ini", 200)
    await world.machine.ask("GET", f"{fleet}/files", 200)
    assert await noted(world) == []
    bare = httpx.Request("GET", f"http://127.0.0.1:5000{fleet}/config?format=ini", headers={"X-Project-Token": world.token})
    assert "user-agent" not in bare.headers  # as agents before 4.0.4, which do not say what they have either
    assert (await world.machine.send(bare)).status_code == 200
    assert len(await noted(world)) == 1


async def test_polls_in_a_rollout_are_answered_from_memory_too(world: World) -> None:
    fleet = await make(world)
    one, two = await enroll(world, fleet, "one", "two")
    await canary_of(world, fleet, one, "one")
    plan = {"stages": "canaries 1h, 100%", "canaries": ["one"]}
    await world.admin.ask("PATCH", fleet, 200, json={"rawConfig": OTHER, "rollout": plan})
    await read_revocations(world.context)
    before = [await poll(client, fleet) for client in (one, two)]
    asked: list[str] = []
    for engine in world.context.database.engines:
        event.listen(engine, "before_cursor_execute", lambda *what: asked.append(what[2]))
    assert [await poll(client, fleet) for client in (one, two)] == before
    assert asked == []


async def test_a_config_changed_between_reading_and_remembering_is_not_remembered(world: World) -> None:
    fleet = await make(world)
    configs = world.context.fleet_configs
    id = UUID(fleet.rpartition("/")[2])
    await read_revocations(world.context)
    await poll(world.machine, fleet)
    known = configs.find(id)
    assert known is not None
    configs.forget([id])

    async def overtaken() -> Any:
        configs.forget([id])  # while this was being read, somebody published
        return known.published

    assert await configs.get(id, overtaken) is not None
    assert configs.find(id) is None


async def test_the_date_stands_over_a_restart_and_comes_later_with_the_next_change(world: World) -> None:
    fleet = await make(world)
    before = await poll(world.machine, fleet)
    again = make_context(world.context.settings, world.context.database)
    transport = httpx.ASGITransport(make_asgi(make_app(again), again))
    client = Http(transport=transport, base_url="http://127.0.0.1:5000", headers={"X-Project-Token": world.token})
    with clock.moved(timedelta(days=2)):
        assert await poll(client, fleet) == before
        await client.ask("PATCH", fleet, 200, json={"rawConfig": OTHER})
        await client.ask("POST", f"{fleet}/rollback", 200, json={"revision": 1})
        assert (await poll(client, fleet))[0] >= before[0] + 2
    await client.aclose()


async def test_files_travel_as_padded_standard_base64_in_an_array_that_is_never_an_empty_body(world: World) -> None:
    """Fluent Bit cuts short what is not padded, and takes a file in the other alphabet for an empty one."""
    fleet = await make(world)
    assert (await world.machine.get(f"{fleet}/files")).content == b"[]"
    contents = {f"file-{size}": b"\xfb\xff\xbe"[:size] + b"\xff" * size for size in range(1, 5)}
    for name, data in contents.items():
        body = {"name": name, "contents": base64.b64encode(data).decode()}
        await world.admin.ask("POST", f"{fleet}/files", 200, json=body)
    listed = (await world.machine.get(f"{fleet}/files", headers={"Fleet-Config-Version": "1"})).json()
    assert {file["name"]: base64.b64decode(file["contents"], validate=True) for file in listed} == contents
    assert all(len(file["contents"]) % 4 == 0 for file in listed)
