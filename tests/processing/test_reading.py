"""Rule lists that cannot be read: each mistake with its rule and option."""

from __future__ import annotations

from typing import Any

import pytest

from nectary.fluentbit.processing import RULE_TYPES, RuleError, read_rules, read_unit
from nectary.fluentbit.processing.options import steps
from nectary.fluentbit.processing.rules import AllowRecords, MultilineJoin, Redact

GOOD = {"type": "delete", "opts": {"key": "a"}}


@pytest.mark.parametrize(
    ("rule", "option", "reason"),
    [
        ("delete", None, "must be an object"),
        ({"opts": {}}, None, "unknown type None"),
        ({"type": "delet"}, None, "unknown type 'delet'; there are aggregate"),
        ({"type": ["delete"]}, None, "unknown type"),
        ({"type": "delete", "options": {}}, None, "unknown member 'options'"),
        ({"type": "delete", "opts": []}, "opts", "must be an object"),
        ({"type": "delete", "active": "yes"}, None, "active true or false"),
        ({"type": "delete"}, "key", "is required"),
        ({"type": "delete", "opts": {"key": ""}}, "key", "must not be empty"),
        ({"type": "delete", "opts": {"key": 1}}, "key", "must be a text, not 1"),
        ({"type": "delete", "opts": {"key": "a", "kee": 1}}, "kee", "delete has no such option; it has key"),
        ({"type": "delete", "opts": {"key": "$a.b[x]"}}, "key", "is no record accessor"),
        ({"type": "delete", "opts": {"key": "$"}}, "key", "is no record accessor"),
        ({"type": "put", "opts": {"key": "a", "value": 5}}, "value", "must be a text, true or false, not 5"),
        ({"type": "sampling", "opts": {"percentage": 0}}, "percentage", "between 1 and 100, not 0"),
        ({"type": "sampling", "opts": {"percentage": True}}, "percentage", "whole number, not True"),
        ({"type": "sampling", "opts": {"percentage": 2.5}}, "percentage", "whole number, not 2.5"),
        ({"type": "multiline_join", "opts": {"regex": "a", "lineLimit": 1}}, "lineLimit", "between 2 and"),
        ({"type": "hash", "opts": {"src": "a", "algo": "sha1"}}, "algo", "one of sha256, md5, not 'sha1'"),
        ({"type": "hash", "opts": {"src": "a", "encoding": "HEX"}}, "encoding", "one of hex, binary, base64"),
        ({"type": "redact", "opts": {"key": "a", "regex": "a(b"}}, "regex", "the group is not closed at character 2"),
        ({"type": "redact", "opts": {"key": "a", "regex": "(?:a)", "regexEngine": "tre"}}, "regex", "not part of POSIX"),
        ({"type": "redact", "opts": {"key": "a", "regex": "a", "regexEngine": "re2"}}, "regexEngine", "one of pcre2, onig"),
        ({"type": "redact", "opts": {"key": "a", "regex": "a", "matchCase": "no"}}, "matchCase", "true or false, not 'no'"),
        (
            {"type": "replace", "opts": {"key": "a", "regex": "(a)", "replacement": "%2"}},
            "replacement",
            "%2 stands for a group",
        ),
        (
            {"type": "replace", "opts": {"key": "a", "regex": "a", "replacement": "100%"}},
            "replacement",
            "after % there must be",
        ),
        ({"type": "copy", "opts": {"src": "a[", "dst": "b", "regexMode": True}}, "src", "class is not closed"),
        ({"type": "rename", "opts": {"src": "a", "dst": ""}}, "dst", "must not be empty"),
        ({"type": "rename", "opts": {"src": "a", "dst": "%3", "regexMode": True}}, "dst", "%3 stands for a group"),
        ({"type": "extract_kv", "opts": {"src": "a", "dst": "b", "regex": "(a)b"}}, "regex", "needs 2 groups"),
        ({"type": "parse", "opts": {"src": "a", "dst": "b", "regex": "(a)"}}, "regex", "needs named groups"),
        ({"type": "aggregate", "opts": {"keys": [], "window": 1, "compute": {"n": "count"}}}, "keys", "must be a list of keys"),
        ({"type": "aggregate", "opts": {"keys": ["a"], "window": 1, "compute": "x"}}, "compute", "must be an object"),
        (
            {"type": "aggregate", "opts": {"keys": ["a"], "window": 1, "compute": {"n": "max(a)"}}},
            "compute",
            "'n' must be count",
        ),
        ({"type": "aggregate", "opts": {"keys": ["a"], "window": 1, "compute": {"n": "sum"}}}, "compute", "sum needs a key"),
        ({"type": "custom_script", "opts": {"script": "\x1bLJ"}}, "script", "not compiled code"),
    ],
)
def test_each_mistake_names_its_rule_and_option(rule: Any, option: str | None, reason: str) -> None:
    with pytest.raises(RuleError) as refused:
        read_rules([GOOD, rule])
    assert refused.value.index == 1
    assert refused.value.option == option
    assert reason in str(refused.value)
    assert "rule 1" in str(refused.value)


@pytest.mark.parametrize("rules", [None, "delete", {"type": "delete"}, [GOOD] * 201])
def test_only_a_list_of_so_many_rules_is_one(rules: Any) -> None:
    with pytest.raises(RuleError) as refused:
        read_rules(rules)
    assert refused.value.index is None


def test_options_left_out_null_or_empty_have_their_defaults() -> None:
    rules = read_rules(
        [
            {"type": "redact", "opts": {"key": "a", "regex": "b", "matchCase": None, "regexEngine": ""}},
            {"type": "allow_records", "opts": {"regex": "b", "key": None}},
            {"type": "multiline_join", "opts": {"regex": "b"}},
        ]
    )
    assert [rule.options for rule in rules] == [
        Redact(key="a", regex="b", match_case=False, regex_engine="pcre2", replace_char="*"),
        AllowRecords(regex="b", key="log", match_case=False, regex_engine="pcre2"),
        MultilineJoin(regex="b", line_limit=1000, src="log", regex_engine="pcre2"),
    ]
    assert all(rule.active and rule.comment == "" and rule.id is None for rule in rules)


def test_the_rules_of_a_calyptia_processor_unit_are_read_one_or_many() -> None:
    assert read_unit({"name": "calyptia", "actions": GOOD}) == read_rules([GOOD])
    assert read_unit({"name": "calyptia", "actions": [GOOD, GOOD]}) == read_rules([GOOD, GOOD])
    with pytest.raises(RuleError):
        read_unit({"name": "calyptia"})


def test_there_are_the_28_types_of_the_rule_library() -> None:
    listed = (
        "aggregate allow_keys allow_records block_keys block_records copy csv_decode csv_encode custom_script deduplicate "
        "delete extract_kv flatten hash join json_decode json_encode lift multiline_join nest parse parse_number put redact "
        "rename replace sampling split"
    )
    assert list(RULE_TYPES) == listed.split()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.b c", ("a.b c",)),
        ("$a", ("a",)),
        ("$a.b", ("a.b",)),
        ("$a['b']['it''s'][\"x\"][2]", ("a", "b", "it's", "x", 3)),
        ("$['$odd']", ("$odd",)),
    ],
)
def test_a_key_is_itself_and_with_a_dollar_a_record_accessor(path: str, expected: tuple[str | int, ...]) -> None:
    assert steps(path) == expected
