"""Every look-up of every operation is served by an index, on both databases: EXPLAIN says so."""

import pytest
from sqlalchemy import UniqueConstraint

from nectary.db import tables
from tests.harness.ground import Ground, break_ground
from tests.harness.operations import Operation
from tests.harness.plans import Ran, faults, recorded
from tests.harness.world import World
from tests.walks.differences import report
from tests.walks.occasions import OCCASIONS

pytestmark = pytest.mark.timeout(900)
# What is read whole or sorted on purpose, by operation: why.
_EXPECTED: dict[tuple[str, str], str] = {}


def test_every_foreign_key_leads_an_index() -> None:
    """Else a deletion reads all of the table that refers to what is deleted."""
    without = []
    for table in tables.metadata.tables.values():
        led = {index.columns[0].name for index in table.indexes} | {table.primary_key.columns[0].name}
        led |= {one.columns[0].name for one in table.constraints if isinstance(one, UniqueConstraint)}
        without += [f"{table.name}.{key.parent.name}" for key in table.foreign_keys if key.parent.name not in led]
    assert without == []


async def test_no_operation_reads_a_table_whole_or_sorts_to_find_a_page(world: World) -> None:
    ground = await break_ground(world)
    wrong: list[str] = []
    seen: set[str] = set()
    for operation in sorted(ground.operations, key=lambda one: one.method == "DELETE"):
        for ran in await _run_by(ground, operation):
            if ran.text in seen:
                continue
            seen.add(ran.text)
            async with world.context.database.read() as tx:
                for fault in await faults(tx, ran):
                    wrong.append(f"{operation}: {fault}: {ran.text}")
    assert len(seen) > 200, "few statements were seen"
    print("\n".join(wrong))
    assert not wrong, report(wrong)


async def _run_by(ground: Ground, operation: Operation) -> list[Ran]:
    if operation.method == "DELETE":
        await ground.furnish()
    if operation.id in OCCASIONS:
        asked, http = await OCCASIONS[operation.id](ground)
        with recorded() as run:
            await ground.ask(operation, asked, http)
        return run
    asked = await ground.asked(operation)
    with recorded() as run:
        await ground.ask(operation, asked)
    return run
