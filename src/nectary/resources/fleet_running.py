"""Which revision of its fleet an agent runs, told from what it reports: stock agents never say."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, bindparam, exists, select, update

from nectary import clock
from nectary.db import tables
from nectary.db.transaction import ReadTx, WriteTx
from nectary.fluentbit import running
from nectary.fluentbit.document import ConfigError, Document, Format
from nectary.fluentbit.running import Differences, Instance
from nectary.resources import agent_errors, config_texts, fleet_revisions

agents, starts, polls, revisions = tables.agents, tables.agent_starts, tables.fleet_polls, tables.fleet_revisions

# What a host was last served is written down within a second or two of its poll (loops/fleets.py). A registration is looked
# into no sooner, or a revision that looks like the one before it would be taken for that.
PATIENCE = timedelta(seconds=3)
_NEWEST = 50  # revisions of a fleet that are compared; an agent that runs an older one runs none of them
_REMEMBERED = 2000


@dataclass(frozen=True, slots=True)
class Found:
    """What an agent was found to run; `registered_at` says which of its reports was looked at."""

    agent_id: UUID
    registered_at: Any
    revision: int | None
    served: int | None = None  # what its polls were last served


class Answers:
    """Comparisons already made: many agents of a fleet report the same. Bounded; losing it costs time and nothing else."""

    def __init__(self) -> None:
        self._same: OrderedDict[tuple[UUID, tuple[Instance, ...]], bool] = OrderedDict()
        self._documents: OrderedDict[UUID, Document | None] = OrderedDict()

    def runs(self, revision_id: UUID, document: Document | None, report: tuple[Instance, ...]) -> bool:
        """Whether a report is the revision. A text that cannot be read is nobody's report."""
        key = (revision_id, report)
        if key not in self._same:
            self._same[key] = document is not None and running.same(document, report)
            while len(self._same) > _REMEMBERED:
                self._same.popitem(last=False)
        return self._same[key]

    async def document(self, tx: ReadTx, fleet_id: UUID, revision: Row[Any]) -> Document | None:
        """The revision read, with its files included; None when it cannot be."""
        if revision.id not in self._documents:
            self._documents[revision.id] = await document(tx, fleet_id, revision.number)
            while len(self._documents) > _NEWEST:
                self._documents.popitem(last=False)
        return self._documents[revision.id]


async def document(tx: ReadTx, fleet_id: UUID, number: int) -> Document | None:
    """A revision's text as its agents read it, files included; None when it is no config. Raises NotFound."""
    text, format = await fleet_revisions.text_of(tx, fleet_id, number)
    files = {file.name: file.contents for file in await fleet_revisions.files_of(tx, fleet_id, number)}
    try:
        return config_texts.parse(text, Format(format), read=lambda path: files.get(path.removeprefix("./")))
    except ConfigError:
        return None


async def unknown(tx: ReadTx, most: int) -> Sequence[Row[Any]]:
    """Agents of fleets whose newest report nobody has looked into, longest waiting first."""
    served = and_(polls.c.fleet_id == agents.c.fleet_id, polls.c.poll_key == agents.c.poll_key)
    columns = [agents.c[name] for name in ("id", "fleet_id", "raw_config", "registered_at")]
    query = (
        select(*columns, polls.c.revision.label("served"), polls.c.at.label("served_at"))
        .select_from(agents.outerjoin(polls, served))
        .where(agents.c.fleet_id.isnot(None), agents.c.runs_known_at.is_(None))
        .where(agents.c.registered_at <= clock.now() - PATIENCE)
        .order_by(agents.c.registered_at)
        .limit(most)
    )
    return (await tx.execute(query)).all()


async def look(tx: ReadTx, row: Row[Any], answers: Answers) -> Found:
    """Which revision this agent's report is: the one it was served, where it may be that, else the newest that it is."""
    columns = (revisions.c.id, revisions.c.number)
    query = select(*columns).where(revisions.c.fleet_id == row.fleet_id).order_by(revisions.c.number.desc()).limit(_NEWEST)
    newest = list((await tx.execute(query)).all())
    if row.served is not None:
        # A report from before it was served something is not about that, unless it is no other.
        first = row.served_at <= row.registered_at
        newest.sort(key=lambda one: (one.number != row.served) if first else (one.number == row.served))
    report = running.reported(row.raw_config)
    for revision in newest:
        if answers.runs(revision.id, await answers.document(tx, row.fleet_id, revision), report):
            return Found(row.id, row.registered_at, revision.number, row.served)
    return Found(row.id, row.registered_at, None, row.served)


async def write(tx: WriteTx, found: Sequence[Found]) -> None:
    """Keep what was found, unless the agent has registered again meanwhile."""
    if not found:
        return
    known = (
        update(agents)
        .where(agents.c.id == bindparam("agent"), agents.c.registered_at == bindparam("report"))
        .values(runs_revision=bindparam("revision"), runs_known_at=clock.now())
    )
    await tx.execute(known, [{"agent": one.agent_id, "report": one.registered_at, "revision": one.revision} for one in found])
    for one in found:
        # The start that was looked at is the newest, as long as the agent has not registered again.
        same = exists(select(agents.c.id).where(agents.c.id == one.agent_id, agents.c.registered_at == one.registered_at))
        newest = select(starts.c.id).where(starts.c.agent_id == one.agent_id).order_by(starts.c.created_at.desc()).limit(1)
        last = update(starts).where(starts.c.id == newest.scalar_subquery(), same)
        await tx.execute(last.values(runs_revision=one.revision))
    await agent_errors.dismiss_inferred(
        tx, {one.agent_id: one.revision for one in found if one.revision is not None and one.revision == one.served}
    )


async def drift(tx: ReadTx, fleet_id: UUID, number: int, raw_config: str) -> Differences | None:
    """How a report differs from a revision; None when the revision cannot be read, so that nobody can say."""
    should = await document(tx, fleet_id, number)
    return None if should is None else running.runs(should, raw_config)
