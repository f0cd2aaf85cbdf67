"""Whether an agent runs a config, told from the dump it registers with: recorded dumps, and a real Fluent Bit's."""

import http.server
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nectary.fluentbit import formats, running
from nectary.fluentbit.document import Document, Format
from nectary.fluentbit.running import Difference

CAPTURES = Path(__file__).parents[1] / "captures"

FLEET = """\
[INPUT]
    Name dummy
    Alias fleet-in
    Tag fleet.test
    Dummy {"message":"v1"}
[OUTPUT]
    Name stdout
    Match fleet.*
    Format json_lines
"""
RICH = """\
[INPUT]
    name dummy
    alias app-logs
    tag app.log
    rate 5
    dummy {"message":"hello","level":"info"}
[INPUT]
    name dummy
    alias debug-logs
    tag drop.log
    dummy {"message":"noise","level":"debug"}
[INPUT]
    name tail
    alias file-tail
    tag tail.log
    mem_buf_limit 5M
    path /mnt/app.log
    parser js
    read_from_head true
[INPUT]
    name tcp
    alias tcp-in
    tag tcp.log
    port 5170
[INPUT]
    name http
    alias http-in
    tag http.log
    port 9880
[INPUT]
    name forward
    alias fwd-in
[INPUT]
    name cpu
    tag cpu.stat
[INPUT]
    name dummy
    alias threaded-in
    tag thr.log
    threaded on
[FILTER]
    name modify
    match app.*
    add k v
[FILTER]
    name grep
    match drop.*
    exclude level debug
[FILTER]
    name rewrite_tag
    match tail.*
    rule $level ^(info)$ new.tag false
    emitter_name emitter_for_retag
[FILTER]
    name throttle
    match thr.*
    rate 1
    window 5
    interval 1s
[FILTER]
    name log_to_metrics
    match cpu.*
    tag l2m.metrics
    metric_mode counter
    metric_name cpu_samples
    metric_description cpu samples
[OUTPUT]
    name null
    match *.log
[OUTPUT]
    name http
    match app.*
    host 127.0.0.1
    uri /sink
[OUTPUT]
    name http
    match app.*
    uri /sink500
[OUTPUT]
    name http
    match app.*
    uri /sink400
    alias quiet
[OUTPUT]
    name file
    match new.*
    path /mnt
    file out.txt
[OUTPUT]
    name stdout
    match *
"""


def read(text: str, format: Format = Format.CLASSIC, folder: Path | None = None) -> Document:
    def file(path: str) -> bytes | None:
        found = folder / path if folder is not None else None
        return found.read_bytes() if found is not None and found.is_file() else None

    return formats.parse(text, f"main.{'conf' if format is Format.CLASSIC else format}", format, read=file)


def recorded(name: str) -> str:
    dump: str = json.loads((CAPTURES / "agent" / f"{name}.json").read_text())["rawConfig"]
    return dump


@pytest.mark.parametrize("name", ["register_fleet_applied", "register_fleet_yaml"])
def test_a_recorded_agent_runs_the_fleets_config_and_not_the_one_before(name: str) -> None:
    assert running.runs(read(FLEET), recorded(name)) == ()
    newer = read(FLEET.replace("v1", "v2"))
    changed = Difference("changed", "input.dummy.0.dummy", '{"message":"v2"}', '{"message":"v1"}')
    assert running.runs(newer, recorded(name)) == (changed,)
    found = running.runs(read(FLEET), recorded("register_fleet_bootstrap"))
    assert {(one.change, one.subject) for one in found} >= {
        ("changed", "input.dummy.0.alias"),
        ("changed", "input.dummy.0.tag"),
        ("extra", "filter.modify.0"),
        ("missing", "output.stdout.0"),
    }


def test_the_plugins_that_fluent_bit_adds_by_itself_are_not_the_configs() -> None:
    assert running.runs(read(RICH), recorded("register_rich")) == ()
    own = running.reported(recorded("register_rich"))
    assert {one.name for one in own} == {
        *("dummy", "tail", "tcp", "http", "forward", "cpu", "modify", "grep", "rewrite_tag", "throttle", "log_to_metrics"),
        *("null", "file", "stdout"),
    }


