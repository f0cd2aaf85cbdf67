"""Who is served what, for any rollout and any key; nothing else is needed to decide it."""

from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from nectary.resources.fleet_serving import (
    COHORTS,
    Served,
    Serving,
    Split,
    cohort,
    plain_address,
    poll_key,
    reaches,
    revisions_of,
    served,
)

OLD, NEW, BACK, NEWER = Served(1, 100), Served(2, 200), Served(3, 300), Served(4, 400)
KEYS = [poll_key(UUID(int=number), "", one_host=True) for number in range(2000)]


def split(reach: int, *canaries: str, inside: Served = NEW, outside: Serving = OLD) -> Split:
    return Split(reach, frozenset(canaries), inside, outside)


def test_without_a_rollout_everybody_gets_the_newest() -> None:
    assert {served(NEW, key) for key in KEYS} == {NEW}


def test_a_rollout_gives_the_new_to_those_it_reaches_and_the_old_with_its_old_date_to_all_others() -> None:
    given_to = [served(split(500), key) for key in KEYS]
    assert set(given_to) == {OLD, NEW}
    assert 0.03 < given_to.count(NEW) / len(KEYS) < 0.07, "five in a hundred, evenly"
    assert {served(split(0), key) for key in KEYS} == {OLD}
    assert {served(split(COHORTS), key) for key in KEYS} == {NEW}


def test_named_canaries_go_first_and_nobody_with_them() -> None:
    assert [key for key in KEYS if served(split(0, *KEYS[:3]), key) == NEW] == KEYS[:3]


@given(st.text(), st.integers(0, COHORTS), st.integers(0, COHORTS))
def test_growing_reach_never_leaves_a_key_behind(key: str, less: int, more: int) -> None:
    less, more = sorted((less, more))
    assert not reaches(less, (), key) or reaches(more, (), key)
    assert 0 <= cohort(key) < COHORTS


def test_cohorts_are_for_ever() -> None:
    """A host that changes its cohort between two releases would be reached twice, or never: these numbers may not move."""
    assert [cohort(key) for key in ("token:a", "token:a@127.0.0.1", "")] == [5228, 1481, 1652]


def test_what_was_rolled_back_changes_nothing_for_those_it_never_reached() -> None:
    before = {key: served(split(500, outside=OLD), key) for key in KEYS}
    after = {key: served(split(500, inside=BACK, outside=OLD), key) for key in KEYS}
    assert {key for key in KEYS if before[key] != after[key]} == {key for key in KEYS if before[key] == NEW}
    assert {after[key] for key in KEYS if before[key] == NEW} == {BACK}


@given(st.integers(0, COHORTS), st.integers(0, COHORTS), st.sampled_from(KEYS))
def test_no_key_is_ever_given_an_older_version_than_before(first: int, second: int, key: str) -> None:
    rolled_back = split(first, inside=BACK)
    steps: list[Serving] = [OLD, split(first), rolled_back, split(second, inside=NEWER, outside=rolled_back), NEWER]
    versions = [served(step, key).version for step in steps]
    assert versions == sorted(versions)
    assert {served(step, key).revision for step in steps} <= revisions_of(steps[3]) | {2}


def test_a_host_with_a_token_of_its_own_is_known_wherever_it_polls_from() -> None:
    token = uuid4()
    assert poll_key(token, "10.0.0.1", one_host=True) == poll_key(token, "10.0.0.2", one_host=True)
    assert poll_key(token, "10.0.0.1", one_host=False) != poll_key(token, "10.0.0.2", one_host=False)
    assert poll_key(token, "::ffff:10.0.0.1", one_host=False) == poll_key(token, "10.0.0.1", one_host=False)


def test_an_address_has_one_spelling() -> None:
    assert [plain_address(text) for text in ("2001:DB8:0:0::1", "::ffff:10.0.0.1", "10.0.0.1", "unix")] == [
        "2001:db8::1",
        "10.0.0.1",
        "10.0.0.1",
        "unix",
    ]
