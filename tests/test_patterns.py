"""Patterns people write, matched by our own linear engine; Python's tells the truth where both know the syntax."""

import re
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nectary.patterns import BadPatternError, Pattern
from tests.harness.work import calls_of

CASES = [
    (r"^kube-", "kube-system", True),
    (r"^kube-", "my-kube-system", False),
    (r"system$", "kube-system", True),
    (r"", "anything", True),
    (r"^$", "", True),
    (r"^$", "a", False),
    (r"^(dev|prod)-[0-9]+$", "prod-17", True),
    (r"^(dev|prod)-[0-9]+$", "test-17", False),
    (r"^(?:a|b){2,3}$", "abab", False),
    (r"^(?:a|b){2,3}$", "aba", True),
    (r"^a{0}$", "", True),
    (r"^a{2,}$", "aaaa", True),
    (r"^a{,2}$", "a{,2}", True),
    (r"(?i)^KUBE", "kube", True),
    (r"(?i:K)ube", "Kube", True),
    (r"(?i:K)ube", "kUBE", False),
    (r"^\w+\.\d$", "team.5", True),
    (r"^[[:lower:]]+$", "abc", True),
    (r"^[^[:digit:]-]+$", "a-b", False),
    (r"^[\d_-]+$", "1_2-3", True),
    (r"[]]", "]", True),
    (r"^[^]]$", "x", True),
    (r"^(?P<team>\w+)-(?<zone>\w+)$", "a-b", True),
    (r"\x41\x{42}", "AB", True),
    (r"\bweb\b", "my-web-app", True),
    (r"\bweb\b", "myweb", False),
    (r"a.c", "a\nc", False),
    (r"(?s)a.c", "a\nc", True),
    (r"(?m)^b$", "a\nb\nc", True),
    (r"\Aa\z", "a", True),
    (r"(a*)*b", "aaab", True),
    (r"x*?y", "xxy", True),
    (r"(|a)+$", "aa", True),
]

WRONG = [
    ("(", '"(" without ")"'),
    (")", '")" without "("'),
    ("[a", "ends too early"),
    ("*a", "nothing before it"),
    ("a**", "repetition of a repetition"),
    ("a{2}{3}", "repetition of a repetition"),
    ("\\", "ends too early"),
    ("(?=a)", "beyond RE2"),
    ("(?<!a)", "group's name"),
    (r"(a)\1", "beyond the syntax"),
    (r"\pL", "beyond the syntax"),
    ("[z-a]", "backwards"),
    ("a{1001}", "1000"),
    ("(((a{100}){100}){100})", "repeats too much"),
    ("[[:nope:]]", "no class"),
    ("(" * 100 + ")" * 100, "nested deeper"),
    ("a" * 1001, "longer than"),
]


@pytest.mark.parametrize(("pattern", "text", "matches"), CASES)
def test_patterns_match_as_re2_would(pattern: str, text: str, matches: bool) -> None:
    assert Pattern(pattern).found_in(text) is matches


@pytest.mark.parametrize(("pattern", "why"), WRONG)
def test_wrong_patterns_are_refused_with_a_reason(pattern: str, why: str) -> None:
    with pytest.raises(BadPatternError, match=re.escape(why)):
        Pattern(pattern)


@pytest.mark.parametrize("made_to_be_slow", ["(a+)+(b+)+$", "(a|aa|aaa)*c"])
def test_the_work_grows_with_the_text_and_not_faster(made_to_be_slow: str) -> None:
    pattern = Pattern(made_to_be_slow)
    short, long = (calls_of(partial(pattern.found_in, "a" * length)) for length in (30, 240))
    assert not pattern.found_in("a" * 240)
    assert 0 < short < long < 9 * short


_LETTERS = st.sampled_from(["a", "b", "0", "-", "."])
_ATOMS = st.sampled_from(["a", "b", "0", "-", r"\.", ".", "[ab]", "[^a]", "[a-z]", r"\d", r"\w", r"\s", "^", "$", r"\b"])
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda ways: f"(?:{'|'.join(ways)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "*?"])).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(_PATTERNS, st.lists(_LETTERS, max_size=8).map("".join))
def test_it_finds_what_pythons_engine_finds(pattern: str, text: str) -> None:
    assert Pattern(pattern).found_in(text) is (re.search(pattern, text, re.ASCII) is not None)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30), st.text(max_size=20))
def test_no_text_trips_it(pattern: str, text: str) -> None:
    try:
        compiled = Pattern(pattern)
    except BadPatternError:
        return
    assert compiled.found_in(text) in (True, False)
