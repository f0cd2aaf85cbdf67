"""Pipelines on this machine, with a real Fluent Bit: nothing is lost or doubled while they change."""

import asyncio
import os
import signal
import stat
from pathlib import Path

import pytest

from nectary.core.runtimes import File, Port, Resources, Runtime, RuntimeUnavailableError, Scaling
from nectary.core.runtimes.process import fluent_bit as program
from nectary.core.runtimes.process.runtime import ProcessRuntime
from tests.core.processes import (
    Client,
    Sink,
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
from tests.harness.listening import listening
from tests.harness.ports import free_port

pytestmark = [pytest.mark.fluent_bit, pytest.mark.timeout(300)]


async def arrived(place: Sink, clients: list[Client]) -> None:
    """Everything that was taken comes out, once; of what broke off nobody knows."""

    def out() -> int:
        unsure = set().union(*(one.unsure for one in clients))
        return sum(1 for id in place.ids if id not in unsure)

    async def all_there() -> bool:
        return out() >= sum(one.sent for one in clients)

    await until(all_there)
    assert out() == sum(one.sent for one in clients)
    assert place.doubled == []


async def test_records_go_through_a_pipeline_that_was_applied(tmp_path: Path, fluent_bit: str) -> None:
    front = free_port()
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        found = await running(here, deployment("p", "1", config(place.port), front))
        assert found.endpoints == {"p-port": f"127.0.0.1:{front}"}
        client = Client(front, 0)
        await client.run(5)
        await arrived(place, [client])
        assert place.records[0]["mark"] == "1"
        assert [event.reason for event in found.events] == ["Started"]


async def test_a_hundred_thousand_records_go_in_and_out(tmp_path: Path, fluent_bit: str) -> None:
    front = free_port()
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        await running(here, deployment("p", "1", config(place.port), front))
        clients = [Client(front, number * 10_000_000, each=100) for number in range(4)]
        await asyncio.gather(*(one.run(250, pause=0) for one in clients))
        assert sum(one.sent for one in clients) == 100_000
        await arrived(place, clients)
        [url] = await here.http("p")

        async def counted() -> bool:
            counts = await program.metrics(int(url.rpartition(":")[2]))
            if not counts:
                return False  # not asked in time: it is busy
            taken, changed = counts["input"]["http.0"]["records"], counts["filter"]["modify.0"]["records"]
            return bool(taken == changed == counts["output"]["http.0"]["proc_records"] == 100_000)

        await until(counted)


@pytest.mark.parametrize("buffer", ["memory", "filesystem"])
@pytest.mark.parametrize("strategy", ["hotReload", "recreate"])
async def test_a_change_under_load_loses_and_doubles_nothing(
    tmp_path: Path, fluent_bit: str, strategy: str, buffer: str
) -> None:
    front = free_port()

    def text(mark: str) -> str:
        made = config(place.port, mark=mark, service="  storage.path: ${NECTARY_STORAGE}")
        return made.replace("port: 9880", f"port: 9880\n      storage.type: {buffer}")

    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        left: list[int] = []

        async def leaving(pipeline_id: str, address: str) -> None:
            left.append(await taken(address))

        here.leaving = leaving
        await running(here, deployment("p", "1", text("1"), front))
        [before] = pids(tmp_path / "state")
        async with load(front) as clients:
            for version in ("2", "3", "4"):
                found = await running(here, deployment("p", version, text(version), front, strategy=strategy))
                await asyncio.sleep(0.3)
        await arrived(place, clients)
        assert [one.connections for one in clients] == [1] * 4, "clients kept the connection that they began with"
        assert not any(one.unsure for one in clients)
        assert (pids(tmp_path / "state") == [before]) is (strategy == "hotReload")
        assert ("Reloaded" in {event.reason for event in found.events}) is (strategy == "hotReload")

        async def all_counted() -> bool:
            [address] = await here.http("p")
            return len(left) == 3 and sum(left) + await taken(address) == place.count

        await until(all_counted)


async def taken(address: str) -> int:
    """Records that came in, by a Fluent Bit's own count."""
    counts = await program.metrics(int(address.rpartition(":")[2]))
    return int(counts["input"]["http.0"]["records"]) if counts else -1


async def test_three_replicas_and_back_under_load(tmp_path: Path, fluent_bit: str) -> None:
    front = free_port()
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        text = config(place.port)
        await running(here, deployment("p", "1", text, front))
        async with load(front, 6) as clients:
            [first] = pids(tmp_path / "state")
            await running(here, deployment("p", "3", text, front, scaling=Scaling(replicas=3)), 3)
            assert len(pids(tmp_path / "state")) == 3
            assert first in pids(tmp_path / "state"), "it went on as it was"

            async def all_work() -> bool:
                counts = [await program.metrics(int(url.rpartition(":")[2])) for url in await here.http("p")]
                return all(one and one["input"]["http.0"]["records"] > 0 for one in counts)

            await until(all_work)  # though no client opened a new connection
            found = await running(here, deployment("p", "1", text, front))
        await arrived(place, clients)
        assert not any(one.unsure for one in clients)
        assert pids(tmp_path / "state") == [first]
        scaled = [event.message for event in found.events if event.reason == "Scaled"]
        assert scaled == ["from 1 replica to 3 replicas", "from 3 replicas to 1 replica"]


async def test_replicas_follow_the_load(tmp_path: Path, fluent_bit: str) -> None:
    front, little = free_port(), Resources(cpu_request="1m")
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        scaling = Scaling(minimum=1, maximum=2, cpu_percent=1)
        text = config(place.port)
        await running(here, deployment("p", "1", text, front, scaling=scaling, resources=little))
        async with load(front) as clients:
            await seen(here, "p", lambda it: it.ready == 2 and it.state == "STARTED", 120)
        await arrived(place, clients)
        assert not any(one.unsure for one in clients)


async def test_a_stuck_output_does_not_hold_a_change_up_for_ever(tmp_path: Path, fluent_bit: str) -> None:
    """Fluent Bit itself would wait without end (hot_reload.ensure_thread_safety), with its inputs shut."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass

    front = free_port()
    async with listening(swallow) as hole, sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        await running(here, deployment("p", "1", config(hole), front))
        stuck = Client(front, 0)
        await stuck.run(5)
        await asyncio.sleep(1)  # they are under way to where no answer comes from
        found = await running(here, deployment("p", "2", config(place.port), front, strategy="hotReload"))
        words = {event.reason: event.message for event in found.events}
        assert "outputs did not take what was left within 30 s" in words["ReloadFailed"]
        assert "what it had in memory only is lost" in words["NotFlushed"]
        client = Client(front, 1000)
        await client.run(3)
        await arrived(place, [client])


async def test_what_fluent_bit_says_is_kept_short(tmp_path: Path, fluent_bit: str) -> None:
    front = free_port()
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        text = config(place.port) + "    - {name: stdout, match: '*'}\n"
        await running(here, deployment("p", "1", text, front))
        path = tmp_path / "state/pipelines/p/replicas/0/said.log"
        with path.open("ab") as file:
            file.write(b"[2026/11/24 02:30:00.0] [ info] much to say about nothing\n" * 100_000)

        async def shortened() -> bool:
            return path.stat().st_size < 1_000_000

        await until(shortened)
        client = Client(front, 0)
        await client.run(3)
        await arrived(place, [client])

        async def goes_on() -> bool:
            return '"mark"=>"1"' in await here.logs("p", 100)

        await until(goes_on)
        assert (tmp_path / "state/pipelines/p/replicas/0/said.older.log").stat().st_mode & 0o077 == 0


async def test_a_killed_fluent_bit_is_back_and_others_are_untouched(tmp_path: Path, fluent_bit: str) -> None:
    front, other = free_port(), free_port()
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        await running(here, deployment("p", "1", config(place.port), front))
        await running(here, deployment("q", "1", config(place.port), other))
        [killed] = working_in(tmp_path / "state/pipelines/p")
        [kept] = working_in(tmp_path / "state/pipelines/q")
        os.kill(killed, signal.SIGKILL)
        found = await seen(here, "p", lambda it: it.state == "STARTED" and any(one.reason == "Killed" for one in it.events))
        assert "SIGKILL" in next(one.message for one in found.events if one.reason == "Killed")
        assert killed not in pids(tmp_path / "state")
        assert kept in pids(tmp_path / "state")
        client = Client(front, 0)
        await client.run(3)
        await arrived(place, [client])


async def test_the_front_is_back_after_it_was_killed(tmp_path: Path, fluent_bit: str) -> None:
    front = free_port()
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        await running(here, deployment("p", "1", config(place.port), front))
        fluent_bits = pids(tmp_path / "state")
        [pid] = working_in(tmp_path / "state/front")
        os.kill(pid, signal.SIGKILL)
        client = Client(front, 0)
        await client.run(3)
        await arrived(place, [client])
        assert pids(tmp_path / "state") == fluent_bits


async def test_pipelines_serve_on_while_the_runtime_is_away_and_are_taken_over(tmp_path: Path, fluent_bit: str) -> None:
    front, wanted = free_port(), Scaling(replicas=2)
    async with sink() as place:
        first = ProcessRuntime(tmp_path / "state", program=fluent_bit)
        await first.start()
        await running(first, deployment("p", "1", config(place.port), front, scaling=wanted), 2)
        before = pids(tmp_path / "state")
        sending = load(front, 2)
        clients = await sending.__aenter__()
        await first.close(stop=False)
        sent = sum(one.sent for one in clients)

        async def more() -> bool:
            return sum(one.sent for one in clients) > sent + 100

        await until(more)
        async with runtime(tmp_path / "state", fluent_bit) as second:
            found = await seen(second, "p", lambda it: it.state == "STARTED")
            assert found.version == "1"
            await running(second, deployment("p", "1", config(place.port), front, scaling=wanted), 2)
            assert pids(tmp_path / "state") == before
            await sending.__aexit__(None, None, None)
            await arrived(place, clients)
        assert not any(one.unsure for one in clients)


def test_it_is_a_runtime(tmp_path: Path) -> None:
    here: Runtime = ProcessRuntime(tmp_path / "state")  # held against the protocol by the type checker
    assert not (tmp_path / "state").exists(), "nothing happens before it is started"
    assert here is not None


async def test_two_runtimes_do_not_share_a_folder(tmp_path: Path, fluent_bit: str) -> None:
    async with runtime(tmp_path / "state", fluent_bit):
        second = ProcessRuntime(tmp_path / "state", program=fluent_bit)
        with pytest.raises(RuntimeUnavailableError, match="another core instance"):
            await second.start()


async def test_nothing_is_left_of_a_removed_pipeline(tmp_path: Path, fluent_bit: str) -> None:
    front = free_port()
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        await running(here, deployment("p", "1", config(place.port), front))
        await asyncio.gather(here.remove("p"), here.remove("p"), here.remove("unknown"))
        assert await here.observe() == {}
        assert pids(tmp_path / "state") == []
        assert list((tmp_path / "state/pipelines").iterdir()) == []
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", front)


async def test_what_was_taken_is_flushed_when_a_pipeline_is_removed(tmp_path: Path, fluent_bit: str) -> None:
    front = free_port()
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        text = config(place.port).replace("flush: 0.2", "flush: 30")  # nothing goes out before it ends
        await running(here, deployment("p", "1", text, front))
        client = Client(front, 0)
        await client.run(20)
        assert place.count == 0
        await here.remove("p")
        await arrived(place, [client])


async def test_secrets_are_seen_by_nobody_else(tmp_path: Path, fluent_bit: str) -> None:
    front, state, secret = free_port(), tmp_path / "state", "hush-hush-4711"
    async with sink() as place, runtime(state, fluent_bit) as here:
        text = config(place.port, filters="    - {name: modify, match: '*', add: 'from ${NECTARY_SECRET_X}'}")
        text += "    - {name: stdout, match: '*'}\n"
        files = (File("key.pem", b"hush-file", secret=True),)
        await running(here, deployment("p", "1", text, front, environment={"NECTARY_SECRET_X": secret}, files=files))
        client = Client(front, 0)
        await client.run(3)
        await arrived(place, [client])
        assert place.records[0]["from"] == secret, "it is used"

        async def said() -> bool:
            return '"from"=>"***"' in await here.logs("p", 100)

        await until(said)  # what Fluent Bit itself printed comes without it
        for path in [state, *state.rglob("*")]:
            mode = path.lstat().st_mode
            assert stat.S_ISLNK(mode) or mode & 0o077 == 0, path
        for pid in working_in(state):
            assert secret not in Path(f"/proc/{pid}/cmdline").read_text()
        [front_pid] = working_in(state / "front")
        assert secret not in Path(f"/proc/{front_pid}/environ").read_text()
        shown = str(await here.observe()) + repr(deployment("p", "1", text, front, environment={"NECTARY_SECRET_X": secret}))
        assert secret not in shown


async def test_files_are_where_the_configuration_looks_for_them_also_after_a_reload(tmp_path: Path, fluent_bit: str) -> None:
    front = free_port()
    script = "function f(tag, ts, r) r['lua'] = '{}' return 2, ts, r end"
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        text = config(place.port, filters="    - {name: lua, match: '*', script: '${NECTARY_FILES}/a.lua', call: f}")
        for version in ("1", "2"):
            files = (File("a.lua", script.format(version).encode()),)
            await running(here, deployment("p", version, text, front, strategy="hotReload", files=files))
            client = Client(front, int(version) * 1000)
            await client.run(1)
            await arrived(place, [Client(front, 0, sent=int(version) * 10)])
        assert {record["lua"] for record in place.records} == {"1", "2"}


async def test_a_changed_secret_takes_a_restart_instead_of_a_hot_reload(tmp_path: Path, fluent_bit: str) -> None:
    front = free_port()
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        text = config(place.port, filters="    - {name: modify, match: '*', add: 'from ${NECTARY_SECRET_X}'}")
        for version in ("one", "two"):
            secret = {"NECTARY_SECRET_X": f"secret-{version}"}
            found = await running(here, deployment("p", version, text, front, strategy="hotReload", environment=secret))
        assert "Restarted" in {event.reason for event in found.events}
        client = Client(front, 0)
        await client.run(1)
        await arrived(place, [client])
        assert place.records[-1]["from"] == "secret-two"


async def test_datagrams_and_lines_and_forward_messages_reach_a_pipeline(tmp_path: Path, fluent_bit: str) -> None:
    inputs = """    - {name: udp, listen: 127.0.0.1, port: 5170, format: json}
    - {name: tcp, listen: 127.0.0.1, port: 5171, format: json}
    - {name: forward, listen: 127.0.0.1, port: 24224}"""
    udp, tcp, forward, http = free_port(), free_port(), free_port(), free_port()
    ports = (
        Port("u", "udp", udp, 5170),
        Port("t", "tcp", tcp, 5171),
        Port("f", "tcp", forward, 24224),
        Port("h", "tcp", http, 9880),
    )
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        found = await running(here, deployment("p", "1", config(place.port, inputs=inputs), http, ports=ports))
        assert set(found.endpoints) == {"u", "t", "f", "h"}
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", udp)
        )
        _, lines = await asyncio.open_connection("127.0.0.1", tcp)
        _, messages = await asyncio.open_connection("127.0.0.1", forward)
        for number in range(100):
            if number == 50:  # all three go on, on the same connections
                changed = deployment(
                    "p", "2", config(place.port, inputs=inputs, mark="2"), http, ports=ports, strategy="hotReload"
                )
                change = asyncio.create_task(running(here, changed))
            transport.sendto(b'{"id": %d}\n' % number)
            lines.write(b'{"id": %d}\n' % (1000 + number))
            messages.write(b"\x93\xa1t\xce\x65\x00\x00\x00\x81\xa2id\xcd" + (2000 + number).to_bytes(2, "big"))
            await asyncio.sleep(0.02)
        await change

        async def all_there() -> bool:
            return place.count >= 300

        await until(all_there, 20)
        assert sorted(place.ids) == [*range(100), *range(1000, 1100), *range(2000, 2100)]
        assert place.doubled == []
        transport.close()
        lines.close()
        messages.close()


async def test_a_pipeline_without_ports_or_replicas_is_fine(tmp_path: Path, fluent_bit: str) -> None:
    text = "pipeline:\n  inputs:\n    - {name: dummy}\n  outputs:\n    - {name: 'null', match: '*'}\n"
    async with runtime(tmp_path / "state", fluent_bit) as here:
        found = await running(here, deployment("p", "1", text, 0, ports=()))
        assert found.endpoints == {}
        await running(here, deployment("p", "1", text, 0, ports=(), scaling=Scaling(replicas=0)), 0)
        assert pids(tmp_path / "state") == []
