"""What goes wrong with a pipeline is said in words a person can act on, is not tried in a frenzy, and hurts no other."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from nectary import clock
from nectary.core.runtimes import File, Observed, Port, Resources, RuntimeUnavailableError, Scaling
from nectary.core.runtimes.process import children
from nectary.core.runtimes.process.runtime import ProcessRuntime
from tests.core.processes import Client, config, deployment, pids, running, runtime, seen, sink, until
from tests.harness.ports import free_port

pytestmark = [pytest.mark.fluent_bit, pytest.mark.timeout(240)]


def said(found: Observed, reason: str) -> str:
    return next((event.message for event in found.events if event.reason == reason), "")


async def test_a_taken_port_is_named_with_who_has_it_and_opened_once_it_is_free(tmp_path: Path, fluent_bit: str) -> None:
    front, other = free_port(), free_port()
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        await running(here, deployment("q", "1", config(place.port), other))
        untouched = pids(tmp_path / "state")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", front))
            taken.listen()
            await here.apply(deployment("p", "1", config(place.port), front))
            found = await seen(here, "p", lambda it: it.state == "FAILED")
            assert f"tcp port {front} is taken by" in said(found, "PortInUse")
            assert f"(process {os.getpid()})" in said(found, "PortInUse")
            assert "p-port" not in found.endpoints
        found = await seen(here, "p", lambda it: it.state == "STARTED" and "p-port" in it.endpoints)
        assert said(found, "PortOpened")
        assert set(untouched) <= set(pids(tmp_path / "state"))


async def test_of_two_pipelines_with_one_port_the_first_keeps_it(tmp_path: Path, fluent_bit: str) -> None:
    front = free_port()
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        await running(here, deployment("p", "1", config(place.port), front))
        await here.apply(deployment("q", "1", config(place.port), front))
        found = await seen(here, "q", lambda it: it.state == "FAILED")
        assert said(found, "PortInUse") == (
            f"tcp port {front} is taken by the pipeline name of p; free it, or give this pipeline another port"
        )
        assert found.events[-1].reason == "PortInUse", "which an alert says last"
        assert (await here.observe())["p"].state == "STARTED"


async def test_a_port_that_nothing_listens_on_is_told(tmp_path: Path, fluent_bit: str) -> None:
    ports = (Port("a", "tcp", free_port(), 9880), Port("b", "tcp", free_port(), 9999), Port("own", "tcp", free_port(), 0))
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        text = config(place.port, service="  http_listen: 127.0.0.1")
        found = await running(here, deployment("p", "1", text, 0, ports=tuple(p for p in ports if p.id != "own")))
        assert said(found, "PortNotListened") == "tcp port 9999 is declared, but nothing in the configuration listens on it"
        assert set(found.endpoints) == {"a"}


async def test_without_a_program_nothing_can_be_run(tmp_path: Path) -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"no fluent-bit program at .*nowhere"):
        await ProcessRuntime(tmp_path / "state", program=str(tmp_path / "nowhere")).start()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'Fluent Bit v1.9.3'", r"is Fluent Bit v1\.9\.3; pipelines need 3\.0\.0 or newer"),
        ("echo hello", "does not answer as Fluent Bit does"),
        ("exit 3", "does not answer as Fluent Bit does"),
    ],
)
async def test_a_wrong_program_is_refused(tmp_path: Path, script: str, says: str) -> None:
    program = tmp_path / "fluent-bit"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    with pytest.raises(RuntimeUnavailableError, match=says):
        await ProcessRuntime(tmp_path / "state", program=str(program)).start()


async def test_a_program_that_went_away_is_told_and_taken_when_it_is_back(tmp_path: Path, fluent_bit: str) -> None:
    program, front = tmp_path / "fluent-bit", free_port()
    program.symlink_to(fluent_bit)
    async with sink() as place, runtime(tmp_path / "state", str(program)) as here:
        await running(here, deployment("p", "1", config(place.port), front))
        program.unlink()
        os.kill(pids(tmp_path / "state")[0], signal.SIGKILL)
        found = await seen(here, "p", lambda it: bool(said(it, "BinaryMissing")))
        assert found.state == "FAILED"
        assert "is Fluent Bit still installed?" in said(found, "BinaryMissing")
        program.symlink_to(fluent_bit)
        await seen(here, "p", lambda it: it.state == "STARTED")


BROKEN = "    - {name: lua, match: '*', script: /nowhere/a.lua, call: f}"


async def test_a_configuration_that_ends_at_once_is_told_and_not_tried_in_a_frenzy(tmp_path: Path, fluent_bit: str) -> None:
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        await running(here, deployment("q", "1", config(place.port), free_port()))
        await here.apply(deployment("p", "1", config(place.port, filters=BROKEN), free_port()))
        found = await seen(here, "p", lambda it: it.state == "FAILED")
        assert "/nowhere/a.lua" in said(found, "Exited")
        assert "tried again in" in said(found, "Exited")
        await asyncio.sleep(4)  # tries after 1 and 2 s
        tries = (await here.logs("p", 10_000)).count("[fluent bit] version=")
        assert 1 <= tries <= 4
        assert (await here.observe())["q"].state == "STARTED"
        await running(here, deployment("p", "2", config(place.port), free_port()))


@pytest.mark.parametrize("strategy", ["hotReload", "recreate"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ({"filters": BROKEN}, "/nowhere/a.lua"),
        ({"filters": "    - {name: unheard_of, match: '*'}"}, "unheard_of"),
        ({"filters": "    - {name: grep, match: '*', regexx: 'a b'}"}, "regexx"),
        ({"inputs": "    - {name: tail}"}, "tail"),  # fails in earnest only: a rehearsal leaves it out
    ],
)
async def test_a_configuration_that_does_not_start_leaves_the_old_one_running(
    tmp_path: Path, fluent_bit: str, strategy: str, text: dict[str, str], says: str
) -> None:
    front = free_port()
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        await running(here, deployment("p", "1", config(place.port), front))
        await here.apply(deployment("p", "2", config(place.port, mark="2", **text), front, strategy=strategy))
        found = await seen(here, "p", lambda it: it.state == "FAILED" and it.ready == 1 and it.version == "1")
        told = " ".join(event.message for event in found.events)
        assert says in told
        assert "the previous configuration keeps running" in told
        client = Client(front, 0)
        await client.run(2)

        async def there() -> bool:
            return place.count == 20

        await until(there)
        assert {record["mark"] for record in place.records} == {"1"}
        await running(here, deployment("p", "3", config(place.port, mark="3"), front, strategy=strategy))


@pytest.mark.parametrize("strategy", ["hotReload", "recreate"])
async def test_of_several_replicas_only_the_first_tries_what_does_not_start(
    tmp_path: Path, fluent_bit: str, strategy: str
) -> None:
    front, three = free_port(), Scaling(replicas=3)
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        await running(here, deployment("p", "1", config(place.port), front, scaling=three), 3)
        before = set(pids(tmp_path / "state"))
        broken = config(place.port, inputs="    - {name: tail}")
        await here.apply(deployment("p", "2", broken, front, scaling=three, strategy=strategy))
        await seen(here, "p", lambda it: it.state == "FAILED" and it.ready == 3 and it.version == "1")
        assert len(before & set(pids(tmp_path / "state"))) == 2


async def test_somebody_who_looks_into_a_folder_is_left_alone(tmp_path: Path, fluent_bit: str) -> None:
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        await running(here, deployment("p", "1", config(place.port), free_port()))
        folder = tmp_path / "state/pipelines/p/replicas/0"
        reader = await asyncio.create_subprocess_exec("tail", "-f", "said.log", cwd=folder, stdout=asyncio.subprocess.DEVNULL)
        try:
            children.clear(folder)
            await seen(here, "p", lambda it: any(one.reason == "Killed" for one in it.events) and it.state == "STARTED")
            assert reader.returncode is None
        finally:
            reader.kill()
            await reader.wait()


async def test_a_configuration_that_cannot_be_read_is_told(tmp_path: Path, fluent_bit: str) -> None:
    async with runtime(tmp_path / "state", fluent_bit) as here:
        await here.apply(deployment("p", "1", "pipeline:\n  inputs: [", free_port()))
        found = await seen(here, "p", lambda it: it.state == "FAILED")
        assert "line 3: not YAML" in said(found, "ConfigRefused")


async def test_a_file_that_would_lie_elsewhere_is_not_written(tmp_path: Path, fluent_bit: str) -> None:
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        files = (File("../../escaped", b"x"),)
        await here.apply(deployment("p", "1", config(place.port), free_port(), files=files))
        found = await seen(here, "p", lambda it: it.state == "FAILED")
        assert "cannot be called '../../escaped'" in said(found, "BadFileName")
        assert not list(tmp_path.rglob("escaped"))


async def test_an_output_that_is_refused_is_told_with_where_and_how_often(tmp_path: Path, fluent_bit: str) -> None:
    front, nobody = free_port(), free_port()
    async with runtime(tmp_path / "state", fluent_bit) as here:
        text = config(nobody, service="  scheduler.base: 1\n  scheduler.cap: 2")
        await running(here, deployment("p", "1", text, front))
        client = Client(front, 0)
        await client.run(30, pause=0.3)
        found = await seen(here, "p", lambda it: bool(said(it, "OutputFails")))
        told = said(found, "OutputFails")
        assert told.startswith(f"output http.0: connection refused 127.0.0.1:{nobody}; ")
        assert " retries in " in told
        assert found.state == "STARTED"


async def test_a_moved_clock_is_told_and_changes_nothing(tmp_path: Path, fluent_bit: str) -> None:
    front = free_port()
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        await running(here, deployment("p", "1", config(place.port), front))
        before = pids(tmp_path / "state")
        with clock.moved(timedelta(hours=-3)):
            found = await seen(here, "p", lambda it: bool(said(it, "ClockMoved")))
            assert said(found, "ClockMoved").startswith("this machine's clock was moved by -10800 s")
            assert found.state == "STARTED"
            client = Client(front, 0)
            await client.run(2)

            async def there() -> bool:
                return place.count == 20

            await until(there)
        assert pids(tmp_path / "state") == before


async def test_more_memory_than_is_allowed_ends_a_replica_with_a_word(tmp_path: Path, fluent_bit: str) -> None:
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        limit = Resources(memory_limit="2Mi")
        await running(here, deployment("p", "1", config(place.port), free_port(), resources=limit))
        found = await seen(here, "p", lambda it: bool(said(it, "MemoryLimit")))
        assert "of memory and may use 2 MiB" in said(found, "MemoryLimit")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if sys.platform != "linux" or mount is None or os.geteuid() != 0:
        pytest.skip("SKIPPED: only root can mount a small file system to fill")
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=False).returncode != 0:
        pytest.skip("SKIPPED: no small file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(handle, b"x" * 4096)
    os.close(handle)


async def test_a_full_disk_is_told_and_the_pipeline_works_again_once_there_is_room(
    tmp_path: Path, small_disk: Path, fluent_bit: str
) -> None:
    front = free_port()
    async with sink() as place, runtime(small_disk / "state", fluent_bit) as here:
        text = config(place.port, service="  storage.path: ${NECTARY_STORAGE}")
        text = text.replace("port: 9880", "port: 9880\n      storage.type: filesystem")
        await running(here, deployment("p", "1", text, front))
        ballast = small_disk / "ballast"
        fill(ballast)
        await here.apply(deployment("p", "2", text.replace("mark 1", "mark 2"), front))
        found = await seen(here, "p", lambda it: any(one.reason in ("DiskFull", "FolderUnusable") for one in it.events))
        assert "No space left" in " ".join(one.message for one in found.events)
        client = Client(front, 0)
        sending = asyncio.create_task(client.run(600, pause=0.1))
        await seen(here, "p", lambda it: "buffers its data" in " ".join(one.message for one in it.events))
        ballast.unlink()
        client.stopped = True
        await sending
        assert client.refused > 0, "Fluent Bit says so to whoever sends"
        last = Client(front, 1000)
        await running(here, deployment("p", "3", text.replace("mark 1", "mark 3"), front))
        await last.run(3)

        async def there() -> bool:
            return set(range(1000, 1030)) <= set(place.ids)

        await until(there)
