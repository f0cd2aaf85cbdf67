"""How many replicas a pipeline should have by its use of processor and memory, as Kubernetes' autoscaler decides.

Source: Kubernetes documentation, "Horizontal Pod Autoscaling": the ratio of use to target, a tolerance of a tenth, the larger
of two metrics, policies that limit the change in a period, and the highest advice of five minutes before going down.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from nectary.core.runtimes import Scaling

_TOLERANCE = 0.1
_STABLE = 300.0


@dataclass(frozen=True, slots=True)
class Use:
    """What the replicas use on average, in percent of what is requested; None where nothing is requested or known."""

    cpu: float | None = None
    memory: float | None = None


@dataclass(slots=True)
class History:
    """What was recommended and done. Times are monotonic seconds."""

    wanted: deque[tuple[float, int]] = field(default_factory=deque)
    counts: deque[tuple[float, int]] = field(default_factory=deque)


def clamp(scaling: Scaling, count: int) -> int:
    """Within what the pipeline allows; a fixed number when it does not scale by itself."""
    if scaling.maximum <= 0:
        return max(0, scaling.replicas)
    return min(scaling.maximum, max(1, scaling.minimum, count))


def decide(scaling: Scaling, current: int, use: Use, history: History, now: float) -> int:
    """How many there should be now. Keeps the history."""
    if scaling.maximum <= 0:
        return clamp(scaling, current)
    current = clamp(scaling, current)
    history.counts.append((now, current))
    _forget(history.counts, now, 3600.0)
    wanted = clamp(scaling, _recommended(scaling, current, use))
    history.wanted.append((now, wanted))
    _forget(history.wanted, now, _STABLE)
    if wanted < current:
        wanted = max(count for _, count in history.wanted)  # a pause in the load is no reason to go down
    if wanted > current:
        return min(wanted, max(current, _most(scaling.up, current, history, now)))
    if wanted < current:
        return max(wanted, min(current, _least(scaling.down, current, history, now)))
    return current


def _recommended(scaling: Scaling, current: int, use: Use) -> int:
    counts = []
    for percent, target in ((use.cpu, scaling.cpu_percent), (use.memory, scaling.memory_percent)):
        if percent is None or target <= 0:
            continue
        ratio = percent / target
        counts.append(current if abs(ratio - 1.0) <= _TOLERANCE else math.ceil(current * ratio))
    return max(counts, default=current)


def _forget(times: deque[tuple[float, int]], now: float, seconds: float) -> None:
    while times and now - times[0][0] > seconds:
        times.popleft()


def _within(counts: Sequence[tuple[float, int]], now: float, seconds: float) -> list[int]:
    return [count for at, count in counts if now - at <= seconds]


def _most(policy: tuple[str, int, int] | None, current: int, history: History, now: float) -> int:
    if policy is None:
        return max(current * 2, current + 4)  # Kubernetes' default in a period of 15 s, which is ours
    kind, value, seconds = policy
    start = min([*_within(tuple(history.counts), now, seconds), current])
    return start + value if kind == "Pods" else math.ceil(start * (1 + value / 100))


def _least(policy: tuple[str, int, int] | None, current: int, history: History, now: float) -> int:
    if policy is None:
        return 0
    kind, value, seconds = policy
    start = max([*_within(tuple(history.counts), now, seconds), current])
    return start - value if kind == "Pods" else math.floor(start * (1 - value / 100))
