"""A project with one of everything in it, made by asking the API for it: the ground that walks walk on."""

import itertools
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from httpx import Response
from sqlalchemy import ColumnElement, Select, Table, Uuid, bindparam, func, literal, select, union_all

from nectary import clock
from nectary.caller import PERMISSIONS, Kind
from nectary.db import statements, tables
from nectary.edge.callers import May
from nectary.resources import alerts, memberships, sessions, tokens, users
from nectary.resources.alert_conditions import Subject
from nectary.resources.tokens import NewToken
from tests.harness import agent_asks, bodies
from tests.harness.operations import Operation, operations, table_named, table_of
from tests.harness.world import Http, World

_SPELLED = {"user": "Authorization", "core instance token": "X-Aggregator-Token"}
HEADERS = {kind: _SPELLED.get(kind, "-".join(("X", *kind.title().split()))) for kind in Kind}
_numbers = itertools.count(1)
_LEAST = {"memberships": 1, "environments": 1, "tokens": 1}  # what a new project has of itself, and must keep
_DAY = timedelta(days=1)


@dataclass
class Asked:
    """One request of an operation, without credentials."""

    path: str
    query: dict[str, str]
    body: Any = None
    raw: bytes | None = None

    def sent(self) -> dict[str, Any]:
        if self.raw is not None:
            return {"params": self.query, "content": self.raw}
        return {"params": self.query} | ({"json": self.body} if self.body is not None else {})


