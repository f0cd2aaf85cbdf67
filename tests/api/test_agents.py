"""Agents, their errors, search and the audit log, as people and tools see them."""

from typing import Any

from tests.harness.world import World


async def registered(world: World, name: str, **more: Any) -> str:
    body = {"name": name, "machineID": name, "type": "fluentbit", "version": "5.1.1", "rawConfig": ""} | more
    id: str = (await world.machine.ask("POST", "/v1/agents", 201, json=body))["id"]
    return id


async def test_agents_are_listed_filtered_and_paged(world: World) -> None:
    path = f"/v1/projects/{world.project_id}/agents"
    for name, tags in (("a", ["red"]), ("b", ["red", "big"]), ("c", [])):
        await registered(world, name, tags=tags)

    async def names(query: str) -> list[str]:
        return [agent["name"] for agent in await world.machine.ask("GET", f"{path}?{query}", 200)]

    assert await names("") == ["c", "b", "a"]
    assert await names("last=0") == ["c", "b", "a"]
    assert await names("name=b") == ["b"]
    assert await names("tags_query=red") == ["b", "a"]
    assert await names("tags_query=red AND big") == ["b"]
    assert await names("tags_query=red AND none") == []
    [default] = await world.machine.ask("GET", f"/v1/projects/{world.project_id}/environments", 200)
    assert await names(f"environment_id={default['id']}") == ["c", "b", "a"]
    first = await world.machine.get(f"{path}?last=1&tags_query=red")
    assert [a["name"] for a in (await world.machine.get(first.headers["link"].split(">")[0][1:])).json()] == ["a"]
    await world.machine.refused("GET", f"{path}?before=nonsense", 422, "decode cursor")
    await world.machine.refused("GET", f"{path}?last=-1", 422, "invalid last")
    await world.machine.refused("GET", f"{path}?environment_id=x", 422, "invalid environment ID")


async def test_people_rename_agents_and_change_nothing_else(world: World) -> None:
    id = await registered(world, "a")
    path = f"/v1/agents/{id}"
    await world.admin.ask("PATCH", path, 204, json={"name": "b.example"})
    assert (await world.admin.ask("GET", path, 200))["name"] == "b.example"
    await world.admin.ask("PATCH", path, 204, json={})
    for key, value, error in (
        ("version", "1.2.3", "update agent version forbidden"),
        ("edition", "enterprise", "update agent edition forbidden"),
        ("flags", [], "update agent flags forbidden"),
        ("rawConfig", "x", "update agent raw config forbidden"),
        ("metadata", {}, "update agent metadata forbidden"),
    ):
        await world.admin.refused("PATCH", path, 403, error, json={key: value})
    await world.admin.refused("PATCH", path, 422, "invalid agent name", json={"name": "under_score"})


async def test_agents_are_deleted_one_by_one_and_many_at_once(world: World) -> None:
    ids = [await registered(world, name) for name in "abc"]
    stranger, _ = await world.stranger()
    await stranger.refused("DELETE", f"/v1/agents/{ids[0]}", 404, "agent not found")
    await world.admin.ask("DELETE", f"/v1/agents/{ids[0]}", 204)
    await world.admin.refused("GET", f"/v1/agents/{ids[0]}", 404, "agent not found")
    path = f"/v1/projects/{world.project_id}/agents"
    await world.admin.ask("DELETE", path, 204)
    assert len(await world.admin.ask("GET", path, 200)) == 2, "no ids, none deleted"
    await world.admin.ask("DELETE", path, 204, params={"agent_id": ids})
    assert await world.admin.ask("GET", path, 200) == []
    rows = await world.rows()
    assert (rows["agents"], rows["agent_configs"]) == ([], [])


