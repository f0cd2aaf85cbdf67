"""Writes what agents posted, and thins what was written."""

from nectary import clock
from nectary.db import dialects
from nectary.edge.context import Context
from nectary.metrics import store


async def write(context: Context) -> None:
    """One transaction for all posts of the last second; on failure they stay in the buffer."""
    posts = context.buffer.take()
    if not posts:
        return
    try:
        async with context.database.write(beside=True) as tx:
            await store.write(tx, posts)
    except BaseException:
        context.buffer.put_back(posts)
        raise


async def thin(context: Context) -> None:
    async with context.database.write(beside=True) as tx:
        if not await dialects.leads(tx, "thin metrics"):
            return
        for finer, coarser in zip(store.LEVELS, store.LEVELS[1:], strict=False):
            await store.thin(tx, finer, coarser, clock.seconds())
