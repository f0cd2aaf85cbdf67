"""Registration: an agent says what it is and runs, at every start and after every reload."""

import re
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from nectary.agent_api import credentials
from nectary.agent_api.credentials import AgentRoute, FromAgent
from nectary.caller import Caller
from nectary.db.transaction import WriteTx
from nectary.edge import addresses, audit, bodies, context
from nectary.errors import Invalid
from nectary.resources import agents
from nectary.resources.agents import SENTENCES, Report
from nectary.shape import wire_name


class Registration(msgspec.Struct, rename=wire_name, frozen=True):
    """What out_calyptia and in_calyptia_fleet send; `flags` and `edition` came with older agents and the Go client."""

    name: str
    machine_id: str
    type: str
    version: str
    raw_config: str
    edition: str = "community"
    os: str | None = None
    arch: str | None = None
    flags: list[str] | None = None
    tags: list[str] | None = None
    metadata: dict[str, Any] | None = None
    environment_id: str | None = None
    fleet_id: str | None = None


async def register(request: Request) -> Response:
    caller = await credentials.project(request.scope)
    caller.require("create:*")
    report = await _report(request)
    here = context.of(request)
    async with here.database.write() as tx:
        address = addresses.source(request.scope, here.settings.trusted_proxies)
        registered = await agents.register(tx, caller, report, address=address, quota=here.settings.quota_agents)
        await _audit(tx, request, caller, 201)
    here.measures.registrations.inc()
    said = {
        "id": str(registered.id),
        "token": registered.token,
        "name": registered.name,
        "createdAt": registered.created_at,
        "environmentName": registered.environment_name,
    }
    return Response(msgspec.json.encode(said), 201, media_type="application/json")


async def report_again(request: Request) -> Response:
    """An agent that kept its session. Any failure here mutes it until it restarts, so little is refused."""
    await credentials.refuse_false_bearer(request.scope)
    token = request.headers["x-agent-token"]
    here = context.of(request)
    async with here.database.read() as read:
        claimed, _, _ = await agents.require_own(read, token, request.path_params["agentID"])  # before its body says anything
        known = await agents.reported(read, claimed)
    report = await _report(request, known)
    async with here.database.write() as tx:
        address = addresses.source(request.scope, here.settings.trusted_proxies)
        caller = await agents.report_again(tx, token, request.path_params["agentID"], report, address=address)
        await _audit(tx, request, caller, 204)
    here.measures.registrations.inc()
    return Response(status_code=204)


async def _audit(tx: WriteTx, request: Request, caller: Caller, status: int) -> None:
    """Most registrations change nothing and are no news; new agents and new configs are."""
    if tx.touched:
        request.state.caller, request.state.response_code = caller, status
        await audit.record(tx, request)


async def _report(request: Request, known: dict[str, Any] | None = None) -> Report:
    """What the body says. Where it says nothing, or null, what is `known` already counts: the Go client sends only changes."""
    said = bodies.parse(await request.body() or b"{}")
    if known and isinstance(said, dict):
        said = known | {name: value for name, value in said.items() if value is not None}
    try:
        body = msgspec.convert(said, Registration)
    except msgspec.ValidationError as error:
        # "Expected `str`, got `int` - at `$.name`", or "Object missing required field `machineID`"
        where = re.search(r"\$\.(\w+)|field `(\w+)`", str(error))
        name = (where[1] or where[2]) if where else ""
        raise Invalid(SENTENCES.get(name, "invalid argument"), str(error)) from None
    return Report(
        name=body.name,
        machine_id=body.machine_id,
        type=body.type,
        version=body.version,
        edition=body.edition,
        raw_config=body.raw_config,
        os=body.os or "unknown",
        arch=body.arch or "unknown",
        flags=tuple(body.flags or ()),
        tags=None if body.tags is None else tuple(dict.fromkeys(body.tags)),
        metadata=body.metadata or {},
        environment_id=body.environment_id,
        fleet_id=body.fleet_id,
    )


ROUTES = (
    AgentRoute("/v1/agents", register, methods=["POST"], name="registerAgent"),
    FromAgent("/v1/agents/{agentID}", report_again, methods=["PATCH"]),
)
