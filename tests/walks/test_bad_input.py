"""For every operation: whatever is sent, the answer is a refusal in the published form, and leaves nothing behind.

`make test` tries a third of the values at each place, another third at the next; `make fuzz` tries them all.
"""

import gzip
import json
import os
import re
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, TypeVar
from urllib.parse import quote

import pytest
from httpx import Response

from nectary.db import cursors
from tests.harness import bodies
from tests.harness.ground import Asked, Ground
from tests.harness.operations import Operation
from tests.walks.differences import changed, report

NO_IDS = ("not-an-id", "0", "%00", "%ED%A0%80", "%FF", "..%2F..%2Fprojects", "x" * 5_000, "%20", "%F0%9F%90%9D", "1" * 32 + "g")
QUERY_VALUES = (
    "",
    "-1",
    "1e3",
    "9223372036854775808",
    "-9223372036854775809",
    "9" * 5_000,
    "NaN",
    "\0",
    "a\0b",
    "\U0001f41d",
    "x" * 10_000,
    "[]",
    "true",
    "%",
    "' OR 1=1 --",
    "../../etc/passwd",
    "1h1h1h" * 1_000,
    "P99999999999Y",
    "9" * 400 + "h",
    "-1ns",
    "AAAA",
    "f_________8AAAAAAAAAAAAAAAAAAAAA",  # a cursor far in the future
    "gAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",  # and one far in the past
)

_T = TypeVar("_T")
_ALL = "WALK_ALL" in os.environ


def _some(values: Iterable[_T], *place: object) -> list[_T]:
    """Those that are tried at a place."""
    return [*values] if _ALL else [*values][zlib.crc32(repr(place).encode()) % 3 :: 3]


