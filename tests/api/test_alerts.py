"""Alerts over HTTP: what is watched, when it fires and when it is over, and what a webhook is told of it."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from nectary import clock, webhooks
from nectary.loops import alerts as loop
from nectary.loops import housekeeping
from tests.api.test_pipeline_metrics import agent, document
from tests.harness.listening import listening
from tests.harness.pipelines import core_instance, pipeline
from tests.harness.world import World

RULES = "/v1/projects/{}/alert_rules"


async def rule(world: World, kind: str, **body: Any) -> dict[str, Any]:
    body = {"name": kind, "kind": kind, **body}
    made: dict[str, Any] = await world.machine.ask("POST", RULES.format(world.project_id), 201, json=body)
    return made


async def alerts(world: World, **params: Any) -> list[dict[str, Any]]:
    shown = await world.machine.ask("GET", f"/v1/projects/{world.project_id}/alerts", 200, params=params)
    assert shown["count"] >= len(shown["items"])
    found: list[dict[str, Any]] = shown["items"]
    return found


async def deliveries(world: World, id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.machine.ask("GET", f"/v1/alert_rules/{id}/deliveries", 200))["items"]
    return found


@dataclass
class Receiver:
    """A program on this machine that webhooks are posted to; answers with `statuses` in turn, then 204."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        self.got.append((headers, await reader.readexactly(int(headers["content-length"]))))
        status = self.statuses.pop(0) if self.statuses else 204
        writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:1/\r\n\r\n".encode())
        await writer.drain()


@asynccontextmanager
async def receiver(*statuses: int) -> AsyncIterator[Receiver]:
    here = Receiver(statuses=list(statuses))
    async with listening(here.answer) as port:
        here.url = f"http://127.0.0.1:{port}/hook?a=b"
        yield here


async def turn(world: World) -> None:
    await loop.watch(world.context)
    await loop.deliver(world.context)


async def test_a_failed_pipeline_fires_until_it_runs_again(world: World) -> None:
    made = await pipeline(world, (await core_instance(world))["id"], name="edge-logs")
    await rule(world, "pipeline_failed")
    await turn(world)
    assert await alerts(world) == []
    event = {"source": "process", "reason": "PortInUse", "message": "port 24224 is taken", "loggedAt": "2026-01-02T03:04:05Z"}
    await world.machine.ask(
        "PATCH", f"/v1/aggregator_pipelines/{made['id']}", 200, json={"status": "FAILED", "events": [event]}
    )
    await turn(world)
    await turn(world)
    [alert] = await alerts(world, status="firing")
    assert (alert["subjectKind"], alert["subjectID"], alert["subjectName"]) == ("pipeline", made["id"], "edge-logs")
    assert alert["message"] == "pipeline edge-logs is FAILED: port 24224 is taken"
    assert await world.admin.ask("GET", f"/v1/alerts/{alert['id']}", 200) == alert
    await world.machine.ask("PATCH", f"/v1/aggregator_pipelines/{made['id']}", 200, json={"status": "STARTED"})
    await turn(world)
    assert await alerts(world, status="firing") == []
    [over] = await alerts(world, status="resolved")
    assert over["id"] == alert["id"]
    assert over["resolvedAt"] >= over["createdAt"]


async def test_an_agent_that_falls_silent_fires_and_one_of_a_pipeline_does_not(world: World) -> None:
    await agent(world, "lonely")
    made = await pipeline(world, (await core_instance(world))["id"], name="p")
    id, client = await agent(world, "replica")
    await client.ask("POST", f"/v1/agents/{id}/metrics", 201, content=document(clock.seconds(), clock.seconds(), 1, made["id"]))
    await world.write_metrics()
    await rule(world, "agent_silent", seconds=60)
    await turn(world)
    assert await alerts(world) == []
    with clock.moved(timedelta(seconds=61)):
        await turn(world)
        [alert] = await alerts(world)
        assert (alert["subjectName"], alert["status"], alert["kind"]) == ("lonely", "firing", "agent_silent")
        await agent(world, "lonely")
        await turn(world)
        assert (await alerts(world))[0]["status"] == "resolved"


async def test_a_core_instance_that_stops_pinging_fires(world: World) -> None:
    made = await core_instance(world, name="away")
    await rule(world, "core_instance_unreachable")
    with clock.moved(timedelta(seconds=200)):
        await turn(world)
        assert await alerts(world) == [], "it never began"
        await world.machine.ask("POST", f"/v1/aggregators/{made['id']}/ping", 200)
    with clock.moved(timedelta(seconds=300)):
        await turn(world)
        [alert] = await alerts(world)
        assert alert["message"].startswith("core instance away was last heard of at 20")


