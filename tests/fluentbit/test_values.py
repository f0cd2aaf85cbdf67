"""Option values: what each type takes, and what would do instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nectary.fluentbit import values
from nectary.fluentbit.values import CORE_VALUES, SERVICE_VALUES, type_named


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("boolean", ["true", "ON", "Yes", "false", "off", "no"], ["1", "0", "maybe", "", "enabled"]),
        ("integer", ["0", "-1", "+5", "007", "12345678901234567890"], ["abc", "5x", "0x10", "1e3", "", "1.5"]),
        ("double", ["5", "0.5", "-1.25", "1e3", ".5", "5."], ["fast", "", "1,5", "e3"]),
        ("size", ["512", "64K", "5m", "1GB", "1.5g", "false"], ["5 MB", "5MiB", "5B", "5Q", "", "K"]),
        ("time", ["5", "30s", "2M", "1h", "1D"], ["soon", "1.5s", "5x", "", "s"]),
        ("space delimited strings (minimum 2)", ["a b", "a b c d", '"a b" c'], ["a", "", '"a b"']),
        ("string", ["", "anything"], []),
        ("a type of tomorrow", ["", "anything"], []),
    ],
)
def test_a_type_takes_its_values_and_says_what_would_do_for_others(name: str, good: list[str], bad: list[str]) -> None:
    rule = type_named(name)
    assert [text for text in good if rule.problem(text) is not None] == []
    assert [rule.problem(text) for text in bad] == [rule.wants] * len(bad)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("log_level", ["off", "Trace", "warning"], ["loud", ""]),
        ("storage.type", ["memory", "FILESYSTEM", "memrb"], ["disk"]),
        ("retry_limit", ["1", "no_limits", "False", "off", "no_retries"], ["0", "-1", "abc"]),
        ("storage.total_limit_size", ["5M", "off", "no"], ["all"]),
        ("thread.ring_buffer.window", ["1", "100"], ["0", "101", "x"]),
        ("thread.ring_buffer.capacity", ["1"], ["0", "-5"]),
        ("rate_window", ["1", "5s"], ["0", "0s", "x"]),
        ("rate_gate.resume_ratio", ["0.5", "0.999"], ["0", "1", "x"]),
        ("rate_gate.max_records", ["0", "10"], ["-1", "abc"]),
        ("mem_buf_limit", ["0", "5M", "false"], ["-1", "lots"]),
        ("port", ["0", "1", "65535"], ["65536", "-1", "x"]),
    ],
)
def test_core_options_keep_their_ranges(name: str, good: list[str], bad: list[str]) -> None:
    rule = CORE_VALUES[name]
    assert [text for text in good if rule.problem(text) is not None] == []
    assert [text for text in bad if rule.problem(text) is None] == []


def test_flush_must_be_above_zero() -> None:
    flush = SERVICE_VALUES["flush"]
    assert flush.problem("0.1") is None
    assert [flush.problem(text) for text in ("0", "-1", "abc")] == [flush.wants] * 3


def test_sizes_count_in_thousands_and_times_in_seconds() -> None:
    assert [values.size(text) for text in ("5M", "1.5k", "2GB", "false", "x")] == [5_000_000, 1_500, 2_000_000_000, 0, None]
    assert [values.seconds(text) for text in ("5", "2m", "1h", "1D", "-1", "x")] == [5, 120, 3600, 86400, -1, None]


def test_quotes_keep_the_blanks_of_a_word_and_the_rest_after_the_last_split_is_one() -> None:
    assert values.words('start_state "/a b/" cont') == ["start_state", "/a b/", "cont"]
    assert values.words(r'"a \" b" c') == ['a " b', "c"]
    assert values.words("a b c d", 2) == ["a", "b", "c d"]


def test_a_number_in_front_of_junk_is_what_the_core_reads() -> None:
    assert values.fails_load("rate_window", "abc")
    assert not values.fails_load("rate_window", "5 MB")
    assert values.fails_load("log_suppress_interval", "-1")
    assert not values.fails_load("log_suppress_interval", "soon")
    assert values.fails_load("log_level", "loud")


@given(st.text())
def test_no_text_makes_a_rule_raise(text: str) -> None:
    for name in ("boolean", "integer", "double", "size", "time", "space delimited strings (minimum 4)"):
        type_named(name).problem(text)
    for rule in (*CORE_VALUES.values(), *SERVICE_VALUES.values()):
        rule.problem(text)
    values.words(text)
    values.seconds(text)
    values.size(text)


@pytest.mark.parametrize("name", ["double", "size", "time", "integer"])
def test_a_million_digits_and_a_letter_take_one_pass(name: str) -> None:
    text = "1" * 1_000_000 + "x"
    assert type_named(name).problem(text) is not None  # two passes per digit would take hours, beyond pytest's time limit