class Walk:
    """Asks, looks at each answer, and keeps what was refused to see that nothing came of it."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.faults: list[str] = []
        self.asked = 0

    async def ask(self, operation: Operation, path: str, what: str, allowed: tuple[int, ...] = (), **sent: Any) -> Response:
        kind = self.ground.kind_for(operation)
        http = self.ground.client(kind) if kind is not None else self.ground.world.http()
        self.ground.world.context.credentials.confirm()
        answer = await http.request(operation.method, path, **sent)
        self.asked += 1
        said = f"{operation} for {what[:120]}: {answer.status_code} {answer.text[:200]}"
        if answer.status_code >= 500 or (allowed and answer.status_code not in allowed):
            self.faults.append(said)
        elif answer.status_code >= 400 and not _is_published(answer):
            self.faults.append(f"{said}: not the published error body")
        return answer


def _is_published(answer: Response) -> bool:
    try:
        said = answer.json()
    except ValueError:
        return False
    return isinstance(said, dict) and isinstance(said.get("error"), str) and bool(said["error"])


@pytest.fixture
async def walk(ground: Ground) -> AsyncIterator[Walk]:
    """A walk that must have found nothing, and seen something, when its test ends."""
    made = Walk(ground)
    yield made
    assert not made.faults, report(made.faults)
    assert made.asked


async def test_an_empty_id_is_401_to_a_stranger_and_422_to_others(walk: Walk) -> None:
    """`/v1/projects//agents` is what the CLI asks for without a token."""
    asked = 0
    for operation in walk.ground.operations:
        if operation.guard is None or operation.open_to_all:
            continue
        known = await walk.ground.known()
        places = walk.ground.places(operation, known)
        for parameter in places:
            path = operation.path
            for name, value in places.items():
                path = path.replace(f"{{{name}}}", "" if name == parameter else value)
            params = walk.ground.query(operation, known)
            body = {"json": bodies.whole(operation, known)} if operation.body is not None else {}
            stranger = await walk.ground.world.http().request(operation.method, path, params=params, **body)
            assert stranger.status_code == 401, f"{operation.method} {path}: {stranger.status_code} {stranger.text}"
            assert _is_published(stranger), stranger.text
            await walk.ask(operation, path, path, (422,), params=params, **body)
            asked += 1
    assert asked > 150


async def test_ids_that_are_none(walk: Walk) -> None:
    before = await walk.ground.world.rows()
    for operation in walk.ground.operations:
        known = await walk.ground.known()
        for parameter in operation.parameters:
            for value in NO_IDS:
                path = operation.path.replace(f"{{{parameter}}}", value)
                for other in operation.parameters:
                    path = path.replace(f"{{{other}}}", known(other) or walk.ground.project_id)
                body = {"json": bodies.whole(operation, known)} if operation.body is not None else {}
                params = walk.ground.query(operation, known)
                allowed = (403, 404, 405, 410, 422) if operation.guard is None else (404, 405, 422)
                await walk.ask(operation, path, path, allowed, params=params, **body)
    assert not (came := changed(before, await walk.ground.world.rows())), report(came)


async def test_query_parameters_of_every_kind(walk: Walk) -> None:
    for operation in walk.ground.operations:
        if operation.method != "GET":
            continue  # what deletes is asked for things that are not there, below
        asked = await walk.ground.asked(operation)
        for name in [parameter["name"] for parameter in operation.query]:
            for value in _some(QUERY_VALUES, operation.id, name):
                await walk.ask(operation, asked.path, f"?{name}={value}", params={**asked.query, name: value})
            raw = "&".join(f"{key}={quote(value)}" for key, value in asked.query.items() if key != name)
            for bytes_ in ("%FF%FE", "%ED%A0%80", "%", "%zz", "%00"):
                await walk.ask(operation, f"{asked.path}?{raw}&{name}={bytes_}", f"?{name}={bytes_}")
        for oddity in ("?&&&=&=", "?a[b]=c&a[=&components[", "?%00=%00", "?" + "a=b&" * 2_000):
            separate = "&" if asked.query else ""
            query = "&".join(f"{key}={quote(value)}" for key, value in asked.query.items())
            await walk.ask(operation, f"{asked.path}{oddity}{separate}{query}", oddity)


async def test_wrong_cursors_and_windows_are_422(walk: Walk) -> None:
    for operation in walk.ground.operations:
        asked = await walk.ground.asked(operation)
        names = {parameter["name"] for parameter in operation.query}
        for name in names & {"before", "after"}:
            for value in ("x", "AAAA", "=", "\U0001f41d", "!" * 3_000):
                answer = await walk.ask(operation, asked.path, f"{name}={value}", (422,), params={**asked.query, name: value})
                assert answer.json()["error"] == "decode cursor", f"{operation}: {answer.text}"
        for name in names & {"last", "first"}:
            for value in ("-1", "x", "1.5", "9" * 5_000):
                await walk.ask(operation, asked.path, f"{name}={value}", (422,), params={**asked.query, name: value})
        for name in names & {"start", "interval"}:
            for value in ("1", "x", "1d", "9" * 99 + "h", "P1Y2M"):
                await walk.ask(operation, asked.path, f"{name}={value}", (422,), params={**asked.query, name: value})


async def test_deletions_of_what_is_no_id(walk: Walk) -> None:
    before = await walk.ground.world.rows()
    for operation in walk.ground.operations:
        if operation.method == "DELETE":
            asked = await walk.ground.asked(operation)
            for name in [one["name"] for one in operation.query if one["name"].endswith("_id")]:
                for value in ("x", "\0", "1" * 33, "9" * 5_000):
                    await walk.ask(operation, asked.path, f"?{name}={value}", (422,), params={name: value})
    assert not (came := changed(before, await walk.ground.world.rows())), report(came)


async def test_bodies_with_one_thing_wrong(walk: Walk) -> None:
    """What is refused is sent once more, all of it, to see that it leaves nothing."""
    refused: list[tuple[Operation, Asked]] = []
    for operation in _with_bodies(walk.ground):
        known = await walk.ground.known()
        for body in _some(bodies.broken(_said(await walk.ground.asked(operation))), operation.id):
            asked = Asked(walk.ground.path(operation, known), walk.ground.query(operation, known), body)
            text = json.dumps(body).encode()
            answer = await walk.ask(operation, asked.path, text.decode()[:200], content=text, params=asked.query, headers=_JSON)
            if answer.status_code in (400, 422) and len(text) < 10_000:
                refused.append((operation, asked))
        await walk.ground.furnish()  # some bodies were taken, and did what they say
    before = await walk.ground.world.rows()
    taken = 0
    for operation, asked in refused:
        text = json.dumps(asked.body).encode()
        answer = await walk.ask(operation, asked.path, "again", content=text, params=asked.query, headers=_JSON)
        taken += answer.is_success
    assert not taken, f"{taken} malformed bodies were refused first and taken later"
    assert not (came := changed(before, await walk.ground.world.rows())), report(came)
    assert refused


_JSON = {"Content-Type": "application/json"}


def _nested(levels: int) -> Iterator[bytes]:
    yield b"[" * levels + b"]" * levels
    yield b'{"name":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"
    yield b'{"metadata":' * levels  # and never closed


def _malformed() -> Iterator[tuple[str, bytes]]:
    """Bodies that are no JSON at all, or none that may be."""
    for text in (b'{"name": "x"', b'{"name": ', b"{", b"[", b'"', b"{name: 1}", b"{'name': 'x'}", b"nul", b"\xff\xfe", b"\x00"):
        yield "malformed", text
    yield "a raw NUL in a text", b'{"name": "a\x00b"}'
    yield "a byte that is not UTF-8", b'{"name": "\xe9"}'
    yield "an encoded surrogate", b'{"name": "\xed\xa0\x80"}'
    yield "not a number", b'{"name": NaN}'
    yield "infinity", b'{"name": Infinity}'
    yield "text behind it", b'{"name": "x"} {"name": "y"}'
    yield "a byte order mark", b'\xff\xfe{\x00"\x00'
    for levels in (1_000, 100_000):
        yield from ((f"{levels} levels", body) for body in _nested(levels))


async def test_what_is_no_json_is_400(walk: Walk) -> None:
    before = await walk.ground.world.rows()
    for operation in _with_bodies(walk.ground):
        asked = await walk.ground.asked(operation)
        for what, body in _malformed():
            allowed = (400,) if operation.guard is not None else (400, 422)  # metrics are no JSON in the first place
            await walk.ask(operation, asked.path, what, allowed, content=body, params=asked.query, headers=_JSON)
    assert not (came := changed(before, await walk.ground.world.rows())), report(came)


ODD = (b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"', b"1" + b"0" * 400, b"-1e999", b"9223372036854775808", b"1.0")
OTHER_TYPES = ("text/plain", "application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded")
NOWHERE = ("/", "/v1", "/v1/", "/v1/nothing", "/v1/projects/", "//v1/projects", "/v9/projects", "/%00", "/..%2f", "/\u00e9")


async def test_lone_surrogates_and_huge_numbers_are_never_an_accident(walk: Walk) -> None:
    """JSON can spell what neither UTF-8 nor a database holds."""
    for operation in _with_bodies(walk.ground):
        asked = await walk.ground.asked(operation)
        whole = said if isinstance(said := _said(asked), dict) else {}
        for key in [*whole, "anything"]:
            for odd in _some(ODD, operation.id, key):
                others = json.dumps({name: value for name, value in whole.items() if name != key}).encode()
                body = others[:-1] + (b"," if whole.keys() - {key} else b"") + json.dumps(key).encode() + b":" + odd + b"}"
                await walk.ask(operation, asked.path, f"{key}: {odd[:30]!r}", content=body, params=asked.query, headers=_JSON)
        for key in (b'{"\\ud800": 1}', b'{"\\u0000": 1}'):
            await walk.ask(operation, asked.path, repr(key), content=key, params=asked.query, headers=_JSON)
        await walk.ground.furnish()


async def test_other_types_and_encodings_are_415(walk: Walk) -> None:
    before = await walk.ground.world.rows()
    for operation in _with_bodies(walk.ground):
        asked = await walk.ground.asked(operation)
        body = json.dumps(asked.body).encode() if asked.raw is None else asked.raw
        bomb = gzip.compress(b"[" * 50_000_000 if operation is walk.ground.operations[0] else b"[" * 1_000_000)
        for encoding, packed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body)), ("br", body), ("gzip", bomb)):
            headers = {**_JSON, "Content-Encoding": encoding}
            await walk.ask(operation, asked.path, encoding, (415,), content=packed, params=asked.query, headers=headers)
        if operation.guard is not None:  # agents' posts are read whatever they call themselves
            for kind in OTHER_TYPES:
                headers = {"Content-Type": kind}
                await walk.ask(operation, asked.path, kind, (415,), content=body, params=asked.query, headers=headers)
    assert not (came := changed(before, await walk.ground.world.rows())), report(came)


async def test_a_body_beyond_the_limit_is_413_said_or_unsaid(walk: Walk) -> None:
    limit = walk.ground.world.context.settings.body_limit
    too_much = b'{"name": "' + b"x" * limit + b'"}'

    async def unsaid() -> AsyncIterator[bytes]:
        for at in range(0, len(too_much), 1 << 20):
            yield too_much[at : at + (1 << 20)]

    before = await walk.ground.world.rows()
    for operation in _with_bodies(walk.ground):
        asked = await walk.ground.asked(operation)
        for content in (too_much, unsaid()):
            await walk.ask(operation, asked.path, "too much", (413,), content=content, params=asked.query, headers=_JSON)
    assert not (came := changed(before, await walk.ground.world.rows())), report(came)


async def test_what_is_not_served_says_so_in_the_published_form(walk: Walk) -> None:
    for operation in walk.ground.operations:
        asked = await walk.ground.asked(operation)
        answer = await walk.ground.world.http().request("BREW", asked.path)
        assert answer.status_code == 405, f"{operation}: {answer.status_code}"
        assert _is_published(answer), answer.text
        served = {o.method for o in walk.ground.operations if re.fullmatch(re.sub(r"{\w+}", "[^/]+", o.path), asked.path)}
        assert {*answer.headers["Allow"].split(", ")} - {"HEAD"} == served - {"HEAD"}, f"{operation}: {answer.headers['Allow']}"
    for path in NOWHERE:
        answer = await walk.ground.client(*walk.ground.shown).get(path)
        walk.asked += 1
        assert answer.status_code in (404, 422), f"{path}: {answer.status_code}"
        assert _is_published(answer), answer.text


def _said(asked: Asked) -> Any:
    """The body as JSON would have it; None for the agents' MessagePack."""
    if asked.raw is None:
        return asked.body
    return json.loads(asked.raw) if asked.raw[:1] == b"{" else None


def _with_bodies(ground: Ground) -> list[Operation]:
    return [o for o in ground.operations if o.body is not None or (o.guard is None and o.method in ("POST", "PATCH"))]


def test_the_cursors_tried_can_be_read() -> None:
    """Else nothing would be shown by trying them."""
    for text in QUERY_VALUES[-2:]:
        with pytest.raises(Exception, match="decode cursor"):
            cursors.decode(text)
