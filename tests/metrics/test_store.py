"""Totals in the database: levels, how they are thinned and forgotten, and that every level tells the same story."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from nectary import clock
from nectary.db.transaction import Database
from nectary.loops import housekeeping
from nectary.loops import metrics as metrics_loop
from nectary.metrics import series, store
from nectary.metrics.buffer import Post
from nectary.metrics.cmetrics import Readings, Snapshot
from tests.harness.world import World

HOURS = 3
KEPT = (2 * 3600, 24 * 3600, 30 * 24 * 3600)


def snapshot(at: float, started: float, records: int) -> Snapshot:
    return Snapshot(
        taken_at=at,
        started_at=started,
        reloads=None,
        version=None,
        labels={},
        values=Readings(input={"tail.0": (records * 10, records)}),
        unknown=0,
    )


@pytest.fixture
async def agent(world: World) -> UUID:
    body = {"name": "edge", "machineID": "m", "type": "fluentbit", "version": "5.1.1", "rawConfig": ""}
    return UUID((await world.machine.ask("POST", "/v1/agents", 201, json=body))["id"])


@pytest.fixture
async def three_hours(world: World, agent: UUID) -> AsyncIterator[float]:
    """An agent that read ten records a second for three hours, but for five seconds' restart after one; thinned as it went."""
    end = clock.seconds() // 3600 * 3600
    begin = end - HOURS * 3600
    project = UUID(world.project_id)
    for minute in range(HOURS * 60):
        posts = []
        for at in (begin + minute * 60 + 30, begin + minute * 60 + 60):
            started = begin if at <= begin + 3600 else begin + 3605
            posts.append(Post(agent, project, at, snapshot(at, started, round((at - started) * 10))))
        with clock.moved(timedelta(seconds=posts[-1].received_at + 16 - clock.seconds())):
            async with world.context.database.write() as tx:
                await store.write(tx, posts)
            if minute % 5 == 4:
                await metrics_loop.thin(world.context)
    with clock.moved(timedelta(seconds=end + 16 - clock.seconds())):
        yield end


async def rows(database: Database, level: store.Level, owner: UUID) -> int:
    async with database.read() as tx:
        query = select(func.count()).select_from(level.table).where(level.table.c.owner_id == owner)
        return int((await tx.execute(query)).scalar_one())


async def test_each_level_has_a_row_a_step_and_one_where_a_process_began(world: World, agent: UUID, three_hours: float) -> None:
    database = world.context.database
    starts = 2
    assert await rows(database, store.RAW, agent) == HOURS * 120 + starts
    assert abs(await rows(database, store.MINUTE, agent) - (HOURS * 60 + starts)) <= 1
    assert abs(await rows(database, store.FIVE_MINUTES, agent) - (HOURS * 12 + starts)) <= 1


@pytest.mark.parametrize("interval", [30.0, 60.0, 300.0, 3600.0])
@pytest.mark.parametrize("owner", ["agent", "project"])
async def test_every_level_tells_the_same_rates(
    world: World, agent: UUID, three_hours: float, interval: float, owner: str
) -> None:
    id = agent if owner == "agent" else UUID(world.project_id)
    start = three_hours - 3600
    async with world.context.database.read() as tx:
        samples = await store.samples(tx, id, since=start, interval=interval, kept=KEPT)
    shown = series.over_time(samples, start, three_hours, interval)["input"]["records"]
    assert len(shown) == 3600 / interval
    assert [point["value"] for point in shown] == pytest.approx([10.0] * len(shown))


async def test_what_is_past_keeping_goes_and_the_coarser_level_still_answers(
    world: World, agent: UUID, three_hours: float
) -> None:
    await housekeeping.tidy(world.context)
    database = world.context.database
    assert await rows(database, store.RAW, agent) <= 2 * 120 + 1
    assert await rows(database, store.MINUTE, agent) >= HOURS * 60
    async with database.read() as tx:
        samples = await store.samples(tx, agent, since=three_hours - 3 * 3600, interval=30.0, kept=KEPT)
    assert samples[-1][1].input["tail.0"][1] == (HOURS * 3600 - 5) * 10
    assert len(samples) >= HOURS * 60, "raw rows do not reach back that far, those of a minute do"


async def test_an_agent_that_fell_silent_shows_nothing_rather_than_naught(
    world: World, agent: UUID, three_hours: float
) -> None:
    later = three_hours + 1800
    async with world.context.database.read() as tx:
        samples = await store.samples(tx, agent, since=three_hours - 600, interval=300.0, kept=KEPT)
    shown = series.over_time(samples, three_hours - 600, later, 300.0)["input"]["records"]
    assert [point["value"] is None for point in shown] == [False] * 2 + [True] * 6
