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


def test_a_fleet_is_made_looked_at_edited_and_deleted(nectary: Nectary, folder: Path) -> None:
    made = nectary("fleet", "create", "new", "-f", "good.conf", "--version", "4.0.3", "--stages", "10% 1m, 100%", "-m", "start")
    assert made.stdout.startswith("fleet new is made, with the id ")
    assert "nectary enroll --fleet new" in made.stdout
    with pytest.raises(Exception, match="fleet name taken"):
        nectary("fleet", "create", "new", "-f", "good.conf")
    assert nectary("fleet", "config", "new").stdout == GOOD
    [shown] = json.loads(nectary("fleet", "show", "new", "-o", "json").stdout)
    assert (shown["minFluentBitVersion"], shown["revision"]) == ("4.0.3", 1)
    assert "0 of 0 agents healthy, 0 in progress, 0 unhealthy" in nectary("fleet", "show", "new").stdout
    assert any(line.split()[:2] == ["new", "1"] for line in nectary("get", "fleets").stdout.splitlines())
    (folder / "new.conf").write_text(GOOD.replace("match *", "match a.b"))
    nectary("fleet", "draft", "new", "-f", "new.conf")
    assert nectary("fleet", "publish", "new").stdout.startswith("revision 2 is published"), "nobody is there to go step by step"
    nectary("fleet", "draft", "new", "-f", "good.conf")
    assert "is being rolled out in stages" in nectary("fleet", "publish", "new", "--stages", "10% 1m, 100%").stdout
    assert "newest rollout, of revision 3: running, stage 1 of 2" in nectary("fleet", "show", "new").stdout
    assert nectary("fleet", "config", "new", "--revision", "1").stdout == GOOD
    with pytest.raises(Exception, match="no fleet ''"):
        nectary("fleet", "delete", "", "--yes")
    kept = nectary("fleet", "delete", "new")
    assert (kept.exit_code, "say --yes" in one_sentence(kept)) == (2, True)
    assert nectary("fleet", "delete", "new", "--yes").stdout == "fleet new is deleted\n"
    with pytest.raises(Exception, match="fleet not found"):
        nectary("fleet", "show", "new")


def test_files_are_put_replaced_listed_and_deleted(nectary: Nectary, fleet: str, folder: Path) -> None:
    (folder / "parsers.conf").write_text("[PARSER]\n    name p\n    format json\n")
    assert nectary("fleet", "file", "put", fleet, "parsers.conf", "-m", "first").stdout == "revision 2 is published\n"
    assert nectary("fleet", "file", "put", fleet, "parsers.conf").stdout == "nothing changed\n"
    assert nectary("fleet", "file", "put", fleet, "-", "--name", "parsers.conf", stdin="# none\n").stdout.startswith(
        "revision 3"
    )
    [row] = nectary("fleet", "file", "list", fleet).stdout.splitlines()[1:]
    assert row.split()[:2] == ["parsers.conf", "7"]
    with pytest.raises(Exception, match="invalid fleet file name"):
        nectary("fleet", "file", "put", fleet, "parsers.conf", "--name", "../up.conf")
    assert "say --name" in one_sentence(nectary("fleet", "file", "put", fleet, "-", stdin="x"))
    assert "has no file 'other'" in one_sentence(nectary("fleet", "file", "delete", fleet, "other"))
    assert nectary("fleet", "file", "delete", fleet, "parsers.conf").stdout == "revision 4 is published\n"
    assert [row.split()[3] for row in nectary("fleet", "history", fleet).stdout.splitlines()[1:4]] == ["file"] * 3


def test_an_agent_is_shown_with_what_it_runs_and_what_went_wrong(nectary: Nectary, fleet: str, server: Served) -> None:
    headers = {"X-Project-Token": server.token}
    [found] = json.loads(nectary("fleet", "show", fleet, "-o", "json").stdout)
    told = {
        "name": "edge-9",
        "machineID": fleet,
        "type": "fluentbit",
        "version": "5.1.1",
        "rawConfig": "[INPUT]\n    name cpu.0\n",
    }
    for name, of in (("edge-9", {"fleetID": found["id"]}), ("lonely", {})):
        body = {**told, **of, "name": name, "machineID": f"{name}-{fleet}"}
        made = httpx.post(f"{server.url}/v1/agents", headers=headers, json=body, timeout=60)
        assert made.status_code == 201, made.text
        error = {"error": f"{name} broke"}
        httpx.post(f"{server.url}/v1/agents/{made.json()['id']}/errors", headers=headers, json=error, timeout=60)
    said = nectary("get", "agent", "edge-9").stdout
    assert f"fleet {fleet}: " in said
    assert "  extra input.cpu.0\n" in said
    assert "  missing output.stdout.0, should be stdout.0\n" in said
    assert "error 0s ago: edge-9 broke" in said or "error 1s ago: edge-9 broke" in said
    assert "it is in no fleet" in nectary("get", "agent", "lonely").stdout
    [row] = nectary("get", "errors", "--fleet", fleet).stdout.splitlines()[1:]
    assert (row.split()[0], "edge-9 broke" in row) == ("edge-9", True)
    assert "edge-9" in nectary("get", "agents", "--environment", "default", "--fleet", fleet).stdout
    assert "no environment 'nowhere'" in one_sentence(nectary("get", "agents", "--environment", "nowhere"))
    with pytest.raises(Exception, match="no agent 'nobody'"):
        nectary("get", "agent", "nobody")
