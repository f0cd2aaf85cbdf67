"""`nectary serve`, the real program: its first start, its later ones, and how it ends."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import _sql
from tests.harness.ports import free_port
from tests.harness.serving import serving, start

PATIENCE = 30


def run(*arguments: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A command that is expected to end by itself."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NECTARY_")}
    return subprocess.run(
        [sys.executable, "-m", "nectary", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=folder,
        env=kept | environment,
        check=False,
    )


def test_the_first_start_tells_everything_once(tmp_path: Path) -> None:
    port = free_port()
    out = tmp_path / "out"
    for first in (True, False):
        with out.open("w") as told:
            command = [sys.executable, "-m", "nectary", "serve", "--port", str(port)]
            process = subprocess.Popen(command, cwd=tmp_path, stdout=told, stderr=subprocess.DEVNULL)
            _wait_until_healthy(port)
            process.terminate()
            assert process.wait(PATIENCE) == 0
        text = out.read_text()
        assert f"http://127.0.0.1:{port}" in text
        for secret in ("administrator", "password", "project token", "api_key"):
            assert (secret in text) is first
    data = tmp_path / "nectary-data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "token").stat().st_mode) == 0o600


def _wait_until_healthy(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError("no answer")


def test_the_default_token_file_is_written_in_place_before_health(tmp_path: Path) -> None:
    file = tmp_path / "project-token"
    file.write_text("x" * 1000)
    inode = file.stat().st_ino
    with serving(tmp_path) as server:
        assert httpx.get(f"{server.url}/healthz").json()["ok"] is True
        assert file.stat().st_ino == inode
        token = file.read_text()
        assert token.count(".") == 1
        found = httpx.get(f"{server.url}/v2/search?resource=environment", headers={"X-Project-Token": token})
        assert [one["name"] for one in found.json()] == ["default"]


def test_a_taken_port_is_said_and_nothing_is_made(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = run("serve", "--port", str(taken.getsockname()[1]), folder=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "Port" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = run("serve", "--port", str(free_port()), "--data-dir", str(tmp_path / "file" / "data"), folder=tmp_path)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "data folder" in ended.stderr


def test_a_newer_database_is_said_and_left_alone(tmp_path: Path) -> None:
    with serving(tmp_path):
        pass
    database = tmp_path / "data" / "nectary.db"
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    ended = run("serve", "--port", str(free_port()), "--data-dir", str(tmp_path / "data"), folder=tmp_path)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "newer" in ended.stderr
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "70000"], "port"),
        (["--log-level", "loud"], "log_level"),
        (["--database-url", "mysql://x"], "database_url"),
        (["--config", "missing.toml"], "missing.toml"),
    ],
)
def test_a_wrong_setting_is_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    ended = run("serve", *arguments, folder=tmp_path)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert said in ended.stderr


def test_an_unreachable_postgresql_is_said(tmp_path: Path) -> None:
    url = f"postgresql://nobody:secret@127.0.0.1:{free_port()}/none"
    ended = run("serve", "--port", str(free_port()), "--database-url", url, folder=tmp_path)
    assert ended.returncode == 1
    assert "cannot be used" in ended.stderr
    assert "secret" not in ended.stderr


def test_settings_come_from_flags_then_environment_then_file(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "nectary.toml").write_text('port = 1\nlog_level = "error"\ndata_dir = "from-file"\n')
    command = [sys.executable, "-m", "nectary", "serve", "--config", "nectary.toml", "--host", "127.0.0.1"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, env=os.environ | {"PORT": str(port)})
    try:
        _wait_until_healthy(port)
        assert (tmp_path / "from-file" / "nectary.db").exists()
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_stopping_finishes_what_runs_and_writes_what_it_took(tmp_path: Path) -> None:
    """A post acknowledged just before SIGTERM is in the database after it."""
    body = (Path(__file__).parent / "captures/metrics/agent_first.msgpack").read_bytes()
    server = start(tmp_path)
    try:
        token = {"X-Project-Token": server.token}
        agent = {"name": "a", "machineID": "m", "type": "fluentbit", "version": "5.1.1", "rawConfig": ""}
        made = httpx.post(f"{server.url}/v1/agents", json=agent, headers=token).json()
        path = f"{server.url}/v1/agents/{made['id']}/metrics"
        assert httpx.post(path, content=body, headers={"X-Agent-Token": made["token"]}).status_code == 201
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0, server.log()
    finally:
        server.kill()
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "nectary.db")) as connection:
        assert connection.execute("SELECT metrics_count FROM agents").fetchone() == (1,)


def test_stopping_takes_no_new_connections_but_answers_the_one_that_runs(tmp_path: Path) -> None:
    body = b'{"email": "nobody@example.com", "password": "it is hashed, which takes a while"}'
    head = f"POST /v1/sign_in HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    with serving(tmp_path) as server, socket.create_connection(("127.0.0.1", server.port), PATIENCE) as running:
        running.sendall(head.encode())
        assert running.recv(100).startswith(b"HTTP/1.1 100 ")  # now it runs: the body is waited for
        server.process.terminate()
        running.sendall(body)
        assert running.recv(100).startswith(b"HTTP/1.1 401 ")
        assert server.process.wait(PATIENCE) == 0
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", server.port), 2)


@pytest.fixture
def served_twice(tmp_path: Path, postgres_url: str) -> Iterator[tuple[str, str, str]]:
    """Two servers on one PostgreSQL: their addresses, and a token."""
    database = f"replicas_{os.getpid()}"
    asyncio.run(_sql(f"{postgres_url}/postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)"))
    asyncio.run(_sql(f"{postgres_url}/postgres", f"CREATE DATABASE {database}"))
    url = f"{postgres_url}/{database}"
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with (
        serving(tmp_path / "one", POSTGRES_DSN=url) as one,
        serving(tmp_path / "two", POSTGRES_DSN=url) as two,
    ):
        assert one.token == two.token
        yield one.url, two.url, one.bearer()


def test_a_revoked_token_is_refused_everywhere_though_it_was_remembered(served_twice: tuple[str, str, str]) -> None:
    one, two, bearer = served_twice
    person = {"Authorization": f"Bearer {bearer}"}
    [project] = httpx.get(f"{one}/v1/projects", headers=person).json()
    made = httpx.post(f"{one}/v1/projects/{project['id']}/tokens", json={"name": "x"}, headers=person).json()
    token = {"X-Project-Token": made["token"]}
    path = f"/v1/projects/{project['id']}"
    for _ in range(15):  # both have it in memory, and believe what is there once they have read the revocations
        assert [httpx.get(url + path, headers=token).status_code for url in (one, two)] == [200, 200]
        time.sleep(0.2)
    assert httpx.delete(f"{one}/v1/project_tokens/{made['id']}", headers=person).status_code == 204
    assert httpx.get(one + path, headers=token).status_code == 410, "at once where it was revoked"
    deadline = time.monotonic() + PATIENCE
    while httpx.get(two + path, headers=token).status_code != 410:
        assert time.monotonic() < deadline, "the other server never read the revocation"
        time.sleep(0.1)


def test_the_command_line_lists_what_there_is(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        environment = {"NECTARY_URL": server.url}
        agent = {"name": "edge", "machineID": "m", "type": "fluentbit", "version": "5.1.1", "rawConfig": ""}
        httpx.post(f"{server.url}/v1/agents", json=agent, headers={"X-Project-Token": server.token})

        def get(*arguments: str, **more: str) -> Any:
            ended = run("get", *arguments, "--data-dir", str(tmp_path / "data"), folder=tmp_path, **environment, **more)
            assert ended.returncode == 0, ended.stderr
            return ended.stdout

        table = get("agents").splitlines()
        assert table[0].split()[:3] == ["NAME", "STATUS", "VERSION"]
        assert table[1].split()[:3] == ["edge", "healthy", "5.1.1"]
        assert json.loads(get("agents", "-o", "json"))[0]["machineID"] == "m"
        assert "name: default" in get("environments", "-o", "yaml")
        assert json.loads(get("tokens", "-o", "json"))[0]["token"] == server.token
        assert [p["name"] for p in json.loads(get("projects", "-o", "json"))] == ["default"]
        assert json.loads(get("tokens", "-o", "json", NECTARY_TOKEN=server.bearer()))[0]["name"] == "default"

        refused = run("get", "agents", "--token", "nonsense", folder=tmp_path, **environment)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    gone = run("get", "agents", "--token", "x", folder=tmp_path, **environment)
    assert gone.returncode == 1
    assert "does not answer" in gone.stderr
    nothing = run("get", "agents", folder=tmp_path)
    assert nothing.returncode == 1
    assert "NECTARY_TOKEN" in nothing.stderr
