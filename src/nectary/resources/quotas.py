"""Quotas: how many of a kind of thing one project may hold, as its settings say."""

from sqlalchemy import ColumnElement, Table, func, select

from nectary.db import tables
from nectary.db.transaction import WriteTx
from nectary.errors import Forbidden

projects = tables.projects


async def require_room(
    tx: WriteTx, project_id: object, table: Table, quota: int, sentence: str, *those: ColumnElement[bool], more: int = 1
) -> None:
    """Refuse `more` rows of `table` that would be too many in the project; a quota of 0 is none. `those` says which rows count.

    Raises Forbidden(sentence) with the quota and what is left of it. The project's row is held until the transaction ends, so
    that two who ask at once do not both get the last place.
    """
    if not quota or not more:
        return
    await tx.execute(select(projects.c.id).where(projects.c.id == project_id).with_for_update())
    query = select(func.count()).select_from(table).where(table.c.project_id == project_id, *those)
    held = int((await tx.execute(query)).scalar_one())
    if held + more > quota:
        left = max(quota - held, 0)
        raise Forbidden(sentence, f"the project holds {held} of {quota}", quota_limit=quota, quota_remaining=left)
