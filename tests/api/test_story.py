"""One story over HTTP, from a new user to an empty project, and what the audit log tells of it."""

import base64
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import select

from nectary import clock, sealing
from nectary.db import tables
from tests.harness.pipelines import encoded
from tests.harness.world import PASSWORD, Http, World

FIRST = """\
[INPUT]
    Name  forward
    Port  24224
[OUTPUT]
    Name   http
    Match  *
    Host   logs.example.com
    Port   443
    Header X-Key {{ secrets.api-key }}
    tls.ca_file {{ files.ca }}
"""
SECOND = """\
pipeline:
  inputs:
    - name: syslog
      mode: udp
      port: 5140
  outputs:
    - name: stdout
      match: '*'
"""


@dataclass(frozen=True)
class Team:
    builder: Http
    reader: Http
    cleaner: Http


class Story:
    """The people of a project, and what they did that changed something: as the audit log should have it."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []

    async def does(self, who: str, http: Http, method: str, path: str, expect: int, **sent: Any) -> Any:
        answer = await http.ask(method, path, expect, **sent)
        action = {"POST": "CREATE", "PATCH": "UPDATE", "DELETE": "DELETE"}[method]
        self.told.append((who, action, path.partition("?")[0]))
        return answer


async def _joined(world: World, story: Story, owner: Http, project: str, name: str, permissions: list[str]) -> Http:
    """Somebody invited, and come; those who are not known yet make themselves known by it."""
    body = {"email": f"{name}@example.com", "permissions": permissions, "redirectURI": "http://127.0.0.1:5000/join"}
    invited = await story.does("owner", owner, "POST", f"/v1/projects/{project}/invite", 200, json=body)
    [token] = parse_qs(urlsplit(invited["link"]).query)["token"]
    if name == "builder":
        person = await world.person(f"{name}@example.com")
        await story.does(name, person, "POST", "/v1/join_project", 204, json={"token": token})
        return person
    new = {"token": token, "name": name, "password": PASSWORD}
    signed = await story.does(name, world.anyone, "POST", "/v1/sign_up", 201, json=new)
    return world.http(Authorization=f"Bearer {signed['token']}")


async def _new_user(world: World) -> Http:
    """Somebody who was invited into the administrator's project, and then signs in to make one of their own."""
    body = {"email": "owner@example.com", "permissions": ["read:*"], "redirectURI": "http://127.0.0.1:5000/join"}
    invited = await world.admin.ask("POST", f"/v1/projects/{world.project_id}/invite", 200, json=body)
    [token] = parse_qs(urlsplit(invited["link"]).query)["token"]
    new = {"token": token, "name": "Owner", "password": PASSWORD}
    await world.anyone.ask("POST", "/v1/sign_up", 201, json=new)
    credentials = {"email": "owner@example.com", "password": PASSWORD}
    signed = await world.anyone.ask("POST", "/v1/sign_in", 201, json=credentials)
    return world.http(Authorization=f"Bearer {signed['token']}")


def _metrics(pipeline_id: str, records: int, started: float) -> bytes:
    """A post as Fluent Bit makes them, with the label that says whose it is."""
    ts = int(clock.seconds() * 1e9)

    def family(ss: str, name: str, label: str, value: float, of: str) -> dict[str, Any]:
        meta = {"ver": 2, "type": 0 if ss else 1, "opts": {"ns": "fluentbit", "ss": ss, "name": name, "desc": ""}}
        return {"meta": {**meta, "labels": [label]}, "values": [{"ts": ts, "value": value, "labels": [of], "hash": 1}]}

    families = [
        family("", "process_start_time_seconds", "hostname", started, "edge"),
        family("input", "records_total", "name", records, "forward.0"),
        family("input", "bytes_total", "name", records * 10, "forward.0"),
    ]
    labels = {"static_labels": [["pipeline_id", pipeline_id]]}
    return msgspec.msgpack.encode({"meta": {"cmetrics": {}, "external": {}, "processing": labels}, "metrics": families})


