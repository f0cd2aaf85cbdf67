"""Real databases of both kinds for every test that needs one; optional things are looked for, and missed aloud."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import hypothesis
import pytest

from nectary.db import tables
from nectary.db.transaction import Database
from nectary.first_start import introduce
from nectary.settings import Settings
from tests.harness import fluent_bit as real
from tests.harness import postgres
from tests.harness.world import ADMIN, PASSWORD, World, open_world

SHARED = Path(os.environ.get("NECTARY_SHARED") or Path(__file__).parents[1] / ".." / "shared").resolve()


def pytest_configure(config: pytest.Config) -> None:
    if program := os.environ.get("NECTARY_FLUENT_BIT"):  # a setting, too
        os.environ["NECTARY_TEST_FLUENT_BIT"] = program
    for name in list(os.environ):
        if name.startswith("NECTARY_") and name != "NECTARY_SHARED" and not name.startswith("NECTARY_TEST_"):
            del os.environ[name]  # the tests' settings are their own
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a server that compiles all it imports takes seconds to start
    hypothesis.settings.register_profile("patient", deadline=None)  # a busy machine makes no example fail
    hypothesis.settings.load_profile("patient")
    os.environ["NECTARY_CORE"] = "false"  # no pipelines beside the servers of tests that are about other things


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are cores: many tests wait for programs that they started."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files whose tests may take long, or all others wait for one of them in the end."""
    longest: dict[Path, float] = {}
    for item in items:
        timeout = item.get_closest_marker("timeout")
        longest[item.path] = max(longest.get(item.path, 0), timeout.args[0] if timeout else 0)
    items.sort(key=lambda item: -longest[item.path])


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the published contract and the recorded bodies, beside the checkout."""
    if not (SHARED / "contract").is_dir():
        pytest.skip(f"SKIPPED: no published contract and captures at {SHARED}; they are not part of the project")
    return SHARED


@pytest.fixture(scope="session")
def fluent_bit() -> str:
    """A fluent-bit binary."""
    return real.required()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server's URL, without a database."""
    if given := os.environ.get("NECTARY_TEST_POSTGRES"):
        yield given.rstrip("/")
        return
    if postgres.programs() is None:
        pytest.skip("SKIPPED: no PostgreSQL programs found; install Debian's postgresql to run these on it too")
    with postgres.running() as url:
        yield url


def _settings(url: str, **others: Any) -> Settings:
    return Settings(
        database_url=url,
        admin_email=ADMIN,
        admin_password=PASSWORD,
        allowed_origins=("http://127.0.0.1:5000",),
        **others,
    )


async def _prepare(url: str) -> None:
    database = Database(url)
    await introduce(_settings(url), database)
    await database.close()


async def _sql(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statements)
    await connection.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "nectary.db"
    asyncio.run(_prepare(f"sqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def postgres_database(postgres_url: str) -> tuple[str, str]:
    """A database after its first start, and the SQL that brings it back there: making a new one takes ten times as long."""
    url = f"{postgres_url}/nectary_{os.getpid()}"
    asyncio.run(_sql(f"{postgres_url}/postgres", f"CREATE DATABASE nectary_{os.getpid()}"))
    asyncio.run(_prepare(url))
    copies = [f"CREATE TABLE as_begun.{name} AS TABLE {name}" for name in tables.metadata.tables]
    asyncio.run(_sql(url, "; ".join(["CREATE SCHEMA as_begun", *copies])))
    # No foreign keys while at it; and away with the trigger by which a test breaks commits.
    restore = ["SET session_replication_role = replica", "DROP FUNCTION IF EXISTS fail CASCADE"]
    for name in tables.metadata.tables:
        restore += [f"DELETE FROM {name}", f"INSERT INTO {name} SELECT * FROM as_begun.{name}"]
    return url, "; ".join(restore)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database after its first start, of each kind in turn."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "nectary.db")
        return f"sqlite:///{tmp_path / 'nectary.db'}"
    url, restore = request.getfixturevalue("postgres_database")
    asyncio.run(_sql(url, restore))
    return str(url)


@pytest.fixture
def make_settings(database_url: str) -> Callable[..., Settings]:
    return lambda **others: _settings(database_url, **others)


@pytest.fixture
async def world(make_settings: Callable[..., Settings]) -> AsyncIterator[World]:
    opened = await open_world(make_settings())
    yield opened
    await opened.context.database.close()
