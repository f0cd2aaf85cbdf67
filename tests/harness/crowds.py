"""Many more of everything: each of a project's things copied, so that what a request costs can be seen to grow or not."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Column, LargeBinary, Row, String, Table, Text, UniqueConstraint, Uuid, insert, select, text
from sqlalchemy.types import BigInteger, Integer, SmallInteger

from nectary.db import tables
from nectary.db.transaction import WriteTx
from tests.harness.bodies import Known

_MOMENT = timedelta(seconds=1)
# Grow otherwise, below; or are not of one project, or one for each thing.
_APART = {"projects", "memberships", "sessions", "revocations", "counters"}
# All of these are shown with their pipeline: copies go to copies of the pipeline.
_PARTS_OF_PIPELINES = {"pipeline_config_sections", "processing_rules"}
_BATCH = 500


@dataclass
class Crowd:
    """A project's things and their copies: of the newest row of each table, belonging to what the newest of each belong to."""

    project_id: UUID
    known: Known
    many: int = 0
    _made: dict[str, list[UUID]] = field(default_factory=lambda: defaultdict(list))

    async def grow(self, tx: WriteTx, many: int) -> None:
        """Have so many copies of everything, all older than what was there."""
        numbers = range(self.many, many)
        for table in tables.metadata.sorted_tables:
            if table.name not in _APART and (row := await self._newest(tx, table)) is not None:
                await self._write(tx, table, [self._copy(table, row, number) for number in numbers])
        await self._write_projects_and_members(tx, numbers)
        self.many = many
        if tx.dialect == "postgresql":  # as it does by itself after a while; SQLite, as we use it, never does
            await tx.execute(text("ANALYZE"))

    async def _write(self, tx: WriteTx, table: Table, rows: list[dict[str, Any]]) -> None:
        self._made[table.name] += [row["id"] for row in rows if "id" in row]
        for start in range(0, len(rows), _BATCH):
            await tx.execute(insert(table), rows[start : start + _BATCH])

    async def _newest(self, tx: WriteTx, table: Table) -> Row[Any] | None:
        query = select(table)
        if (id := self.known(table.name)) is not None:
            query = query.where(table.c.id == UUID(id))
        elif "project_id" in table.c:
            query = query.where(table.c.project_id == self.project_id)
        if "created_at" in table.c:
            query = query.order_by(table.c.created_at.desc())
        return (await tx.execute(query.limit(1))).first()

    def _copy(self, table: Table, row: Row[Any], number: int) -> dict[str, Any]:
        copy = dict(row._mapping)
        for column in table.columns:
            for key in column.foreign_keys:
                owner = self.known(key.column.table.name)
                copy[column.name] = copy[column.name] and (UUID(owner) if owner else copy[column.name])
        if "id" in copy:
            copy["id"] = uuid4()
        if "created_at" in copy:
            copy["created_at"] -= _MOMENT * (number + 1)
        if table.name in _PARTS_OF_PIPELINES:
            copy["pipeline_id"] = self._made["pipelines"][number]
            return copy
        for unique in (one for one in table.constraints if isinstance(one, UniqueConstraint)):
            self._tell_apart(copy, list(unique.columns), number)
        for index in (one for one in table.indexes if one.unique and copy[one.columns[-1].name] is not None):
            self._tell_apart(copy, list(index.columns), number)
        if "id" not in copy:
            self._tell_apart(copy, list(table.primary_key.columns), number)
        return copy

    def _tell_apart(self, copy: dict[str, Any], columns: list[Column[Any]], number: int) -> None:
        """Change the last of the columns that must be unique together."""
        for column in reversed(columns):
            name, kind = column.name, column.type
            if isinstance(kind, String | Text):
                copy[name] = f"{copy[name][:20]}-{number}"
            elif isinstance(kind, Integer | BigInteger | SmallInteger):
                copy[name] = 1024 + number
            elif isinstance(kind, LargeBinary):
                copy[name] = uuid4().bytes * 2
            elif isinstance(kind, Uuid) and column.foreign_keys:
                others = self._made[next(iter(column.foreign_keys)).column.table.name]
                if len(others) <= number:
                    continue
                copy[name] = others[number]
            else:  # samples: one for each moment
                copy[name] = copy[name] - number - 1
            return

    async def _write_projects_and_members(self, tx: WriteTx, numbers: range) -> None:
        """More projects of who made this one, and more members of it."""
        mine, members = tables.projects, tables.memberships
        project = (await tx.execute(select(mine).where(mine.c.id == self.project_id))).one()._mapping
        query = select(members).where(members.c.project_id == self.project_id).order_by(members.c.created_at).limit(1)
        creator = (await tx.execute(query)).one()._mapping
        moments = [project["created_at"] - _MOMENT * (number + 1) for number in numbers]
        projects = [{**project, "id": uuid4(), "created_at": moment} for moment in moments]
        await self._write(tx, mine, projects)
        await self._write(
            tx,
            members,
            [{**creator, "id": uuid4(), "project_id": one["id"], "project_created_at": one["created_at"]} for one in projects]
            + [
                {**creator, "id": uuid4(), "user_id": self._made["users"][number], "created_at": moment}
                for number, moment in zip(numbers, moments, strict=True)
            ],
        )