CHANGES = [
    ("rate 5", "rate 6", "changed", "input.dummy.0.rate"),
    ("    rate 5\n", "", "extra", "input.dummy.0.rate"),
    ("mem_buf_limit 5M", "mem_buf_limit 6M", "changed", "input.tail.2.mem_buf_limit"),
    ("    mem_buf_limit 5M\n", "", "extra", "input.tail.2.mem_buf_limit"),
    ("    rate 1\n    window 5\n", "    window 5\n    rate 1\n", "moved", "filter.throttle.3"),
    ("match *.log", "match *", "changed", "output.null.0.match"),
    ("uri /sink\n", "uri /sink\n    tls on\n", "missing", "output.http.1.tls"),
    ("uri /sink\n", "uri /sink\n    retry_limit 2\n", "changed", "output.http.1.retry_limit"),
    ("name cpu", "name mem", "missing", "input.mem.6"),
    ("alias fwd-in", "alias fwd", "changed", "input.forward.5.alias"),
    ("tag cpu.stat", "", "extra", "input.cpu.6.tag"),
]


@pytest.mark.parametrize(("old", "new", "change", "subject"), CHANGES, ids=[one[1].strip() or "gone" for one in CHANGES])
def test_one_change_is_one_difference_named(old: str, new: str, change: str, subject: str) -> None:
    assert old in RICH
    found = running.runs(read(RICH.replace(old, new, 1)), recorded("register_rich"))
    assert (change, subject) in {(one.change, one.subject) for one in found}
    assert not running.same(read(RICH.replace(old, new, 1)), running.reported(recorded("register_rich")))
    assert len(found) <= 2, "a plugin that is another is one missing and one too many"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("port 5170", "port 5171"),
        ("host 127.0.0.1", "host 127.0.0.2"),
        ("threaded on", "threaded off"),
        ("alias quiet", "alias x"),
    ],
)
def test_what_a_dump_never_shows_makes_no_difference(old: str, new: str) -> None:
    assert old in RICH
    assert running.runs(read(RICH.replace(old, new)), recorded("register_rich")) == ()


def test_redacted_values_and_variables_of_the_agents_own_match_anything() -> None:
    text = "[INPUT]\n  name dummy\n  tag ${PLACE}.{{ secrets.tag }}\n[OUTPUT]\n  name http\n  match *\n  http_user ${USER}\n"
    dump = "[INPUT]\n    name dummy.0\n    tag here.secret\n[OUTPUT]\n    name  http.0\n    match *\n    retry_limit 1\n"
    assert running.runs(read(text), dump + "    host  --redacted--\n    http_user --redacted--\n") == ()
    [found] = running.runs(read(text), dump.replace("here.", "here_") + "    http_user --redacted--\n")
    assert found == Difference("changed", "input.dummy.0.tag", "${PLACE}.{{ secrets.tag }}", "here_secret")
    assert running.runs(read(text), dump) == (), "a variable that is empty leaves no property"


def test_variables_that_the_config_itself_sets_are_compared() -> None:
    text = "@SET RATE=7\n[INPUT]\n  name dummy\n  rate ${RATE}\n"
    dump = "[INPUT]\n    name dummy.0\n    tag dummy.0\n    rate 7\n"
    assert running.runs(read(text), dump) == ()
    assert len(running.runs(read(text.replace("=7", "=8")), dump)) == 1


@pytest.mark.parametrize(
    "dump", ["", "\n", "[INPUT]", "[INPUT]\n", "[INPUT]\n    name dummy.x\n", "\0" * 100, "[INPUT]\n" * 9000]
)
def test_any_text_may_be_a_dump(dump: str) -> None:
    assert {one.change for one in running.runs(read(RICH), dump)} == {"missing"}


