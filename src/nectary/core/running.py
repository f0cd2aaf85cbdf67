"""Puts a core instance together and runs it: by itself, or in the server's own process."""

import asyncio
import re
import shutil
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from nectary.core import identity
from nectary.core.identity import FileKeep, Wanted
from nectary.core.pace import Pace
from nectary.core.runtimes import Keep, Runtime, RuntimeUnavailableError
from nectary.core.server import Server
from nectary.core.sync import CoreInstance


@dataclass(frozen=True, slots=True)
class Work:
    """What it takes. `runtime` is made when the state folder is held, so that two never share what runs."""

    server: Server
    wanted: Wanted
    state: Path
    runtime: Callable[[], Runtime]
    pace: Pace


def local(state: Path, *, fake: bool = False, program: str = "", listen: str = "", advertise: str = "127.0.0.1") -> Runtime:
    """The runtime of this machine: processes, or nothing at all."""
    if fake:
        from nectary.core.runtimes.fake import FakeRuntime  # noqa: PLC0415 - one of the two is needed

        return FakeRuntime()
    from nectary.core.runtimes.process.runtime import ProcessRuntime  # noqa: PLC0415

    return ProcessRuntime(state / "process", program=program or None, listen=listen or None, advertise=advertise)


def found_program(given: str = "") -> str | None:
    """Where a fluent-bit is, if there is one."""
    return next((path for place in ([given] if given else _PLACES) if (path := shutil.which(place))), None)


_PLACES = ("fluent-bit", "/opt/fluent-bit/bin/fluent-bit")


async def run(work: Work, stop: asyncio.Event, *, stop_pipelines: bool = False) -> None:
    """Run until `stop` is set. Raises NotOursError while another holds the state folder, RuntimeUnavailableError where the
    folder cannot be used or there is no cluster to speak to."""
    with ExitStack() as held:
        try:
            await asyncio.to_thread(identity.make_folder, work.state)
            held.enter_context(identity.alone_in(work.state))
        except OSError as error:
            raise RuntimeUnavailableError(f"the state folder {work.state} cannot be used: {error.strerror}") from None
        runtime = work.runtime()
        its_keep: Keep | None = getattr(runtime, "keep", None)  # a cluster has one, and knows sidecars
        keep = its_keep or FileKeep(work.state)
        core_instance = CoreInstance(work.server, work.wanted, runtime, keep, pace=work.pace, sidecars=its_keep is not None)
        await core_instance.run(stop, stop_pipelines=stop_pipelines)


def host_name() -> str:
    """This machine's name as core instances may be called: a label of a DNS name."""
    made = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().split(".")[0].lower()).strip("-")[:63].strip("-")
    return made or "core-instance"
