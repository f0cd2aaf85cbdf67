"""The whole story on one machine, with the real programs: server, core instance, Fluent Bit; changed, scaled and killed."""

import asyncio
import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.core.processes import Client, Sink, load, sink, until
from tests.harness.pipelines import encoded
from tests.harness.ports import free_port
from tests.harness.serving import Served, start

pytestmark = [pytest.mark.fluent_bit, pytest.mark.timeout(600)]

# The hundred thousand is STORY_RECORDS=100000.
RECORDS = int(os.environ.get("STORY_RECORDS", "5000"))
SECRET = "not-for-your-eyes"
PATIENCE = 120.0


def config(port: int, to: int, mark: str) -> str:
    return f"""\
[SERVICE]
    Flush 0.2
    Grace 3
[INPUT]
    Name http
    Listen 127.0.0.1
    Port {port}
[FILTER]
    Name modify
    Match *
    Add mark {mark}
[OUTPUT]
    Name http
    Match *
    Host 127.0.0.1
    Port {to}
    Format json_lines
    Header X-Word {{{{ secrets.word }}}}
    Retry_Limit no_limits
"""


class Story:
    """A server and a core instance in processes of their own, and whoever asks them."""

    def __init__(self, folder: Path, fluent_bit: str) -> None:
        self.folder, self.fluent_bit = folder, fluent_bit
        self.server = start(folder)
        self.port = self.server.port
        self.core: subprocess.Popen[bytes] | None = None

    def begin_core(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NECTARY_")}
        environment = kept | {
            "NECTARY_URL": self.server.url,
            "NECTARY_TOKEN": self.server.token,
            "CORE_INSTANCE": "here",
            "NECTARY_FLUENT_BIT": self.fluent_bit,
        }
        command = [sys.executable, "-m", "nectary", "core", "run", "--runtime", "process", "--state-dir", str(self.state)]
        with (self.folder / "core.log").open("ab") as log:
            self.core = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    @property
    def state(self) -> Path:
        return self.folder / "core"

    def kill_core(self) -> None:
        assert self.core is not None
        self.core.kill()
        self.core.wait(PATIENCE)

    def begin_server_again(self) -> None:
        self.server = start(self.folder, NECTARY_PORT=str(self.port))

    async def ask(self, method: str, path: str, expect: int = 200, **sent: Any) -> Any:
        async with httpx.AsyncClient(base_url=self.server.url, headers={"X-Project-Token": self.server.token}) as http:
            answer = await http.request(method, path, timeout=60, **sent)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text[:1000]}"
        return answer.json() if answer.content else None

    async def core_instance(self) -> str:
        project = json.loads(_decoded(self.server.token.split(".")[0]))["ProjectID"]

        async def there() -> Any:
            return (await self.ask("GET", f"/v1/projects/{project}/core_instances"))["items"]

        [found] = await self.until(there)
        id: str = found["id"]
        return id

    async def until(self, what: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await until(what, PATIENCE)
        except AssertionError as error:
            log = (self.folder / "core.log").read_text(errors="replace")
            said = "".join(file.read_text(errors="replace")[-3000:] for file in self.state.rglob("said.log"))
            raise AssertionError(f"{error}; the core instance says:\n{log[-4000:]}\n{said}") from None

    async def status(self, id: str) -> dict[str, Any]:
        shown: dict[str, Any] = await self.ask("GET", f"/v1/aggregator_pipelines/{id}?include=ports")
        return shown

    async def runs(self, id: str) -> None:
        """The newest configuration is reported as running."""

        async def look() -> bool:
            shown = await self.status(id)
            return bool(shown["status"]["status"] == "STARTED" and shown["status"]["config"]["id"] == shown["config"]["id"])

        await self.until(look)

    async def totals(self, core_instance_id: str, id: str) -> dict[str, int]:
        """Records counted for a pipeline in the last hour, by kind of plugin."""
        query = {"start": "-1h", "pipeline_id": id}
        found = await self.ask("GET", f"/v1/aggregators/{core_instance_id}/pipelines_metrics", params=query)
        measured = found[id]["data"]["measurements"] if "data" in found[id] else found[id]["measurements"]
        return {kind.removeprefix("fluentbit_"): said["totals"]["records"][0]["value"] for kind, said in measured.items()}

    def end(self) -> None:
        if self.core is not None and self.core.poll() is None:
            self.core.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.core.wait(30)
            self.core.kill()
            self.core.wait(30)
        self.server.kill()
        for process in ours(self.folder):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def ours(folder: Path) -> list[psutil.Process]:
    """Whatever works below the test's own folder: nobody else's process does."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if Path(process.cwd()).is_relative_to(folder) or any(str(folder) in word for word in process.cmdline()):
                found.append(process)
    return found


def fluent_bits(folder: Path) -> list[psutil.Process]:
    """Those that run pipelines, not those that only try a configuration."""
    found = []
    for process in ours(folder):
        with contextlib.suppress(psutil.Error, OSError):
            if process.name() == "fluent-bit" and "replicas" in Path(process.cwd()).parts:
                found.append(process)
    return found


@contextlib.asynccontextmanager
async def telling(folder: Path, fluent_bit: str) -> AsyncIterator[Story]:
    story = await asyncio.to_thread(Story, folder, fluent_bit)
    try:
        story.begin_core()
        yield story
    finally:
        await asyncio.to_thread(story.end)


async def arrives(story: Story, client_port: int, to: Sink, first: int) -> None:
    """One record goes through."""
    await Client(client_port, first=first, each=1).run(requests=1)

    async def there() -> bool:
        return to.ids[first] == 1

    await story.until(there)


async def test_a_pipeline_on_one_machine(fluent_bit: str, tmp_path: Path) -> None:
    async with sink() as to, telling(tmp_path, fluent_bit) as story:
        me, port = await story.core_instance(), free_port()
        body = {
            "rawConfig": config(port, to.port, "one"),
            "deploymentStrategy": "hotReload",
            "secrets": [{"key": "word", "value": encoded(SECRET)}],
        }
        made = await story.ask("POST", f"/v1/aggregators/{me}/pipelines", 201, json=body)
        id: str = made["id"]
        await story.runs(id)
        assert [one["endpoint"] for one in (await story.status(id))["ports"]] == [f"127.0.0.1:{port}"]

        # All that was taken comes out, once, and is counted.
        clients = [Client(port, first=500_000_000 + number * 1_000_000, each=50) for number in range(4)]
        await asyncio.gather(*(one.run(requests=RECORDS // 200, pause=0) for one in clients))
        sent = sum(one.sent for one in clients)
        assert sent == RECORDS

        async def all_there() -> bool:
            return to.count >= sent

        await story.until(all_there)
        assert (len(to.ids), to.doubled) == (sent, [])

        async def counted() -> bool:
            return await story.totals(me, id) == {"input": sent, "filter": sent, "output": sent}

        await story.until(counted)

        # Changed by hot reload while records come in: none lost, none doubled.
        async with load(port, clients=2) as loaders:
            await story.ask(
                "PATCH",
                f"/v1/aggregator_pipelines/{id}",
                json={"rawConfig": config(port, to.port, "two"), "configFormat": "ini"},
            )
            await story.runs(id)
            await asyncio.sleep(1)
        sent += sum(one.sent for one in loaders)
        await story.until(all_there)
        assert to.count == sent
        assert to.doubled == []

        # Three replicas, and one again.
        for replicas in (3, 1):
            await story.ask("PATCH", f"/v1/aggregator_pipelines/{id}", json={"replicasCount": replicas})

            async def as_many(wanted: int = replicas) -> bool:
                return len(fluent_bits(tmp_path)) == wanted

            await story.until(as_many)
        await story.runs(id)
        await arrives(story, port, to, 50_000_001)

        await secrets_are_nowhere_in_plain(story, id)

        await killed_one_after_the_other(story, id, port, to)
        assert to.doubled == []
        await story.ask("DELETE", f"/v1/aggregator_pipelines/{id}", 204)

        async def none() -> bool:
            return fluent_bits(tmp_path) == []

        await story.until(none)


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long it took, for people to see with `pytest -rP`: machines are shared, so that no test may depend on it."""
    began = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began:.1f} s")


