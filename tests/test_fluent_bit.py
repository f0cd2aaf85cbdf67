"""A stock Fluent Bit: pasted snippet in, throughput out."""

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nectary.client import Client
from tests.harness.serving import Served, serving

pytestmark = [pytest.mark.fluent_bit, pytest.mark.timeout(240)]


@contextlib.contextmanager
def running(binary: str, config: Path) -> Iterator[None]:
    process = subprocess.Popen(
        [binary, "-q", "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=config.parent
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def eventually(look: Callable[[], Any], *, within: float) -> Any:
    """What `look` finds, as soon as it is something."""
    end = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < end, f"not within {within} s"
        time.sleep(0.5)
    return found


class Reader:
    """Somebody with the project's token."""

    def ask(self, method: str, path: str, expect: int, **body: Any) -> Any:
        headers = {"X-Project-Token": self._server.token}
        answer = httpx.request(method, self._server.url + path, headers=headers, json=body, timeout=60)
        assert answer.status_code == expect, answer.text
        return answer.json()

    def __init__(self, server: Served) -> None:
        self._server = server

    def get(self, path: str) -> Any:
        answer = httpx.get(self._server.url + path, headers={"X-Project-Token": self._server.token})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def agents(self) -> list[dict[str, Any]]:
        """By the command line, as people look."""
        command = [sys.executable, "-m", "nectary", "get", "agents", "-o", "json", "--url", self._server.url]
        out = subprocess.run([*command, "--token", self._server.token], capture_output=True, text=True, timeout=30, check=True)
        found: list[dict[str, Any]] = json.loads(out.stdout)
        return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path, NECTARY_AGENT_SILENT_AFTER="40") as served:
        yield served


def test_the_pasted_snippet_registers_an_agent_whose_throughput_is_read(
    fluent_bit: str, server: Served, tmp_path: Path
) -> None:
    snippet = re.search(r"^\[SERVICE\].*match +\*$", server.log(), re.DOTALL | re.MULTILINE)
    assert snippet is not None
    config = tmp_path / "agent.conf"
    config.write_text(snippet[0].replace("stdout", "null") + "\n")
    reader = Reader(server)
    with running(fluent_bit, config):
        [agent] = eventually(reader.agents, within=30)
        assert (agent["status"], agent["type"]) == ("healthy", "fluentbit")
        assert re.fullmatch(r"\d+\.\d+\.\d+", agent["version"])
        path = f"/v2/agents/{agent['id']}"

        def two_posts() -> bool:
            return bool(reader.get(f"/v1/agents/{agent['id']}")["metricsCount"] >= 2)

        eventually(two_posts, within=90)
        rates = reader.get(f"{path}/metrics")
        assert rates["input"]["records"] == pytest.approx(1.0, rel=0.3), "dummy makes one record a second"
        assert rates["output"]["records"] == pytest.approx(1.0, rel=0.3)
        charts = reader.get(f"{path}/metrics_over_time_by_plugin?start=-5m&interval=1m")
        assert [plugin["instance"] for plugin in charts["inputs"]] == ["dummy.0"]
        assert [plugin["instance"] for plugin in charts["outputs"]] == ["null.0"]
        seen = [point["value"] for point in charts["inputs"][0]["metrics"]["records"] if point["value"] is not None]
        assert seen
        assert all(0.3 < value < 2 for value in seen)

    def unhealthy() -> bool:
        return bool(reader.agents()[0]["status"] == "unhealthy")

    eventually(unhealthy, within=90)


def test_an_agent_with_a_stored_session_reports_again_after_it_was_deleted(
    fluent_bit: str, server: Served, tmp_path: Path
) -> None:
    config = tmp_path / "agent.conf"
    config.write_text(
        "[CUSTOM]\n"
        "    name calyptia\n"
        f"    api_key {server.token}\n"
        "    calyptia_host 127.0.0.1\n"
        f"    calyptia_port {server.port}\n"
        "    calyptia_tls off\n"
        f"    store_path {tmp_path / 'store'}\n"
        "[INPUT]\n    name dummy\n[OUTPUT]\n    name null\n    match *\n"
    )
    reader = Reader(server)
    with running(fluent_bit, config):
        [agent] = eventually(reader.agents, within=30)
    httpx.delete(f"{server.url}/v1/agents/{agent['id']}", headers={"X-Project-Token": server.token}).raise_for_status()
    with running(fluent_bit, config):
        [again] = eventually(reader.agents, within=30)
        assert again["id"] == agent["id"]
        eventually(lambda: reader.get(f"/v1/agents/{again['id']}")["metricsCount"], within=60)


def test_a_fleet_found_by_its_name_is_edited_and_taken_back(fluent_bit: str, server: Served, tmp_path: Path) -> None:
    def config(tag: str) -> str:
        return f"[INPUT]\n    name dummy\n    tag {tag}\n\n[OUTPUT]\n    name null\n    match *\n\n[SERVICE]\n    flush 1\n"

    reader = Reader(server)
    with Client(server.url, server.token) as client:
        fleets = f"/v1/projects/{client.project_id}/fleets"
    made = reader.ask("POST", fleets, 201, name="the-edge", rawConfig=config("first"))
    fleet = f"/v1/fleets/{made['id']}"
    [host] = reader.ask("POST", f"{fleet}/enroll", 201, hosts=["edge-1"])
    text = host["config"].replace(f"fleet_id {made['id']}", "fleet_name the-edge")
    own = {"fleet.config_dir": tmp_path / "agent", "fleet.interval_sec": 2, "fleet.interval_nsec": 0}
    path = tmp_path / "agent.conf"
    path.write_text(text + "".join(f"    {key} {value}\n" for key, value in own.items()))

    def runs(tag: str) -> Callable[[], bool]:
        return lambda: any(f"tag {tag}\n" in agent["rawConfig"] for agent in reader.agents())

    with running(fluent_bit, path):
        eventually(runs("first"), within=90)
        reader.ask("PATCH", fleet, 200, rawConfig=config("second"), message="tag it otherwise")
        eventually(runs("second"), within=90)
        said = reader.ask("POST", f"{fleet}/rollback", 200, revision=1)
        eventually(runs("first"), within=90)
    [agent] = reader.agents()
    assert agent["machineID"] == host["id"]
    starts = reader.get(f"/v1/agents/{agent['id']}/starts")
    assert (said["revision"], len(starts)) == (3, 3), "one registration each time it loaded another config"
