"""Runs configurations to see whether they work: before they replace one that does, and when somebody asks (ingest checks)."""

import asyncio
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from nectary.core.runtimes import Deployment, Trial, Verdict, complaints
from nectary.core.runtimes.events import hide
from nectary.core.runtimes.process import children, fluent_bit, render
from nectary.core.runtimes.process.replica import Replica, StartFailedError

_STEADY = 0.3
"""Seconds that a rehearsal must stay up: what cannot be set up ends Fluent Bit at once."""
_LOGS = 256 * 1024


async def rehearse(program: fluent_bit.Program, folder: Path, deployment: Deployment) -> tuple[str, str] | None:
    """Reason and sentence if this deployment's configuration does not start; None when it does.

    A real start on other ports with nothing going in or out, which says best what is wrong; then a dry run of the whole, with
    what the start had to leave out. Nothing is left of it.
    """
    place = Replica(program, folder, 0, lambda: None, render.for_rehearsal)
    try:
        await place.start(deployment)
        assert place.child is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(_STEADY):
                await place.child.gone.wait()
            return place.bury()
        why = await place.dry_run(deployment)
    except StartFailedError as error:
        return error.reason, str(error)
    except OSError as error:
        return "FolderUnusable", f"{folder}: {error}"
    else:
        return ("ConfigRefused", why) if why else None
    finally:
        await _end(place)


def clear_away(folder: Path) -> None:
    """End and remove what an earlier run was trying out when it was killed."""
    if (folder / "lock").exists():
        children.clear(folder)
    shutil.rmtree(folder, ignore_errors=True)


async def _end(place: Replica) -> None:
    if place.child is not None:
        place.child.on_end = None
        await place.child.kill()  # nothing is in it that would have to be flushed
    shutil.rmtree(place.folder, ignore_errors=True)


async def run(program: fluent_bit.Program, folder: Path, trial: Trial) -> Verdict:
    """Run a configuration until records went through all the way, it failed, or its time is over."""
    deployment = Deployment(
        f"trial-{trial.id}", trial.id, trial.id, trial.config, files=trial.files, environment=trial.environment
    )
    place = Replica(program, folder, 0, lambda: None)
    until = time.monotonic() + trial.seconds
    try:
        try:
            await place.start(deployment)
        except StartFailedError as error:
            return _verdict(place, trial, "failed", str(error))
        while time.monotonic() < until:
            if place.child is None or place.child.gone.is_set():
                _, why = place.bury() or ("", "Fluent Bit ended")
                return _verdict(place, trial, "failed", why)
            if said := _outcome(await fluent_bit.metrics(place.http_port), over=False):
                return _verdict(place, trial, *said)
            await asyncio.sleep(0.25)
        return _verdict(place, trial, *(_outcome(await fluent_bit.metrics(place.http_port), over=True) or ("failed", "")))
    finally:
        await _end(place)


def _outcome(metrics: dict[str, Any], *, over: bool) -> tuple[str, str] | None:
    """What counts say of a trial: stage and sentence, or None while nothing can be said. over: no time is left."""
    outputs = {name: one for name, one in metrics.get("output", {}).items() if not name.startswith("calyptia")}
    inputs = {name: one for name, one in metrics.get("input", {}).items() if not name.startswith(("storage_", "emitter"))}
    taken = sum(int(one.get("records", 0)) for one in inputs.values())
    lost = {name for name, one in outputs.items() if int(one.get("dropped_records", 0)) or int(one.get("retries_failed", 0))}
    if lost:
        return "failed", f"output {', '.join(sorted(lost))} did not deliver records"
    refused = {name for name, one in outputs.items() if int(one.get("errors", 0))}
    if refused:
        return "failed", f"output {', '.join(sorted(refused))} failed"
    if outputs and all(int(one.get("proc_records", 0)) for one in outputs.values()):
        return "ok", f"{taken} records came in and went out"
    if not over:
        return None
    if not taken:
        return "failed", "no record came in"
    waiting = sorted(name for name, one in outputs.items() if not int(one.get("proc_records", 0)))
    return "failed", f"{taken} records came in, but none went out through {', '.join(waiting) or 'any output'}"


def _verdict(place: Replica, trial: Trial, stage: str, why: str) -> Verdict:
    tally, now = complaints.Tally(), time.monotonic()
    said = place.said(_LOGS)
    for line in said.splitlines():
        tally.read(line, now)
    told = [] if stage == "ok" else [one.message for one in tally.complaints(now, wait=0.0)]
    logs = "\n".join(dict.fromkeys([why, *told])) + "\n\n" + said
    return Verdict("ok" if stage == "ok" else "failed", hide(logs, trial.environment.values()))