@dataclass
class Ground:
    """The project, who may do everything in it, and what credentials they show."""

    world: World
    operations: tuple[Operation, ...]
    project_id: str = ""
    shown: dict[Kind, str] = field(default_factory=dict)  # kind -> the value of its header
    refusals: dict[str, str] = field(default_factory=dict)  # operation -> what it last said, for those that look into it
    agent_id: str = ""  # whose token is shown
    core_instance_id: str = ""  # and whose
    _made: dict[str, frozenset[str]] = field(default_factory=dict)  # operation -> the tables that it filled

    # -- Making ----------------------------------------------------------------------------------------------------------

    async def furnish(self) -> None:
        """Make a project if there is none, and then one of everything that its operations can make."""
        if not await self._there(tables.projects, self.project_id):
            await self._new_project()
        if tables.memberships.name not in await self._kinds_of_things():
            await self.member(["read:*"])
        if (await self.known())("agents") != self.agent_id or not self.agent_id:
            await self._register()
        if not await self._there(tables.core_instances, self.core_instance_id):
            await self._new_core_instance()
        if tables.rollouts.name not in await self._kinds_of_things():
            await self._roll_out()
        if tables.alerts.name not in await self._kinds_of_things():
            await self._alert()
        before: frozenset[str] | None = None
        while before != (now := await self._kinds_of_things()):
            before = now
            for operation in self.operations:
                if operation.method == "POST" and isinstance(operation.guard, May):
                    await self._try(operation)
        if tables.alerts.name not in now and (rule := (await self.known())("alert_rules")) is not None:
            await self._alarm(rule)

    async def _alarm(self, rule_id: str) -> None:
        """An alert that was: time makes them, not a request."""
        moment = clock.now()
        of_agent = {"subject_kind": "agent", "subject_id": UUID(self.agent_id), "subject_name": "an agent"}
        values = {"project_id": UUID(self.project_id), "alert_rule_id": UUID(rule_id), "message": "it was silent"}
        async with self.world.context.database.write() as tx:
            await statements.add(tx, tables.alerts, **values, **of_agent, resolved_at=moment)

    async def _new_project(self) -> None:
        n = next(_numbers)
        async with self.world.context.database.write() as tx:
            user = await users.create(tx, f"owner-{n}@example.com", "Owner", "!")
            bearer, _ = await sessions.open_session(tx, user.id, _DAY)
        self.shown[Kind.USER] = f"Bearer {bearer}"
        made = await self.client(Kind.USER).ask("POST", "/v1/projects", 201, json={"name": f"ground-{n}"})
        self.project_id = made["id"]
        self.shown[Kind.PROJECT_TOKEN] = made["token"]

    async def _register(self) -> None:
        made = await self.client(Kind.PROJECT_TOKEN).ask("POST", "/v1/agents", 201, content=agent_asks.report())
        self.agent_id, self.shown[Kind.AGENT] = made["id"], made["token"]

    async def _new_core_instance(self) -> None:
        made = await self.client(Kind.PROJECT_TOKEN).ask("POST", "/v1/aggregators", 201, json={})
        self.core_instance_id, self.shown[Kind.CORE_INSTANCE] = made["id"], made["token"]

    async def _roll_out(self) -> None:
        """A rollout that has ended, of a fleet of its own: an open one would be in the way of every other change of it."""
        client = self.client(Kind.PROJECT_TOKEN)
        new = {"name": f"rolled-{next(_numbers)}", "rawConfig": bodies.CONFIG}
        fleet = await client.ask("POST", f"/v1/projects/{self.project_id}/fleets", 201, json=new)
        change = {"rawConfig": bodies.CONFIG + "# more\n", "rollout": {"stages": "100%"}}
        await client.ask("PATCH", f"/v1/fleets/{fleet['id']}", 200, json=change)
        [rollout] = await client.ask("GET", f"/v1/fleets/{fleet['id']}/rollouts", 200)
        await client.ask("POST", f"/v1/rollouts/{rollout['id']}/cancel", 200, json={})

    async def _alert(self) -> None:
        """An alert as the loop that looks for them begins it, of a rule with a webhook; nobody posts to it here."""
        new = {
            "name": f"watch-{next(_numbers)}",
            "kind": "core_instance_unreachable",
            "webhookURL": "http://127.0.0.1:5000/hook",
        }
        path = f"/v1/projects/{self.project_id}/alert_rules"
        made = await self.client(Kind.PROJECT_TOKEN).ask("POST", path, 201, json=new)
        subject = Subject("core_instance", UUID(self.core_instance_id), "ci", "it does not answer")
        async with self.world.context.database.write() as tx:
            rule = (await tx.execute(select(tables.alert_rules).where(tables.alert_rules.c.id == UUID(made["id"])))).one()
            await alerts.follow(tx, rule, [subject], [])

    async def _try(self, operation: Operation) -> None:
        """Ask for it in the ways that may work, unless it makes what is there already, or needs what is not."""
        known = await self.known()
        if any(known(name) is None for name in operation.parameters):
            return
        before = await self._kinds_of_things()
        if operation.id in self._made and self._made[operation.id] <= before:
            return
        for body in itertools.islice(bodies.candidates(operation, known), 3):
            answer = await self.ask(operation, Asked(self.path(operation, known), self.query(operation, known), body))
            self.refusals[operation.id] = f"{answer.status_code} {answer.text[:200]} for {str(body)[:300]}"
            if answer.is_success:
                self._made[operation.id] = await self._kinds_of_things() - before or before
                return

    async def _kinds_of_things(self) -> frozenset[str]:
        """The tables that hold something of the project beyond what a new project has."""
        async with self.world.context.database.read() as tx:
            rows = (await tx.execute(_COUNTS, {"project": UUID(self.project_id)})).all()
        return frozenset(row.name for row in rows if row.many > _LEAST.get(row.name, 0))

    async def _there(self, table: Table, id: str) -> bool:
        if not id:
            return False
        async with self.world.context.database.read() as tx:
            return (await tx.execute(select(table.c.id).where(table.c.id == UUID(id)))).first() is not None

    # -- Asking ----------------------------------------------------------------------------------------------------------

    def client(self, *kinds: Kind) -> Http:
        """A client with these credentials of the ground's own people, tokens and agents."""
        return self.world.http(**{HEADERS[kind]: self.shown[kind] for kind in kinds})

    def kind_for(self, operation: Operation) -> Kind | None:
        """The most capable credential that the operation takes."""
        takes = operation.kinds if operation.guard is not None else _agent_ask(operation).kinds
        return next((kind for kind in Kind if kind in takes), None)

    def kinds_for(self, operation: Operation) -> frozenset[Kind]:
        """Whose credentials its address takes, of people, tools and agents; none for one that is open to all."""
        same = [o for o in self.operations if (o.method, o.path) == (operation.method, operation.path)]
        return frozenset(kind for one in same for kind in (one.kinds if one.guard is not None else _agent_ask(one).kinds))

    async def ask(self, operation: Operation, asked: Asked, http: Http | None = None) -> Response:
        """Ask as somebody who may, unless another client is given. What is remembered of tokens is believed."""
        if http is None:
            kind = self.kind_for(operation)
            http = self.client(kind) if kind is not None else self.world.http()
        self.world.context.credentials.confirm()
        return await http.request(operation.method, asked.path, **asked.sent())

    async def asked(self, operation: Operation, body: Any = ...) -> Asked:
        """A request that the operation should take, about things that are there."""
        known = await self.known()
        path, query = self.path(operation, known), self.query(operation, known)
        if operation.guard is None:
            return Asked(path, query, raw=_agent_ask(operation).body())
        if body is ...:
            body = bodies.whole(operation, known) if operation.body is not None else None
        return Asked(path, query, body)

    def path(self, operation: Operation, known: bodies.Known) -> str:
        path = operation.path
        for name, id in self.places(operation, known).items():
            path = path.replace(f"{{{name}}}", id)
        return path

    def places(self, operation: Operation, known: bodies.Known) -> dict[str, str]:
        """What stands for each name in its path."""
        found = {}
        for name in operation.parameters:
            table = table_of(operation, name)
            id = self._word(operation, name, known) if table is None else known(table.name)
            assert id is not None, f"{operation}: there is no row of {table}; asked {self.refusals}"
            found[name] = id
        return found

    def _word(self, operation: Operation, parameter: str, known: bodies.Known) -> str:
        """What stands in a path where no row is named: a word of its schema, or what the agents' routes are ahead of."""
        said = [one for one in operation.said.get("parameters", []) if (one["in"], one["name"]) == ("path", parameter)]
        if not said:
            return str(uuid4())
        assert "uuid" not in str(said[0]["schema"]), f"{operation}: no table is known for {{{parameter}}}"
        return str(bodies.example(said[0]["schema"], operation.schemas, known, name=parameter))

    def query(self, operation: Operation, known: bodies.Known) -> dict[str, str]:
        """The parameters that must be there; and for bulk deletions the ids of what to delete."""
        given = {}
        for parameter in operation.query:
            name, schema = parameter["name"], parameter["schema"]
            asked_by = name == getattr(operation.guard, "at", None)
            if asked_by or parameter.get("required") or (operation.method == "DELETE" and table_named(name) is not None):
                given[name] = known(name) or bodies.example(schema, operation.schemas, known, name=name)
        return {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in given.items()}

    async def known(self) -> bodies.Known:
        """The newest row of every table, by the table's name or by a name such as `agentID`."""
        here = {"project": self.project_id, "core_instance": self.core_instance_id, "agent": self.agent_id}
        given = {name: UUID(id) if id else None for name, id in here.items()}
        async with self.world.context.database.read() as tx:
            rows = (await tx.execute(_NEWEST, given)).all()
        newest: dict[str, str] = {"projects": self.project_id} | {row.name: str(row.id) for row in rows}

        def find(name: str) -> str | None:
            if name in newest:
                return newest[name]
            if not name.endswith(("ID", "IDs", "_id", "_ids")):
                return None
            table = table_named(name)
            return newest.get(table.name) if table is not None else None

        return find

    # -- Others ----------------------------------------------------------------------------------------------------------

    async def member(self, permissions: list[str], *, roles: list[str] | None = None) -> Http:
        """Somebody else in the project, who may do just this."""
        async with self.world.context.database.write() as tx:
            user = await users.create(tx, f"member-{next(_numbers)}@example.com", "Member", "!")
            bearer, _ = await sessions.open_session(tx, user.id, _DAY)
            await memberships.create(tx, UUID(self.project_id), user.id, roles=roles or [], permissions=permissions)
        return self.world.http(Authorization=f"Bearer {bearer}")

    async def token(self, permissions: list[str]) -> Http:
        """A token of the project that may do just this."""
        async with self.world.context.database.write() as tx:
            new = NewToken(name=f"token-{next(_numbers)}", permissions=permissions)
            made = await tokens.create(tx, UUID(self.project_id), new)
        return self.world.token_of(made.token)

    async def without(self, permission: str) -> dict[Kind, Http]:
        """A person and a token that may do everything but this."""
        rest = [other for other in PERMISSIONS if other != permission]
        return {Kind.USER: await self.member(rest), Kind.PROJECT_TOKEN: await self.token(rest)}


