"""What Linux says about processes and sockets of this machine, read from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_LISTEN = "0A"
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used: seconds of processor time since it started, bytes of memory now."""

    cpu_seconds: float
    memory: int


def is_there() -> bool:
    """Whether this is a machine where processes can be told apart for certain: Linux 5.3 or newer."""
    return hasattr(os, "pidfd_open") and (_PROC / "self/stat").exists()


def boot() -> str:
    """Which start of the machine this is: a process number and start time mean the same process only within one."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The name stands in brackets and may hold anything, so what counts starts after the last one (proc(5)).
    return text.rpartition(")")[2].split()


def started(pid: int) -> int | None:
    """When a process started, in ticks since the machine did; None when it is gone or only waits to be buried."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def usage(pid: int) -> Usage | None:
    fields = _stat(pid)
    if fields is None or fields[0] in "ZX":
        return None
    return Usage((int(fields[11]) + int(fields[12])) / _TICK, int(fields[21]) * _PAGE)


def holding(path: Path) -> list[int]:
    """Processes that have a file open. Of other users' processes only root can see that."""
    target, found = str(path.resolve()), []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if any(str(link.readlink()) == target for link in (entry / "fd").iterdir()):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class _Row:
    port: int
    state: str
    waiting: int
    inode: str


def _rows(protocol: str) -> list[_Row]:
    rows = []
    for name in (protocol, protocol + "6"):
        try:
            lines = (_PROC / "net" / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            port = int(fields[1].rpartition(":")[2], 16)
            rows.append(_Row(port, fields[3], int(fields[4].partition(":")[2], 16), fields[9]))
    return rows


def listening() -> set[int]:
    """The TCP ports that somebody listens on."""
    return {row.port for row in _rows("tcp") if row.state == _LISTEN}


def unread_datagrams(port: int) -> int:
    """Bytes that came to a UDP port and that nobody has read."""
    return sum(row.waiting for row in _rows("udp") if row.port == port)


def holder(protocol: str, port: int) -> str:
    """Who has a port, e.g. `nginx (process 812)`; "" when that cannot be seen."""
    inodes = {row.inode for row in _rows(protocol) if row.port == port and (protocol == "udp" or row.state == _LISTEN)}
    targets = {f"socket:[{inode}]" for inode in inodes}
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if any(str(link.readlink()) in targets for link in (entry / "fd").iterdir()):
                return f"{(entry / 'comm').read_text().strip()} (process {entry.name})"
        except OSError:
            continue
    return ""
