"""Fleet polls: every 15 seconds from every agent that belongs to a fleet, answered from memory.

Machines that show a project token are answered here; people, and lists by the page, by api/fleets.py, with the same bytes.
Plain ASGI, as for metrics: with a hundred thousand agents there are some seven thousand of these a second.
"""

from typing import NamedTuple
from uuid import UUID

from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from nectary import clock
from nectary.agent_api import credentials
from nectary.agent_api.credentials import AgentRoute
from nectary.caller import Caller
from nectary.edge import addresses, context, fleet_answers, refusals
from nectary.edge.context import Context
from nectary.edge.fleet_answers import Answer
from nectary.edge.fleet_configs import Remembered
from nectary.errors import Invalid, NotFound, Refusal
from nectary.fluentbit.document import Format
from nectary.resources import fleet_configs, fleet_serving
from nectary.resources.fleet_configs import Published
from nectary.resources.fleet_polls import Poll as Polled
from nectary.resources.fleet_serving import Served


class _From(NamedTuple):
    """Whom a poll is from: the key that decides what it gets, and the address; both empty for what is no agent."""

    key: str
    address: str


class PollConfig:
    """The endpoint; always 200 with the whole config: a 304 fills the agent's log with errors (in_calyptia_fleet takes nothing
    but 200)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            caller = await credentials.project(scope)
            here = context.of_scope(scope)
            remembered = await _remembered(here, caller, scope["path"])
            whom = _from(here, caller, scope)
            given, config = remembered.published.to(whom.key or None)
            answer = remembered.config(given, config, _format(scope["query_string"], config.format))
            if whom.key:
                _note(here, caller, remembered.published.fleet_id, whom, given)
        except Refusal as refusal:
            await refusals.response(refusal)(scope, receive, send)
            return
        await _send(send, answer)


def _note(here: Context, caller: Caller, fleet_id: UUID, whom: _From, given: Served) -> None:
    """Only what is news: loops/fleets.py writes it down."""
    if not here.fleet_polls.knows(fleet_id, whom.key, given.version):
        of = (fleet_id, caller.project_id, whom.key, caller.id, whom.address)
        here.fleet_polls.note(Polled(*of, given.version, given.revision, clock.now()))


class FetchFiles:
    """The endpoint for the files: those of the revision that the same agent's config poll gets."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            caller = await credentials.project(scope)
            here = context.of_scope(scope)
            remembered = await _remembered(here, caller, scope["path"])
            answer = remembered.files(*remembered.published.to(_from(here, caller, scope).key or None))
        except Refusal as refusal:
            await refusals.response(refusal)(scope, receive, send)
            return
        await _send(send, answer)


async def _send(send: Send, answer: Answer) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _remembered(here: Context, caller: Caller, path: str) -> Remembered:
    """What is known of the fleet in `/v1/fleets/{fleetID}/...`. Raises NotFound also for another project's."""
    given = path.split("/")[3]
    try:
        id = UUID(given)
    except ValueError:
        raise Invalid("invalid fleet ID", f"{given[:60]!r} is not a UUID") from None
    caller.require("read:*")
    found = here.fleet_configs.find(id)
    if found is None:

        async def load() -> Published | None:
            async with here.database.read() as tx:
                return await fleet_configs.load(tx, id)

        found = await here.fleet_configs.get(id, load)
    if found is None or found.published.project_id != caller.project_id:
        raise NotFound("fleet not found")
    return found


def _from(here: Context, caller: Caller, scope: Scope) -> _From:
    """Agents say which version they have (since 4.0.4), and never what program they are; all others get the newest."""
    agent = True
    for name, _ in scope["headers"]:
        if name == b"fleet-config-version":
            agent = True
            break
        if name == b"user-agent":
            agent = False
    if not agent:
        return _From("", "")
    address = addresses.source(scope, here.settings.trusted_proxies)
    return _From(fleet_serving.poll_key(caller.id, address, one_host=caller.one_host), address)


def _format(query: bytes, otherwise: Format) -> Format:
    """What `config_format` asks for, or its older name `format`. Raises Invalid."""
    known = _ASKED.get(query)
    if known is not None:
        return known
    given = dict(pair.partition("=")[::2] for pair in query.decode("latin-1").split("&"))
    return fleet_answers.format_asked(given.get("config_format"), given.get("format"), otherwise)


# What Fluent Bit itself asks.
_ASKED = {
    b"format=ini&config_format=ini": Format.CLASSIC,
    b"format=yaml&config_format=yaml": Format.YAML,
    b"format=ini": Format.CLASSIC,
}


def is_poll(scope: Scope) -> bool:
    """Whether a request shows a project token and nothing else, and wants the whole."""
    token = False
    for name, _ in scope["headers"]:
        if name == b"x-project-token":
            token = True
        elif name == b"authorization":
            return False
    query = scope["query_string"]
    if b"last=" not in query and b"before=" not in query:
        return token
    return token and not any(part.startswith((b"last=", b"before=")) for part in query.split(b"&"))


class Poll(AgentRoute):
    """A route for polls; the same address asked otherwise belongs to the published API."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(scope) if scope["type"] == "http" and is_poll(scope) else (Match.NONE, {})


CONFIG_ROUTE = Poll("/v1/fleets/{fleetID}/config", PollConfig(), methods=["GET"])
ROUTES = (CONFIG_ROUTE, Poll("/v1/fleets/{fleetID}/files", FetchFiles(), methods=["GET"]))
