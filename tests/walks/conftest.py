"""The ground every walk begins on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from nectary import log
from tests.harness.ground import Ground, break_ground
from tests.harness.world import World


@pytest.fixture
async def ground(world: World) -> Ground:
    """A project with one of everything in it."""
    return await break_ground(world)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """A walk makes thousands of requests: only what went wrong is logged."""
    log.set_up("error", "text")
    yield
    structlog.reset_defaults()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A walk asks every operation there is, which takes its time on a busy machine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(900))
