"""Counts the agents that are heard of."""

from datetime import timedelta

from nectary.edge.context import Context
from nectary.resources import agents


async def count(context: Context) -> None:
    async with context.database.read() as tx:
        seen = await agents.count_seen(tx, timedelta(seconds=context.settings.agent_silent_after))
    context.measures.agents.set(seen)