async def errors(world: World, who: tuple[str, Any], ago: float, count: int, label: str | None = None) -> None:
    """One post of an agent whose output has failed so often."""
    with clock.moved(timedelta(seconds=-ago)):
        body = document(clock.seconds(), 1.0, count, label, "http.0", family="output", name="retries_total")
        await who[1].ask("POST", f"/v1/agents/{who[0]}/metrics", 201, content=body)
        await world.write_metrics()


async def test_failed_sends_above_a_rate_fire_for_agents_and_for_pipelines(world: World) -> None:
    bad, good, runs = await agent(world, "bad"), await agent(world, "good"), await agent(world, "runs")
    made = await pipeline(world, (await core_instance(world))["id"], name="p")
    for ago, count in ((100, 0), (60, 200), (0, 500)):
        await errors(world, bad, ago, count)
        await errors(world, good, ago, count // 100)
        await errors(world, runs, ago, count, made["id"])
    await rule(world, "agent_errors", threshold=1.5, seconds=120)
    await rule(world, "pipeline_errors", threshold=1.5, seconds=120)
    await turn(world)
    told = {alert["subjectName"]: alert["message"] for alert in await alerts(world, status="firing")}
    assert told == {
        "bad": "agent bad: 5 failed sends a second over 120 s, most by http.0",
        "p": "pipeline p: 5 failed sends a second over 120 s, most by http.0",
    }


async def test_a_rule_looks_only_at_its_scope(world: World) -> None:
    ci = await core_instance(world)
    one, two = await pipeline(world, ci["id"], name="one"), await pipeline(world, ci["id"], name="two")
    for made in (one, two):
        await world.machine.ask("PATCH", f"/v1/aggregator_pipelines/{made['id']}", 200, json={"status": "FAILED"})
    made = await rule(world, "pipeline_failed", pipelineID=two["id"])
    await turn(world)
    assert [alert["subjectName"] for alert in await alerts(world)] == ["two"]
    await world.machine.ask("PATCH", f"/v1/alert_rules/{made['id']}", 200, json={"enabled": False})
    await turn(world)
    assert [alert["status"] for alert in await alerts(world, alert_rule_id=made["id"])] == ["resolved"]
    await world.machine.ask("DELETE", f"/v1/aggregator_pipelines/{two['id']}", 204)
    await world.machine.refused("GET", f"/v1/alert_rules/{made['id']}", 404, "alert rule not found")


async def test_a_webhook_is_told_signed_when_it_fires_and_when_it_is_over(world: World) -> None:
    failed = await pipeline(world, (await core_instance(world))["id"], name="p")
    async with receiver() as here:
        made = await rule(world, "pipeline_failed", webhookURL=here.url)
        for status in ("FAILED", "STARTED"):
            await world.machine.ask("PATCH", f"/v1/aggregator_pipelines/{failed['id']}", 200, json={"status": status})
            await turn(world)
            await turn(world)
    assert [json.loads(body)["status"] for _, body in here.got] == ["firing", "resolved"]
    headers, body = here.got[0]
    told = json.loads(body)
    assert told["version"] == "4"
    assert told["alerts"][0]["labels"]["subject"] == "p"
    assert told["alerts"][0]["annotations"]["summary"] == "pipeline p is FAILED"
    key = base64.b64decode(made["webhookSecret"].removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    assert [one["status"] for one in await deliveries(world, made["id"])] == ["delivered", "delivered"]


async def test_a_delivery_that_fails_is_tried_again_later_and_given_up_at_last(world: World) -> None:
    async with receiver(500, 302) as here:
        made = await rule(world, "pipeline_failed", webhookURL=here.url)
        tried = await world.machine.ask("POST", f"/v1/alert_rules/{made['id']}/test", 201)
        assert (tried["status"], tried["attempts"], tried["payload"]["alerts"][0]["labels"]["test"]) == ("pending", 0, "true")
        await turn(world)
        await turn(world)
        [one] = await deliveries(world, made["id"])
        assert (one["status"], one["attempts"], one["error"]) == ("pending", 1, "answered 500"), "not at once again"
        with clock.moved(timedelta(minutes=1)):
            await turn(world)
            assert (await deliveries(world, made["id"]))[0]["error"] == "answered 302", "a redirect is not followed"
        with clock.moved(timedelta(minutes=5)):
            await turn(world)
    [one] = await deliveries(world, made["id"])
    assert (one["status"], one["attempts"], one["error"], one["nextAt"]) == ("delivered", 3, None, None)
    assert len({headers["webhook-id"] for headers, _ in here.got}) == 1, "the receiver can tell that it is the same"

    await world.machine.ask("PATCH", f"/v1/alert_rules/{made['id']}", 200, json={"webhookURL": "http://127.0.0.1:1/"})
    await world.machine.ask("POST", f"/v1/alert_rules/{made['id']}/test", 201)
    for attempt in range(world.context.settings.webhook_attempts):
        with clock.moved(timedelta(minutes=11 * attempt)):
            await turn(world)
    last = (await deliveries(world, made["id"]))[0]
    assert (last["status"], last["attempts"]) == ("failed", world.context.settings.webhook_attempts)
    assert "connect" in last["error"].lower()


async def test_the_secret_is_told_once_and_the_address_is_bounded(world: World) -> None:
    made = await rule(world, "pipeline_failed", webhookURL="http://127.0.0.1:1/hook")
    for path in (f"/v1/alert_rules/{made['id']}", RULES.format(world.project_id)):
        assert made["webhookSecret"] not in (await world.admin.ask("GET", path, 200)).__repr__()
    await world.machine.ask("PATCH", f"/v1/alert_rules/{made['id']}", 200, json={"webhookURL": ""})
    assert (await world.admin.ask("GET", f"/v1/alert_rules/{made['id']}", 200))["webhookURL"] is None
    await world.machine.refused("POST", f"/v1/alert_rules/{made['id']}/test", 409, "conflict")
    with pytest.raises(ValueError, match="only"):
        webhooks.require_sendable("https://evil.test/", ("*.example.com", "127.0.0.1"))
    webhooks.require_sendable("https://a.example.com/x", ("*.example.com",))


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"name": " "}, "invalid alert rule name"),
        ({"kind": "weather"}, "invalid alert rule kind"),
        ({"kind": "agent_silent", "seconds": 5}, "invalid alert rule seconds"),
        ({"seconds": 3601}, "invalid alert rule seconds"),
        ({"kind": "pipeline_failed", "threshold": 1}, "invalid alert rule threshold"),
        ({"threshold": -1}, "invalid alert rule threshold"),
        ({"webhookURL": "ftp://127.0.0.1/"}, "invalid webhook URL"),
        ({"webhookURL": "http://u:p@127.0.0.1/"}, "invalid webhook URL"),
        ({"webhookURL": "http://127.0.0.1:99999/"}, "invalid webhook URL"),
        ({"webhookURL": "http://127.0.0.1/a b"}, "invalid webhook URL"),
        ({"fleetID": "x"}, "invalid fleet ID"),
    ],
)
async def test_what_cannot_be_a_rule_is_refused(world: World, body: dict[str, Any], sentence: str) -> None:
    sent = {"name": "r", "kind": "agent_errors", **body}
    await world.machine.refused("POST", RULES.format(world.project_id), 422, sentence, json=sent)


