"""Examples of rules that let records through or not, and that remember them."""

from __future__ import annotations

from tests.processing.examples.example import many, one, same

RECORDS = [
    one("keeps records that match", "allow_records", {"regex": "ERROR"}, {"log": "an error"}, {"log": "an error"}),
    one("drops records that do not", "allow_records", {"regex": "ERROR", "matchCase": True}, {"log": "an error"}, None),
    one("drops records without the key", "allow_records", {"regex": "."}, {"msg": "x"}, None),
    one(
        "matches numbers as text",
        "allow_records",
        {"key": "$r['code']", "regex": "^5..$"},
        {"r": {"code": 503}},
        {"r": {"code": 503}},
    ),
    one("a map matches nothing", "allow_records", {"key": "r", "regex": ".*"}, {"r": {"code": 503}}, None),
    one("drops what matches", "block_records", {"key": "path", "regex": "^/healthz"}, {"path": "/healthz?x"}, None),
    same("no match to drop", "block_records", {"key": "path", "regex": "^/healthz"}, {"path": "/api"}),
    same("no key to drop by", "block_records", {"key": "path", "regex": "."}, {"other": "/api"}),
    one("drops by key alone", "block_records", {"key": "$a['debug']"}, {"a": {"debug": None}}, None),
    one("drops by any value", "block_records", {"regex": "noise"}, {"a": 1, "b": "some NOISE"}, None),
    one("drops all", "block_records", {}, {"a": 1}, None),
]

STATE = [
    many(
        "drops repeats within the window",
        "deduplicate",
        {"key": "m", "window": 5},
        [
            (0.0, {"m": "a"}),
            (1.0, {"m": "b"}),
            (4.0, {"m": "a"}),
            (5.0, {"m": "a", "n": 2}),
            (6.0, {"m": "b"}),
            (30.0, {"m": "a"}),
        ],
        [(0.0, {"m": "a"}), (1.0, {"m": "b"}), (5.0, {"m": "a", "n": 2}), (6.0, {"m": "b"}), (30.0, {"m": "a"})],
    ),
    many(
        "values of other types are others",
        "deduplicate",
        {"key": "$m['x']", "window": 9},
        [{"m": {"x": 1}}, {"m": {"x": "1"}}, {"m": {"x": [1]}}, {"m": {"x": [1]}}],
        [(0.0, {"m": {"x": 1}}), (1.0, {"m": {"x": "1"}}), (2.0, {"m": {"x": [1]}})],
    ),
    many(
        "leaves records without the key", "deduplicate", {"key": "m", "window": 9}, [{"a": 1}, {"a": 1}], [{"a": 1}, {"a": 1}]
    ),
    many(
        "or takes them for repeats",
        "deduplicate",
        {"key": "m", "window": 9, "skipMissing": False},
        [{"a": 1}, {"a": 2}],
        [{"a": 1}],
    ),
    many(
        "joins records of one time",
        "join",
        {"key": "log"},
        [(0.5, {"log": {"a": 1}, "x": 1}), (0.5, {"log": {"a": 2}}), (0.5, {"y": 1}), (1.0, {"log": 3}), (2.0, {"log": 4})],
        [(0.5, {"log": [{"a": 1}, {"a": 2}], "x": 1}), (1.0, {"log": [3]})],
        held=[(2.0, {"log": [4]})],
    ),
    many(
        "leaves records without the key when told",
        "join",
        {"key": "$a['b']", "skipMissing": True},
        [(0.0, {"a": {"b": 1}}), (0.0, {"c": 1}), (1.0, {"a": 1})],
        [(0.0, {"c": 1}), (1.0, {"a": 1})],
        held=[(0.0, {"a": {"b": [1]}})],
    ),
    many(
        "joins lines",
        "multiline_join",
        {"regex": r"^\S"},
        [
            {"log": " before"},
            {"log": "Error", "n": 1},
            {"log": "  at a"},
            {"log": "  at b"},
            {"log": "Next"},
            {"log": 5},
            {"log": " x"},
            {"log": "Last"},
        ],
        [
            (0.0, {"log": " before"}),
            (1.0, {"log": "Error\n  at a\n  at b", "n": 1}),
            (5.0, {"log": 5}),
            (4.0, {"log": "Next\n x"}),
        ],
        held=[(7.0, {"log": "Last"})],
    ),
    many(
        "joins at most so many lines",
        "multiline_join",
        {"regex": "^a", "lineLimit": 2, "src": "$m['t']"},
        [{"m": {"t": "a"}}, {"m": {"t": "b"}}, {"m": {"t": "c"}}],
        [(0.0, {"m": {"t": "a\nb"}}), (2.0, {"m": {"t": "c"}})],
    ),
    many(
        "computes per group and window",
        "aggregate",
        {"keys": ["host", "$r['z']"], "window": 10, "compute": {"n": "count", "total": "sum(v)", "mean": {"average": "v"}}},
        [
            (0.0, {"host": "a", "r": {"z": 1}, "v": 2}),
            (1.0, {"host": "b", "r": {"z": 1}, "v": "x"}),
            (2.0, {"host": "a", "r": {"z": 1}, "v": 4.5}),
            (3.0, {"nohost": 1}),
            (12.0, {"host": "c", "r": {"z": 1}}),
        ],
        [
            (3.0, {"nohost": 1}),
            (10.0, {"host": "a", "r": {"z": 1}, "n": 2, "total": 6.5, "mean": 3.25}),
            (10.0, {"host": "b", "r": {"z": 1}, "n": 1, "total": 0}),
        ],
        held=[(22.0, {"host": "c", "r": {"z": 1}, "n": 1, "total": 0})],
    ),
    many(
        "leaves records of which a key is missing",
        "aggregate",
        {"keys": ["$h['a']"], "window": 9, "compute": {"n": "count(*)"}},
        [{"h": 1}, {"h": {}}],
        [{"h": 1}, {"h": {}}],
    ),
    many(
        "leaves what is no text",
        "multiline_join",
        {"regex": "^a", "src": "m"},
        [{"m": ["a"]}, {"log": "a"}],
        [{"m": ["a"]}, {"log": "a"}],
    ),
    many(
        "counts a key",
        "aggregate",
        {"keys": '["h"]', "window": 1, "compute": '{"n": "count(v)"}'},
        [(0.0, {"h": 1, "v": "x"}), (0.5, {"h": 1}), (2.0, {"h": 1})],
        [(1.0, {"h": 1, "n": 1})],
        held=[(3.0, {"h": 1, "n": 0})],
    ),
    many("keeps all", "sampling", {"percentage": 100, "window": 60}, [{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 2}]),
    many(
        "keeps one of two in a window",
        "sampling",
        {"percentage": 50, "window": 60, "seed": 7},
        [{"a": n} for n in range(6)],
        [(0.0, {"a": 0}), (3.0, {"a": 3}), (4.0, {"a": 4})],
    ),
    many(
        "keeps by chance",
        "sampling",
        {"percentage": 30, "seed": 1},
        [{"a": n} for n in range(8)],
        [(0.0, {"a": 0}), (2.0, {"a": 2}), (7.0, {"a": 7})],
    ),
]