async def test_a_team_runs_a_pipeline_from_its_first_day_to_its_last(world: World) -> None:
    story = Story()
    owner = await _new_user(world)
    project = (await story.does("owner", owner, "POST", "/v1/projects", 201, json={"name": "observability"}))["id"]
    team = await _come_together(world, story, owner, project)

    [token] = await owner.ask("GET", f"/v1/projects/{project}/tokens", 200)
    machine = world.token_of(token["token"])
    ci = await story.does("token", machine, "POST", "/v1/aggregators", 201, json={"name": "cluster"})
    assert len(ci["resourceProfiles"]) == 3

    made = await _build(story, team, ci)
    await _change_and_go_back(story, team, made["id"])
    await _report(world, story, team, ci, made["id"])
    agent = await _count(world, story, machine, team.reader, made["id"])

    mine = f"/v1/aggregator_pipelines/{made['id']}"
    await team.builder.refused("DELETE", mine, 403, "permission denied")
    await story.does("cleaner", team.cleaner, "DELETE", mine, 204)
    await team.reader.refused("GET", mine, 404, "pipeline not found")
    await story.does("cleaner", team.cleaner, "DELETE", f"/v1/aggregators/{ci['id']}", 204)
    await story.does("cleaner", team.cleaner, "DELETE", f"/v1/agents/{agent}", 204)
    await _audited(team.reader, project, story, ci)
    await story.does("owner", owner, "DELETE", f"/v1/projects/{project}", 200)
    await owner.refused("GET", f"/v1/projects/{project}", 403, "permission denied")
    rows = await world.rows()
    assert {name for name, kept in rows.items() if project in repr(kept)} <= {"audit_logs", "revocations"}
    await _last_word(world, project, story)
    assert "hunter2" not in repr(rows)


async def _come_together(world: World, story: Story, owner: Http, project: str) -> Team:
    """Three who may do different things."""
    builder = await _joined(world, story, owner, project, "builder", ["create:*", "read:*", "update:*"])
    reader = await _joined(world, story, owner, project, "reader", ["read:*"])
    cleaner = await _joined(world, story, owner, project, "cleaner", ["read:*", "delete:*"])
    members = await reader.ask("GET", f"/v1/projects/{project}/members", 200)
    assert {each["user"]["email"].partition("@")[0] for each in members} == {"owner", "builder", "reader", "cleaner"}
    return Team(builder, reader, cleaner)


async def _build(story: Story, team: Team, ci: dict[str, Any]) -> dict[str, Any]:
    """A pipeline with secrets, files and ports."""
    pipelines = f"/v1/aggregators/{ci['id']}/pipelines"
    body = {
        "name": "edge",
        "rawConfig": FIRST,
        "secrets": [{"key": "api-key", "value": encoded("hunter2")}],
        "files": [{"name": "ca", "contents": encoded("certificate"), "encrypted": True}],
    }
    await team.reader.refused("POST", pipelines, 403, "permission denied", json=body)
    made: dict[str, Any] = await story.does("builder", team.builder, "POST", pipelines, 201, json=body)
    [secret] = made["secrets"]
    assert sealing.unseal(ci["privateRSAKey"], base64.b64decode(secret["value"])) == b"hunter2"
    assert [port["frontendPort"] for port in made["ports"]] == [24224]
    assert [(check["host"], check["port"]) for check in made["checks"]] == [("logs.example.com", 443)]
    port = {"protocol": "tcp", "frontendPort": 8080, "backendPort": 8080, "endpoint": ""}
    await story.does("builder", team.builder, "POST", f"/v1/aggregator_pipelines/{made['id']}/ports", 201, json=port)
    return made


async def _change_and_go_back(story: Story, team: Team, id: str) -> None:
    """Another configuration, its history, and the first one again."""
    mine, history = f"/v1/aggregator_pipelines/{id}", f"/v1/aggregator_pipelines/{id}/config_history"
    change = {"rawConfig": SECOND, "configFormat": "yaml"}
    await team.reader.refused("PATCH", mine, 403, "permission denied", json=change)
    changed = await story.does("builder", team.builder, "PATCH", mine, 200, json=change)
    assert [port["frontendPort"] for port in changed["addedPorts"]] == [5140]
    assert [port["frontendPort"] for port in changed["removedPorts"]] == [24224]
    assert [check["host"] for check in changed["removedChecks"]] == ["logs.example.com"]
    [newest, oldest] = await team.reader.ask("GET", history, 200)
    assert (newest["rawConfig"], oldest["rawConfig"]) == (SECOND, FIRST)
    back = await story.does("builder", team.builder, "PATCH", mine, 200, json={"rawConfig": oldest["rawConfig"]})
    assert [port["frontendPort"] for port in back["addedPorts"]] == [24224]
    formats = [each["configFormat"] for each in await team.reader.ask("GET", history, 200)]
    assert formats == ["classic", "yaml", "classic"]


