"""Examples of rules that read and write JSON and CSV."""

from __future__ import annotations

from tests.processing.examples.example import many, one, same

CODECS = [
    one(
        "reads JSON",
        "json_decode",
        {},
        {"log": '{"a":[1,2.5,null,true,"\\u00e9\\ud83d\\ude00"],"b":{},"c":[]}'},
        {
            "log": '{"a":[1,2.5,null,true,"\\u00e9\\ud83d\\ude00"],"b":{},"c":[]}',
            "decoded_json": {"a": [1, 2.5, None, True, "é😀"], "b": {}, "c": []},
        },
    ),
    one("reads JSON in place", "json_decode", {"src": "$a['b']", "dst": "$a['b']"}, {"a": {"b": " 12 "}}, {"a": {"b": 12}}),
    same("broken JSON", "json_decode", {}, {"log": '{"a":1,}'}),
    same("JSON with more after it", "json_decode", {}, {"log": "1 2"}),
    same("not a text", "json_decode", {}, {"log": 1}),
    one(
        "writes JSON, keys in order",
        "json_encode",
        {"src": "a"},
        {"a": {"z": [1, None, {}, []], "b": 'q"\n', "n": 0.1}},
        {"a": {"z": [1, None, {}, []], "b": 'q"\n', "n": 0.1}, "encoded_json": '{"b":"q\\"\\n","n":0.1,"z":[1,null,{},[]]}'},
    ),
    one("writes the whole record", "json_encode", {"dst": "all"}, {"a": True}, {"a": True, "all": '{"a":true}'}),
    same("nothing to write", "json_encode", {"src": "b"}, {"a": 1}),
    one(
        "reads CSV into a list",
        "csv_decode",
        {},
        {"log": '1,"a ""b"", c",'},
        {"log": '1,"a ""b"", c",', "decoded_csv": ["1", 'a "b", c', ""]},
    ),
    one(
        "reads CSV into a map",
        "csv_decode",
        {"header": "x, y", "dst": "m"},
        {"log": "1,2\r\n"},
        {"log": "1,2\r\n", "m": {"x": "1", "y": "2"}},
    ),
    same("another number of columns", "csv_decode", {"header": "x,y"}, {"log": "1,2,3"}),
    same("quotes that do not close", "csv_decode", {}, {"log": '1,"2'}),
    same("CSV in a number", "csv_decode", {}, {"log": 1}),
    many(
        "takes names from the first record",
        "csv_decode",
        {"parseHeader": True},
        [{"log": "a,b"}, {"log": "1,2"}, {"log": "3,4"}],
        [
            (1.0, {"log": "1,2", "decoded_csv": {"a": "1", "b": "2"}}),
            (2.0, {"log": "3,4", "decoded_csv": {"a": "3", "b": "4"}}),
        ],
    ),
    one(
        "writes CSV from a list",
        "csv_encode",
        {"src": "l"},
        {"l": ["a,b", 'c"d', 1, True, None]},
        {"l": ["a,b", 'c"d', 1, True, None], "encoded_csv": '"a,b","c""d",1,true,'},
    ),
    one(
        "writes chosen columns",
        "csv_encode",
        {"src": "m", "header": "b,a,z", "dst": "line"},
        {"m": {"a": 1.5, "b": {"c": 2}}},
        {"m": {"a": 1.5, "b": {"c": 2}}, "line": '"{""c"":2}",1.5,'},
    ),
    one("writes the whole record as CSV", "csv_encode", {}, {"b": 2, "a": "x"}, {"b": 2, "a": "x", "encoded_csv": "x,2"}),
    same("a text is no row", "csv_encode", {"src": "a"}, {"a": "text"}),
]
