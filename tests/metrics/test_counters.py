"""Counting across restarts, reloads, retries and gaps."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nectary.metrics import counters
from nectary.metrics.cmetrics import CEILING, FIELDS, OTHER, Readings, Snapshot, decode
from nectary.metrics.counters import Advance, Counters, Totals, add, advance

SHARED = Path(os.environ.get("NECTARY_SHARED") or Path(__file__).parents[2].parent / "shared")
STARTED = 1_700_000_000.0


def snapshot(taken_at: float, started_at: float | None = STARTED, **inputs: tuple[int | None, ...]) -> Snapshot:
    return reading(taken_at, started_at, inputs)


def reading(taken_at: float, started_at: float | None, inputs: dict[str, tuple[int | None, ...]]) -> Snapshot:
    values = Readings(input=inputs)
    return Snapshot(taken_at=taken_at, started_at=started_at, reloads=0, version=None, labels={}, values=values, unknown=0)


def told(*snapshots: Snapshot) -> list[Advance]:
    steps: list[Advance] = []
    for posted in snapshots:
        steps.append(advance(steps[-1].counters if steps else None, posted))
    return steps


def test_the_first_post_counts_everything_since_the_start() -> None:
    (step,) = told(snapshot(STARTED + 5, a=(100, 4)))
    assert step.increments == step.counters.totals == Totals(input={"a": (100, 4)})
    assert step.counted
    assert step.zero_at == STARTED


def test_a_start_after_the_post_or_at_no_time_gives_no_moment_of_zero() -> None:
    for started_at in (STARTED + 6, -5.0, None):
        (step,) = told(snapshot(STARTED + 5, started_at, a=(100, 4)))
        assert (step.zero_at, step.increments.input) == (None, {"a": (100, 4)})


def test_later_posts_count_the_difference() -> None:
    _, step = told(snapshot(STARTED + 5, a=(100, 4)), snapshot(STARTED + 30, a=(150, 6), b=(7, 1)))
    assert step.increments.input == {"a": (50, 2), "b": (7, 1)}
    assert step.counters.totals.input == {"a": (150, 6), "b": (7, 1)}
    assert step.zero_at is None


def test_after_a_restart_everything_counts_from_zero_even_what_went_up() -> None:
    again = STARTED + 40
    _, step = told(snapshot(STARTED + 30, a=(100, 4), b=(5, 1)), snapshot(again + 5, again, a=(130, 2)))
    assert step.increments.input == {"a": (130, 2)}
    assert step.counters.totals.input == {"a": (230, 6), "b": (5, 1)}
    assert step.counters.last.input == {"a": (130, 2)}
    assert step.zero_at == again


def test_without_a_restart_only_the_series_that_went_down_counts_from_zero() -> None:
    _, step = told(snapshot(STARTED + 30, a=(100, 4), b=(50, 5)), snapshot(STARTED + 60, a=(20, 6), b=(51, 5)))
    assert step.increments.input == {"a": (20, 2), "b": (1, 0)}
    assert step.zero_at is None


@pytest.mark.parametrize("moved", [0.0, 0.6, -0.9, 1.0])
def test_a_start_told_in_whole_seconds_is_the_same_start(moved: float) -> None:
    _, step = told(snapshot(STARTED + 30, a=(100, 4)), snapshot(STARTED + 60, STARTED + moved, a=(130, 6)))
    assert step.increments.input == {"a": (30, 2)}


def test_restarts_are_seen_by_falling_counters_when_no_start_is_told() -> None:
    _, step, last = told(
        snapshot(STARTED + 30, None, a=(100, 4)),
        snapshot(STARTED + 60, None, a=(9, 5)),
        snapshot(STARTED + 90, STARTED, a=(10, 6)),
    )
    assert step.increments.input == {"a": (9, 1)}
    assert step.zero_at is None
    assert last.increments.input == {"a": (1, 1)}


def test_the_same_post_again_changes_nothing() -> None:
    posted = snapshot(STARTED + 30, a=(100, 4))
    first, again = told(posted, posted)
    assert not again.counted
    assert again.increments == Totals()
    assert again.counters == first.counters


def test_a_post_that_a_newer_one_has_overtaken_changes_nothing() -> None:
    again = STARTED + 40
    _, newer, late, later = told(
        snapshot(STARTED + 10, a=(50, 2)),
        snapshot(again + 5, again, a=(10, 1)),
        snapshot(STARTED + 30, a=(100, 4)),
        snapshot(again + 30, again, a=(12, 2)),
    )
    assert not late.counted
    assert late.counters == newer.counters
    assert later.increments.input == {"a": (2, 1)}


def test_an_agent_whose_clock_was_set_back_keeps_counting() -> None:
    _, hours, restarted = told(
        snapshot(STARTED + 30, a=(100, 4)),
        snapshot(STARTED + 60 - 7200, a=(110, 5)),
        snapshot(STARTED + 50 - 7200, STARTED + 45 - 7200, a=(3, 1)),
    )
    assert hours.increments.input == {"a": (10, 1)}
    assert restarted.counted is False  # 10 seconds older and an older start: as a late post would look
    _, reboot = told(snapshot(STARTED + 3600, a=(100, 4)), snapshot(STARTED + 3500, STARTED + 3490, a=(120, 5)))
    assert reboot.increments.input == {"a": (120, 5)}
    assert reboot.zero_at is None  # that moment lies before the previous post


def test_posts_without_a_time_are_counted() -> None:
    first, second = told(snapshot(0.0, None, a=(100, 4)), snapshot(0.0, None, a=(110, 4)))
    assert (first.zero_at, second.zero_at) == (None, None)
    assert second.increments.input == {"a": (10, 0)}


def test_a_series_missing_from_one_post_keeps_its_last_reading() -> None:
    _, gap, step = told(
        snapshot(STARTED + 30, a=(100, 4), b=(50, 5)),
        snapshot(STARTED + 60, a=(None, 5)),
        snapshot(STARTED + 90, a=(110, 6), b=(51, 5)),
    )
    assert gap.increments.input == {"a": (0, 1)}
    assert gap.counters.last.input == {"a": (100, 5), "b": (50, 5)}
    assert step.increments.input == {"a": (10, 1), "b": (1, 0)}


def test_what_is_remembered_stays_bounded_when_names_change_with_every_post() -> None:
    known: Counters | None = None
    for number in range(30):
        posted = reading(STARTED + 30 * number + 30, STARTED, {f"p{number}-{index}": (1, 1) for index in range(5)})
        known = advance(known, posted, limit=20).counters
    assert known is not None
    assert len(known.last.input) <= 20
    assert len(known.totals.input) == 20
    assert known.totals.input[OTHER] == (150 - 19, 150 - 19)


def test_adding_leaves_both_sides_as_they_were() -> None:
    one, other = Totals(input={"a": (1, 2)}), Totals(input={"a": (3, 4), "b": (5, 6)}, filter={"f": (1, 1, 1, 1, 1)})
    assert add(one, other) == Totals(input={"a": (4, 6), "b": (5, 6)}, filter={"f": (1, 1, 1, 1, 1)})
    assert (one, len(other.input)) == (Totals(input={"a": (1, 2)}), 2)


def test_plugins_beyond_the_limit_are_added_to_the_plugin_other() -> None:
    many = Totals(input={f"p{number}": (1, 10) for number in range(7)})
    sum_of = add(add(Totals(), many, limit=5), many, limit=5)
    assert sum_of.input == {"p0": (2, 20), "p1": (2, 20), "p2": (2, 20), "p3": (2, 20), OTHER: (6, 60)}


def test_totals_stay_at_the_ceiling() -> None:
    full = Totals(input={"a": (CEILING, 1)})
    assert add(full, full).input == {"a": (CEILING, 2)}
    assert counters.decode_totals(counters.encode(add(full, full))).input == {"a": (CEILING, 2)}


def test_the_capture_takes_few_bytes_and_comes_back_as_it_was() -> None:
    path = SHARED / "captures" / "metrics" / "agent_rich.msgpack"
    if not path.exists():
        pytest.skip(f"SKIPPED: no captured bodies at {path.parent}; set NECTARY_SHARED")
    (step,) = told(*decode(path.read_bytes()))
    plugins = sum(len(getattr(step.counters.totals, kind)) for kind in FIELDS)
    blob = counters.encode(step.counters.totals)
    assert len(blob) <= 60 * plugins
    assert counters.decode_totals(blob) == step.counters.totals
    assert counters.decode_counters(counters.encode_counters(step.counters)) == step.counters


def test_the_two_captures_of_one_agent_count_what_happened_in_between() -> None:
    path = SHARED / "captures" / "metrics" / "derived_two_contexts.msgpack"
    if not path.exists():
        pytest.skip(f"SKIPPED: no captured bodies at {path.parent}; set NECTARY_SHARED")
    _, second = told(*decode(path.read_bytes()))
    assert second.increments.input == {"app-logs": (700, 25)}
    assert second.increments.filter == {"add-k": (800, 25, 0, 0, 0)}
    assert second.counters.totals.output["sink"] == (896, 28, 0, 0, 0, 0, 0)


def test_rows_stored_when_there_were_fewer_fields_are_widened() -> None:
    blob = msgspec.msgpack.encode([{"a": [1]}, {}, {"out": [1, 2]}])
    assert counters.decode_totals(blob) == Totals(input={"a": (1, 0)}, output={"out": (1, 2, 0, 0, 0, 0, 0)})
    remembered = counters.decode_counters(msgspec.msgpack.encode([1.0, None, [{"a": [1]}], [{"a": [1]}]]))
    assert remembered.last.input == {"a": (1, None)}
    assert remembered.totals.input == {"a": (1, 0)}


@pytest.mark.parametrize("blob", [b"", b"\x80", b"\xc1", b"\x93", b"\x91" * 5000, msgspec.msgpack.encode([{"a": "b"}])])
def test_what_was_never_stored_is_refused(blob: bytes) -> None:
    with pytest.raises(ValueError, match="no stored totals"):
        counters.decode_totals(blob)
    with pytest.raises(ValueError, match="no stored counters"):
        counters.decode_counters(blob)


@dataclass
class Agent:
    """A process that counts, restarts and posts; and the truth about it."""

    now: float = STARTED + 0.5
    started_at: float = STARTED
    raw: dict[str, list[int]] = field(default_factory=dict)
    posted: dict[str, list[int]] = field(default_factory=dict)
    truth: dict[str, list[int]] = field(default_factory=dict)

    def post(self) -> Snapshot:
        for name, row in self.raw.items():
            truth = self.truth.setdefault(name, [0, 0])
            for position, value in enumerate(row):
                truth[position] += value - self.posted.get(name, [0, 0])[position]
        self.posted = {name: list(row) for name, row in self.raw.items()}
        return reading(self.now, self.started_at, {name: tuple(row) for name, row in self.raw.items()})

    def restart(self) -> None:
        self.now += 3.0
        self.started_at = float(int(self.now))
        self.raw, self.posted = {}, {}


events = st.lists(
    st.one_of(
        st.tuples(st.just("count"), st.sampled_from("abc"), st.integers(0, 2**40)),
        st.tuples(st.just("post"), st.floats(0.01, 5000), st.booleans()),
        st.tuples(st.just("restart")),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(events)
def test_nothing_posted_is_lost_or_counted_twice_however_often_the_agent_restarts(happened: list[Any]) -> None:
    agent, known, project = Agent(), None, Totals()
    for event in [*happened, ("post", 1.0, False)]:
        if event[0] == "count":
            row = agent.raw.setdefault(event[1], [0, 0])
            row[0], row[1] = row[0] + event[2], row[1] + 1
        elif event[0] == "restart":
            agent.restart()
        else:
            agent.now += event[1]
            posted = agent.post()
            for _ in range(1 + event[2]):  # now and then the same post twice
                step = advance(known and counters.decode_counters(counters.encode_counters(known)), posted)
                known, project = step.counters, add(project, step.increments)
    assert known is not None
    assert known.totals == project
    assert {name: list(row) for name, row in known.totals.input.items()} == agent.truth