async def _report(world: World, story: Story, team: Team, ci: dict[str, Any], id: str) -> None:
    """The core instance looks what to run, and tells how it goes, with its own token."""
    core = world.http(**{"X-Aggregator-Token": ci["token"]})
    assert (await core.ask("POST", f"/v1/aggregators/{ci['id']}/ping", 200))["nextPing"] > 0
    listed = await core.ask("GET", f"/v1/core_instances/{ci['id']}/pipelines?include=ports,files,secrets", 200)
    assert [each["id"] for each in listed["items"]] == [id]
    mine = f"/v1/aggregator_pipelines/{id}"
    events = [{"source": "k8s:pod", "reason": "Started", "message": "it runs", "loggedAt": "2026-01-01T00:00:00Z"}]
    await story.does("core", core, "PATCH", mine, 200, json={"status": "STARTING"})
    await story.does("core", core, "PATCH", mine, 200, json={"status": "STARTED", "events": events})
    statuses = await team.reader.ask("GET", f"{mine}/status_history", 200)
    assert [(each["status"], len(each["events"])) for each in statuses] == [("STARTED", 1), ("STARTING", 0), ("NEW", 0)]


async def _count(world: World, story: Story, machine: Http, reader: Http, pipeline_id: str) -> str:
    """The pipeline's Fluent Bit registers and counts, and somebody looks at what it counted; gives the agent's id."""
    registration = {"name": "pod-1", "machineID": "pod-1", "type": "fluentbit", "version": "5.1.1", "rawConfig": FIRST}
    agent = await story.does("token", machine, "POST", "/v1/agents", 201, json=registration)
    started = clock.seconds() - 300
    with clock.stopped():  # rates are per second, and a busy machine takes its own
        for ago, records in ((90, 100), (60, 400), (30, 700)):
            with clock.moved(timedelta(seconds=-ago)):
                sent = _metrics(pipeline_id, records, started)
                await world.agent(agent["token"]).ask("POST", f"/v1/agents/{agent['id']}/metrics", 201, content=sent)
                await world.write_metrics()
        rates = await reader.ask("GET", f"/v2/pipelines/{pipeline_id}/metrics", 200)
    assert rates["input"] == {"records": pytest.approx(10, rel=0.05), "bytes": pytest.approx(100, rel=0.05)}
    id: str = agent["id"]
    return id


async def _audited(reader: Http, project: str, story: Story, ci: dict[str, Any]) -> None:
    """Every change is in the log, in its order, under the name of who made it; refusals and questions are not."""
    logs = await reader.ask("GET", f"/v1/projects/{project}/audit_logs", 200)
    found = [(_name(log["identity"]), log["action"], log["url"]) for log in logs["items"]]
    assert found == story.told
    assert all(log["responseCode"] < 300 and log["components"]["projectID"] == project for log in logs["items"])
    narrowed = await reader.ask(
        "GET", f"/v1/projects/{project}/audit_logs?components[aggregatorID]={ci['id']}&action=DELETE", 200
    )
    assert [log["url"] for log in narrowed["items"]] == [f"/v1/aggregators/{ci['id']}"]


async def _last_word(world: World, project: str, story: Story) -> None:
    """The log outlives its project: its end is in there, too. What people did for themselves is in no project's log."""
    logs = tables.audit_logs
    async with world.context.database.read() as tx:
        rows = (await tx.execute(select(logs).order_by(logs.c.created_at))).all()
    mine = [(_name(row.identity), row.action, row.url) for row in rows if row.project_id == UUID(project)]
    assert mine == story.told
    assert mine[-1] == ("owner", "DELETE", f"/v1/projects/{project}")
    assert [(_name(row.identity), row.url) for row in rows if row.project_id is None] == [("owner", "/v1/sign_in")]


def _name(identity: dict[str, Any]) -> str:
    [(kind, who)] = identity.items()
    return str(who["email"]).partition("@")[0] if kind == "user" else {"token": "token", "core_instance": "core"}[kind]
