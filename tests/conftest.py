"""Real databases of both kinds for every test that needs one; optional things are looked for, and missed aloud."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from nectary.db.transaction import Database
from nectary.first_start import introduce
from nectary.settings import Settings
from tests.harness import postgres
from tests.harness.world import ADMIN, PASSWORD, World, open_world

SHARED = Path(os.environ.get("NECTARY_SHARED") or Path(__file__).parents[1] / ".." / "shared").resolve()


def pytest_configure(config: pytest.Config) -> None:
    for name in list(os.environ):
        if name.startswith("NECTARY_") and name not in ("NECTARY_SHARED", "NECTARY_TEST_POSTGRES"):
            del os.environ[name]  # the tests' settings are their own


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the published contract and the recorded bodies, beside the checkout."""
    if not (SHARED / "contract").is_dir():
        pytest.skip(f"SKIPPED: no published contract and captures at {SHARED}; they are not part of the project")
    return SHARED


@pytest.fixture(scope="session")
def fluent_bit() -> str:
    """A fluent-bit binary."""
    found = os.environ.get("NECTARY_FLUENT_BIT") or shutil.which("fluent-bit") or shutil.which("/opt/fluent-bit/bin/fluent-bit")
    if found is None:
        pytest.skip("SKIPPED: no fluent-bit binary found; install one to run the real agent's tests")
    return found


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server's URL, without a database."""
    if given := os.environ.get("NECTARY_TEST_POSTGRES"):
        yield given.rstrip("/")
        return
    if postgres.programs() is None:
        pytest.skip("SKIPPED: no PostgreSQL programs found; install Debian's postgresql to run these on it too")
    # Not in pytest's own temporary folder: every other run of pytest closes that to the user PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix="nectary-postgres-") as folder, postgres.running(Path(folder)) as url:
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


async def _admin(url: str, statement: str) -> None:
    connection = await asyncpg.connect(f"{url}/postgres")
    await connection.execute(statement)
    await connection.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "nectary.db"
    asyncio.run(_prepare(f"sqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    asyncio.run(_admin(postgres_url, "CREATE DATABASE template_nectary"))
    asyncio.run(_prepare(f"{postgres_url}/template_nectary"))
    return "template_nectary"


_databases = iter(range(1_000_000))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database after its first start, of each kind in turn."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "nectary.db")
        yield f"sqlite:///{tmp_path / 'nectary.db'}"
        return
    server: str = request.getfixturevalue("postgres_url")
    name = f"test_{os.getpid()}_{next(_databases)}"
    asyncio.run(_admin(server, f"CREATE DATABASE {name} TEMPLATE {request.getfixturevalue('postgres_template')}"))
    yield f"{server}/{name}"
    asyncio.run(_admin(server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def make_settings(database_url: str) -> Callable[..., Settings]:
    return lambda **others: _settings(database_url, **others)


@pytest.fixture
async def world(make_settings: Callable[..., Settings]) -> AsyncIterator[World]:
    opened = await open_world(make_settings())
    yield opened
    await opened.context.database.close()
