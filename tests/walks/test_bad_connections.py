"""The real server on a real socket: whatever arrives there, it answers or hangs up, and goes on serving others."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import psutil
import pytest

from tests.harness.serving import Served, serving

PATIENCE = 15.0  # seconds to wait for an answer or for the end of a connection
SILENT_FOR = 2.0  # and for one that need not come


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("connections")) as served:
        yield served
        assert "Traceback" not in served.log(), served.log()[-3000:]


@pytest.fixture(autouse=True)
def _still_serving(server: Served) -> Iterator[None]:
    """After every test others are served as before."""
    yield
    assert server.process.poll() is None, server.log()[-3000:]
    answer = httpx.get(f"{server.url}/healthz", timeout=PATIENCE)
    assert answer.status_code == 200


def say(server: Served, *parts: bytes, pause: float = 0.0, wait: float = PATIENCE, must_end: bool = False) -> bytes:
    """Send the parts, and give all that comes back until the server hangs up or is silent for `wait` seconds; with `must_end`,
    silence is a fault."""
    silence = () if must_end else (TimeoutError,)
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait) as connection:
        heard = b""
        with contextlib.suppress(ConnectionError, *silence):
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
            while more := connection.recv(65_536):
                heard += more
        return heard


def statuses(heard: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", heard)]


def get(path: str = "/healthz", *headers: str, version: str = "1.1") -> bytes:
    lines = [f"GET {path} HTTP/{version}", "Host: 127.0.0.1", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


BAD_REQUESTS = (
    b"\r\n\r\n",
    b"GARBAGE\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /healthz\r\n\r\n",
    b"GET /healthz HTTP/9.9\r\n\r\n",
    b"GET  /healthz  HTTP/1.1\r\n\r\n",
    b"GET /health\x00z HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET http://[::bad HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nNo colon here\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nBad Name: x\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nX: a\x00b\r\n\r\n",
    b"POST /v1/sign_in HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\nConnection: close\r\n\r\n",
    b"POST /v1/sign_in HTTP/1.1\r\nHost: x\r\nContent-Length: nine\r\nConnection: close\r\n\r\n",
    b"POST /v1/sign_in HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello",
    b"POST /v1/sign_in HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,  # somebody speaks TLS to it
    b"\x00" * 5_000,
)


@pytest.mark.parametrize("request_", BAD_REQUESTS, ids=lambda request_: repr(request_[:40]))
def test_what_is_no_http_gets_a_4xx_or_the_end_of_the_connection(server: Served, request_: bytes) -> None:
    heard = say(server, request_, wait=SILENT_FOR)
    assert all(400 <= status < 500 for status in statuses(heard)), heard[:500]


def test_a_byte_outside_ascii_in_authorization_is_401_and_control_characters_are_4xx(server: Served) -> None:
    for value in ("", "Bearer", "Bearer ", "Bearer \xff\xfe\x80", "\xa0", "Bearer " + "x" * 10_000, "Basic \xe9"):
        for name in ("Authorization", "authorization"):
            heard = say(server, get("/v1/projects", f"{name}: {value}", f"X-Project-Token: {server.token}"))
            assert statuses(heard) == [401], (value[:20], heard[:300])
            assert b'{"error":"unauthenticated"' in heard
    for value in ("Bearer \x00", "Bearer \x01", "Bearer \x7f", "Bearer \x0b"):
        heard = say(server, get("/v1/projects", f"Authorization: {value}"))
        assert statuses(heard) in ([400], [401]), (value, heard[:300])


@pytest.mark.parametrize(("headers", "length"), [(1, 9_000), (1, 2_000_000), (90, 200), (5_000, 20), (200_000, 20)])
def test_huge_headers_are_refused_or_taken_but_never_kept_waiting(server: Served, headers: int, length: int) -> None:
    lines = [f"X-{number}: {'x' * length}" for number in range(headers)]
    heard = say(server, get("/healthz", *lines), must_end=True)
    assert all(status == 200 or 400 <= status < 500 for status in statuses(heard)), heard[:300]


@pytest.mark.parametrize("length", [8_000, 60_000, 3_000_000])
def test_long_request_lines_are_refused_or_taken(server: Served, length: int) -> None:
    for path in (f"/{'x' * length}", f"/healthz?{'x' * length}"):
        heard = say(server, get(path))
        assert all(status == 200 or 400 <= status < 500 for status in statuses(heard)), heard[:300]


def test_http_1_0_is_answered_and_hung_up_on(server: Served) -> None:
    heard = say(server, b"GET /healthz HTTP/1.0\r\n\r\n")
    assert statuses(heard) == [200], heard
    heard = say(server, b"GET /v1/projects HTTP/1.0\r\n\r\n")
    assert statuses(heard) == [401], heard


def test_pipelined_requests_are_answered_in_their_order(server: Served) -> None:
    first, second = b"GET /v1/projects HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
    heard = say(server, first + second + get())
    assert statuses(heard) == [401, 404, 200], heard[:600]


def test_a_body_in_chunks_is_read_and_a_cut_one_is_no_request(server: Served) -> None:
    head = b"POST /v1/sign_in HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (b'{"email": ', b'"nobody"', b"}")) + b"0\r\n\r\n"
    assert statuses(say(server, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)) == [422]
    assert statuses(say(server, head + b"Content-Length: 100\r\n\r\n{", wait=SILENT_FOR)) == []
    assert statuses(say(server, head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", wait=SILENT_FOR)) == []


def test_expect_continue_is_answered(server: Served) -> None:
    body = b'{"email": "nobody"}'
    head = b"POST /v1/sign_in HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    heard = say(server, head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body), body, pause=0.2)
    assert statuses(heard)[-1:] == [422], heard
    assert statuses(heard) in ([422], [100, 422])
    heard = say(server, head + b"Expect: the-impossible\r\nContent-Length: %d\r\n\r\n" % len(body), body, pause=0.2)
    assert all(400 <= status < 500 for status in statuses(heard) if status != 100), heard


def test_a_body_beyond_the_limit_is_413_though_it_never_ends(server: Served) -> None:
    head = b"POST /v1/agents HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Project-Token: %s\r\n" % server.token.encode()
    heard = say(server, head + b"Content-Length: 99999999999999\r\n\r\n")
    assert statuses(heard) == [413], heard[:300]
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    heard = say(server, head + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 12, wait=PATIENCE)
    assert statuses(heard) in ([413], []), heard[:300]  # the answer is lost when the sender never listens


def test_a_body_announced_larger_than_any_number_is_a_4xx(server: Served) -> None:
    for length in (b"9" * 19, b"9" * 40, b"9" * 5_000):
        heard = say(server, b"POST /v1/sign_in HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %s\r\n\r\n" % length)
        assert all(400 <= status < 500 for status in statuses(heard)), heard[:300]


def test_many_who_say_little_do_not_keep_others_waiting(server: Served) -> None:
    """Slow loris: 300 connections that never finish their request."""
    with contextlib.ExitStack() as open_:
        for number in range(300):
            slow = open_.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE))
            slow.sendall(b"POST /v1/sign_in HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n" + (b"\r\n{" if number % 2 else b"X"))
        for _ in range(20):
            assert httpx.get(f"{server.url}/healthz", timeout=PATIENCE).status_code == 200


def test_who_hangs_up_early_leaves_nothing_behind(server: Served) -> None:
    """2,000 connections that end in the middle: no file stays open, no worker is stuck."""
    process = psutil.Process(server.process.pid)
    httpx.get(f"{server.url}/healthz", timeout=PATIENCE)
    before = process.num_fds()

    def hang_up() -> None:
        for number in range(500):
            with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
                connection.sendall((b"GET /healthz HT", get("/v1/projects"), get())[number % 3])

    threads = [threading.Thread(target=hang_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    deadline = time.monotonic() + PATIENCE
    while process.num_fds() > before + 20 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert process.num_fds() <= before + 20
