"""Examples of rules about single keys."""

from __future__ import annotations

from tests.processing.examples.example import one, same

NESTED = {"user": {"ip": "10.1.2.3", "tags": ["x", "y"]}, "n": 7}

KEYS = [
    one(
        "keeps keys in any case",
        "allow_keys",
        {"regex": "^user"},
        {"user_id": 1, "USER": 2, "page": 3},
        {"user_id": 1, "USER": 2},
    ),
    one("minds the case when told", "allow_keys", {"regex": "^user", "matchCase": True}, {"user": 1, "USER": 2}, {"user": 1}),
    one(
        "works inside a map",
        "allow_keys",
        {"regex": "^ip$", "nestedPath": "user"},
        NESTED,
        {"user": {"ip": "10.1.2.3"}, "n": 7},
    ),
    same("no such map", "allow_keys", {"regex": "a", "nestedPath": "$x['y']"}, {"a": 1, "x": 2}),
    one("removes keys", "block_keys", {"regex": "^_"}, {"_a": 1, "b": 2, "_c": {"d": 1}}, {"b": 2}),
    one(
        "removes inside a map",
        "block_keys",
        {"regex": "ip|n", "nestedPath": "$user"},
        NESTED,
        {"user": {"tags": ["x", "y"]}, "n": 7},
    ),
    same("a list is no map", "block_keys", {"regex": "x", "nestedPath": "l"}, {"l": ["x"], "x": 1}),
    one("copies a value", "copy", {"src": "a", "dst": "b"}, {"a": {"x": [1, {}]}}, {"a": {"x": [1, {}]}, "b": {"x": [1, {}]}}),
    one(
        "copies a nested value to a nested key",
        "copy",
        {"src": "$user['tags'][1]", "dst": "$new['deep']['tag']"},
        NESTED,
        {**NESTED, "new": {"deep": {"tag": "y"}}},
    ),
    same("nothing to copy", "copy", {"src": "nope", "dst": "b"}, {"a": 1}),
    same("a text in the way", "copy", {"src": "a", "dst": "$a['b']"}, {"a": "text"}),
    one(
        "copies by expression",
        "copy",
        {"src": "^(.)_id$", "dst": "id_%1", "regexMode": True},
        {"a_id": 1, "b_id": 2, "c": 3},
        {"a_id": 1, "b_id": 2, "c": 3, "id_a": 1, "id_b": 2},
    ),
    one("renames", "rename", {"src": "a", "dst": "b"}, {"a": [], "b": 2, "c": None}, {"b": [], "c": None}),
    one(
        "renames nested",
        "rename",
        {"src": "$user['ip']", "dst": "ip"},
        NESTED,
        {"user": {"tags": ["x", "y"]}, "n": 7, "ip": "10.1.2.3"},
    ),
    same("nothing to rename", "rename", {"src": "x", "dst": "y"}, {"a": 1}),
    one(
        "renames by expression, in any case",
        "rename",
        {"src": "^x-", "dst": "h_", "regexMode": True},
        {"X-A": 1, "x-b": 2, "ax-": 3},
        {"h_A": 1, "h_b": 2, "ax-": 3},
    ),
    one(
        "renames by expression, minding the case",
        "rename",
        {"src": "^x-", "dst": "", "regexMode": True, "matchCase": True},
        {"X-A": 1, "x-b": 2},
        {"X-A": 1, "b": 2},
    ),
    one("deletes", "delete", {"key": "a"}, {"a": {"b": 1}, "c": 1}, {"c": 1}),
    one("deletes nested", "delete", {"key": "$a['b']"}, {"a": {"b": 1}}, {"a": {}}),
    one("deletes from a list", "delete", {"key": "$a[0]"}, {"a": [1, 2, 3]}, {"a": [2, 3]}),
    same("nothing to delete", "delete", {"key": "$a['b']"}, {"a": "text"}),
    one("puts a text", "put", {"key": "env", "value": "prod ${HOME} \"'\\"}, {"env": 1}, {"env": "prod ${HOME} \"'\\"}),
    one("puts a boolean", "put", {"key": "$a['b']", "value": False}, {"c": 1}, {"c": 1, "a": {"b": False}}),
    same("a number in the way", "put", {"key": "$a['b']", "value": "x"}, {"a": 3}),
]
