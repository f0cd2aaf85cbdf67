"""`nectary rollout` and `nectary watch` against a server: what they say, and their exit codes."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.harness.serving import Served, serving, start

GOOD = "[INPUT]\n    name dummy\n    tag a.b\n\n[OUTPUT]\n    name stdout\n    match *\n"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """With a fleet `edge`, of no agents yet."""
    with serving(tmp_path) as served:
        headers = {"X-Project-Token": served.token}
        [project] = httpx.get(f"{served.url}/v1/projects", headers={"Authorization": f"Bearer {served.bearer()}"}).json()
        body = {"name": "edge", "rawConfig": GOOD}
        made = httpx.post(f"{served.url}/v1/projects/{project['id']}/fleets", headers=headers, json=body)
        assert made.status_code == 201, made.text
        (tmp_path / "new.conf").write_text(GOOD.replace("a.b", "new"))
        yield served


@pytest.fixture
def run(server: Served, tmp_path: Path) -> Run:
    def command(*arguments: str) -> tuple[int, str, str]:
        environment = {"NECTARY_URL": server.url, "NECTARY_TOKEN": server.token, "PATH": ""}
        started = [sys.executable, "-m", "nectary", *arguments]
        ended = subprocess.run(started, capture_output=True, text=True, timeout=100, cwd=tmp_path, env=environment, check=False)
        return ended.returncode, ended.stdout, ended.stderr

    return command


def test_a_rollout_is_started_watched_and_taken_back(run: Run) -> None:
    assert run("rollout", "show", "edge") == (1, "", "nectary: nothing was ever rolled out to edge\n")
    code, said, _ = run("rollout", "start", "edge", "-f", "new.conf", "--stages", "50% 10m, 100%", "-m", "try it")
    assert (code, said.splitlines()[0]) == (0, "revision 2 is being rolled out: 50% 10m0s, 100%")
    code, _, refused = run("rollout", "start", "edge", "-f", "new.conf")
    assert (code, "nothing to roll out" in refused) == (1, True)
    assert run("rollout", "pause", "edge", "-m", "lunch")[:2] == (0, "revision 2: paused, stage 1; paused by default: lunch\n")
    code, shown, _ = run("rollout", "show", "edge")
    assert code == 0
    assert "0 of 0 agents in reach run it" in shown
    assert re.search(r"stage 1  started: revision 2 by default: 50% 10m0s, 100%$", shown, re.MULTILINE)
    assert re.search(r"stage 1  paused: paused by default: lunch$", shown, re.MULTILINE)
    assert run("rollout", "resume", "edge")[0] == 0
    code, said, _ = run("rollout", "back", "edge", "-m", "not today")
    assert (code, said) == (0, "revision 2: rolled_back, stage 1; rolled back by default: not today\n")
    code, told, _ = run("watch", "rollout", "edge")
    assert code == 1, "it was rolled back"
    assert told.splitlines()[-1].endswith("rolled_back: rolled back by default: not today")
    code, _, refused = run("rollout", "advance", "edge")
    assert (code, refused) == (1, "nectary: rollout not open: it is rolled back: rolled back by default: not today\n")
    code, listed, _ = run("rollout", "list", "edge")
    assert (code, listed.count("\n")) == (0, 2)
    assert "rolled_back" in listed


def test_watching_one_that_succeeds_ends_well(run: Run) -> None:
    assert run("rollout", "start", "edge", "-f", "new.conf", "--stages", "100%")[0] == 0
    code, told, _ = run("watch", "rollout", "edge", "--interval", "0.5")
    assert code == 0
    assert [line.split()[3] for line in told.splitlines() if " stage " in line and ":" in line.split()[0]][-1] == "done:"


def test_stragglers_and_agents_are_listed(run: Run, server: Served) -> None:
    headers = {"X-Project-Token": server.token}
    _, fleets, _ = run("rollout", "list", "edge", "-o", "json")
    assert fleets == "[]\n"
    [project] = httpx.get(f"{server.url}/v1/projects", headers={"Authorization": f"Bearer {server.bearer()}"}).json()
    [fleet] = httpx.get(f"{server.url}/v1/projects/{project['id']}/fleets", headers=headers).json()
    for name, version in (("one", "5.1.1"), ("two", "4.0.0")):
        agent = {"name": name, "machineID": name, "type": "fluentbit", "version": version, "rawConfig": ""}
        body = {**agent, "fleetID": fleet["id"]}
        assert httpx.post(f"{server.url}/v1/agents", headers=headers, json=body).status_code == 201
    code, told, _ = run("get", "stragglers", "--fleet", "edge")
    assert code == 0
    assert [line.split()[:3] for line in told.splitlines()[1:]] == [["two", "waiting", "4.0.0"], ["one", "waiting", "5.1.1"]]
    for filters in (("--version", "4"), ("--search", "tw"), ("--fleet", "edge", "--search", "two", "--status", "healthy")):
        code, told, _ = run("get", "agents", *filters)
        assert (code, [line.split()[0] for line in told.splitlines()]) == (0, ["NAME", "two"])
    assert run("get", "agents", "--status", "ill")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rollout", "show", "nowhere"), "fleet not found: the project has no fleet 'nowhere'"),
        (("rollout", "start", "edge", "-f", "new.conf", "--stages", "5%"), "the last stage is 100%"),
        (("rollout", "start", "edge", "-f", "new.conf", "--canary", "ghost"), "'ghost' is no agent of this fleet"),
        (("rollout", "start", "edge", "-f", "new.conf", "--threshold", "mostFaild=1"), "thresholds.mostFaild"),
        (("rollout", "start", "edge"), "draft"),
        (("watch", "rollout", "edge"), "nothing was ever rolled out to edge"),
    ],
)
def test_what_cannot_be_is_one_sentence(run: Run, arguments: tuple[str, ...], said: str) -> None:
    code, out, error = run(*arguments)
    assert (code, out) == (1, "")
    assert error.count("\n") == 1
    assert said in error


def test_a_watch_outlives_a_restart_of_the_server(run: Run, server: Served, tmp_path: Path) -> None:
    assert (
        run("rollout", "start", "edge", "-f", "new.conf", "--stages", "50% 10m, 100%", "--threshold", "applySeconds=90")[0] == 0
    )
    environment = {"NECTARY_URL": server.url, "NECTARY_TOKEN": server.token, "PATH": ""}
    command = [sys.executable, "-m", "nectary", "watch", "rollout", "edge", "--interval", "0.2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment) as watching:
        assert watching.stdout is not None
        assert "started: revision 2" in watching.stdout.readline()
        server.kill()
        with pytest.raises(subprocess.TimeoutExpired):
            watching.wait(2)
        server.process = start(tmp_path, NECTARY_PORT=str(server.port)).process
        code, _, refused = run("rollout", "resume", "edge", "--threshold", "mutex=1")
        assert (code, "thresholds.mutex" in refused) == (1, True)
        assert run("rollout", "cancel", "edge")[0] == 0
        assert watching.wait(60) == 1
        assert "cancelled" in watching.stdout.read()
