"""Examples of custom scripts, and of several rules together."""

from __future__ import annotations

from tests.processing.examples.example import START, Example, many, one, same, timed

SCRIPT = """\
local seen = 0
return function(tag, ts, record, code)
  seen = seen + 1
  record.seen, record.code, record.when = seen, code, ts
  if record.drop then return -1 end
  if record.keep then return 0 end
  if record.later then return 1, ts + 60, record end
  if record.list then return 2, 0, {{n = 1}, {n = 2}} end
  return 2, 0, record
end
"""

SCRIPTS = [
    many(
        "runs a script",
        "custom_script",
        {"script": SCRIPT},
        [{"a": 1}, {"drop": True}, {"keep": []}, {"later": 1}, {"list": 1}],
        [
            (0.0, {"a": 1, "seen": 1, "code": 0, "when": START}),
            (2.0, {"keep": []}),
            (63.0, {"later": 1, "seen": 4, "code": 0, "when": START + 3}),
            (4.0, {"n": 1}),
            (4.0, {"n": 2}),
        ],
    ),
    one(
        "takes a cb_filter",
        "custom_script",
        {"script": "function cb_filter(t, ts, r) r.b = r.a == flb_null return 2, ts, r end"},
        {"a": None, "c": {"d": []}},
        {"a": None, "b": True, "c": {"d": []}},
    ),
    same(
        "a script that leaves a nested record",
        "custom_script",
        {"script": "return function(t, ts, r) r.u.x = 1 return 0, ts, r end"},
        {"u": {"y": 1}},
    ),
    same(
        "a script for a key that is missing",
        "custom_script",
        {"script": "return function(t, ts, r) if r.z then r.y = 1 return 2, ts, r end return 0 end"},
        {"a": "z"},
    ),
]

LISTS = [
    Example(
        "rules feed each other",
        [
            {"type": "json_decode", "opts": {"dst": "j"}},
            {"type": "delete", "opts": {"key": "log"}},
            {"type": "lift", "opts": {"key": "j"}},
            {"type": "put", "opts": {"key": "level", "value": "x"}, "active": False},
            {"type": "redact", "opts": {"key": "pw", "regex": "."}},
            {"type": "custom_script", "opts": {"script": "return function(t, ts, r, code) r.code = code return 2, ts, r end"}},
            {"type": "put", "opts": {"key": "done", "value": "yes"}},
        ],
        timed([{"log": '{"pw":"abc","list":[],"no":null}'}]),
        timed([{"pw": "***", "list": [], "no": None, "code": 2, "done": "yes"}]),
    ),
    Example(
        "what is split is joined again",
        [
            {"type": "split", "opts": {"key": "l"}},
            {"type": "put", "opts": {"key": "p", "value": True}},
            {"type": "join", "opts": {"key": "l"}},
        ],
        timed([{"l": [1, 2]}, {"l": [3]}]),
        timed([{"l": [1, 2], "p": True}]),
        timed([(1.0, {"l": [3], "p": True})]),
    ),
    Example(
        "only native rules",
        [{"type": "put", "opts": {"key": "a", "value": "b c"}}, {"type": "delete", "opts": {"key": "d"}}],
        timed([{"a": 1, "d": [], "e": None}]),
        timed([{"a": "b c", "e": None}]),
    ),
]
