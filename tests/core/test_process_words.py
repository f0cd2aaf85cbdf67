"""What Fluent Bit says is understood, and said in words a person can act on."""

from pathlib import Path

import pytest

from nectary.core.runtimes import complaints
from nectary.core.runtimes.events import Events, hide
from nectary.core.runtimes.process import fluent_bit
from nectary.core.runtimes.process.backoff import Backoff
from nectary.core.runtimes.process.quantities import amount

# As Fluent Bit 5.1.1 printed them.
REFUSED = """\
[2026/11/24 02:27:19.331] [error] [output:http:http.0] no upstream connections available to 127.0.0.1:9
[2026/11/24 02:27:19.332] [ warn] [engine] failed to flush chunk '19689-1795487239.139413873.flb', retry in 7 seconds: \
task_id=0, input=dummy.2 > output=http.0 (out_id=0)
"""
RETRY = "[2026/11/24 02:27:19.3] [ warn] [engine] failed to flush chunk '1.flb', retry in 6 seconds: task_id=0, \
input=a.2 > output={}"
GIVEN_UP = "[2026/11/24 02:27:26.1] [error] [engine] chunk '1-2.flb' cannot be retried: task_id=0, input=a.0 > output=http.0\n"


def told(text: str, at: float = 0.0, now: float = 10.0) -> list[str]:
    tally = complaints.Tally()
    for line in text.splitlines():
        tally.read(line, at)
    return [one.message for one in tally.complaints(now)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (REFUSED * 14, "output http.0: no connection to 127.0.0.1:9; 14 retries in 10 s"),
        (REFUSED, "output http.0: no connection to 127.0.0.1:9; 1 retry in 10 s"),
        (
            REFUSED * 2 + GIVEN_UP,
            "output http.0: no connection to 127.0.0.1:9; 2 retries in 10 s; 1 chunk of records given up and lost",
        ),
        (
            "[2026/11/24 02:27:19.3] [error] [output:http:to-lake] 10.0.0.7:443, HTTP status=503\n" + RETRY.format("to-lake"),
            "output to-lake: 10.0.0.7:443, HTTP status=503; 1 retry in 10 s",
        ),
        (
            "[2026/11/24 02:27:19.332] [error] [output:forward:forward.1] no upstream connections available",
            "output forward.1: no connection",
        ),
        (
            "[2026/11/24 02:27:19.331] [error] [output:file:file.2] error opening: /nonexist/dir/dummy.2",
            "output file.2: error opening: /nonexist/dir/dummy.2",
        ),
        (
            "[2026/11/24 02:30:00.0] [error] [input:tail:logs] read error, check permissions: /var/log/x",
            "input logs: read error, check permissions: /var/log/x",
        ),
        (
            "[2026/11/24 02:30:00.0] [ warn] [input] http.0 paused (mem buf overlimit)",
            "input http.0 takes nothing more for now (mem buf overlimit): outputs do not keep up with it",
        ),
        (
            "No space left on device\n[2026/11/24 02:30:00.0] [error] [storage] [cio_file] error setting new file size",
            "no space left where this pipeline buffers its data; free some, or it loses data",
        ),
        ("[2026/11/24 02:27:19.139] [ info] [output:http:http.0] worker #0 started", None),
        (
            "[2026/11/27 02:13:35.125] [error] [output:http:nectary-tap] 127.0.0.1:5000, HTTP status=404\n"
            + RETRY.format("nectary-tap (out_id=0)")
            + "\n[2026/11/27 02:13:36.0] [ warn] [input] trace-emitter paused (mem buf overlimit)",
            None,
        ),
        ("0: {'key': '[error] [output:http:http.0] a record that was printed'}", None),
    ],
)
def test_complaints_are_said_in_a_sentence(text: str, message: str | None) -> None:
    assert told(text) == ([message] if message else [])


def test_one_hiccup_is_no_news_but_what_lasts_is() -> None:
    assert told(REFUSED, at=0.0, now=9.0) == []
    assert told(REFUSED, at=0.0, now=61.0) == [], "it is over"


