"""The version of a fleet's config: a moment in whole seconds, later with every change, which agents get as Last-Modified."""

from uuid import UUID

from sqlalchemy import case, update

from nectary import clock
from nectary.db import statements, tables
from nectary.db.transaction import WriteTx

fleets = tables.fleets


async def move_on(tx: WriteTx, fleet_id: UUID) -> int:
    """Give the config a later version, by a whole second at least: agents compare seconds, and take nothing that is not later
    (in_calyptia_fleet: check_timestamp_is_newer). Every process forgets what it serves of it. Gives the version."""
    now, version = int(clock.seconds()), fleets.c.config_version
    later = case((version >= now, version + 1), else_=now)
    moved = update(fleets).where(fleets.c.id == fleet_id).values(config_version=later, config_changed_at=clock.now())
    given: int = (await tx.execute(moved.returning(fleets.c.config_version))).scalar_one()
    await statements.revoke(tx, [fleet_id])
    return given
