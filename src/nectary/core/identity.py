"""Who a core instance is: made or found on the server at its first start, and the same one ever after.

Its private key is told once, when it is made. It is kept with its id and token in one file that only its user can read, or in a
Secret of the cluster. Without it what is sealed for this core instance stays sealed, and only that.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from nectary.client import Refused
from nectary.client import core_instances as calls
from nectary.client.asking import Asking
from nectary.core.runtimes import Keep

FILE = "core-instance.json"
LOCK = "lock"


class Identity(msgspec.Struct, frozen=True):
    """`token` and `private_key` are empty where the core instance was found on the server and not made from here."""

    id: str
    name: str
    project_id: str
    token: str = ""
    private_key: str = ""

    def __repr__(self) -> str:
        return f"Identity({self.id}, {self.name})"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the core instance should be called, and what is said of it when it is made."""

    name: str
    environment: str = "default"
    tags: Sequence[str] = ()
    version: str = ""
    cluster_logging: bool = False
    health_check_port: int = 0  # 0: no pipeline for it
    health_check_port_kind: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    image: str = ""
    skip_service_creation: bool = False


class NotOursError(Exception):
    """Another one has the name, or what is kept here belongs to another project; the text says what to do."""


class FileKeep:
    """A file of mode 0600 in the state folder, written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    async def read(self) -> bytes | None:
        try:
            return await asyncio.to_thread(self._file.read_bytes)
        except FileNotFoundError:
            return None

    async def write(self, data: bytes) -> None:
        await asyncio.to_thread(self._write, data)

    def _write(self, data: bytes) -> None:
        new = self._file.with_suffix(".new")
        with contextlib.suppress(FileNotFoundError):
            new.unlink()  # a crash left it; its mode might be another
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        new.replace(self._file)


def make_folder(folder: Path) -> None:
    """The state folder, for nobody else to look into. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the state folder. Raises NotOursError while another process does: it is the same core instance."""
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what = f"another core instance runs with the state folder {folder}"
            raise NotOursError(f"{what}; end it, or give this one a --state-dir of its own") from None
        yield


async def recall(keep: Keep, project_id: str) -> Identity | None:
    """Who it was when it last ran. Raises NotOursError where that was in another project, or what is kept cannot be read."""
    kept = await keep.read()
    if kept is None:
        return None
    try:
        identity = msgspec.json.decode(kept, type=Identity)
    except msgspec.DecodeError:
        what = "what is kept of this core instance cannot be read"
        raise NotOursError(f"{what}; put {FILE} back from a copy, or delete it to begin anew") from None
    if project_id and identity.project_id != project_id:
        what = f"the state kept here is of core instance {identity.name} in another project than the token's"
        raise NotOursError(f"{what}; use that project's token, or another --state-dir")
    return identity


async def establish(asking: Asking, wanted: Wanted, keep: Keep) -> Identity:
    """Make the core instance, or take up the one of that name if nobody else runs it, and keep who it is.

    `asking` has the project's token. Raises NotOursError where another one runs under the name, or there is no such
    environment; Refused and Unreachable as the server does.
    """
    environment_id = await _environment(asking, wanted.environment)
    body = {
        "name": wanted.name,
        "environmentID": environment_id,
        "tags": list(wanted.tags),
        "clusterLogging": wanted.cluster_logging,
        "metadata": dict(wanted.metadata),
        "skipServiceCreation": wanted.skip_service_creation,
        "addHealthCheckPipeline": wanted.health_check_port > 0,
        "healthCheckPipelinePort": wanted.health_check_port,
        "healthCheckPipelinePortKind": wanted.health_check_port_kind,
    }
    body |= {name: value for name, value in (("version", wanted.version), ("image", wanted.image)) if value}
    try:
        made = await calls.create(asking, body)
    except Refused as refused:
        if refused.status != 409:
            raise
        identity = await _taken_up(asking, wanted)
    else:
        identity = Identity(made.id, made.name, asking.project_id, made.token, made.private_rsa_key)
    await keep.write(msgspec.json.encode(identity))
    return identity


async def _taken_up(asking: Asking, wanted: Wanted) -> Identity:
    known = await calls.named(asking, wanted.name, wanted.environment)
    if known is None:
        raise NotOursError(f"core instance {wanted.name} came and went on the server; trying again")
    if known.status == "running":
        what = f"core instance {wanted.name} is running elsewhere: the server heard of it less than a minute ago"
        raise NotOursError(f"{what}; give this one another --name, or end the other")
    return Identity(known.id, known.name, asking.project_id)


async def _environment(asking: Asking, name: str) -> str:
    known = {one.name: one.id for one in await calls.environments(asking)}
    if name not in known:
        raise NotOursError(f"the project has no environment {name!r}; it has {', '.join(sorted(known)) or 'none'}")
    return known[name]