def test_only_the_last_minute_counts() -> None:
    tally = complaints.Tally()
    for second in range(0, 200, 2):
        for line in REFUSED.splitlines():
            tally.read(line, float(second))
    [one] = tally.complaints(200.0)
    assert one.message == "output http.0: no connection to 127.0.0.1:9; 30 retries in 60 s" or "29 retries" in one.message
    assert one.address == "127.0.0.1:9"
    assert tally.recovered(250.0) == []
    assert tally.recovered(320.0) == ["http.0"]
    assert tally.recovered(320.0) == []


@pytest.mark.parametrize(
    ("code", "said", "reason", "message"),
    [
        (-9, "", "Killed", "by signal SIGKILL; if nobody did that on purpose, the machine may be short of memory"),
        (-11, "", "Killed", "by signal SIGSEGV"),
        (None, "", "Exited", "Fluent Bit ended"),
        (0, "[2026/11/24 02:30:00.0] [ info] all is well", "Exited", "Fluent Bit ended with exit code 0"),
        (
            255,
            "[2026/11/24 02:27:30.194] [error] [downstream] could not bind address 127.0.0.1:19880. Aborting",
            "PortInUse",
            "could not bind address 127.0.0.1:19880",
        ),
        (1, "No space left on device", "DiskFull", "no space left on the disk"),
    ],
)
def test_an_end_is_explained(code: int | None, said: str, reason: str, message: str) -> None:
    found = complaints.end(code, said)
    assert found[0] == reason
    assert message in found[1]


def test_the_same_is_not_said_again_until_it_was_over() -> None:
    events = Events("process")
    assert events.is_news("A", "x")
    assert events.add("A", "first", about="x")
    assert not events.is_news("A", "x")
    assert not events.add("A", "again, with another number", about="x")
    assert events.add("B", "something else", about="x")
    events.over("A", "x")
    assert events.add("A", "again", about="x")
    assert [event.message for event in events.all()] == ["first", "something else", "again"]


def test_events_are_bounded_and_hold_no_secrets() -> None:
    events = Events("process")
    events.secrets = ("s3cret", "s3cret-longer", "abc")
    for number in range(200):
        events.add("A", f"{number} s3cret-longer s3cret abc")
    assert len(events.all()) == 50
    assert events.all()[-1].message == "199 *** *** abc"
    assert hide("nothing", ()) == "nothing"


def test_waits_double_up_to_five_minutes_and_are_forgotten_once_it_works() -> None:
    backoff = Backoff()
    assert backoff.is_due(0.0)
    assert [backoff.failed(0.0) for _ in range(12)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert not backoff.is_due(299.0)
    assert backoff.is_due(300.0)
    backoff.worked(300.0)
    assert backoff.failed(310.0) == 300, "it worked for too short a time"
    backoff.worked(400.0)
    assert backoff.failed(460.0) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", 0.5),
        ("2", 2),
        ("256Mi", 2**28),
        ("1.5Gi", 1.5 * 2**30),
        ("1e3", 1000),
        ("5G", 5e9),
        ("", 0),
        ("lots", 0),
        ("-1", 0),
    ],
)
def test_amounts_are_read_as_kubernetes_writes_them(text: str, value: float) -> None:
    assert amount(text) == value


def test_the_reason_is_found_among_all_that_is_said() -> None:
    said = "[2026/11/24 02:30:00.0] [ info] x\n[2026/11/24 02:30:00.0] [error] [config] a\nError: b\nError: b\n"
    assert fluent_bit.reason(said) == "[config] a; Error: b"
    assert fluent_bit.reason("only this\n\n") == "only this"
    assert fluent_bit.reason("") == "it said nothing"


async def test_a_server_that_does_not_answer_says_nothing(tmp_path: Path) -> None:
    assert await fluent_bit.ask(1, "/") == (0, b"")
    assert not await fluent_bit.answers(1)
    assert await fluent_bit.reload_count(1) is None
    assert await fluent_bit.metrics(1) == {}