async def test_a_scope_must_fit_and_be_the_project_s_own(world: World) -> None:
    stranger, project = await world.stranger()
    theirs = await stranger.ask("POST", f"/v1/projects/{project}/fleets", 201, json={"name": "theirs"})
    path = RULES.format(world.project_id)
    body = {"name": "r", "kind": "agent_silent"}
    await world.machine.refused("POST", path, 404, "fleet not found", json={**body, "fleetID": theirs["id"]})
    ci = (await core_instance(world))["id"]
    refusal = await world.machine.refused("POST", path, 422, "invalid alert rule scope", json={**body, "coreInstanceID": ci})
    assert refusal["detail"] == "agent_silent may be narrowed to one fleet or environment"
    await rule(world, "agent_silent")
    await world.machine.refused(
        "POST", path, 409, "alert rule name taken", json={"name": "agent_silent", "kind": "agent_silent"}
    )


async def test_what_is_long_over_is_thrown_away(world: World) -> None:
    failed = await pipeline(world, (await core_instance(world))["id"], name="p")
    made = await rule(world, "pipeline_failed", webhookURL="http://127.0.0.1:1/")
    for status in ("FAILED", "STARTED", "FAILED"):
        await world.machine.ask("PATCH", f"/v1/aggregator_pipelines/{failed['id']}", 200, json={"status": status})
        await loop.watch(world.context)
    with clock.moved(timedelta(seconds=world.context.settings.keep_alerts + 1)):
        await housekeeping.tidy(world.context)
    assert [alert["status"] for alert in await alerts(world)] == ["firing"]
    assert await deliveries(world, made["id"]) == []
