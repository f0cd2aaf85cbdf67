"""The core instance is killed at any moment: pipelines serve on, and there are never two copies of one."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nectary.core.runtimes import Deployment, Scaling
from nectary.core.runtimes.process import children, procfs, remembered
from nectary.core.runtimes.process.fluent_bit import Program
from nectary.core.runtimes.process.replica import Replica
from nectary.core.runtimes.process.runtime import ProcessRuntime
from tests.core.processes import (
    Client,
    config,
    deployment,
    load,
    pids,
    running,
    runtime,
    seen,
    sink,
    until,
    working_in,
)
from tests.harness.ports import free_port

pytestmark = [pytest.mark.fluent_bit, pytest.mark.timeout(240)]


@contextmanager
def core(folder: Path, program: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A core instance in a process of its own that has just begun, killed at the end."""
    arguments = [sys.executable, "-m", "tests.core.run_process_runtime", str(folder), program]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert b"started\n" in iter(process.stdout.readline, b"")  # after what it may log
            yield process
        finally:
            process.kill()


def copies(folder: Path, id: str) -> list[int]:
    """How many Fluent Bits run of each replica of a pipeline; rehearsals are none."""
    return [len(working_in(one)) for one in sorted((folder / "pipelines" / id / "replicas").glob("*"))]


async def test_data_flows_on_while_the_core_instance_is_dead(tmp_path: Path, fluent_bit: str) -> None:
    front, state = free_port(), tmp_path / "state"
    async with sink() as place:
        wanted = deployment("p", "1", config(place.port), front, scaling=Scaling(replicas=2))
        remembered.keep(tmp_path / "wanted.json", wanted)
        async with load(front) as clients:
            with core(state, fluent_bit):

                async def some() -> bool:
                    return sum(one.sent for one in clients) > 200

                await until(some)

                async def two() -> bool:
                    return len(pids(state)) == 2

                await until(two)
            alive = pids(state)
            sent = sum(one.sent for one in clients)

            async def more() -> bool:
                return sum(one.sent for one in clients) > sent + 500

            await until(more)
            assert pids(state) == alive
            async with runtime(state, fluent_bit) as here:
                await running(here, wanted, 2)
                assert pids(state) == alive
                assert not any(one.unsure for one in clients)
                for one in clients:
                    one.stopped = True
                taken = sum(one.sent for one in clients)

                async def all_there() -> bool:
                    return place.count >= taken

                await until(all_there)
                assert place.doubled == []


async def test_killed_at_any_moment_of_a_change_it_converges_and_never_runs_a_pipeline_twice(
    tmp_path: Path, fluent_bit: str
) -> None:
    front, state, chance = free_port(), tmp_path / "state", random.Random(5)
    async with sink() as place:
        most: list[int] = []
        client = Client(front, 0)
        sending = asyncio.create_task(client.run())

        async def look(seconds: float) -> None:
            end = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < end:
                most.append(max(copies(state, "p"), default=0))
                await asyncio.sleep(0.02)

        for number in range(12):
            strategy = "hotReload" if number % 2 else "recreate"
            replicas = Scaling(replicas=1 + number % 3)
            wanted = deployment(
                "p", str(number), config(place.port, mark=str(number)), front, strategy=strategy, scaling=replicas
            )
            remembered.keep(tmp_path / "wanted.json", wanted)
            with core(state, fluent_bit):
                await look(0.4 + chance.random() * 1.5)
        async with runtime(state, fluent_bit) as here:
            await running(here, wanted, wanted.scaling.replicas)
            assert copies(state, "p") == [1] * wanted.scaling.replicas
            assert max(most) == 1
            client.stopped = True
            await sending
            assert client.sent > 0
            last = Client(front, 10_000_000)
            await last.run(3)

            async def newest() -> bool:
                return all(id in place.ids for id in range(10_000_000, 10_000_030))

            await until(newest)


async def test_a_removal_that_was_cut_short_is_finished_at_the_next_start(tmp_path: Path, fluent_bit: str) -> None:
    front, state = free_port(), tmp_path / "state"
    async with sink() as place:
        here = ProcessRuntime(state, program=fluent_bit)
        await here.start()
        await running(here, deployment("p", "1", config(place.port), front))
        await running(here, deployment("q", "1", config(place.port), free_port()))
        await here.close(stop=False)
        (state / "pipelines/p/removed").touch()  # what remains of a removal after a kill
        async with runtime(state, fluent_bit) as here:
            await seen(here, "q", lambda it: it.state == "STARTED")
            assert list(await here.observe()) == ["q"]
            assert not (state / "pipelines/p").exists()


async def test_a_process_that_nobody_knows_is_ended_before_another_starts_there(tmp_path: Path, fluent_bit: str) -> None:
    front, state = free_port(), tmp_path / "state"
    async with sink() as place:
        wanted = deployment("p", "1", config(place.port), front)
        here = ProcessRuntime(state, program=fluent_bit)
        await here.start()
        await running(here, wanted)
        [old] = pids(state)
        await here.close(stop=False)
        (state / "pipelines/p/replicas/0/child.json").unlink()  # killed between starting it and writing that down
        async with runtime(state, fluent_bit) as here:
            await running(here, wanted)
            assert procfs.started(old) is None
            assert len(pids(state)) == 1


@pytest.mark.parametrize("place", ["pipelines/p/rehearsal", "trials/t"])
async def test_what_was_being_tried_out_is_cleared_away_at_the_next_start(tmp_path: Path, fluent_bit: str, place: str) -> None:
    state = tmp_path / "state"
    async with sink() as to:
        replica = Replica(Program(fluent_bit, ""), children.private_folder(state / place), 0, lambda: None)
        await replica.start(deployment("p", "1", config(to.port), free_port()))
        replica.let_go()  # killed in the middle of it
        assert working_in(state) != []
        async with runtime(state, fluent_bit):

            async def gone() -> bool:
                return not working_in(state)

            await until(gone)
            assert not (state / place).exists()


def test_a_process_number_that_came_round_again_is_left_alone(tmp_path: Path) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        folder = children.private_folder(tmp_path / "place")
        record = children.Record(bystander.pid, 1, procfs.boot(), {})
        children._keep(folder, record)
        held = children.lock(folder / "lock")
        assert held is not None
        assert children.inherit(folder) is None
        os.close(held)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


async def test_what_fluent_bit_buffers_on_disk_outlives_its_being_killed(tmp_path: Path, fluent_bit: str) -> None:
    front, state = free_port(), tmp_path / "state"
    async with sink() as place, runtime(state, fluent_bit) as here:
        text = config(place.port, service="  storage.path: ${NECTARY_STORAGE}")
        text = text.replace("port: 9880", "port: 9880\n      storage.type: filesystem")
        await running(here, deployment("p", "1", text, front))
        place.refuse = True
        client = Client(front, 0)
        await client.run(50)
        [pid] = pids(state)
        os.kill(pid, signal.SIGKILL)
        place.refuse = False

        async def all_there() -> bool:
            return set(place.ids) >= set(range(client.sent))

        await until(all_there)  # what was under way to the sink at that moment may come twice


def test_deployments_are_remembered_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    given: Deployment = deployment(
        "p", "1", "text", 1, environment={"A": "x\udcff"}, scaling=Scaling(1, 1, 3, 50, 0, ("Pods", 1, 60))
    )
    remembered.keep(path, given)
    assert remembered.recall(path) == given
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(path.read_bytes()[:-10])
    assert remembered.recall(path) is None
    assert remembered.recall(tmp_path / "none") is None
