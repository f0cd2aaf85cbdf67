"""Fleets on the command line, against the real program."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import Result

from nectary.client import Client
from tests.cli.conftest import GOOD, Ask, one_sentence
from tests.harness.serving import Served, serving

Nectary = Callable[..., Result]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("server")) as served:
        yield served


@pytest.fixture
def fleet(server: Served, request: pytest.FixtureRequest) -> str:
    """A new fleet's name."""
    name = f"f{request.node.name[-20:].replace('_', '-')}"
    with Client(server.url, server.token) as client:
        project = client.project_id
    body = {"name": name, "rawConfig": GOOD, "message": "a beginning"}
    answer = httpx.post(
        f"{server.url}/v1/projects/{project}/fleets", json=body, headers={"X-Project-Token": server.token}, timeout=60
    )
    assert answer.status_code == 201
    return name


@pytest.fixture
def nectary(ask: Ask, server: Served, monkeypatch: pytest.MonkeyPatch) -> Nectary:
    """A command, asked of the server."""
    monkeypatch.setenv("NECTARY_URL", server.url)
    monkeypatch.setenv("NECTARY_TOKEN", server.token)
    return ask


def test_a_config_is_prepared_checked_published_compared_and_taken_back(nectary: Nectary, fleet: str, folder: Path) -> None:
    (folder / "new.conf").write_text(GOOD.replace("match *", "match a.b"))
    assert nectary("fleet", "draft", fleet, "-f", "new.conf", "-m", "less").stdout == "~ output.stdout.match: * -> a.b\n"
    checked = nectary("fleet", "check", fleet, "--draft")
    assert checked.stdout == "Fluent Bit 5.1.1: can run it\nadded to what agents get: + service.hot_reload: on\n"
    assert nectary("fleet", "publish", fleet).stdout.startswith("revision 2 is published")
    assert nectary("fleet", "diff", fleet).stdout == "~ output.stdout.match: * -> a.b\n"
    assert nectary("fleet", "back", fleet, "--to", "1", "-m", "more again").stdout.startswith("revision 3 is published")
    assert nectary("fleet", "diff", fleet, "--from", "1", "--to", "3").stdout == ""
    rows = [line.split() for line in nectary("fleet", "history", fleet).stdout.splitlines()]
    assert [(row[0], row[3:]) for row in rows[1:]] == [
        ("3", ["rolled_back", "1", "more", "again"]),
        ("2", ["published", "less"]),
        ("1", ["created", "a", "beginning"]),
    ]
    assert fleet in nectary("fleet", "list").stdout


def test_what_agents_could_not_run_is_told_and_not_published(nectary: Nectary, fleet: str, folder: Path) -> None:
    (folder / "bad.conf").write_text(GOOD.replace("dummy", "dumy"))
    checked = nectary("fleet", "check", fleet, "-f", "bad.conf")
    assert (checked.exit_code, "cannot run it" in checked.stdout) == (1, True)
    nectary("fleet", "draft", fleet, "-f", "bad.conf")
    with pytest.raises(Exception, match="unknown plugin"):
        nectary("fleet", "publish", fleet)
    assert [row["number"] for row in json.loads(nectary("fleet", "history", fleet, "-o", "json").stdout)] == [1]


def test_hosts_are_enrolled_by_number_and_by_name_with_a_config_each(nectary: Nectary, fleet: str, folder: Path) -> None:
    made = json.loads(nectary("enroll", "--fleet", fleet, "--hosts", "2", "-o", "json").stdout)
    assert [one["host"] for one in made] == [f"{fleet}-1", f"{fleet}-2"]
    (folder / "hosts").write_text("web-1\n\n# no more for now\nweb-2  # the other\n")
    shown = nectary("enroll", "--fleet", fleet, "--hosts", "hosts", "--configs", "out").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["HOST", "web-1", "web-2"]
    path = folder / "out" / "web-2.conf"
    assert shown[2].split()[1] in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (folder / "none").write_text("# nobody\n")
    assert "names no host" in one_sentence(nectary("enroll", "--fleet", fleet, "--hosts", "none"))
    assert "1 to 100000" in one_sentence(nectary("enroll", "--fleet", fleet, "--hosts", "0"))
