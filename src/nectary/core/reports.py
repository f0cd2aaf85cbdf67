"""Tells the server what became of pipelines: news only, each once, and again what somebody else overwrote."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nectary.client import core_instances as calls
from nectary.client.asking import Asking
from nectary.client.core_things import Pipeline
from nectary.core.runtimes import Event, Observed

CORE = "core"
"""The source of a core instance's own events; a runtime's events say their own."""
_MOST = 50
_LONGEST = 4_000


@dataclass
class Told:
    """What the server knows of one pipeline: its newest status, which configuration that was said of, and events."""

    status: str
    config_id: str
    events: list[dict[str, Any]]
    endpoints: dict[str, str]
    seen: set[tuple[Any, ...]] = field(default_factory=set)

    def follow(self, pipeline: Pipeline) -> None:
        """Take over what the server says now."""
        self.status, self.config_id = pipeline.status.status, pipeline.status.config.id
        self.events = list(pipeline.status.events)
        self.endpoints = {port.id: port.endpoint for port in pipeline.ports or ()}
        self.seen.update(_key(event) for event in self.events)


def told_by(pipeline: Pipeline) -> Told:
    told = Told("", "", [], {})
    told.follow(pipeline)
    return told


async def tell(
    asking: Asking, pipeline: Pipeline, told: Told, word: str | None, events: Sequence[Event], *, current: bool
) -> bool:
    """Report a status and events where they are news; gives whether they were. `current`: said of the configuration that the
    pipeline has now, so that it is news for that one, though the word is the same."""
    fresh = [one for one in map(_wire, events[-_MOST:]) if _key(one) not in told.seen]
    changed = word is not None and (word != told.status or (current and told.config_id != pipeline.config.id))
    if not changed and not fresh:
        return False
    sent = fresh if changed else [*told.events, *fresh][-_MOST:]
    await calls.report(asking, pipeline.id, word if changed else None, sent)
    if changed and word is not None:
        told.status, told.config_id = word, pipeline.config.id
    told.events = sent
    told.seen.update(_key(one) for one in fresh)
    return True


async def tell_endpoints(asking: Asking, told: Told, observed: Observed) -> None:
    for port_id, endpoint in observed.endpoints.items():
        if told.endpoints.get(port_id, endpoint) != endpoint:
            await calls.report_endpoint(asking, port_id, endpoint)
            told.endpoints[port_id] = endpoint


def _wire(event: Event) -> dict[str, Any]:
    message = event.message if len(event.message) <= _LONGEST else event.message[:_LONGEST] + " ..."
    return {"source": event.source, "reason": event.reason[:200], "message": message, "loggedAt": event.at.isoformat()}


def _key(event: dict[str, Any]) -> tuple[Any, ...]:
    """What makes an event the same one. What a core instance found wrong it finds again after a restart, at another time."""
    words = (event.get("source"), event.get("reason"), event.get("message"))
    if event.get("source") == CORE:
        return words
    try:
        return (*words, int(datetime.fromisoformat(str(event.get("loggedAt"))).timestamp()))
    except ValueError:
        return (*words, 0)
