"""What agents send: their own routes have no schema to make bodies from, so each is written here once."""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgpack

from nectary.caller import Kind
from tests.harness.bodies import CONFIG

_numbers = itertools.count(1)


@dataclass(frozen=True)
class AgentAsk:
    """Whose credential a route takes, and a body that it takes."""

    kind: Kind
    body: Callable[[], bytes] = bytes
    also: frozenset[Kind] = frozenset()

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return (self.kind, *self.also)


def report(**others: Any) -> bytes:
    """What an agent registers with; each time another machine."""
    n = next(_numbers)
    told = {"name": f"agent-{n}", "machineID": f"machine-{n}", "type": "fluentbit", "version": "5.1.1"}
    return json.dumps({**told, "edition": "community", "os": "linux", "arch": "x86_64", "rawConfig": CONFIG, **others}).encode()


def metrics() -> bytes:
    """An empty cmetrics document of today's layout."""
    body: bytes = msgpack.packb({"meta": {"processing": {"static_labels": []}}, "metrics": []})
    return body


def traces() -> bytes:
    """What chunk trace says of an output that is done, as out_http sends it."""
    said = {"type": 4, "trace_id": "trace.0", "plugin_instance": "null.0", "return": 1, "start_time": 1, "end_time": 1}
    return json.dumps([said]).encode()


ASKS: dict[tuple[str, str], AgentAsk] = {
    ("POST", "/v1/agents"): AgentAsk(Kind.PROJECT_TOKEN, report),
    ("PATCH", "/v1/agents/{agentID}"): AgentAsk(Kind.AGENT, report),
    ("POST", "/v1/agents/{agentID}/metrics"): AgentAsk(Kind.AGENT, metrics),
    ("POST", "/v1/agent_metrics"): AgentAsk(Kind.AGENT, metrics),
    ("POST", "/v1/traces/{pipelineID}"): AgentAsk(Kind.PROJECT_TOKEN, traces, also=frozenset({Kind.AGENT})),
    ("GET", "/v1/fleets/{fleetID}/config"): AgentAsk(Kind.PROJECT_TOKEN),
    ("GET", "/v1/fleets/{fleetID}/files"): AgentAsk(Kind.PROJECT_TOKEN),
}
