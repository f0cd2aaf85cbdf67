"""Regular expressions: what the matcher finds, and what is refused before it gets that far."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nectary.fluentbit.processing.lua_text import literal
from nectary.fluentbit.processing.patterns import Dialect, PatternError, parse
from nectary.fluentbit.processing.script import module_source
from nectary.preview import run

_SEARCH = """
function cb_filter(tag, ts, record)
  local compiled, found = patterns[record.pattern], {}
  local first, last, captures = regex.find(compiled, record.text)
  if not first then return 2, ts, {miss = true} end
  found.span = {first - 1, last}
  for group = 1, compiled.pattern.groups do found[group .. ""] = regex.captured(record.text, captures, group) end
  return 2, ts, found
end
"""


async def search(cases: list[tuple[str, str]], *, dialect: Dialect = "pcre", match_case: bool = True) -> list[Any]:
    """For each (pattern, text): None, or the byte span and the groups of the first match; an error text if it failed."""
    sources = [literal(parse(pattern, dialect=dialect, match_case=match_case).lua()) for pattern, _ in cases]
    code = "\n".join([module_source("records"), module_source("regex"), "patterns = {}"])
    code += "".join(f"patterns[{place}] = {source}\n" for place, source in enumerate(sources)) + _SEARCH
    events = [{"record": {"pattern": place, "text": text}} for place, (_, text) in enumerate(cases)]
    found: list[Any] = []
    for result in await run(code, events):
        if "error" in result:
            found.append(result["error"])
            continue
        record = result["result"][2]
        found.append(None if "miss" in record else (tuple(record.pop("span")), record))
    return found


def by_python(pattern: str, text: str, flags: int = 0) -> Any:
    """The same question to Python's engine, answered in bytes."""
    found = re.compile(pattern, flags | re.ASCII).search(text)
    if not found:
        return None
    span = (len(text[: found.start()].encode()), len(text[: found.end()].encode()))
    return span, {str(number): group for number, group in enumerate(found.groups(), 1) if group is not None}


AGREED = [
    ("abc", "xxabcxx"),
    ("a.c", "a\nc abc"),
    ("(?s)a.c", "a\nc"),
    ("^b", "a\nb"),
    ("(?m)^b$", "a\nb\nc"),
    ("b$", "ab\n"),
    ("b$", "ab\n\n"),
    ("a*?b", "aaab"),
    ("(a+)(a*)", "aaaa"),
    ("(a+?)(a*)", "aaaa"),
    ("(a|ab)(c|bcd)(d*)", "abcd"),
    ("x*", "aaa"),
    ("(?:ab)+", "xababab"),
    ("(?:ab){2}", "ababab"),
    ("(?:ab){2,}?", "ababab"),
    ("a{0}b", "ab"),
    ("(ab){1,2}c", "abababc"),
    ("[a-c]+", "xxabcd"),
    ("[^a-c]+", "abxyz"),
    ("[]a]+", "x]a]"),
    ("[^]a]+", "]ax]"),
    ("[a-]+", "b-a-"),
    ("[\\]\\-\\w]+", "--]a"),
    ("[\\d.]+", "v1.2.3"),
    ("\\bfoo\\b", "a foo."),
    ("\\Bo", "foo"),
    ("(\\w)\\1", "abccd"),
    ("(?P<x>\\w)(?P=x)", None),
    ("(?:(a)|b)*", "abab"),
    ("(a(b)?)+", "abaab"),
    ("(?=foo)f", "foo"),
    ("(?!foo)f\\w*", "foo fab"),
    ("(?<=a)b", "bab"),
    ("(?<!a)b", "abb"),
    ("(?<=é)b", "éb"),
    ("(?i)STRASSE", "strasse"),
    ("(?i)[a-c]E", "Be"),
    ("(?i:a)b", "Ab AB"),
    ("é+", "aéé"),
    ("[é-ü]+", "xêë"),
    (".", "😀"),
    ("(?x) a  b # rest", "ab"),
    ("(?:a|b|cd)+?d", "abcdd"),
    ("\\x41\\x{e9}", None),
    ("a\\.b\\*", "a.b*"),
    ("((a)|(b))+", "ab"),
    ("", "abc"),
    ("a||b", "b"),
    ("(a*)*", "aab"),
    ("(a*)+b", "aab"),
    ("(?:a?){3}b", "aab"),
    ("(|a)+", "aaa"),
    ("\\d{2,3}", "12345"),
    ("x{2", "x{2"),
    ("(.*)(\\d+)", "ab123"),
    ("(.*?)(\\d+)$", "ab123"),
    ("\\A\\w+\\Z", "word"),
    ("[[:alpha:]]+", None),
    ("\\S+@\\S+", "to me@here now"),
    ("a{,2}", None),
]


