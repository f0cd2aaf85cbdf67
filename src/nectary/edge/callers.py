"""Who is asking, found before anything else of a request is read.

A route states whom it serves with `may(...)`, `signed_in` or `anybody`; `Route` lets the guard speak first, so a stranger
learns nothing from the order of errors: 401, then a malformed id, then 403 or 404, and only then the body.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy import Table
from starlette.responses import Response

from nectary.caller import Caller, Kind, Person
from nectary.db import statements, tables
from nectary.db.transaction import ReadTx
from nectary.edge import bodies, context
from nectary.errors import Forbidden, Invalid, Refusal, Unauthenticated
from nectary.resources import agents, memberships, sessions, tokens

PEOPLE_AND_TOKENS = frozenset({Kind.USER, Kind.PROJECT_TOKEN})
PEOPLE = frozenset({Kind.USER})
TOKENS = frozenset({Kind.PROJECT_TOKEN})


@dataclass(frozen=True, slots=True)
class Asker:
    """Whatever credentials came with a request, each proven."""

    person: Person | None = None
    token: Caller | None = None
    agent: Caller | None = None


async def identify(request: Request) -> Asker:
    """Prove every credential present. One that is present and wrong is refused, even beside a good one."""
    headers = request.headers
    person = token = agent = None
    if (authorization := headers.getlist("authorization")) != []:
        person = await _person(request, authorization)
    if (given := headers.get("x-project-token")) is not None:
        token = await remembered(context.of(request), given, Kind.PROJECT_TOKEN, tokens.prove)
    if (given := headers.get("x-agent-token")) is not None:
        agent = await remembered(context.of(request), given, Kind.AGENT, agents.prove)
    return Asker(person, token, agent)


async def _person(request: Request, authorization: list[str]) -> Person:
    # Schemathesis and others send `Bearer` alone, or any Latin-1 bytes: present, therefore it must be right.
    scheme, _, token = authorization[0].strip().partition(" ")
    if len(authorization) > 1 or scheme.lower() != "bearer":
        raise Unauthenticated("unauthenticated", "the Authorization header must be one `Bearer <token>`")
    here = context.of(request)
    person = here.credentials.find(token.strip(), Person)
    if person is None:
        async with here.database.read() as tx:
            person, expires = await sessions.prove(tx, token.strip())
        here.credentials.remember(token.strip(), person, expires=expires.timestamp())
    here.credentials.use(person.session_id)
    return person


async def remembered(
    here: context.Context, token: str, kind: Kind, prove: Callable[[ReadTx, str], Awaitable[Caller]]
) -> Caller:
    """The caller that a token of this kind speaks for, from memory if it was proven lately."""
    caller = here.credentials.find(token, Caller)
    if caller is None or caller.kind is not kind:  # an agent's token in a project token's header is no project token
        async with here.database.read() as tx:
            caller = await prove(tx, token)
        here.credentials.remember(token, caller)
    return caller


# -- Guards ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class May:
    """Admits callers of some kinds who hold a permission in the project that the request is about.

    `of` is the table of the thing that `at` names, in the path or the query; without it the project is the token's own.
    """

    permission: str
    of: Table | None
    at: str | None
    kinds: frozenset[Kind]
    denies: bool = False  # what is not there is 403, not 404

    async def admit(self, request: Request) -> None:
        asker = await identify(request)
        caller = await self._caller(request, asker)
        caller.require(self.permission)
        request.state.caller = caller

    async def _caller(self, request: Request, asker: Asker) -> Caller:
        if asker.person is not None and Kind.USER in self.kinds:
            return await self._member(request, asker.person)
        tokens = ((Kind.AGENT, asker.agent), (Kind.PROJECT_TOKEN, asker.token))
        known = next((caller for kind, caller in tokens if caller is not None and kind in self.kinds), None)
        if known is None:
            raise Unauthenticated("unauthenticated", f"this needs a {' or '.join(sorted(self.kinds))}")
        if self.of is not None:
            id = self._id(request)
            if not await self._is_theirs(request, known, id):
                raise self._hidden()
        return known

    async def _member(self, request: Request, person: Person) -> Caller:
        assert self.of is not None, "an operation for people names the thing it is about"
        async with context.of(request).database.read() as tx:
            caller = await memberships.caller_in(tx, person, self.of, self._id(request))
        if caller is None:
            raise self._hidden()
        return caller

    async def _is_theirs(self, request: Request, caller: Caller, id: UUID) -> bool:
        """Whether thing `id` is there, and in the caller's project: said before anything of the body is."""
        assert self.of is not None
        if self.of is tables.projects:
            return id == caller.project_id
        async with context.of(request).database.read() as tx:
            return await statements.find(tx, caller, self.of, id) is not None

    def _hidden(self) -> Refusal:
        """What is said of things that are nobody's, or another project's."""
        assert self.of is not None
        if self.denies or self.of is tables.projects:
            return Forbidden("permission denied")
        return statements.not_found(self.of)

    def _id(self, request: Request) -> UUID:
        assert self.at is not None
        given = request.path_params.get(self.at) or request.query_params.get(self.at, "")
        try:
            return UUID(given)
        except ValueError:
            assert self.of is not None
            raise Invalid(f"invalid {statements.noun(self.of)} ID", f"{given[:60]!r} is not a UUID") from None

    async def __call__(self, request: Request) -> Caller:
        caller: Caller = request.state.caller
        return caller


@dataclass(frozen=True, eq=False)
class SignedIn:
    """Admits people, whatever their projects."""

    async def admit(self, request: Request) -> None:
        person = (await identify(request)).person
        if person is None:
            raise Unauthenticated("unauthenticated", "sign in first: POST /v1/sign_in")
        request.state.person = person

    async def __call__(self, request: Request) -> Person:
        person: Person = request.state.person
        return person


@dataclass(frozen=True, eq=False)
class Anybody:
    """Says that a route is for everyone, so that none is open by forgetting."""

    async def admit(self, request: Request) -> None:
        pass

    async def __call__(self) -> None:
        pass


Guard = May | SignedIn | Anybody

_SPELLED = {"projects": "projectID", "memberships": "memberID", "tokens": "tokenID", "agent_errors": "agentErrorID"}


def may(
    permission: str,
    of: Table | None = None,
    *,
    at: str | None = None,
    by: frozenset[Kind] = PEOPLE_AND_TOKENS,
    denies: bool = False,
) -> Any:
    """Admit callers holding `permission`; see May."""
    if of is not None and at is None:
        at = _SPELLED.get(of.name) or f"{of.name.removesuffix('s')}ID"
    return Depends(May(permission, of, at, by, denies))


SignedInPerson = Annotated[Person, Depends(SignedIn())]
OpenToAll = Annotated[None, Depends(Anybody())]


def guard_of(dependant: Dependant) -> Guard:
    guards = [inner.call for inner in dependant.dependencies if isinstance(inner.call, May | SignedIn | Anybody)]
    assert len(guards) == 1, f"{dependant.path}: every route states exactly one guard"
    return guards[0]


class Route(APIRoute):
    """A route of the published API: the guard first, then the body, then the rest."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        guard = guard_of(self.dependant)

        async def answer(request: Request) -> Response:
            asked = bodies.Asked(request.scope, request.receive)
            await guard.admit(asked)
            if self.body_field is not None:
                await bodies.require_json(asked)
            return await handle(asked)

        return answer
