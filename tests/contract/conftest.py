"""The marker of tests that need the published contract, and a server with one of everything to hold against it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from nectary.db.transaction import Database
from nectary.server import make_app, make_context
from nectary.settings import Settings
from tests.harness.ground import Ground
from tests.harness.operations import operations
from tests.harness.serving import Served, serving
from tests.harness.world import Http, World


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "contract: runs the vendor's contract test against a real server (see `make contract`)")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as served:
        yield served


@pytest.fixture
async def ground(server: Served) -> AsyncIterator[Ground]:
    """A project with one of everything in it, in the running server."""
    settings = Settings(data_dir=server.folder / "data", allowed_origins=("http://127.0.0.1:5000",))
    context = make_context(settings, Database(settings.database))
    async with Http(base_url=server.url, timeout=30) as http:
        app = make_app(context)
        found = Ground(World(context, app, http, http, http, "", ""), operations())
        await found.furnish()
        yield found
    await context.database.close()