def test_a_hostile_dump_costs_no_more_than_its_size() -> None:
    text = "[INPUT]\n  name dummy\n  dummy ${A}x${B}x${C}x${D}y\n"
    dump = "[INPUT]\n    name dummy.0\n    tag dummy.0\n    dummy " + "x" * 2_000_000 + "\n"
    assert [one.change for one in running.runs(read(text), dump)] == ["changed"]
    many = "[INPUT]\n    name dummy.0\n" + "    dummy x\n" * 100_000
    assert running.runs(read(RICH), many)


def test_sizes_are_said_as_fluent_bit_says_them() -> None:
    said = {0: "0b", 100: "100b", 1000: "1000b", 1024: "1.0K", 5_000_000: "4.8M", 10_000_000: "9.5M", 3_000_000_000: "2.8G"}
    assert {number: running.human(number) for number in said} == said


# -- With a real one -----------------------------------------------------------------------------------------------------

_SCRIPT = "function f(tag, ts, record)\n    if record then\n        name = 1\n    end\n    return 0, ts, record\nend"
REAL = {
    "defaults": "[INPUT]\n name dummy\n[OUTPUT]\n name null\n match *\n",
    "no output": "[INPUT]\n name cpu\n",
    "sizes": "[INPUT]\n name dummy\n mem_buf_limit 100\n[INPUT]\n name dummy\n mem_buf_limit 64KB\n"
    "[INPUT]\n name dummy\n mem_buf_limit 1.5G\n[INPUT]\n name dummy\n mem_buf_limit 0\n",
    "retries": "".join(
        f"[OUTPUT]\n name null\n match *\n retry_limit {word}\n" for word in ("no_limits", "false", "no_retries", "7")
    ),
    "encrypted": "[OUTPUT]\n name http\n match *\n host 127.0.0.1\n port 9\n tls on\n tls.verify off\n header A b\n"
    " header C d\n[OUTPUT]\n name http\n match *\n tls on\n[OUTPUT]\n name forward\n match *\n tls off\n",
    "needs encryption": "[OUTPUT]\n name datadog\n match *\n apikey x\n",
    "kept apart": "[INPUT]\n name http\n listen 127.0.0.1\n port 0\n buffer_max_size 1M\n tag a\n net.keepalive off\n"
    "[OUTPUT]\n name tcp\n match *\n host 127.0.0.1\n port 9\n workers 2\n net.keepalive off\n format json_lines\n",
    "variables": '@SET WORD=here\n[INPUT]\n name dummy\n tag ${WORD}.${OUTSIDE}.${HOSTNAME}\n dummy {"a":"${OUTSIDE}"}\n'
    "[INPUT]\n name dummy\n tag ${NOT_THERE:-other}\n",
    "an empty variable": "[INPUT]\n name tail\n path /nowhere\n exclude_path ${NOT_THERE}\n",
    "rewritten tags": "[INPUT]\n name dummy\n tag a\n[FILTER]\n name rewrite_tag\n match a\n rule $message .* b false\n",
    "many of one": "[INPUT]\n name dummy\n[FILTER]\n name modify\n match *\n add a 1\n rename a b\n add c 2\n[FILTER]\n"
    " name record_modifier\n match_regex ^x\n record a b\n record c d\n",
    "odd spelling": '[input]\n NAME   Dummy\n Tag    a.b   \n DUMMY  {"x":  "y  z"}\n[Output]\n Name  NULL\n Match a.*\n',
    "redacted": "[OUTPUT]\n name es\n match *\n http_user somebody\n http_passwd secret\n index x\n",
    "plugin with address": "[INPUT]\n name dummy\n[OUTPUT]\n name tcp://127.0.0.1:9\n match *\n",
}
REAL_YAML = {
    "a script": {"filters": [{"name": "lua", "match": "*", "call": "f", "code": _SCRIPT}]},
    "lists": {"filters": [{"name": "record_modifier", "match": "*", "record": ["a b", "c d"], "remove_key": ["x", "y"]}]},
    "camel case": {"inputs": [{"name": "tail", "path": "/nowhere", "memBufLimit": "2M", "readFromHead": True}]},
    "processors": {
        "inputs": [
            {
                "name": "dummy",
                "processors": {"logs": [{"name": "content_modifier", "action": "insert", "key": "a", "value": "b"}]},
            }
        ],
        "outputs": [{"name": "null", "match": "*", "processors": {"logs": [{"name": "grep", "exclude": "a b"}]}}],
    },
}


