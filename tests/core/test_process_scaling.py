"""Replicas follow the load as Kubernetes' autoscaler would have it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nectary.core.runtimes import Scaling
from nectary.core.runtimes.process.scaling import History, Use, clamp, decide

HPA = Scaling(replicas=1, minimum=2, maximum=8, cpu_percent=50, memory_percent=80)


@pytest.mark.parametrize(
    ("current", "use", "wanted"),
    [
        (2, Use(100.0, None), 4),
        (2, Use(54.0, None), 2),  # within a tenth
        (2, Use(56.0, None), 3),
        (2, Use(10.0, 160.0), 4),  # the larger of the two
        (4, Use(400.0, None), 8),  # never more than the most
        (2, Use(0.0, 0.0), 2),  # never fewer than the least
        (3, Use(None, None), 3),  # nothing known, nothing done
        (1, Use(None, None), 2),
    ],
)
def test_the_count_follows_the_ratio_of_use_to_target(current: int, use: Use, wanted: int) -> None:
    assert decide(HPA, current, use, History(), 0.0) == wanted


def test_a_fixed_number_stays_whatever_the_load() -> None:
    assert decide(Scaling(replicas=3), 3, Use(1000.0, 1000.0), History(), 0.0) == 3
    assert decide(Scaling(replicas=3), 1, Use(), History(), 0.0) == 3
    assert clamp(Scaling(replicas=0), 5) == 0


def test_it_goes_down_only_when_the_load_was_low_for_five_minutes() -> None:
    history, counts, current = History(), [], 6
    for step in range(30):
        use = Use(50.0 if step < 4 else 10.0)
        current = decide(HPA, current, use, history, step * 15.0)
        counts.append(current)
    assert counts[: 4 + 19] == [6] * 23
    assert counts[-1] == 2


def test_policies_limit_how_fast_it_goes() -> None:
    careful = Scaling(minimum=1, maximum=20, cpu_percent=50, up=("Pods", 1, 60), down=("Percent", 50, 60))
    history, current, counts = History(), 4, []
    for step in range(9):
        current = decide(careful, current, Use(500.0), history, step * 15.0)
        counts.append(current)
    assert counts == [5, 5, 5, 5, 5, 6, 6, 6, 6], "one more a minute"
    history = History()
    history.wanted.clear()
    assert decide(careful, 16, Use(0.0), history, 0.0) == 8, "half of them a minute"


@given(
    st.integers(0, 30),
    st.floats(0, 1e6) | st.none(),
    st.builds(
        Scaling,
        replicas=st.integers(0, 5),
        minimum=st.integers(0, 10),
        maximum=st.integers(0, 10),
        cpu_percent=st.integers(0, 100),
        up=st.none() | st.tuples(st.sampled_from(["Pods", "Percent"]), st.integers(1, 200), st.integers(1, 600)),
        down=st.none() | st.tuples(st.sampled_from(["Pods", "Percent"]), st.integers(1, 100), st.integers(1, 600)),
    ),
)
def test_the_bounds_always_hold_in_the_end(current: int, cpu: float | None, scaling: Scaling) -> None:
    history = History()
    for step in range(400):
        current = decide(scaling, current, Use(cpu), history, step * 15.0)
    if scaling.maximum <= 0:
        assert current == scaling.replicas
    else:
        assert min(scaling.maximum, max(1, scaling.minimum)) <= current <= scaling.maximum
