"""Looks after a running pipeline every few seconds: what it complains of, what it uses, whether it still answers."""

import asyncio
import contextlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from nectary.core.runtimes import Deployment, Resources, complaints
from nectary.core.runtimes.process import children, fluent_bit, procfs
from nectary.core.runtimes.process.pipeline import Pipeline
from nectary.core.runtimes.process.quantities import amount
from nectary.core.runtimes.process.replica import Replica
from nectary.core.runtimes.process.scaling import History, Use, decide
from nectary.fluentbit import yaml
from nectary.fluentbit.document import ConfigError
from nectary.fluentbit.variables import expand

EVERY = 5.0
_SCALE_EVERY, _DISK_EVERY, _LIVE_EVERY = 15.0, 60.0, 30.0
_DEAF = 4
"""So many unanswered questions in a row, and it is taken to hang: its HTTP server answers within milliseconds else."""
_LOW_DISK = 16 * 1024 * 1024
_MOST_READ = 1024 * 1024


@dataclass(slots=True)
class _Seen:
    """Of one Fluent Bit: how far its words were read, what it had used when."""

    pid: int = 0
    read: int = 0
    tally: complaints.Tally = field(default_factory=complaints.Tally)
    cpu: tuple[float, float] | None = None  # when, seconds used
    over: int = 0
    deaf: int = 0