async def test_the_matcher_finds_what_pythons_engine_finds() -> None:
    cases = [(pattern, text) for pattern, text in AGREED if text is not None]
    found = await search(cases)
    for (pattern, text), answer in zip(cases, found, strict=True):
        assert answer == by_python(pattern, text), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"(?<y>\d+)-(?'m'\d+)", "2024-05", ((0, 7), {"1": "2024", "2": "05"})),
        (r"(?<a>x)\k<a>\k{a}", "xxx", ((0, 3), {"1": "x"})),
        (r"(?>a+)ab", "aaab", None),
        (r"a++b", "aab", ((0, 3), {})),
        (r"a++a", "aaa", None),
        (r"\Qa.b*\E+", "a.b**", ((0, 5), {})),
        (r"[[:upper:][:digit:]_]+", "abC1_d", ((2, 5), {})),
        (r"[[:^digit:]]+", "12ab", ((2, 4), {})),
        (r"\x41\x{e9}\t", "Aé\t", ((0, 4), {})),
        (r"\h+\N+", "a \tb\nc", ((1, 4), {})),
        (r"a\z", "a\n", None),
        (r"(?<=ab|c)x", "abx", ((2, 3), {})),
        (r"(?-i)A(?i)B", "Ab", ((0, 2), {})),
        (r"a(?#no matter)b", "ab", ((0, 2), {})),
    ],
)
async def test_what_pcre_has_and_python_has_not_works_too(pattern: str, text: str, expected: Any) -> None:
    assert await search([(pattern, text)]) == [expected]


@pytest.mark.parametrize(
    ("pattern", "text", "span"),
    [
        ("a|ab|abc", "xabcd", (1, 4)),
        ("(a|ab)(c|bcd)(d*)", "abcd", (0, 4)),
        (r"[\d]+", "a\\d", (1, 3)),
        ("*a", "*a", (0, 2)),
        ("^(one|oneself)", "oneself", (0, 7)),
    ],
)
async def test_the_posix_engines_take_the_longest_match(pattern: str, text: str, span: tuple[int, int]) -> None:
    [found] = await search([(pattern, text)], dialect="posix")
    assert found[0] == span


async def test_without_case_letters_of_any_alphabet_match_both_ways() -> None:
    assert await search([("straße[ä-ö]", "STRASSE STRAßEÖ")], match_case=False) == [((8, 17), {})]


async def test_a_byte_that_is_no_utf8_is_one_character() -> None:
    code = "\n".join([module_source("records"), module_source("regex")])
    code += f"\nlocal dots = {literal(parse('^[^a]{2}.$').lua())}\n"
    code += 'function cb_filter(tag, ts, record) return 2, ts, {found = regex.find(dots, "\\255\\195x") == 1} end'
    assert (await run(code, [{"record": {}}]))[0]["result"][2] == {"found": True}


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|a)*b", "(a+)+$", "(?:a?){40}b"])
async def test_a_runaway_pattern_ends_with_an_error(pattern: str) -> None:
    [found] = await search([(pattern, "a" * 40 + "!")])
    assert found is None or "too many steps" in found


