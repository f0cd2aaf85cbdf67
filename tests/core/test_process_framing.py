"""Wherever a stream is cut into pieces, the ends of its messages are found."""

from itertools import pairwise

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nectary.core.runtimes.process.front import framing

_BODY = st.binary(max_size=60)


def _request(body: bytes, *, chunked: bool, continued: bool) -> bytes:
    head = b"POST /a HTTP/1.1\r\nHost: a\r\n" + (b"Expect: 100-continue\r\n" if continued else b"")
    if not chunked:
        return head + b"content-LENGTH: %d\r\n\r\n" % len(body) + body
    half = len(body) // 2
    chunks = [part for part in (body[:half], body[half:]) if part]
    written = b"".join(b"%x;note=1\r\n%s\r\n" % (len(part), part) for part in chunks)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + written + b"0\r\nTrailer: x\r\n\r\n"


_REQUEST = st.builds(_request, _BODY, chunked=st.booleans(), continued=st.booleans())
_LINE = st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"") + b"\n")
_OBJECT = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=40) | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
).map(lambda one: bytes(msgpack.packb(one)))


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


def _check(kind: str, messages: list[bytes], cuts: list[int], answer: bytes = b"") -> None:
    ends, total = {0}, 0
    for message in messages:
        total += len(message)
        ends.add(total)
    watched, at = framing.of(kind), 0
    for piece in _pieces(b"".join(messages), cuts):
        assert watched.said(piece, stop=False) == len(piece)
        at += len(piece)
        if answer:
            for _ in range(sum(1 for end in ends if at - len(piece) < end <= at)):
                watched.answered(answer)
        assert watched.settled is (at in ends)
        assert not watched.opaque


@given(st.lists(_REQUEST, max_size=6), st.lists(st.integers(0, 10_000), max_size=20))
def test_the_ends_of_requests_are_found(messages: list[bytes], cuts: list[int]) -> None:
    _check("http", messages, cuts, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok")


@given(st.lists(_LINE, max_size=8), st.lists(st.integers(0, 10_000), max_size=20))
def test_the_ends_of_lines_are_found(messages: list[bytes], cuts: list[int]) -> None:
    _check("lines", messages, cuts)


@given(st.lists(_OBJECT, max_size=6), st.lists(st.integers(0, 10_000), max_size=20))
def test_the_ends_of_objects_are_found(messages: list[bytes], cuts: list[int]) -> None:
    _check("msgpack", messages, cuts)


@pytest.mark.parametrize("kind", ["http", "lines", "msgpack"])
@given(data=st.data())
def test_asked_to_stop_it_takes_to_the_end_of_the_message_and_no_byte_more(kind: str, data: st.DataObject) -> None:
    messages = data.draw(st.lists({"http": _REQUEST, "lines": _LINE, "msgpack": _OBJECT}[kind], min_size=2, max_size=4))
    whole = b"".join(messages)
    begun = data.draw(st.integers(0, len(messages[0])))
    watched = framing.of(kind)
    watched.said(whole[:begun], stop=False)
    taken = watched.said(whole[begun:], stop=True)
    if begun in (0, len(messages[0])):
        assert taken == 0
    else:
        assert begun + taken == len(messages[0])
    watched.renew()
    assert watched.said(whole[begun + taken :], stop=False) == len(whole) - begun - taken


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_nonsense_never_stops_the_data(data: bytes, cuts: list[int]) -> None:
    for kind in ("http", "lines", "msgpack", "opaque"):
        watched = framing.of(kind)
        for piece in _pieces(data, cuts):
            assert watched.said(piece, stop=False) == len(piece)
            watched.answered(piece)


@pytest.mark.parametrize(
    "head",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n\r\n",
        b"HEAD / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000,
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_plain_request_makes_a_connection_opaque(head: bytes) -> None:
    watched = framing.of("http")
    assert watched.said(head, stop=False) == len(head)
    assert watched.opaque
    assert not watched.settled


def test_an_answer_that_changes_the_protocol_makes_a_connection_opaque() -> None:
    watched = framing.of("http")
    watched.said(b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n", stop=False)
    watched.answered(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    assert watched.opaque


@pytest.mark.parametrize(
    ("answer", "settled", "closing"),
    [
        (b"HTTP/1.1 204\r\n\r\n", True, False),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", True, True),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", False, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx", False, False),
        (b"HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\n\r\nbad", True, False),
    ],
)
def test_an_answer_is_over_when_it_says_so(answer: bytes, *, settled: bool, closing: bool) -> None:
    watched = framing.of("http")
    watched.said(b"GET / HTTP/1.1\r\n\r\n", stop=False)
    watched.answered(answer)
    assert (watched.settled, watched.closing) == (settled, closing)
