"""Records through each rule and what comes out: the same examples run in the preview and in a real Fluent Bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

START = 1_700_000_000.0

Log = tuple[float, dict[str, Any]]


@dataclass(frozen=True)
class Example:
    """A rule list, what goes in, what comes out, and what is still held back at the end."""

    title: str
    rules: list[dict[str, Any]]
    given: list[Log]
    expected: list[Log]
    held: list[Log] = field(default_factory=list)

    @property
    def types(self) -> list[str]:
        return [rule["type"] for rule in self.rules]


def timed(records: Sequence[Any]) -> list[Log]:
    """Records one second apart, except those that come with their own time (seconds after the start)."""
    logs: list[Log] = []
    for place, record in enumerate(records):
        seconds, body = record if isinstance(record, tuple) else (float(place), record)
        logs.append((START + seconds, body))
    return logs


def one(title: str, kind: str, opts: dict[str, Any], given: Any, expected: Any) -> Example:
    """One record in; one record, a list of them, or None out, at the same time."""
    out = [] if expected is None else expected if isinstance(expected, list) else [expected]
    rules = [{"type": kind, "opts": opts}]
    return Example(title, rules, timed([given]), [(START, record) for record in out])


def many(title: str, kind: str, opts: dict[str, Any], given: Any, expected: Any, held: Any = ()) -> Example:
    return Example(title, [{"type": kind, "opts": opts}], timed(given), timed(expected), timed(held))


def same(title: str, kind: str, opts: dict[str, Any], given: dict[str, Any]) -> Example:
    return one(f"{title}: untouched", kind, opts, given, given)


NESTED = {"user": {"ip": "10.1.2.3", "tags": ["x", "y"]}, "n": 7}

KEYS = [
    one("keeps keys in any case", "allow_keys", {"regex": "^user"}, {"user_id": 1, "USER": 2, "page": 3}, {"user_id": 1, "USER": 2}),
    one("minds the case when told", "allow_keys", {"regex": "^user", "matchCase": True}, {"user": 1, "USER": 2}, {"user": 1}),
    one("works inside a map", "allow_keys", {"regex": "^ip$", "nestedPath": "user"}, NESTED, {"user": {"ip": "10.1.2.3"}, "n": 7}),
    same("no such map", "allow_keys", {"regex": "a", "nestedPath": "$x['y']"}, {"a": 1, "x": 2}),
    one("removes keys", "block_keys", {"regex": "^_"}, {"_a": 1, "b": 2, "_c": {"d": 1}}, {"b": 2}),
    one("removes inside a map", "block_keys", {"regex": "ip|n", "nestedPath": "$user"}, NESTED, {"user": {"tags": ["x", "y"]}, "n": 7}),
    same("a list is no map", "block_keys", {"regex": "x", "nestedPath": "l"}, {"l": ["x"], "x": 1}),
    one("copies a value", "copy", {"src": "a", "dst": "b"}, {"a": {"x": [1, {}]}}, {"a": {"x": [1, {}]}, "b": {"x": [1, {}]}}),
    one("copies a nested value to a nested key", "copy", {"src": "$user['tags'][1]", "dst": "$new['deep']['tag']"}, NESTED,
        {**NESTED, "new": {"deep": {"tag": "y"}}}),
    same("nothing to copy", "copy", {"src": "nope", "dst": "b"}, {"a": 1}),
    same("a text in the way", "copy", {"src": "a", "dst": "$a['b']"}, {"a": "text"}),
    one("copies by expression", "copy", {"src": "^(.)_id$", "dst": "id_%1", "regexMode": True}, {"a_id": 1, "b_id": 2, "c": 3},
        {"a_id": 1, "b_id": 2, "c": 3, "id_a": 1, "id_b": 2}),
    one("renames", "rename", {"src": "a", "dst": "b"}, {"a": [], "b": 2, "c": None}, {"b": [], "c": None}),
    one("renames nested", "rename", {"src": "$user['ip']", "dst": "ip"}, NESTED, {"user": {"tags": ["x", "y"]}, "n": 7, "ip": "10.1.2.3"}),
    same("nothing to rename", "rename", {"src": "x", "dst": "y"}, {"a": 1}),
    one("renames by expression, in any case", "rename", {"src": "^x-", "dst": "h_", "regexMode": True}, {"X-A": 1, "x-b": 2, "ax-": 3},
        {"h_A": 1, "h_b": 2, "ax-": 3}),
    one("renames by expression, minding the case", "rename", {"src": "^x-", "dst": "", "regexMode": True, "matchCase": True},
        {"X-A": 1, "x-b": 2}, {"X-A": 1, "b": 2}),
    one("deletes", "delete", {"key": "a"}, {"a": {"b": 1}, "c": 1}, {"c": 1}),
    one("deletes nested", "delete", {"key": "$a['b']"}, {"a": {"b": 1}}, {"a": {}}),
    one("deletes from a list", "delete", {"key": "$a[0]"}, {"a": [1, 2, 3]}, {"a": [2, 3]}),
    same("nothing to delete", "delete", {"key": "$a['b']"}, {"a": "text"}),
    one("puts a text", "put", {"key": "env", "value": "prod ${HOME} \"'\\"}, {"env": 1}, {"env": "prod ${HOME} \"'\\"}),
    one("puts a boolean", "put", {"key": "$a['b']", "value": False}, {"c": 1}, {"c": 1, "a": {"b": False}}),
    same("a number in the way", "put", {"key": "$a['b']", "value": "x"}, {"a": 3}),
]  # fmt: skip

SHAPES = [
    one("flattens", "flatten", {"key": "user"}, {"user": {"a": {"b": 1}, "c": 2}, "c": 0}, {"a": {"b": 1}, "c": 2}),
    one("flattens what matches, under new names", "flatten", {"key": "$r['u']", "regex": "^(a.*)$", "keyReplacement": "u.%1", "keepOrig": True},
        {"r": {"u": {"a1": 1, "b": 2}}}, {"r": {"u": {"a1": 1, "b": 2}}, "u.a1": 1}),
    same("missing", "flatten", {"key": "user"}, {"a": 1}),
    same("not a map", "flatten", {"key": "user"}, {"user": ["a"]}),
    one("lifts one level", "lift", {"key": "$a['b']"}, {"a": {"b": {"c": 1, "d": None}, "e": 2}}, {"a": {"c": 1, "d": None, "e": 2}}),
    one("lifts two levels, keeping", "lift", {"key": "$a['b']", "levels": 2, "regex": "^c", "keyReplacement": "x%0", "keepOrig": True},
        {"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 1, "d": 2}}, "xc": 1}),
    one("lifts to the top at most", "lift", {"key": "a", "levels": 9}, {"a": {"a": 1}}, {"a": 1}),
    same("nothing to lift", "lift", {"key": "a"}, {"b": 1, "a": 2}),
    one("nests", "nest", {"src": "a", "dst": "n"}, {"a": 1, "n": {"old": 1}}, {"n": {"a": 1}}),
    one("nests and merges", "nest", {"src": "$x['a']", "dst": "n", "merge": True}, {"x": {"a": []}, "n": {"old": 1}}, {"x": {}, "n": {"old": 1, "a": []}}),
    one("nests by expression", "nest", {"src": "^mem[.]", "dst": "$m['all']", "regexMode": True}, {"Mem.a": 1, "mem.b": 2, "c": 3},
        {"c": 3, "m": {"all": {"Mem.a": 1, "mem.b": 2}}}),
    one("nests everything", "nest", {"dst": "all"}, {"a": 1, "b": {}}, {"all": {"a": 1, "b": {}}}),
    same("nothing to nest", "nest", {"src": "z", "dst": "n"}, {"a": 1}),
    one("splits", "split", {"key": "l"}, {"l": [{"a": 1}, "x", None], "b": 1}, [{"l": {"a": 1}, "b": 1}, {"l": "x", "b": 1}, {"l": None, "b": 1}]),
    one("splits to another key, keeping", "split", {"key": "$r['l']", "dest": "item", "keepOrig": True}, {"r": {"l": [1, 2]}},
        [{"r": {"l": [1, 2]}, "item": 1}, {"r": {"l": [1, 2]}, "item": 2}]),
    one("an empty list goes", "split", {"key": "l"}, {"l": [], "a": 1}, {"a": 1}),
    same("an empty list stays when told", "split", {"key": "l", "skipEmpty": True}, {"l": [], "a": 1}),
    same("nothing to split", "split", {"key": "l", "skipMissing": True}, {"l": "text"}),
]  # fmt: skip

TEXTS = [
    one("covers what matches", "redact", {"key": "card", "regex": r"\d{4}-\d{4}-\d{4}"}, {"card": "1234-5678-9012-3456 ok"}, {"card": "**************-3456 ok"}),
    one("covers characters, not bytes", "redact", {"key": "$u['name']", "regex": "^.+$", "replaceChar": "#"}, {"u": {"name": "Zoë😀"}}, {"u": {"name": "####"}}),
    one("any case", "redact", {"key": "a", "regex": "secret"}, {"a": "SECRET secret"}, {"a": "****** ******"}),
    same("only texts are covered", "redact", {"key": "a", "regex": "1"}, {"a": 111}),
    same("missing key", "redact", {"key": "$a['b']", "regex": "1"}, {"a": "1"}),
    one("replaces with groups", "replace", {"key": "log", "regex": r"(\w+)@(\w+)", "replacement": "%2 at %1%%"}, {"log": "me@here you@there"},
        {"log": "here at me% there at you%"}),
    one("replaces the first ones", "replace", {"key": "log", "regex": "A", "replacement": "", "submax": 2}, {"log": "aAaA"}, {"log": "aA"}),
    one("replaces empty matches", "replace", {"key": "log", "regex": "x*", "replacement": "-"}, {"log": "axb"}, {"log": "-a-b-"}),
    same("no text to replace in", "replace", {"key": "log", "regex": "1", "replacement": "2"}, {"log": {"a": "1"}}),
    one("collects pairs", "extract_kv", {"src": "log", "dst": "kv", "regex": r"(\w+)=(\w*)"}, {"log": "a=1, b= c=x"}, {"log": "a=1, b= c=x", "kv": {"a": "1", "b": "", "c": "x"}}),
    same("no pair", "extract_kv", {"src": "log", "dst": "kv", "regex": "(a)=(b)"}, {"log": "nothing"}),
    same("pairs in a number", "extract_kv", {"src": "log", "dst": "kv", "regex": "(1)(2)"}, {"log": 12}),
    one("parses named groups", "parse", {"src": "log", "dst": "p", "regex": r'^(?<host>\S+) "(?<verb>\w+) (?<path>[^"]*)"(?: (?<more>.*))?$'},
        {"log": '10.0.0.1 "GET /a?b=c"'}, {"log": '10.0.0.1 "GET /a?b=c"', "p": {"host": "10.0.0.1", "verb": "GET", "path": "/a?b=c"}}),
    same("a key that exists", "parse", {"src": "log", "dst": "log", "regex": "(?<a>.)"}, {"log": "x"}),
    same("no match to parse", "parse", {"src": "log", "dst": "p", "regex": "(?<a>z)"}, {"log": "x"}),
    same("nothing to parse with", "parse", {"src": "log", "dst": "p"}, {"log": "x"}),
    one("reads a number", "parse_number", {"key": "$a['n']"}, {"a": {"n": "took -12.5 ms"}}, {"a": {"n": -12.5}}),
    one("reads a whole number", "parse_number", {"key": "n"}, {"n": "7."}, {"n": 7}),
    one("reads another base", "parse_number", {"key": "n", "base": 16, "regex": "[0-9a-f]+"}, {"n": "0xff"}, {"n": 0}),
    one("reads hexadecimal", "parse_number", {"key": "n", "base": 16, "regex": "-?[0-9a-f]{2,}"}, {"n": "x-ff"}, {"n": -255}),
    same("no number", "parse_number", {"key": "n"}, {"n": "none"}),
    same("a number already", "parse_number", {"key": "n"}, {"n": 5}),
    one("hashes in place", "hash", {"src": "a"}, {"a": "abc"}, {"a": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}),
    one("hashes with md5, base64, elsewhere", "hash", {"src": "a", "algo": "md5", "encoding": "base64", "dst": "$h['a']"}, {"a": "abc"},
        {"a": "abc", "h": {"a": "kAFQmDzST7DWlj99KOF/cg=="}}),
    one("hashes a number as text", "hash", {"src": "a", "algo": "md5"}, {"a": 12}, {"a": "c20ad4d76fe97759aa27a0c99bff6710"}),
    same("a map has no digest", "hash", {"src": "a"}, {"a": {"b": 1}}),
]  # fmt: skip

CODECS = [
    one("reads JSON", "json_decode", {}, {"log": '{"a":[1,2.5,null,true,"\\u00e9\\ud83d\\ude00"],"b":{},"c":[]}'},
        {"log": '{"a":[1,2.5,null,true,"\\u00e9\\ud83d\\ude00"],"b":{},"c":[]}', "decoded_json": {"a": [1, 2.5, None, True, "é😀"], "b": {}, "c": []}}),
    one("reads JSON in place", "json_decode", {"src": "$a['b']", "dst": "$a['b']"}, {"a": {"b": " 12 "}}, {"a": {"b": 12}}),
    same("broken JSON", "json_decode", {}, {"log": '{"a":1,}'}),
    same("JSON with more after it", "json_decode", {}, {"log": "1 2"}),
    same("not a text", "json_decode", {}, {"log": 1}),
    one("writes JSON, keys in order", "json_encode", {"src": "a"}, {"a": {"z": [1, None, {}, []], "b": 'q"\n', "n": 0.1}},
        {"a": {"z": [1, None, {}, []], "b": 'q"\n', "n": 0.1}, "encoded_json": '{"b":"q\\"\\n","n":0.1,"z":[1,null,{},[]]}'}),
    one("writes the whole record", "json_encode", {"dst": "all"}, {"a": True}, {"a": True, "all": '{"a":true}'}),
    same("nothing to write", "json_encode", {"src": "b"}, {"a": 1}),
    one("reads CSV into a list", "csv_decode", {}, {"log": '1,"a ""b"", c",'}, {"log": '1,"a ""b"", c",', "decoded_csv": ["1", 'a "b", c', ""]}),
    one("reads CSV into a map", "csv_decode", {"header": "x, y", "dst": "m"}, {"log": "1,2\r\n"}, {"log": "1,2\r\n", "m": {"x": "1", "y": "2"}}),
    same("another number of columns", "csv_decode", {"header": "x,y"}, {"log": "1,2,3"}),
    same("quotes that do not close", "csv_decode", {}, {"log": '1,"2'}),
    same("CSV in a number", "csv_decode", {}, {"log": 1}),
    many("takes names from the first record", "csv_decode", {"parseHeader": True}, [{"log": "a,b"}, {"log": "1,2"}, {"log": "3,4"}],
         [(1.0, {"log": "1,2", "decoded_csv": {"a": "1", "b": "2"}}), (2.0, {"log": "3,4", "decoded_csv": {"a": "3", "b": "4"}})]),
    one("writes CSV from a list", "csv_encode", {"src": "l"}, {"l": ["a,b", 'c"d', 1, True, None]}, {"l": ["a,b", 'c"d', 1, True, None], "encoded_csv": '"a,b","c""d",1,true,'}),
    one("writes chosen columns", "csv_encode", {"src": "m", "header": "b,a,z", "dst": "line"}, {"m": {"a": 1.5, "b": {"c": 2}}},
        {"m": {"a": 1.5, "b": {"c": 2}}, "line": '"{""c"":2}",1.5,'}),
    one("writes the whole record as CSV", "csv_encode", {}, {"b": 2, "a": "x"}, {"b": 2, "a": "x", "encoded_csv": "x,2"}),
    same("a text is no row", "csv_encode", {"src": "a"}, {"a": "text"}),
]  # fmt: skip

RECORDS = [
    one("keeps records that match", "allow_records", {"regex": "ERROR"}, {"log": "an error"}, {"log": "an error"}),
    one("drops records that do not", "allow_records", {"regex": "ERROR", "matchCase": True}, {"log": "an error"}, None),
    one("drops records without the key", "allow_records", {"regex": "."}, {"msg": "x"}, None),
    one("matches numbers as text", "allow_records", {"key": "$r['code']", "regex": "^5..$"}, {"r": {"code": 503}}, {"r": {"code": 503}}),
    one("a map matches nothing", "allow_records", {"key": "r", "regex": ".*"}, {"r": {"code": 503}}, None),
    one("drops what matches", "block_records", {"key": "path", "regex": "^/healthz"}, {"path": "/healthz?x"}, None),
    same("no match to drop", "block_records", {"key": "path", "regex": "^/healthz"}, {"path": "/api"}),
    same("no key to drop by", "block_records", {"key": "path", "regex": "."}, {"other": "/api"}),
    one("drops by key alone", "block_records", {"key": "$a['debug']"}, {"a": {"debug": None}}, None),
    one("drops by any value", "block_records", {"regex": "noise"}, {"a": 1, "b": "some NOISE"}, None),
    one("drops all", "block_records", {}, {"a": 1}, None),
]  # fmt: skip

STATE = [
    many("drops repeats within the window", "deduplicate", {"key": "m", "window": 5},
         [(0.0, {"m": "a"}), (1.0, {"m": "b"}), (4.0, {"m": "a"}), (5.0, {"m": "a", "n": 2}), (6.0, {"m": "b"}), (30.0, {"m": "a"})],
         [(0.0, {"m": "a"}), (1.0, {"m": "b"}), (5.0, {"m": "a", "n": 2}), (6.0, {"m": "b"}), (30.0, {"m": "a"})]),
    many("values of other types are others", "deduplicate", {"key": "$m['x']", "window": 9}, [{"m": {"x": 1}}, {"m": {"x": "1"}}, {"m": {"x": [1]}}, {"m": {"x": [1]}}],
         [(0.0, {"m": {"x": 1}}), (1.0, {"m": {"x": "1"}}), (2.0, {"m": {"x": [1]}})]),
    many("leaves records without the key", "deduplicate", {"key": "m", "window": 9}, [{"a": 1}, {"a": 1}], [{"a": 1}, {"a": 1}]),
    many("or takes them for repeats", "deduplicate", {"key": "m", "window": 9, "skipMissing": False}, [{"a": 1}, {"a": 2}], [{"a": 1}]),
    many("joins records of one time", "join", {"key": "log"},
         [(0.5, {"log": {"a": 1}, "x": 1}), (0.5, {"log": {"a": 2}}), (0.5, {"y": 1}), (1.0, {"log": 3}), (2.0, {"log": 4})],
         [(0.5, {"log": [{"a": 1}, {"a": 2}], "x": 1}), (1.0, {"log": [3]})], [(2.0, {"log": [4]})]),
    many("leaves records without the key when told", "join", {"key": "$a['b']", "skipMissing": True}, [(0.0, {"a": {"b": 1}}), (0.0, {"c": 1}), (1.0, {"a": 1})],
         [(0.0, {"c": 1}), (1.0, {"a": 1})], [(0.0, {"a": {"b": [1]}})]),
    many("joins lines", "multiline_join", {"regex": r"^\S"},
         [{"log": " before"}, {"log": "Error", "n": 1}, {"log": "  at a"}, {"log": "  at b"}, {"log": "Next"}, {"log": 5}, {"log": " x"}, {"log": "Last"}],
         [(0.0, {"log": " before"}), (1.0, {"log": "Error\n  at a\n  at b", "n": 1}), (5.0, {"log": 5}), (4.0, {"log": "Next\n x"})], [(7.0, {"log": "Last"})]),
    many("joins at most so many lines", "multiline_join", {"regex": "^a", "lineLimit": 2, "src": "$m['t']"},
         [{"m": {"t": "a"}}, {"m": {"t": "b"}}, {"m": {"t": "c"}}], [(0.0, {"m": {"t": "a\nb"}}), (2.0, {"m": {"t": "c"}})]),
    many("computes per group and window", "aggregate",
         {"keys": ["host", "$r['z']"], "window": 10, "compute": {"n": "count", "total": "sum(v)", "mean": {"average": "v"}}},
         [(0.0, {"host": "a", "r": {"z": 1}, "v": 2}), (1.0, {"host": "b", "r": {"z": 1}, "v": "x"}), (2.0, {"host": "a", "r": {"z": 1}, "v": 4.5}),
          (3.0, {"nohost": 1}), (12.0, {"host": "c", "r": {"z": 1}})],
         [(3.0, {"nohost": 1}), (10.0, {"host": "a", "r": {"z": 1}, "n": 2, "total": 6.5, "mean": 3.25}), (10.0, {"host": "b", "r": {"z": 1}, "n": 1, "total": 0})],
         [(22.0, {"host": "c", "r": {"z": 1}, "n": 1, "total": 0})]),
    many("leaves records of which a key is missing", "aggregate", {"keys": ["$h['a']"], "window": 9, "compute": {"n": "count(*)"}}, [{"h": 1}, {"h": {}}],
         [{"h": 1}, {"h": {}}]),
    many("leaves what is no text", "multiline_join", {"regex": "^a", "src": "m"}, [{"m": ["a"]}, {"log": "a"}], [{"m": ["a"]}, {"log": "a"}]),
    many("counts a key", "aggregate", {"keys": '["h"]', "window": 1, "compute": '{"n": "count(v)"}'}, [(0.0, {"h": 1, "v": "x"}), (0.5, {"h": 1}), (2.0, {"h": 1})],
         [(1.0, {"h": 1, "n": 1})], [(3.0, {"h": 1, "n": 0})]),
    many("keeps all", "sampling", {"percentage": 100, "window": 60}, [{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 2}]),
    many("keeps one of two in a window", "sampling", {"percentage": 50, "window": 60, "seed": 7}, [{"a": n} for n in range(6)],
         [(0.0, {"a": 0}), (3.0, {"a": 3}), (4.0, {"a": 4})]),
    many("keeps by chance", "sampling", {"percentage": 30, "seed": 1}, [{"a": n} for n in range(8)], [(0.0, {"a": 0}), (2.0, {"a": 2}), (7.0, {"a": 7})]),
]  # fmt: skip

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
    many("runs a script", "custom_script", {"script": SCRIPT}, [{"a": 1}, {"drop": True}, {"keep": []}, {"later": 1}, {"list": 1}],
         [(0.0, {"a": 1, "seen": 1, "code": 0, "when": START}), (2.0, {"keep": []}),
          (63.0, {"later": 1, "seen": 4, "code": 0, "when": START + 3}), (4.0, {"n": 1}), (4.0, {"n": 2})]),
    one("takes a cb_filter", "custom_script", {"script": "function cb_filter(t, ts, r) r.b = r.a == flb_null return 2, ts, r end"}, {"a": None, "c": {"d": []}},
        {"a": None, "b": True, "c": {"d": []}}),
    same("a script that leaves a nested record", "custom_script", {"script": "return function(t, ts, r) r.u.x = 1 return 0, ts, r end"}, {"u": {"y": 1}}),
    same("a script for a key that is missing", "custom_script", {"script": "return function(t, ts, r) if r.z then r.y = 1 return 2, ts, r end return 0 end"}, {"a": "z"}),
]  # fmt: skip

LISTS = [
    Example("rules feed each other",
            [{"type": "json_decode", "opts": {"dst": "j"}}, {"type": "delete", "opts": {"key": "log"}}, {"type": "lift", "opts": {"key": "j"}},
             {"type": "put", "opts": {"key": "level", "value": "x"}, "active": False}, {"type": "redact", "opts": {"key": "pw", "regex": "."}},
             {"type": "custom_script", "opts": {"script": "return function(t, ts, r, code) r.code = code return 2, ts, r end"}},
             {"type": "put", "opts": {"key": "done", "value": "yes"}}],
            timed([{"log": '{"pw":"abc","list":[],"no":null}'}]), timed([{"pw": "***", "list": [], "no": None, "code": 2, "done": "yes"}])),
    Example("what is split is joined again", [{"type": "split", "opts": {"key": "l"}}, {"type": "put", "opts": {"key": "p", "value": True}}, {"type": "join", "opts": {"key": "l"}}],
            timed([{"l": [1, 2]}, {"l": [3]}]), timed([{"l": [1, 2], "p": True}]), timed([(1.0, {"l": [3], "p": True})])),
    Example("only native rules", [{"type": "put", "opts": {"key": "a", "value": "b c"}}, {"type": "delete", "opts": {"key": "d"}}], timed([{"a": 1, "d": [], "e": None}]),
            timed([{"a": "b c", "e": None}])),
]  # fmt: skip

EXAMPLES = [*KEYS, *SHAPES, *TEXTS, *CODECS, *RECORDS, *STATE, *SCRIPTS, *LISTS]