async def test_long_texts_and_deep_repeats_do_not_break_the_matcher() -> None:
    cases = [
        ("(?:ab)*c", "ab" * 30000 + "c"),
        ("(ab)*c", "ab" * 1000 + "c"),
        ("x.*y", "x" + "é" * 5000 + "y"),
        ("(?:(?:a{1,3}){1,3}){1,3}", "a" * 40),
        ("(?:é.)*?!", "éa" * 500 + "!"),
        ("(a|b)*c", "ab" * 100000),
    ]
    spans = [answer if isinstance(answer, str) else answer[0] for answer in await search(cases)]
    assert spans == [(0, 60001), (0, 2001), (0, 10002), (0, 27), (0, 1501), "stack overflow"]


@pytest.mark.parametrize(
    ("pattern", "place", "reason"),
    [
        ("a(b", 2, "not closed"),
        ("a)b", 2, "unmatched )"),
        ("[a", 1, "class is not closed"),
        ("*a", 1, "nothing to repeat"),
        ("a**", 3, "repeat of a repeat"),
        ("a{3,2}", 2, "wrong way round"),
        ("[b-a]", 2, "wrong way round"),
        ("(?<n", 1, "not closed"),
        ("(?<1>a)", 1, "no name"),
        (r"a\2(b)", 2, "no group 2"),
        (r"\k<x>", 1, "no group x"),
        (r"\pL", 1, r"\p is not supported"),
        (r"\R", 1, "not supported"),
        ("(?R)", 1, "not supported"),
        ("(?(1)a|b)", 1, "not supported"),
        ("(?<=a*)b", 1, "look behind"),
        ("(*UTF)a", 1, "not supported"),
        ("[[:foo:]]", 1, "no class"),
        ("a{,2}", 2, "write {0,n}"),
        ("\\", 1, "ends in \\"),
        ("[[.a.]]", 2, "not supported"),
        ("(" * 50, 41, "nested deeper"),
        ("a{70000}", 2, "65535"),
        ("a" * 5000, 4097, "longer than"),
        (r"\x{110000}", 1, "hexadecimal"),
    ],
)
def test_what_the_matcher_cannot_do_is_refused_with_the_place(pattern: str, place: int, reason: str) -> None:
    with pytest.raises(PatternError, match=re.escape(reason)) as refused:
        parse(pattern)
    assert refused.value.position == place


@pytest.mark.parametrize("pattern", ["(?:a)", "a+?b(?=c)", "(?i)a"])
def test_posix_has_no_groups_with_question_marks(pattern: str) -> None:
    with pytest.raises(PatternError):
        parse(pattern, dialect="posix")


_ATOM = st.sampled_from(["a", "b", "ab", "é", ".", "[ab]", "[^a]", r"\w", r"\b", "^", "$", r"\s", "-"])


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = st.builds("{}{}{}".format, st.sampled_from(["(?:", "(?=", "(?!"]), inner, st.just(")"))
    repeat = st.builds("(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "*?", "+?", "??", "{1,2}", "{2}", "{0,2}?"]))
    return st.one_of(st.builds("{}{}".format, inner, inner), st.builds("(?:{}|{})".format, inner, inner), group, repeat)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.recursive(_ATOM, _grown, max_leaves=8), st.text(alphabet="abé -\n", max_size=12)), min_size=40, max_size=60
    )
)
async def test_made_up_patterns_match_where_pythons_do(cases: list[tuple[str, str]]) -> None:
    for (pattern, text), answer in zip(cases, await search(cases), strict=True):
        expected = by_python(pattern, text)
        assert (answer and answer[0]) == (expected and expected[0]), (pattern, text)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30) | st.text(alphabet=r"()[]{}*+?|\^$.<>=!:-#ab01,x", max_size=20), st.sampled_from(["pcre", "posix"]))
def test_any_text_is_read_or_refused(pattern: str, dialect: Dialect) -> None:
    problem = None
    try:
        parse(pattern, dialect=dialect)
    except PatternError as refused:
        problem = refused
    assert problem is None or 1 <= problem.position <= len(pattern) + 1
