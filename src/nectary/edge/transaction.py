"""One request, one transaction, committed before the response leaves.

FastAPI's plain `yield` dependencies end after the response: a client would see 201 while the commit fails.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request

from nectary.db import transaction
from nectary.edge import audit, context


async def _reading(request: Request) -> AsyncIterator[transaction.ReadTx]:
    async with context.of(request).database.read() as tx:
        yield tx


@asynccontextmanager
async def audited(request: Request) -> AsyncIterator[transaction.WriteTx]:
    """A transaction whose change is in the audit log, or not made at all."""
    here = context.of(request)
    async with here.database.write() as tx:
        yield tx
        if not tx.idle:
            await audit.record(tx, request)
    here.forget(tx.revoked)


async def _writing(request: Request) -> AsyncIterator[transaction.WriteTx]:
    async with audited(request) as tx:
        yield tx


ReadTx = Annotated[transaction.ReadTx, Depends(_reading, scope="function")]
WriteTx = Annotated[transaction.WriteTx, Depends(_writing, scope="function")]
