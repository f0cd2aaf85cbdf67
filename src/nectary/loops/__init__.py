"""Time asks: work nobody asked for. LOOPS is all of it, on one screen."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nectary.edge.context import Context
from nectary.loops import agents, alerts, credentials, fleets, housekeeping, metrics, rollouts


@dataclass(frozen=True, slots=True)
class Loop:
    """A turn every `period` seconds. Turns are level-triggered: each looks at what is, so a missed one costs nothing."""

    name: str
    period: float
    turn: Callable[[Context], Awaitable[None]]


LOOPS = (
    Loop("write metrics", 1.0, metrics.write),
    Loop("thin metrics", 15.0, metrics.thin),
    Loop("read revocations", 2.0, credentials.read_revocations),
    Loop("count agents", 15.0, agents.count),
    Loop("note fleet polls", 1.0, fleets.note_polls),
    Loop("look into reports", 1.5, rollouts.look_into_reports),
    Loop("step rollouts", 3.0, rollouts.step),
    Loop("infer errors", 15.0, rollouts.infer_errors),
    Loop("note sessions", 30.0, credentials.note_sessions),
    Loop("watch for alerts", 10.0, alerts.watch),
    Loop("deliver alerts", 2.0, alerts.deliver),
    Loop("housekeeping", 300.0, housekeeping.tidy),
)
