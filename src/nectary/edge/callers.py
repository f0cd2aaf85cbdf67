"""Who is asking, found before anything else of a request is read.

A route states whom it serves: `may(...)`, `SignedInPerson`, `KnownReader` or `OpenToAll`. `Route` lets the guard speak first,
so a stranger learns nothing from the order of errors: 401, then a malformed id, then 403 or 404, and only then the body.
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
from nectary.resources import agents, core_instances, memberships, sessions, tokens
from nectary.shape import wire_name

PEOPLE_AND_TOKENS = frozenset({Kind.USER, Kind.PROJECT_TOKEN})
PEOPLE = frozenset({Kind.USER})
TOKENS = frozenset({Kind.PROJECT_TOKEN})
# The project of somebody who deletes what is in none of theirs: no row has it, so that there is nothing to delete.
_NOWHERE = UUID(int=0)
# What a core instance's own, older kind of token is for: itself, its pipelines and what they hold (see statements.visible).
WITH_CORE_INSTANCES = PEOPLE_AND_TOKENS | {Kind.CORE_INSTANCE}


@dataclass(frozen=True, slots=True)
class Asker:
    """Whatever credentials came with a request, each proven."""

    person: Person | None = None
    token: Caller | None = None
    agent: Caller | None = None
    core_instance: Caller | None = None


async def identify(request: Request) -> Asker:
    """Prove every credential present. One that is present and wrong is refused, even beside a good one."""
    headers = request.headers
    person = token = agent = core_instance = None
    if (authorization := headers.getlist("authorization")) != []:
        person = await _person(request, authorization)
    if (given := headers.get("x-project-token")) is not None:
        token = await remembered(context.of(request), given, Kind.PROJECT_TOKEN, tokens.prove)
    if (given := headers.get("x-agent-token")) is not None:
        agent = await remembered(context.of(request), given, Kind.AGENT, agents.prove)
    if (given := headers.get("x-aggregator-token")) is not None:
        core_instance = await remembered(context.of(request), given, Kind.CORE_INSTANCE, core_instances.prove)
    return Asker(person, token, agent, core_instance)


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


def _needs(kinds: frozenset[Kind]) -> str:
    return f"this takes the credential of: {', '.join(sorted(kinds))}"


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
    absent: bool = False  # what is not there is nothing to refuse: deleting it again succeeds
    hosts: bool = False  # agents ask for it: a token that was made for one host is good for nothing else

    async def admit(self, request: Request) -> None:
        asker = await identify(request)
        caller = await self._caller(request, asker)
        if caller.one_host and not self.hosts:
            raise Forbidden("permission denied", "this token is for the agent of one host, and for what agents ask")
        caller.require(self.permission)
        request.state.caller = caller

    async def _caller(self, request: Request, asker: Asker) -> Caller:
        if asker.person is not None and Kind.USER in self.kinds:
            return await self._member(request, asker.person)
        tokens = ((Kind.AGENT, asker.agent), (Kind.CORE_INSTANCE, asker.core_instance), (Kind.PROJECT_TOKEN, asker.token))
        known = next((caller for kind, caller in tokens if caller is not None and kind in self.kinds), None)
        if known is None:
            raise Unauthenticated("unauthenticated", _needs(self.kinds))
        if self.of is not None and (self._given(request) or self.at in request.path_params):
            id = self._id(request)
            if not self.absent and not await self._is_theirs(request, known, id):
                raise self._hidden()
        return known

    async def _member(self, request: Request, person: Person) -> Caller:
        assert self.of is not None, "an operation for people names the thing it is about"
        async with context.of(request).database.read() as tx:
            caller = await memberships.caller_in(tx, person, self.of, self._id(request))
        if caller is None and self.absent:
            return Caller(Kind.USER, person.id, person.name, _NOWHERE, person=person)
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

    def _given(self, request: Request) -> str:
        assert self.at is not None
        return request.path_params.get(self.at) or request.query_params.get(self.at, "")

    def _id(self, request: Request) -> UUID:
        given = self._given(request)
        try:
            return UUID(given)
        except ValueError:
            assert self.of is not None
            # The one thing with two names in the contract is refused by the one it was asked by.
            noun = "core instance" if self.at == "coreInstanceID" else statements.noun(self.of)
            raise Invalid(f"invalid {noun} ID", f"{given.strip()[:60]!r} is not a UUID") from None

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
class Known:
    """Admits people, and project tokens that hold a permission, for what concerns no project."""

    permission: str

    async def admit(self, request: Request) -> None:
        asker = await identify(request)
        if asker.person is not None:
            request.state.person = asker.person
        elif asker.token is not None:
            asker.token.require(self.permission)
            request.state.caller = asker.token
        else:
            raise Unauthenticated("unauthenticated", _needs(PEOPLE_AND_TOKENS))

    async def __call__(self) -> None:
        pass


@dataclass(frozen=True, eq=False)
class Anybody:
    """Says that a route is for everyone, so that none is open by forgetting."""

    async def admit(self, request: Request) -> None:
        pass

    async def __call__(self) -> None:
        pass


Guard = May | SignedIn | Known | Anybody

_SPELLED = {"memberships": "memberID"}  # where the path's name is not the table's


def may(
    permission: str,
    of: Table | None = None,
    *,
    at: str | None = None,
    by: frozenset[Kind] = PEOPLE_AND_TOKENS,
    denies: bool = False,
    absent: bool = False,
    hosts: bool = False,
) -> Any:
    """Admit callers holding `permission`; see May."""
    if of is not None and at is None:
        at = _SPELLED.get(of.name) or wire_name(f"{of.name.removesuffix('s')}_id")
    return Depends(May(permission, of, at, by, denies, absent, hosts))


SignedInPerson = Annotated[Person, Depends(SignedIn())]
KnownReader = Annotated[None, Depends(Known("read:*"))]
OpenToAll = Annotated[None, Depends(Anybody())]


def guard_of(dependant: Dependant) -> Guard:
    guards = [inner.call for inner in dependant.dependencies if isinstance(inner.call, Guard)]
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
