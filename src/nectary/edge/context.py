"""What every route can reach: made once by server.py, kept on the application."""

from dataclasses import dataclass

from starlette.requests import HTTPConnection
from starlette.types import Scope

from nectary.auth.attempts import Attempts
from nectary.db.transaction import Database
from nectary.edge.credentials import Credentials
from nectary.edge.measures import Measures
from nectary.metrics.buffer import Buffer
from nectary.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    database: Database
    credentials: Credentials
    attempts: Attempts
    buffer: Buffer
    measures: Measures


def of(request: HTTPConnection) -> Context:
    return of_scope(request.scope)


def of_scope(scope: Scope) -> Context:
    context: Context = scope["app"].state.context
    return context
