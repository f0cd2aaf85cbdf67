"""`nectary core run`, the real program, over the fake runtime: its variables, its faults, its end."""

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nectary.core import kubernetes_settings
from nectary.core.runtimes import RuntimeUnavailableError
from tests.harness.serving import Served, serving

PATIENCE = 120.0
TOKEN = base64.urlsafe_b64encode(b'{"TokenID":"t","ProjectID":"p"}').decode() + ".x"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("server")) as served:
        yield served


def begin(folder: Path, *arguments: str, **variables: str) -> "subprocess.Popen[bytes]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NECTARY_")}
    command = [sys.executable, "-m", "nectary", "core", "run", "--state-dir", str(folder / "state"), *arguments]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, env=kept | variables, cwd=folder, stdout=log, stderr=log)


def eventually(look: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.2)
    return found


def core_instances(server: Served) -> dict[str, Any]:
    headers = {"X-Project-Token": server.token}
    found = httpx.get(f"{server.url}/v2/search?resource=core_instance", headers=headers, timeout=60).json()
    ids = {one["name"]: one["id"] for one in found}
    return {
        name: httpx.get(f"{server.url}/v1/aggregators/{id}", headers=headers, timeout=60).json() for name, id in ids.items()
    }


def test_it_runs_by_the_originals_variables_and_ends_well(server: Served, tmp_path: Path) -> None:
    variables = {
        "NECTARY_RUNTIME": "fake",
        "CLOUD_URL": server.url,
        "PROJECT_TOKEN": server.token,
        "CORE_INSTANCE": "by-variables",
        "CORE_INSTANCE_TAGS": "a, b",
        "INTERVAL": "1s",
        "ENABLE_HEALTH_CHECK_PIPELINE": "true",
        "HEALTH_CHECK_PIPELINE_PORT": "2121",
        "NO_TLS_VERIFY": "false",
        "CLUSTER_LOGGING": "",
    }
    process = begin(tmp_path, **variables)
    try:
        known = eventually(lambda: (one := core_instances(server).get("by-variables")) and one["status"] == "running" and one)
        assert (known["tags"], known["pipelinesCount"]) == (["a", "b"], 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0, (tmp_path / "log").read_text()
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--token", TOKEN, "--interval", "soon"], "'soon' is no time"),
        (["--token", "x"], "The token is no project token"),
        (["--token", TOKEN, "--url", "127.0.0.1:5000"], "'127.0.0.1:5000' is no address of a server"),
        (["--token", TOKEN, "--name", "Bad Name!"], "'Bad Name!' is no name of a core instance"),
        (["--token-file", "nowhere"], "token file nowhere cannot be read"),
        ([], "No token"),
        (["--token", TOKEN, "--runtime", "kubernetes"], "cannot start"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_code_one(tmp_path: Path, arguments: list[str], said: str) -> None:
    process = begin(tmp_path, *arguments, KUBECONFIG=str(tmp_path / "none"), HOME=str(tmp_path))
    assert process.wait(PATIENCE) == 1
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == 1, lines
    assert said in lines[0]


def test_a_second_one_with_the_state_folder_of_a_first_is_refused(server: Served, tmp_path: Path) -> None:
    arguments = ["--runtime", "fake", "--url", server.url, "--token", server.token, "--name", "twice"]
    first = begin(tmp_path, *arguments)
    try:
        eventually(lambda: "twice" in core_instances(server))
        second = begin(tmp_path, *arguments)
        assert second.wait(PATIENCE) == 1
        assert "another core instance runs with the state folder" in (tmp_path / "log").read_text()
        assert first.poll() is None
    finally:
        first.terminate()
        first.wait(PATIENCE)


def test_a_server_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    process = begin(tmp_path, "--runtime", "fake", "--url", "http://127.0.0.1:9", "--token", TOKEN)
    try:
        eventually(lambda: "does not answer" in (tmp_path / "log").read_text())
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_the_fake_runtime_counts_and_shows_what_would_pass_through(server: Served, tmp_path: Path) -> None:
    process = begin(tmp_path, "--runtime", "fake", "--url", server.url, "--token", server.token, "--name", "fake")
    headers = {"X-Project-Token": server.token}
    try:
        me = eventually(lambda: core_instances(server).get("fake"))
        with httpx.Client(base_url=server.url, headers=headers, timeout=60) as http:
            config = "@SET FAKE_RATE=1000\n[INPUT]\n    Name dummy\n[FILTER]\n    Name modify\n    Match *\n    Add a b\n"
            config += "[OUTPUT]\n    Name null\n    Match *\n"
            made = http.post(f"/v1/aggregators/{me['id']}/pipelines", json={"rawConfig": config}).json()
            path = f"/v2/pipelines/{made['id']}/metrics_by_plugin"
            eventually(lambda: all(http.get(path).json()[kind] for kind in ("inputs", "filters", "outputs")))
            body = {"plugins": ["dummy.0"], "lifespan": "10m"}
            session = http.post(f"/v1/pipelines/{made['id']}/trace_sessions", json=body).json()
            shown = f"/v1/trace_sessions/{session['id']}/records"
            eventually(lambda: {one["type"] for one in http.get(shown).json()} == {1, 2, 3, 4})
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0, (tmp_path / "log").read_text()


# -- What a core instance of a cluster is told -----------------------------------------------------------------------------


def test_pairs_and_tolerations_are_read_as_charts_write_them() -> None:
    assert kubernetes_settings.pairs("a=b, c/d=e=f,") == {"a": "b", "c/d": "e=f"}
    assert kubernetes_settings.tolerations("key=Equal:value:NoSchedule:60,other=Exists:::,third=Exists::NoExecute:") == [
        {"key": "key", "operator": "Equal", "value": "value", "effect": "NoSchedule", "tolerationSeconds": 60},
        {"key": "other", "operator": "Exists"},
        {"key": "third", "operator": "Exists", "effect": "NoExecute"},
    ]


@pytest.mark.parametrize("text", ["a", "=b", "a=b,c"])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(RuntimeUnavailableError, match="is no name=value"):
        kubernetes_settings.pairs(text)


@pytest.mark.parametrize("text", ["a=Sometimes", "a=Equal:b:Never", "a=Equal:b:NoSchedule:soon"])
def test_what_is_no_toleration_is_refused(text: str) -> None:
    with pytest.raises(RuntimeUnavailableError, match="is no toleration"):
        kubernetes_settings.tolerations(text)


def test_ours_wins_over_the_originals_name() -> None:
    environment = {"NECTARY_NAMESPACE": "ours", "NAMESPACE": "theirs", "CLUSTER_LOGGING": "True"}
    assert kubernetes_settings.value(environment, "NAMESPACE") == "ours"
    assert kubernetes_settings.is_on(environment, "CLUSTER_LOGGING")
    assert not kubernetes_settings.is_on(environment, "SKIP_SERVICE_CREATION")