def _newest(table: Table) -> Select[Any]:
    """The newest row of a project; after the agent and what belongs to the core instance whose tokens are shown come what is
    the system's own and what a processing rule was turned into."""
    others: list[ColumnElement[bool]] = []
    column = table.c.id if table is tables.core_instances else table.c.get("core_instance_id")
    if column is not None:
        others.append(column.is_distinct_from(_CORE_INSTANCE))
    others += [table.c[name].isnot(None) for name in ("internal", "processing_rule_id") if name in table.c]
    if table is tables.agents:
        others.append(table.c.id.is_distinct_from(_AGENT))
    query = select(literal(table.name).label("name"), table.c.id).where(table.c.project_id == _PROJECT)
    return select(query.order_by(*others, table.c.created_at.desc()).limit(1).subquery())


_PROJECT, _CORE_INSTANCE, _AGENT = (bindparam(name, type_=Uuid()) for name in ("project", "core_instance", "agent"))
# One question for all tables each: walks ask it before each of thousands of requests.
_OWNED = [table for table in tables.metadata.tables.values() if "project_id" in table.c]
_NEWEST = union_all(*(_newest(table) for table in _OWNED if {"id", "created_at"} <= {*table.c.keys()}))
_COUNTS = union_all(
    *(
        select(literal(table.name).label("name"), func.count().label("many")).where(table.c.project_id == _PROJECT)
        for table in _OWNED
    )
)


def _agent_ask(operation: Operation) -> agent_asks.AgentAsk:
    ask = agent_asks.ASKS.get((operation.method, operation.path))
    assert ask is not None, f"{operation} is new among the agents' routes; say in tests/harness/agent_asks.py what agents send"
    return ask


async def break_ground(world: World) -> Ground:
    ground = Ground(world, operations())
    await ground.furnish()
    return ground