async def killed_one_after_the_other(story: Story, id: str, port: int, to: Sink) -> None:
    """A child, the core instance, the server: it comes back each time, and runs on meanwhile."""
    [child] = fluent_bits(story.folder)
    child.send_signal(signal.SIGKILL)

    async def another() -> bool:
        return [one.pid for one in fluent_bits(story.folder)] not in ([], [child.pid])

    with timed("fluent-bit killed, and records pass again"):
        await story.until(another)
        await arrives(story, port, to, 50_000_002)

    [child] = fluent_bits(story.folder)
    await asyncio.to_thread(story.kill_core)
    await arrives(story, port, to, 50_000_003)
    await story.ask("PATCH", f"/v1/aggregator_pipelines/{id}", json={"rawConfig": config(port, to.port, "three")})
    with timed("core instance killed and begun again, and a change made meanwhile runs"):
        story.begin_core()
        await story.runs(id)
    assert [one.pid for one in fluent_bits(story.folder)] == [child.pid], "found again, and reloaded"

    await asyncio.to_thread(story.server.kill)
    await arrives(story, port, to, 50_000_004)
    with timed("server killed and begun again, and a change made at once runs"):
        await asyncio.to_thread(story.begin_server_again)
        await story.ask("PATCH", f"/v1/aggregator_pipelines/{id}", json={"rawConfig": config(port, to.port, "four")})
        await story.runs(id)
    await arrives(story, port, to, 50_000_005)


