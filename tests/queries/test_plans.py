"""Every look-up of every operation is served by an index, on both databases: EXPLAIN says so."""

import pytest
from sqlalchemy import UniqueConstraint

from nectary.db import tables
from tests.harness.ground import Asked, Ground, break_ground
from tests.harness.operations import Operation
from tests.harness.plans import Ran, faults, forget_statistics, recorded, variants
from tests.harness.world import World
from tests.walks.differences import report
from tests.walks.occasions import OCCASIONS

pytestmark = pytest.mark.timeout(900)
# What is read whole or sorted on purpose, by operation: why.
EXPECTED: dict[tuple[str, str], str] = {
    ("fleetAgentErrors", "sorts"): "a fleet's errors are those of the agents in it now, which come and go",
    ("fleetCheck", "sorts"): "the versions that one fleet's agents run",
    ("pipelines", "sorts"): "one of this name at most",
    ("pipelineClusterObjects", "sorts"): "what one pipeline refers to",
    ("searchV1", "sorts"): "members, config sections and trace sessions go by names that are computed, or another table's",
    ("createProcessingRuleV1", "sorts"): "the last of one pipeline's config sections",
}
# PostgreSQL sorts this one; SQLite sees that it need not.
ON_POSTGRESQL = {("processingRulesV1", "sorts"): "a pipeline has one rule at most"}


def test_every_foreign_key_leads_an_index() -> None:
    """Else a deletion reads all of the table that refers to what is deleted."""
    without = []
    for table in tables.metadata.tables.values():
        led = {index.columns[0].name for index in table.indexes} | {table.primary_key.columns[0].name}
        led |= {one.columns[0].name for one in table.constraints if isinstance(one, UniqueConstraint)}
        without += [f"{table.name}.{key.parent.name}" for key in table.foreign_keys if key.parent.name not in led]
    assert without == []


async def test_no_operation_reads_a_table_whole_or_sorts_to_find_a_page(world: World, database_url: str) -> None:
    await forget_statistics(database_url)
    ground = await break_ground(world)
    expected = EXPECTED if world.context.database.embedded else EXPECTED | ON_POSTGRESQL
    wrong: list[str] = []
    met: set[tuple[str, str]] = set()
    seen: set[str] = set()
    for operation in sorted(ground.operations, key=lambda one: (one.method != "GET", one.method == "DELETE")):
        for ran in await _run_by(ground, operation):
            if ran.text in seen:
                continue
            seen.add(ran.text)
            async with world.context.database.read() as tx:
                for fault in await faults(tx, ran):
                    if (operation.id, fault) in expected:
                        met.add((operation.id, fault))
                    else:
                        wrong.append(f"{operation}: {fault}: {ran.text}")
    assert len(seen) > 300, f"only {len(seen)} statements were seen"
    assert not wrong, report(wrong)
    assert world.context.database.embedded is False or met == set(EXPECTED), "no longer so: take it off the list"


async def _run_by(ground: Ground, operation: Operation) -> list[Ran]:
    """What it runs, in every way of asking for it: lists with each of their filters, and from a place on."""
    if operation.method == "DELETE":
        await ground.furnish()
    if operation.id in OCCASIONS:
        asked, http = await OCCASIONS[operation.id](ground)
        with recorded() as run:
            await ground.ask(operation, asked, http)
        return run
    plain, known = await ground.asked(operation), await ground.known()
    with recorded() as run:
        answer = await ground.ask(operation, plain)
        if operation.method == "GET":
            for query in variants(operation, known, answer):
                await ground.ask(operation, Asked(plain.path, {**plain.query, **query}))
    return run
