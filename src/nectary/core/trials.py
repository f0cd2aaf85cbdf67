"""Runs ingest checks: one input or output, for a minute at most, to see whether records come in or go out."""

import asyncio
import re
from functools import partial

from nectary.client import Refused, Unreachable
from nectary.client import core_instances as calls
from nectary.client.asking import Asking
from nectary.client.core_things import KnownIngestCheck
from nectary.core.desired import Shared
from nectary.core.runtimes import File, Runtime, RuntimeUnavailableError, Trial
from nectary.core.secrets import Opener
from nectary.core.templates import Filling, Unassemblable
from nectary.fluentbit import formats, meaning
from nectary.fluentbit.document import ConfigError, Document, Format, Kind, Property, Section
from nectary.fluentbit.fit import fit
from nectary.fluentbit.write import write

SECONDS = 60.0
_AT_ONCE = 2
_MOST_LOGS = 1024 * 1024


def trial(check: KnownIngestCheck, shared: Shared, opener: Opener) -> Trial:
    """What to run. An input gets somewhere to send to, an output something to send. Raises Unassemblable."""
    known = opener.files(shared.files)
    filling = Filling(opener.secrets(shared.secrets), known)
    document = filling.document(_completed(_read(check.config)))
    kept, _ = fit(document, Format.YAML)
    text = write(kept, Format.YAML)
    if not meaning.same(kept, formats.parse(text, None, Format.YAML)):
        raise Unassemblable("ConfigInvalid", "the section cannot be written as YAML without changing what it means")
    files = [file for _, file in sorted(known.items()) if isinstance(file, File)]
    return Trial(check.id, text, files, dict(sorted(filling.environment.items())), SECONDS)


def _read(config: str) -> Document:
    """Classic, as core instances expect sections, or YAML where classic cannot hold a value."""
    for format in (Format.CLASSIC, Format.YAML):
        try:
            document = formats.parse(config, None, format)
        except ConfigError:
            continue
        if document.of(Kind.INPUT, Kind.OUTPUT):
            return document
    raise Unassemblable("ConfigInvalid", "the section is no input or output that can be read")


def _completed(document: Document) -> Document:
    others = []
    if not document.of(Kind.INPUT):
        samples = [("name", "dummy"), ("tag", "ingest.check"), ("dummy", '{"message":"an ingest check of Nectary"}')]
        others.append(_section(Kind.INPUT, [*samples, ("samples", "1")]))
    if not document.of(Kind.OUTPUT):
        others.append(_section(Kind.OUTPUT, [("name", "null"), ("match", "*")]))
    sections = tuple(_matching(one) if one.kind is Kind.OUTPUT else one for one in document.sections)
    return Document(document.format, document.file, (*sections, *others), document.variables)


def _matching(section: Section) -> Section:
    """An output takes everything here, whatever it is to match in a pipeline."""
    kept = tuple(prop for prop in section.properties if prop.name not in ("match", "match_regex"))
    return section._replace(properties=(*kept, _option("match", "*")))


def _section(kind: Kind, pairs: list[tuple[str, str]]) -> Section:
    return Section(kind, kind.upper(), tuple(_option(*pair) for pair in pairs), (), "", 0, 0)


def _option(name: str, value: str) -> Property:
    return Property(name, name, value, "", 0, 0, 0, 0)


class Trials:
    """Runs what is asked for, in the background, a few at once, and reports how it went."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._running: dict[str, asyncio.Task[None]] = {}
        self._limit = asyncio.Semaphore(_AT_ONCE)

    def take(self, asking: Asking, checks: list[KnownIngestCheck], shared: Shared, opener: Opener) -> None:
        """Begin those that nobody has finished: one that says `running` was begun before a crash."""
        for check in checks:
            if check.status in ("new", "running") and check.id not in self._running:
                task = asyncio.create_task(self._run(asking, check, shared, opener))
                self._running[check.id] = task
                task.add_done_callback(partial(self._ended, check.id))

    def _ended(self, id: str, _: "asyncio.Task[None]") -> None:
        self._running.pop(id, None)

    async def close(self) -> None:
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _run(self, asking: Asking, check: KnownIngestCheck, shared: Shared, opener: Opener) -> None:
        try:
            async with self._limit:
                await calls.report_ingest_check(asking, check.id, "running")
                stage, logs = await self._tried(check, shared, opener)
            kept = logs.encode("utf-8", "replace")[-_MOST_LOGS:] if check.collect_logs or stage == "failed" else None
            await calls.report_ingest_check(asking, check.id, stage, kept)
        except (Refused, Unreachable):
            pass  # deleted meanwhile, or the server is away: it is asked for again

    async def _tried(self, check: KnownIngestCheck, shared: Shared, opener: Opener) -> tuple[str, str]:
        try:
            verdict = await self._runtime.try_out(trial(check, shared, opener))
        except (Unassemblable, RuntimeUnavailableError, ConfigError) as error:
            return "failed", f"{error}\n"
        return ("ok" if verdict.stage == "ok" else "failed"), re.sub("\0", "\ufffd", verdict.logs)