async def secrets_are_nowhere_in_plain(story: Story, id: str) -> None:
    """Neither on the API, nor in the process list, nor in a file that others could read."""
    path = f"/v1/aggregator_pipelines/{id}?include=secrets,files&render_with_config_sections=true"
    assert SECRET not in json.dumps(await story.ask("GET", path))
    command = [sys.executable, "-m", "nectary", "get", "agents", "-o", "json"]
    command += ["--url", story.server.url, "--token", story.server.token]
    ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=True)
    agents = ran.stdout
    assert f"pipeline-{id}-0" in agents
    assert "{{ secrets.word }}" in agents
    assert SECRET not in agents
    for process in psutil.process_iter(["cmdline"]):
        assert SECRET not in " ".join(process.info["cmdline"] or ())
    for file in story.state.rglob("*"):
        if file.is_file() and not file.is_symlink() and SECRET.encode() in file.read_bytes():
            assert file.stat().st_mode & 0o077 == 0, file
    assert story.state.stat().st_mode & 0o077 == 0


async def test_a_tap_shows_all_four_stages_and_the_rule_does_what_its_preview_said(fluent_bit: str, tmp_path: Path) -> None:
    async with sink() as to, telling(tmp_path, fluent_bit) as story:
        me, port = await story.core_instance(), free_port()
        body = {"rawConfig": config(port, to.port, "x"), "secrets": [{"key": "word", "value": encoded(SECRET)}]}
        id = (await story.ask("POST", f"/v1/aggregators/{me}/pipelines", 201, json=body))["id"]
        actions = [
            {
                "kind": "rename",
                "enabled": True,
                "selectors": [{"kind": "key", "op": "equal", "expr": "old"}],
                "renameTo": "new",
            },
            {"kind": "mask", "enabled": True, "selectors": [{"kind": "key", "op": "equal", "expr": "card"}], "maskWith": "***"},
        ]
        record = {"id": 7, "old": "a", "card": "4111"}
        preview = {"language": "lua", "actions": actions, "logs": [[1700000000, record]]}
        previewed = await story.ask("POST", "/v1/preview_processing_rule", json=preview)
        rule = {"match": "*", "language": "lua", "actions": actions}
        await story.ask("POST", f"/v1/pipelines/{id}/processing_rules", 201, json=rule)
        await story.runs(id)

        async def with_rule() -> bool:
            return any("processing-rule" in file.name for file in story.state.rglob("*"))

        await story.until(with_rule)
        async with httpx.AsyncClient() as http:

            async def send() -> None:
                with contextlib.suppress(httpx.TransportError):
                    await http.post(f"http://127.0.0.1:{port}/a.b", json=[record])

            async def ruled() -> bool:
                await send()
                await asyncio.sleep(0.5)
                return any("new" in each for each in to.records)

            await story.until(ruled)
            out = next(each for each in to.records if "new" in each)
            del out["date"], out["mark"]
            assert [each[1] for each in previewed] == [out]

            session = await story.ask(
                "POST", f"/v1/pipelines/{id}/trace_sessions", 201, json={"plugins": ["http.0"], "lifespan": "5m"}
            )
            path = f"/v1/trace_sessions/{session['id']}/records"

            async def tapped() -> Any:
                await send()
                await asyncio.sleep(0.5)
                seen = await story.ask("GET", path)
                return seen if {each["type"] for each in seen} == {1, 2, 3, 4} else None

            seen = await story.until(tapped)
            filtered = [each for each in seen if each["type"] == 2]
            assert {"modify.0", "lua.1"} <= {each["plugin_instance"] for each in filtered}
            shown = [each["record"] for one in filtered if one["plugin_instance"] == "lua.1" for each in one["records"]]
            assert {**out, "mark": "x"} in shown
            assert any(each["return_code"] == 1 for each in seen if each["type"] == 4)

            # Over with its session, and the pipeline never noticed.
            await story.ask("DELETE", f"/v1/pipelines/{id}/trace_session")
            children = [one.pid for one in fluent_bits(tmp_path)]
            await send()
            assert [one.pid for one in fluent_bits(tmp_path)] == children


def test_a_server_runs_pipelines_by_itself(fluent_bit: str, tmp_path: Path) -> None:
    served: Served | None = None
    try:
        served = start(tmp_path, NECTARY_CORE="true", NECTARY_CORE_NAME="here", NECTARY_FLUENT_BIT=fluent_bit)
        assert "Pipelines run here, as core instance here" in served.log()
    finally:
        if served is not None:
            served.process.terminate()
            assert served.process.wait(PATIENCE) == 0
        for process in ours(tmp_path):
            process.kill()


def test_a_server_without_fluent_bit_says_how_to_get_one(tmp_path: Path) -> None:
    served = start(tmp_path, NECTARY_CORE="true", NECTARY_FLUENT_BIT=str(tmp_path / "no-such-program"))
    try:
        assert "there is no fluent-bit" in served.log()
        assert "https://docs.fluentbit.io/manual/installation" in served.log()
    finally:
        served.kill()
