"""Examples of rules that move fields in and out of maps and lists."""

from __future__ import annotations

from tests.processing.examples.example import one, same

SHAPES = [
    one("flattens", "flatten", {"key": "user"}, {"user": {"a": {"b": 1}, "c": 2}, "c": 0}, {"a": {"b": 1}, "c": 2}),
    one(
        "flattens what matches, under new names",
        "flatten",
        {"key": "$r['u']", "regex": "^(a.*)$", "keyReplacement": "u.%1", "keepOrig": True},
        {"r": {"u": {"a1": 1, "b": 2}}},
        {"r": {"u": {"a1": 1, "b": 2}}, "u.a1": 1},
    ),
    same("missing", "flatten", {"key": "user"}, {"a": 1}),
    same("not a map", "flatten", {"key": "user"}, {"user": ["a"]}),
    one(
        "lifts one level",
        "lift",
        {"key": "$a['b']"},
        {"a": {"b": {"c": 1, "d": None}, "e": 2}},
        {"a": {"c": 1, "d": None, "e": 2}},
    ),
    one(
        "lifts two levels, keeping",
        "lift",
        {"key": "$a['b']", "levels": 2, "regex": "^c", "keyReplacement": "x%0", "keepOrig": True},
        {"a": {"b": {"c": 1, "d": 2}}},
        {"a": {"b": {"c": 1, "d": 2}}, "xc": 1},
    ),
    one("lifts to the top at most", "lift", {"key": "a", "levels": 9}, {"a": {"a": 1}}, {"a": 1}),
    same("nothing to lift", "lift", {"key": "a"}, {"b": 1, "a": 2}),
    one("nests", "nest", {"src": "a", "dst": "n"}, {"a": 1, "n": {"old": 1}}, {"n": {"a": 1}}),
    one(
        "nests and merges",
        "nest",
        {"src": "$x['a']", "dst": "n", "merge": True},
        {"x": {"a": []}, "n": {"old": 1}},
        {"x": {}, "n": {"old": 1, "a": []}},
    ),
    one(
        "nests by expression",
        "nest",
        {"src": "^mem[.]", "dst": "$m['all']", "regexMode": True},
        {"Mem.a": 1, "mem.b": 2, "c": 3},
        {"c": 3, "m": {"all": {"Mem.a": 1, "mem.b": 2}}},
    ),
    one("nests everything", "nest", {"dst": "all"}, {"a": 1, "b": {}}, {"all": {"a": 1, "b": {}}}),
    same("nothing to nest", "nest", {"src": "z", "dst": "n"}, {"a": 1}),
    one(
        "splits",
        "split",
        {"key": "l"},
        {"l": [{"a": 1}, "x", None], "b": 1},
        [{"l": {"a": 1}, "b": 1}, {"l": "x", "b": 1}, {"l": None, "b": 1}],
    ),
    one(
        "splits to another key, keeping",
        "split",
        {"key": "$r['l']", "dest": "item", "keepOrig": True},
        {"r": {"l": [1, 2]}},
        [{"r": {"l": [1, 2]}, "item": 1}, {"r": {"l": [1, 2]}, "item": 2}],
    ),
    one("an empty list goes", "split", {"key": "l"}, {"l": [], "a": 1}, {"a": 1}),
    same("an empty list stays when told", "split", {"key": "l", "skipEmpty": True}, {"l": [], "a": 1}),
    same("nothing to split", "split", {"key": "l", "skipMissing": True}, {"l": "text"}),
]
