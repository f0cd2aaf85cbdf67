"""Statuses of pipelines over HTTP: the newest are kept."""

from collections.abc import Callable

from nectary.loops import housekeeping
from nectary.settings import Settings
from tests.harness.pipelines import core_instance, one, pipeline
from tests.harness.world import World, strange_world

WORDS = ["STARTING", "STARTED", "FAILED", "SCALING"]


async def test_only_so_many_statuses_of_each_pipeline_are_kept(world: World, make_settings: Callable[..., Settings]) -> None:
    ci = await core_instance(world)
    busy, quiet = await pipeline(world, ci["id"], name="busy"), await pipeline(world, ci["id"], name="quiet")
    for word in WORDS:
        await world.machine.ask("PATCH", f"/v1/aggregator_pipelines/{busy['id']}", 200, json={"status": word})
    await world.machine.ask("PATCH", f"/v1/aggregator_pipelines/{quiet['id']}", 200, json={"status": "STARTED"})

    async def history(id: str) -> list[str]:
        rows = await world.machine.ask("GET", f"/v1/aggregator_pipelines/{id}/status_history", 200)
        return [row["status"] for row in rows]

    await housekeeping.tidy(world.context)
    assert await history(busy["id"]) == [*reversed(WORDS), "NEW"], "a thousand are kept, unless told"
    other = strange_world(make_settings(keep_statuses=3))
    try:
        await housekeeping.tidy(other.context)
    finally:
        await other.context.database.close()
    assert await history(busy["id"]) == ["SCALING", "FAILED", "STARTED"]
    assert await history(quiet["id"]) == ["STARTED", "NEW"]
    assert (await one(world.machine, busy["id"]))["status"]["status"] == "SCALING"
