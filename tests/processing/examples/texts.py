"""Examples of rules about texts."""

from __future__ import annotations

from tests.processing.examples.example import one, same

TEXTS = [
    one(
        "covers what matches",
        "redact",
        {"key": "card", "regex": r"\d{4}-\d{4}-\d{4}"},
        {"card": "1234-5678-9012-3456 ok"},
        {"card": "**************-3456 ok"},
    ),
    one(
        "covers characters, not bytes",
        "redact",
        {"key": "$u['name']", "regex": "^.+$", "replaceChar": "#"},
        {"u": {"name": "Zoë😀"}},
        {"u": {"name": "####"}},
    ),
    one("any case", "redact", {"key": "a", "regex": "secret"}, {"a": "SECRET secret"}, {"a": "****** ******"}),
    same("only texts are covered", "redact", {"key": "a", "regex": "1"}, {"a": 111}),
    same("missing key", "redact", {"key": "$a['b']", "regex": "1"}, {"a": "1"}),
    one(
        "replaces with groups",
        "replace",
        {"key": "log", "regex": r"(\w+)@(\w+)", "replacement": "%2 at %1%%"},
        {"log": "me@here you@there"},
        {"log": "here at me% there at you%"},
    ),
    one(
        "replaces the first ones",
        "replace",
        {"key": "log", "regex": "A", "replacement": "", "submax": 2},
        {"log": "aAaA"},
        {"log": "aA"},
    ),
    one(
        "replaces empty matches", "replace", {"key": "log", "regex": "x*", "replacement": "-"}, {"log": "axb"}, {"log": "-a-b-"}
    ),
    same("no text to replace in", "replace", {"key": "log", "regex": "1", "replacement": "2"}, {"log": {"a": "1"}}),
    one(
        "collects pairs",
        "extract_kv",
        {"src": "log", "dst": "kv", "regex": r"(\w+)=(\w*)"},
        {"log": "a=1, b= c=x"},
        {"log": "a=1, b= c=x", "kv": {"a": "1", "b": "", "c": "x"}},
    ),
    same("no pair", "extract_kv", {"src": "log", "dst": "kv", "regex": "(a)=(b)"}, {"log": "nothing"}),
    same("pairs in a number", "extract_kv", {"src": "log", "dst": "kv", "regex": "(1)(2)"}, {"log": 12}),
    one(
        "parses named groups",
        "parse",
        {"src": "log", "dst": "p", "regex": r'^(?<host>\S+) "(?<verb>\w+) (?<path>[^"]*)"(?: (?<more>.*))?$'},
        {"log": '10.0.0.1 "GET /a?b=c"'},
        {"log": '10.0.0.1 "GET /a?b=c"', "p": {"host": "10.0.0.1", "verb": "GET", "path": "/a?b=c"}},
    ),
    same("a key that exists", "parse", {"src": "log", "dst": "log", "regex": "(?<a>.)"}, {"log": "x"}),
    same("no match to parse", "parse", {"src": "log", "dst": "p", "regex": "(?<a>z)"}, {"log": "x"}),
    same("nothing to parse with", "parse", {"src": "log", "dst": "p"}, {"log": "x"}),
    one("reads a number", "parse_number", {"key": "$a['n']"}, {"a": {"n": "took -12.5 ms"}}, {"a": {"n": -12.5}}),
    one("reads a whole number", "parse_number", {"key": "n"}, {"n": "7."}, {"n": 7}),
    one("reads another base", "parse_number", {"key": "n", "base": 16, "regex": "[0-9a-f]+"}, {"n": "0xff"}, {"n": 0}),
    one("reads hexadecimal", "parse_number", {"key": "n", "base": 16, "regex": "-?[0-9a-f]{2,}"}, {"n": "x-ff"}, {"n": -255}),
    same("no number", "parse_number", {"key": "n"}, {"n": "none"}),
    same("a number already", "parse_number", {"key": "n"}, {"n": 5}),
    one(
        "hashes in place",
        "hash",
        {"src": "a"},
        {"a": "abc"},
        {"a": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    ),
    one(
        "hashes with md5, base64, elsewhere",
        "hash",
        {"src": "a", "algo": "md5", "encoding": "base64", "dst": "$h['a']"},
        {"a": "abc"},
        {"a": "abc", "h": {"a": "kAFQmDzST7DWlj99KOF/cg=="}},
    ),
    one("hashes a number as text", "hash", {"src": "a", "algo": "md5"}, {"a": 12}, {"a": "c20ad4d76fe97759aa27a0c99bff6710"}),
    same("a map has no digest", "hash", {"src": "a"}, {"a": {"b": 1}}),
]
