"""A project with something of each kind that requests can be refused about, made over HTTP."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from tests.harness.pipelines import encoded
from tests.harness.world import ADMIN, Http, World

NAMES_ITS_SECRET = """\
[INPUT]
    Name forward
    Port 24224
[OUTPUT]
    Name   http
    Match  *
    Host   10.0.0.9
    Header X-Key {{ secrets.key }}
"""
DUMMY = "[INPUT]\n    Name dummy\n[OUTPUT]\n    Name null\n    Match *\n"
JOIN = "http://127.0.0.1:5000/join"
BUILTIN = [{"key": "name", "value": "dummy"}]


@dataclass
class Scene:
    """`names` are what the table's {names} stand for; `by` are those who ask."""

    world: World
    names: dict[str, str] = field(default_factory=dict)
    by: dict[str, Http] = field(default_factory=dict)

    async def make(self, path: str, body: Any, expect: int = 201) -> Any:
        return await self.world.machine.ask("POST", path, expect, json=body)

    async def make_named(self, name: str, path: str, body: Any, expect: int = 201) -> Any:
        made = await self.make(path, body, expect)
        self.names[name] = made["id"]
        return made


async def furnished(world: World) -> Scene:
    scene = Scene(world, {"project": world.project_id, "nothing": str(uuid4())})
    scene.by = {"token": world.machine, "person": world.admin, "nobody": world.anyone}
    await _core_instance(scene)
    await _pipelines(scene)
    await _agents(scene)
    await _people(scene)
    return scene


async def _core_instance(scene: Scene) -> None:
    asked = {"name": "ci", "clusterLogging": True, "addHealthCheckPipeline": True}
    made = await scene.make_named("ci", "/v1/aggregators", asked)
    scene.names["health_check"] = made["healthCheckPipeline"]["id"]
    scene.names["profile_in_use"] = made["healthCheckPipeline"]["resourceProfile"]["id"]
    scene.by["core instance"] = scene.world.http(**{"X-Aggregator-Token": made["token"]})
    section = {"kind": "input", "properties": BUILTIN}
    sections = f"/v1/projects/{scene.world.project_id}/config_sections"
    await scene.make_named("section", sections, section)
    tried = await scene.make(sections, section)
    checks = f"/v1/core_instances/{made['id']}/ingest_checks"
    await scene.make_named("ingest_check", checks, {"configSectionID": tried["id"]})


async def _pipelines(scene: Scene) -> None:
    here = f"/v1/aggregators/{scene.names['ci']}/pipelines"
    asked = {"name": "p1", "rawConfig": NAMES_ITS_SECRET, "secrets": [{"key": "key", "value": encoded("v")}]}
    made = await scene.make_named("pipeline", here, asked)
    scene.names |= {"port": made["ports"][0]["id"], "secret": made["secrets"][0]["id"]}
    await scene.make_named("node", here, {"name": "node", "kind": "daemonSet", "rawConfig": DUMMY})
    mine = f"/v1/pipelines/{made['id']}"
    await scene.make_named("log", f"{mine}/logs", {"lines": 10})
    await scene.make_named("ended_session", f"{mine}/trace_sessions", {"plugins": ["forward.0"]})
    await scene.world.machine.ask("DELETE", f"{mine}/trace_session", 200)
    await scene.make(f"{mine}/trace_sessions", {"plugins": ["forward.0"]})


async def _agents(scene: Scene) -> None:
    fleets = f"/v1/projects/{scene.world.project_id}/fleets"
    fleet = await scene.make_named("fleet", fleets, {"name": "edge", "rawConfig": DUMMY})
    await scene.make(f"/v1/fleets/{fleet['id']}/files", {"name": "a.lua", "contents": "YQ=="}, 200)
    report = {"name": "one", "machineID": "first", "type": "fluentbit", "version": "5.1.1", "rawConfig": ""}
    made = await scene.make_named("agent", "/v1/agents", report)
    scene.by["agent"] = scene.world.agent(made["token"])
    await scene.make("/v1/agents", report | {"name": "two", "machineID": "second"})
    await scene.make_named("agent_error", f"/v1/agents/{made['id']}/errors", {"error": "it does not start"})


async def _people(scene: Scene) -> None:
    members = await scene.world.admin.ask("GET", f"/v1/projects/{scene.world.project_id}/members", 200)
    scene.names["creator"] = next(member["id"] for member in members if member["user"]["email"] == ADMIN)
    person = await scene.world.person("member@example.com")
    token = await invited(scene, "member@example.com")
    await person.ask("POST", "/v1/join_project", 204, json={"token": token})


async def invited(scene: Scene, email: str) -> str:
    """The token of a new invitation to this address."""
    body = {"email": email, "redirectURI": JOIN, "permissions": ["read:*"]}
    path = f"/v1/projects/{scene.names['project']}/invite"
    link: str = (await scene.by["person"].ask("POST", path, 200, json=body))["link"]
    return parse_qs(urlsplit(link).query)["token"][0]
