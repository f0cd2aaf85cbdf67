"""What every route can reach: made once by server.py, kept on the application."""

from asyncio import Event, Semaphore
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from starlette.requests import HTTPConnection
from starlette.types import Scope

from nectary.auth.attempts import Attempts
from nectary.db.transaction import Database
from nectary.edge.attention import Attention
from nectary.edge.credentials import Credentials
from nectary.edge.fleet_configs import FleetConfigs
from nectary.edge.fleet_polls import FleetPolls
from nectary.edge.measures import Measures
from nectary.metrics.buffer import Buffer
from nectary.settings import Settings

_KEYS = 1_000_000  # hosts of fleets whose last poll is remembered, some hundred bytes each


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    database: Database
    credentials: Credentials
    attempts: Attempts
    buffer: Buffer
    measures: Measures
    fleet_configs: FleetConfigs
    fleet_polls: FleetPolls = field(default_factory=lambda: FleetPolls(_KEYS))
    attention: Attention = field(default_factory=Attention)
    validations: Semaphore = field(default_factory=lambda: Semaphore(2))  # configs of strangers read at once
    stopping: Event = field(default_factory=Event)  # whoever waits for something must not keep the server from stopping

    def forget(self, subjects: Iterable[UUID]) -> None:
        """Forget what is remembered of these tokens, sessions, agents and fleets: it changed, or is gone."""
        subjects = set(subjects)
        self.credentials.forget(subjects)
        self.fleet_configs.forget(subjects)

    def confirm(self) -> None:
        """What changed elsewhere has just been read and forgotten."""
        self.credentials.confirm()
        self.attention.confirm()
        self.fleet_configs.confirm()


def of(request: HTTPConnection) -> Context:
    return of_scope(request.scope)


def of_scope(scope: Scope) -> Context:
    context: Context = scope["app"].state.context
    return context


async def _settings(request: Request) -> Settings:
    return of(request).settings


Configured = Annotated[Settings, Depends(_settings)]
