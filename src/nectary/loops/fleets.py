"""Writes down what agents of fleets were served."""

from nectary.edge.context import Context
from nectary.resources import fleet_polls

_AT_ONCE = 2000


async def note_polls(context: Context) -> None:
    """A bounded piece at a time, so that nobody waits long for the one writer; what fails is written the next time."""
    polls = context.fleet_polls.take()
    while polls:
        some, rest = polls[:_AT_ONCE], polls[_AT_ONCE:]
        try:
            async with context.database.write() as tx:
                await fleet_polls.write(tx, some)
        except BaseException:
            context.fleet_polls.put_back(polls)
            raise
        polls = rest
