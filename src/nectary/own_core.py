"""The core instance that the server runs in its own process, so that on a laptop a first pipeline runs a minute after install.

It is the same as one elsewhere: it speaks to the server over HTTP, with the default project's token, and keeps its state in a
folder of its own. What goes wrong in it never takes the server along.
"""

import asyncio

import nectary
from nectary import log
from nectary.core import running
from nectary.core.identity import NotOursError, Wanted
from nectary.core.pace import Pace
from nectary.core.running import Work
from nectary.core.runtimes import RuntimeUnavailableError
from nectary.core.server import Server
from nectary.settings import Settings

FOLDER = "core"
_HOW = "https://docs.fluentbit.io/manual/installation"
_log = log.logger("nectary.core")


class OwnCore:
    """Runs from `start` to `stop`, if it is wanted and can. `says`: a sentence about it for the person at the terminal."""

    def __init__(self, settings: Settings, token: str | None) -> None:
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._work: Work | None = None
        self.says = ""
        program = running.found_program(settings.fluent_bit)
        if not settings.core or token is None:
            return
        if program is None:
            where = f"at {settings.fluent_bit}" if settings.fluent_bit else "on this machine"
            self.says = (
                f"Pipelines do not run here: there is no fluent-bit {where}. To run them, install it ({_HOW}) and restart."
            )
            return
        name = settings.core_name or running.host_name()
        state = settings.data_dir.absolute() / FOLDER
        self.says = f"Pipelines run here, as core instance {name}, by {program} (--no-core: not)."
        here = settings.model_copy(update={"public_url": ""}).address
        wanted = Wanted(name=name, version=f"v{nectary.__version__}")
        self._work = Work(Server(here, token), wanted, state, lambda: running.local(state, program=program), Pace())

    def start(self) -> None:
        if self._work is not None:
            self._task = asyncio.create_task(self._run(self._work))

    async def stop(self) -> None:
        """End it, and its pipelines with it: they flush, and begin again with the server."""
        self._stop.set()
        if self._task is not None:
            await self._task

    async def _run(self, work: Work) -> None:
        try:
            await running.run(work, self._stop, stop_pipelines=True)
        except (NotOursError, RuntimeUnavailableError) as error:
            _log.warning("pipelines do not run here", reason=str(error))
        except Exception:
            _log.exception("the core instance of this server ended")