class Watch:
    """What is known of one pipeline from one look to the next. Times are monotonic seconds."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._seen: dict[int, _Seen] = {}
        self._history = History()
        self._next = {"scale": 0.0, "disk": 0.0, "live": 0.0}

    async def look(self, now: float) -> None:
        """One look."""
        deployment = self.pipeline.current or self.pipeline.desired
        if deployment is None:
            return
        for replica in self.pipeline.running:
            seen = self._seen.setdefault(replica.number, _Seen())
            if replica.child is not None and seen.pid != replica.child.pid:
                # What one that we took over said before is old; of one that we started everything is news.
                old = replica.child.is_inherited
                start = replica.said_length() if old else int(replica.child.record.facts.get("said", 0))
                self._seen[replica.number] = seen = _Seen(pid=replica.child.pid, read=start)
            _listen(replica, seen, now)
            self._memory(replica, seen, deployment.resources)
        await self._complain(deployment, now)
        if self._is_time("live", _LIVE_EVERY, now):
            await asyncio.gather(*(self._alive(replica) for replica in self.pipeline.running if replica.ready))
        if self._is_time("disk", _DISK_EVERY, now):
            self._disk(deployment)
        wanted = self.pipeline.desired
        if wanted is not None and wanted.kind != "daemonSet" and self._is_time("scale", _SCALE_EVERY, now):
            self._scale(wanted, now)

    def _is_time(self, what: str, every: float, now: float) -> bool:
        if now < self._next[what]:
            return False
        self._next[what] = now + every
        return True

    async def _complain(self, deployment: Deployment, now: float) -> None:
        events = self.pipeline.events
        for seen in self._seen.values():
            for one in seen.tally.complaints(now):
                message = one.message
                if one.address and events.is_news(one.reason, one.about):
                    message = await _with_cause(message, one, deployment)
                events.add(one.reason, message, about=one.about)
            for output in seen.tally.recovered(now):
                events.over("OutputFails", f"output {output}")
                events.add("OutputWorks", f"output {output} has delivered without errors for two minutes", silence=60)

    def _memory(self, replica: Replica, seen: _Seen, resources: Resources) -> None:
        most = amount(resources.memory_limit)
        if most <= 0 or replica.child is None:
            return
        usage = procfs.usage(replica.child.pid)
        seen.over = seen.over + 1 if usage is not None and usage.memory > most else 0
        if usage is not None and seen.over >= 2:
            said = f"it used {usage.memory / 2**20:.0f} MiB of memory and may use {most / 2**20:.0f} MiB; allow it more"
            replica.give_up("MemoryLimit", said)

    async def _alive(self, replica: Replica) -> None:
        seen, child = self._seen[replica.number], replica.child
        if await fluent_bit.answers(replica.http_port):
            seen.deaf = 0
            return
        seen.deaf += 1
        if seen.deaf >= _DEAF and child is replica.child and replica.ready:
            said = f"it has not answered for {seen.deaf * _LIVE_EVERY:.0f} s and is taken to hang"
            replica.give_up("NoAnswer", said)

    def _disk(self, deployment: Deployment) -> None:
        events = self.pipeline.events
        with contextlib.suppress(OSError):
            disk = shutil.disk_usage(self.pipeline.folder)
            if disk.free < _LOW_DISK:
                events.add(
                    "DiskFull", f"only {disk.free / 2**20:.0f} MiB are free where {self.pipeline.folder} is", about="free"
                )
            else:
                events.over("DiskFull", "free")
        most = amount(deployment.resources.volume_size)
        for replica in self.pipeline.running:
            used = _size(replica.folder / "storage") if most > 0 else 0
            if used > 0.95 * most > 0:
                said = f"replica {replica.number} buffers {used / 2**20:.0f} MiB on disk, of {most / 2**20:.0f} MiB that it may"
                events.add("VolumeFull", said, about=f"volume {replica.number}")

    def _scale(self, deployment: Deployment, now: float) -> None:
        uses = [self._use(replica, deployment.resources, now) for replica in self.pipeline.running if replica.ready]
        use = Use(_mean(one.cpu for one in uses), _mean(one.memory for one in uses))
        scaling = deployment.scaling
        if scaling.maximum and scaling.memory_percent and uses and use.memory is None:
            self.pipeline.events.add("ScalingBlind", "scaling by memory needs a memory request or limit to measure by")
        self.pipeline.scale_to(decide(scaling, self.pipeline.count, use, self._history, now))

    def _use(self, replica: Replica, resources: Resources, now: float) -> Use:
        assert replica.child is not None
        seen, usage = self._seen.setdefault(replica.number, _Seen()), procfs.usage(replica.child.pid)
        if usage is None:
            return Use()
        before, seen.cpu = seen.cpu, (now, usage.cpu_seconds)
        cpu_base = amount(resources.cpu_request) or amount(resources.cpu_limit) or 1.0
        memory_base = amount(resources.memory_request) or amount(resources.memory_limit)
        cpu = None
        if before is not None and now > before[0] and usage.cpu_seconds >= before[1]:
            cpu = 100.0 * (usage.cpu_seconds - before[1]) / (now - before[0]) / cpu_base
        return Use(cpu, 100.0 * usage.memory / memory_base if memory_base else None)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _listen(replica: Replica, seen: _Seen, now: float) -> None:
    """Read what it has said since the last look; the file starts again from nothing when it has grown too long."""
    path, size = replica.folder / children.SAID, replica.said_length()
    if size < seen.read:
        seen.read = 0
    if size == seen.read:
        return
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(seen.read, size - _MOST_READ))
        said = file.read(_MOST_READ)
        whole = said.rpartition(b"\n")[0]
        seen.read = file.tell() - (len(said) - len(whole))
        for line in whole.decode(errors="replace").splitlines():
            seen.tally.read(line, now)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_size
    return total


async def _with_cause(message: str, complaint: complaints.Complaint, deployment: Deployment) -> str:
    """Fluent Bit does not say why it could not connect: ask the address ourselves, once."""
    address = (
        complaint.address if complaint.address != "?" else _address_of(complaint.about.removeprefix("output "), deployment)
    )
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        return message
    why = await _why_unreachable(host.strip("[]"), int(port))
    before = f"no connection to {complaint.address}" if complaint.address != "?" else "no connection"
    return message.replace(before, f"{why} {address}", 1)


def _address_of(output: str, deployment: Deployment) -> str:
    try:
        plugin = yaml.parse(deployment.config).plugin(output)
    except ConfigError:
        return ""
    if plugin is None:
        return ""
    host, port = (expand(plugin.section.get(name) or "", {}, deployment.environment) for name in ("host", "port"))
    return f"{host}:{port}" if host and port else ""


async def _why_unreachable(host: str, port: int) -> str:
    try:
        async with asyncio.timeout(3.0):
            _, writer = await asyncio.open_connection(host, port)
        writer.close()
    except ConnectionRefusedError:
        return "connection refused"
    except TimeoutError:
        return "no answer from"
    except OSError as error:
        return "unknown host" if "Name" in str(error) or "known" in str(error) else f"{error.strerror or error}:"
    return "no connection to (though it can be reached now)"