class Registrations(http.server.ThreadingHTTPServer):
    """Takes agents' registrations and keeps the dump of each."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Registered)
        self.dumps: dict[str, str] = {}

    def dump(self, binary: str, folder: Path, text: str, format: Format) -> str:
        """What a Fluent Bit with this config says that it runs."""
        told = {"name": "calyptia", "api_key": "a.b", "calyptia_host": "127.0.0.1", "calyptia_port": self.server_address[1]}
        told |= {"calyptia_tls": "off", "machine_id": folder.name}
        if format is Format.YAML:
            (folder / "main.yaml").write_text(text)
            boot, start = folder / "boot.yaml", json.dumps({"customs": [told], "includes": ["main.yaml"]})
        else:
            (folder / "main.conf").write_text(text)
            keys = "".join(f"    {key} {value}\n" for key, value in told.items())
            boot, start = folder / "boot.conf", f"[CUSTOM]\n{keys}@INCLUDE main.conf\n"
        boot.write_text(start)
        environment = {**os.environ, "OUTSIDE": "out there"}
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([binary, "-c", boot], cwd=folder, stdout=log, stderr=log, env=environment)
        end = time.monotonic() + 60
        try:
            while folder.name not in self.dumps:
                assert process.poll() is None, (folder / "log").read_text(errors="replace")
                assert time.monotonic() < end, "it never registered"
                time.sleep(0.02)
        finally:
            process.kill()
            process.wait(10)
        return self.dumps[folder.name]


class _Registered(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Registrations

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/agents":
            said = json.loads(body)
            self.server.dumps[said["machineID"]] = said["rawConfig"]
        answer = b'{"id":"a","token":"b"}'
        self.send_response(201)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def registrations() -> Iterator[Registrations]:
    with Registrations() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.fluent_bit
@pytest.mark.parametrize("name", REAL)
def test_a_real_agent_runs_what_it_was_given(name: str, fluent_bit: str, registrations: Registrations, tmp_path: Path) -> None:
    document = read(REAL[name])
    dump = registrations.dump(fluent_bit, tmp_path, REAL[name], Format.CLASSIC)
    assert running.runs(document, dump) == (), dump
    assert running.same(document, running.reported(dump))
    more = read(REAL[name] + "[FILTER]\n name grep\n match *\n")
    assert [one.change for one in running.runs(more, dump)] == ["missing"]


@pytest.mark.fluent_bit
@pytest.mark.parametrize("name", REAL_YAML)
def test_a_real_agent_with_yaml_runs_what_it_was_given(
    name: str, fluent_bit: str, registrations: Registrations, tmp_path: Path
) -> None:
    text = json.dumps({"pipeline": REAL_YAML[name]})
    dump = registrations.dump(fluent_bit, tmp_path, text, Format.YAML)
    assert running.runs(read(text, Format.YAML), dump) == (), dump


@pytest.mark.fluent_bit
def test_a_real_agents_dump_of_each_vector_that_starts_fits_it(
    fluent_bit: str, registrations: Registrations, shared: Path, tmp_path: Path
) -> None:
    for case in ("basic", "comments", "crlf", "env_set", "interleaved_repeats", "key_case", "quotes_are_literal"):
        folder = tmp_path / case
        shutil.copytree(shared / "vectors" / case, folder)
        text = (folder / "input.conf").read_bytes().decode()
        dump = registrations.dump(fluent_bit, folder, text, Format.CLASSIC)
        assert running.runs(read(text, folder=folder), dump) == (), (case, dump)
