"""A Nectary to talk to over HTTP, in this process, on a real database."""

import itertools
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI
from sqlalchemy import select

from nectary.db import tables
from nectary.db.transaction import Database
from nectary.edge.context import Context
from nectary.loops import metrics as metrics_loop
from nectary.resources import sessions, tokens, users
from nectary.server import make_app, make_asgi, make_context
from nectary.settings import Settings

ADMIN, PASSWORD = "admin@example.com", "correct horse battery"
_WEEK = timedelta(days=7)
_numbers = itertools.count(1)


class Http(httpx.AsyncClient):
    """A client whose answers can be asserted in one line."""

    async def ask(self, method: str, path: str, expect: int, **sent: Any) -> Any:
        answer = await self.request(method, path, **sent)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text[:2000]}"
        return answer.json() if answer.content and "json" in answer.headers.get("content-type", "") else answer

    async def refused(self, method: str, path: str, status: int, error: str, **sent: Any) -> dict[str, Any]:
        """Assert a refusal's status and sentence; gives its whole body."""
        body: dict[str, Any] = await self.ask(method, path, status, **sent)
        assert body["error"] == error, body
        return body


@dataclass
class World:
    """One server. It begins as a first start leaves it: an administrator with the project `default`."""

    context: Context
    app: FastAPI
    anyone: Http  # no credentials
    admin: Http  # the administrator, signed in
    machine: Http  # the default project's token
    project_id: str
    token: str

    def http(self, **headers: str) -> Http:
        """Another client of the same server."""
        return Http(transport=self.anyone._transport, base_url=self.anyone.base_url, headers=headers)

    def agent(self, token: str) -> Http:
        return self.http(**{"X-Agent-Token": token})

    def token_of(self, token: str) -> Http:
        return self.http(**{"X-Project-Token": token})

    async def person(self, email: str | None = None) -> Http:
        """Somebody new, signed in, a member of nothing."""
        async with self.context.database.write() as tx:
            user = await users.create(tx, email or f"person-{next(_numbers)}@example.com", "Somebody", "!")
            token, _ = await sessions.open_session(tx, user.id, _WEEK)
        return self.http(Authorization=f"Bearer {token}")

    async def stranger(self) -> tuple[Http, str]:
        """Somebody with a project of their own, and its id."""
        person = await self.person()
        made = await person.ask("POST", "/v1/projects", 201, json={"name": "another"})
        return person, made["id"]

    async def write_metrics(self) -> None:
        """What the loop does every second."""
        await metrics_loop.write(self.context)

    async def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything in the database: to show that nothing changed."""
        async with self.context.database.read() as tx:
            return {
                name: sorted((tuple(row) for row in await tx.execute(select(table))), key=repr)
                for name, table in tables.metadata.tables.items()
            }


def strange_world(settings: Settings) -> World:
    """A server on a database that others use already; who asks it must bring credentials."""
    context = make_context(settings, Database(settings.database))
    app = make_app(context)
    transport = httpx.ASGITransport(make_asgi(app, context), raise_app_exceptions=False)
    anyone = Http(transport=transport, base_url="http://127.0.0.1:5000")
    return World(context, app, anyone, anyone, anyone, "", "")


async def open_world(settings: Settings) -> World:
    world = strange_world(settings)
    async with world.context.database.write() as tx:
        project = (await tx.execute(select(tables.projects))).one()
        token = tokens.text_of((await tx.execute(select(tables.tokens))).one())
        admin = (await tx.execute(select(tables.users))).one()
        bearer, _ = await sessions.open_session(tx, UUID(str(admin.id)), _WEEK)
    world.project_id, world.token = str(project.id), token
    world.admin = world.http(Authorization=f"Bearer {bearer}")
    world.machine = world.token_of(token)
    return world
