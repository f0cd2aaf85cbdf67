"""A list costs what its page costs, not what its table holds: each is asked for among few rows and among many."""

from uuid import UUID

import pytest

from tests.harness.costs import cost
from tests.harness.crowds import Crowd
from tests.harness.ground import Asked, Ground, break_ground
from tests.harness.operations import Operation
from tests.harness.queries import counted
from tests.harness.world import World
from tests.walks.differences import report

pytestmark = pytest.mark.timeout(900)
FEW, MANY, PAGE = 20, 200, 5
# So much more may the same page cost among ten times as many rows: an index is a little deeper, an answer a little longer.
_SLACK, _GRACE = 1.3, 60

# What does cost more, and why. Lists among them are asked for in test_great_numbers.py, where nothing but they themselves grow.
EXPECTED: dict[str, str] = {
    **dict.fromkeys(("projects", "project"), "tells how many members, agents and core instances each has"),
    **dict.fromkeys(("fleets", "fleet"), "tells how many agents each has, and how they are"),
    **dict.fromkeys(("aggregators", "coreInstances", "aggregator"), "tells how many pipelines each has"),
    **dict.fromkeys(
        ("pipelines", "pipelinesV2", "projectPipelines", "projectPipelinesV2", "pipeline"), "tells how many checks each has"
    ),
    **dict.fromkeys(
        ("fleetConfig", "PollConfig", "FetchFiles", "fleetDiff", "fleetRevision"), "a fleet's config goes with all of its files"
    ),
    "fleetCheck": "tells how many of its agents run which version",
    **dict.fromkeys(
        (
            "coreInstanceMetricsByPlugin",
            "coreInstanceMetricsByPluginOf2022",
            "coreInstanceMetricsOverTimeByPlugin",
            "coreInstanceMetricsOverTimeByPluginOf2022",
        ),
        "adds up all of a core instance's pipelines",
    ),
    "fleetRollouts": "SQLite goes by the index of the project's rollouts, where that of the fleet's would do as well",
    "fleetAgentErrors": "a fleet's errors are those of the agents in it now, which come and go",
    "clusterObjectRegex": "looks which of a core instance's cluster objects match",
}


async def test_no_list_costs_more_among_more_rows(world: World) -> None:
    ground, asked = await _lists(world)
    crowd = Crowd(UUID(ground.project_id), await ground.known())
    costs: list[dict[str, int]] = []
    for many in (FEW, MANY):
        async with world.context.database.write() as tx:
            await crowd.grow(tx, many)
        costs.append({operation.id: await _cost(ground, operation, ask) for operation, ask in asked})
    more = {id for id, now in costs[1].items() if now > costs[0][id] * _SLACK + _GRACE}
    assert not (more - set(EXPECTED)), report([f"{id}: {costs[0][id]}, {costs[1][id]}" for id in sorted(more - set(EXPECTED))])
    # Whether the agent that is copied stands in the fleet, and which revision is shown, depends on what the ground was made of.
    gone = set(EXPECTED) - more - {"fleet", "fleets", "fleetRevision"}
    assert not (world.context.database.embedded and gone), f"no longer so: {gone}"


async def test_no_list_takes_more_statements_for_more_rows(world: World) -> None:
    """One for the rows, and one for each kind of thing that is shown with them."""
    ground, asked = await _lists(world)
    async with world.context.database.write() as tx:
        await Crowd(UUID(ground.project_id), await ground.known()).grow(tx, FEW)
    wrong, long = [], 0
    for operation, ask in asked:
        sized = next((name for name in ("last", "first") if name in ask.query), None)
        if sized is None:
            continue
        taken = []
        for size in (2, FEW):
            ask.query[sized] = str(size)
            with counted() as statements:
                answer = await ground.ask(operation, ask)
            taken.append(len(statements))
        said = answer.json()
        long += len(said["items"] if isinstance(said, dict) else said) == FEW
        if taken[0] != taken[1]:
            wrong.append(f"{operation}: {taken[0]} for 2, {taken[1]} for {FEW}")
    assert not wrong, report(wrong)
    assert long > 30, f"only {long} lists had {FEW} rows to show"


async def _lists(world: World) -> tuple[Ground, list[tuple[Operation, Asked]]]:
    """Every operation that only reads, asked for a small page where it has pages."""
    ground = await break_ground(world)
    return ground, [(one, await _page_of(ground, one)) for one in ground.operations if one.method == "GET"]


async def _page_of(ground: Ground, operation: Operation) -> Asked:
    asked = await ground.asked(operation)
    sizes = {one["name"]: str(PAGE) for one in operation.query if one["name"] in ("last", "first")}
    return Asked(asked.path, {**asked.query, **sizes})


async def _cost(ground: Ground, operation: Operation, asked: Asked) -> int:
    return await cost(ground.world.context.database, lambda: ground.ask(operation, asked))