async def test_errors_are_reported_once_listed_and_dismissed(world: World) -> None:
    id = await registered(world, "a")
    path = f"/v1/agents/{id}/errors"
    first = await world.machine.ask("POST", path, 201, json={"error": "disk full"})
    assert (await world.machine.ask("POST", path, 201, json={"error": "disk full"}))["id"] == first["id"]
    await world.admin.refused("POST", path, 401, "unauthenticated", json={"error": "disk full"})
    for wrong in ({}, {"error": ""}, {"error": "x" * 1025}):
        await world.machine.refused("POST", path, 422, "invalid agent error", json=wrong)
    dismissal = f"/v1/agent_errors/{first['id']}/dismiss"
    await world.admin.refused("POST", dismissal, 422, "invalid agent error dismiss reason", json={"reason": ""})
    assert (await world.admin.ask("POST", dismissal, 200, json={"reason": "cleaned"}))["dismissedAt"]
    second = await world.machine.ask("POST", path, 201, json={"error": "disk full"})
    assert second["id"] != first["id"], "it came back after it was dismissed"
    assert [e["id"] for e in await world.admin.ask("GET", path, 200)] == [second["id"], first["id"]]
    assert [e["id"] for e in await world.admin.ask("GET", f"{path}?dismissed=true", 200)] == [first["id"]]
    [standing] = await world.admin.ask("GET", f"{path}?dismissed=false", 200)
    assert (standing["agentID"], standing["dismissedAt"], standing["dismissReason"]) == (id, None, None)


async def test_search_finds_by_name_part_and_id_exact_first(world: World) -> None:
    ids = {name: await registered(world, name) for name in ("web", "a-web-1", "db")}
    query = f"project_id={world.project_id}&resource=agent"
    found = await world.machine.ask("GET", f"/v1/search?{query}&term=WEB", 200)
    assert [one["name"] for one in found] == ["a-web-1", "web"]
    found = await world.machine.ask("GET", f"/v1/search?{query}&term=web", 200)
    assert found[0] == {"id": ids["web"], "name": "web", "ID": ids["web"], "Name": "web"}
    assert await world.machine.ask("GET", f"/v2/search?{query}&term={ids['db']}&exact=true", 200) == [
        {"id": ids["db"], "name": "db"}
    ]
    assert await world.machine.ask("GET", f"/v2/search?{query}&term=we&exact=true", 200) == []
    assert len(await world.machine.ask("GET", f"/v2/search?{query}", 200)) == 3
    assert await world.machine.ask("GET", f"/v2/search?{query}&term=%25", 200) == [], "a percent sign is itself"
    await world.machine.refused(
        "GET", f"/v2/search?project_id={world.project_id}&resource=moon", 422, "unknown search resource"
    )
    [me] = await world.admin.ask("GET", f"/v2/search?project_id={world.project_id}&resource=member", 200)
    assert me["name"] == "Administrator"


async def test_the_audit_log_tells_who_changed_what_in_order(world: World) -> None:
    id = await registered(world, "a")
    await world.admin.ask("PATCH", f"/v1/agents/{id}", 204, json={"name": "b"})
    await world.machine.ask("DELETE", f"/v1/agents/{id}", 204)
    path = f"/v1/projects/{world.project_id}/audit_logs"
    logs = await world.admin.ask("GET", path, 200)
    told = [
        (log["action"], log["components"].get("agentID"), next(iter(log["identity"])), log["responseCode"])
        for log in logs["items"]
    ]
    assert told == [("CREATE", id, "token", 201), ("UPDATE", id, "user", 204), ("DELETE", id, "token", 204)]
    page = await world.admin.ask("GET", f"{path}?first=2", 200)
    [last] = (await world.admin.ask("GET", f"{path}?first=2&after={page['endCursor']}", 200))["items"]
    assert last["action"] == "DELETE"
    assert [log["action"] for log in (await world.admin.ask("GET", f"{path}?action=UPDATE", 200))["items"]] == ["UPDATE"]
    for key in ("components", "component"):
        assert len((await world.admin.ask("GET", f"{path}?{key}[agentID]={id}", 200))["items"]) == 3
    empty = await world.admin.ask("GET", f"{path}?components[agentID]=none", 200)
    assert empty == {"items": []}
    person = logs["items"][1]["identity"]["user"]["id"]
    assert len((await world.admin.ask("GET", f"{path}?identity[user]={person}", 200))["items"]) == 1
