"""Where one message ends and the next begins on a connection, so that it can go on with another Fluent Bit between two of them.

Nothing is changed on the way: bytes are only watched. What does not look as expected makes the connection `opaque`: it then
stays with the Fluent Bit that it began with.
"""

import re
from typing import Protocol

import msgpack

_HEAD_LIMIT = 64 * 1024
_OBJECT_LIMIT = 64 * 1024 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n")
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked[ \t]*\r\n")
_CLOSE = re.compile(rb"\r\nconnection:[^\r]*close")


class Framing(Protocol):
    """Watches one connection. `settled`: nothing is half said or unanswered. `closing`: no message follows the last one."""

    acknowledged: bool  # every message is answered

    @property
    def opaque(self) -> bool: ...

    @property
    def closing(self) -> bool: ...

    def said(self, data: bytes, *, stop: bool) -> int:
        """The client's next bytes; returns how many belong to messages. stop: to the first end of a message only."""

    def answered(self, data: bytes) -> None:
        """Fluent Bit's next bytes."""

    @property
    def settled(self) -> bool: ...

    def renew(self) -> None:
        """Another Fluent Bit goes on from here."""


def of(kind: str) -> Framing:
    if kind == "http":
        return Http()
    if kind == "lines":
        return Lines()
    return Objects() if kind == "msgpack" else Opaque()


class Opaque:
    """Bytes of which nothing is known."""

    closing = acknowledged = settled = False
    opaque = True

    def said(self, data: bytes, *, stop: bool) -> int:  # noqa: ARG002
        return len(data)

    def answered(self, data: bytes) -> None:
        pass

    def renew(self) -> None:
        pass


class Lines:
    """Messages that end with a line feed: syslog over TCP, the tcp input."""

    opaque = closing = acknowledged = False

    def __init__(self) -> None:
        self.settled = True

    def said(self, data: bytes, *, stop: bool) -> int:
        if stop and self.settled:
            return 0
        if stop and (end := data.find(b"\n")) >= 0:
            self.settled = True
            return end + 1
        self.settled = data.endswith(b"\n") if data else self.settled
        return len(data)

    def answered(self, data: bytes) -> None:
        pass

    def renew(self) -> None:
        self.settled = True


class Objects:
    """MessagePack objects one after the other: the forward protocol without authentication."""

    closing = acknowledged = False

    def __init__(self) -> None:
        self.opaque = False
        self.renew()

    def renew(self) -> None:
        self._unpacker, self._fed, self._end = msgpack.Unpacker(max_buffer_size=_OBJECT_LIMIT), 0, 0

    @property
    def settled(self) -> bool:
        return not self.opaque and self._fed == self._end

    def said(self, data: bytes, *, stop: bool) -> int:
        if self.opaque:
            return len(data)
        if stop and self.settled:
            return 0
        before = self._fed
        try:
            self._unpacker.feed(data)
            self._fed += len(data)
            while True:
                self._unpacker.skip()
                self._end = self._unpacker.tell()
                if stop:
                    taken = self._end - before
                    self.renew()
                    return taken
        except msgpack.OutOfData:
            if self.settled:
                self.renew()
        except (ValueError, msgpack.UnpackException):
            self.opaque = True
        return len(data)

    def answered(self, data: bytes) -> None:
        pass


class _Messages:
    """HTTP/1.1 messages of one direction (RFC 9112, 6.3). `done`: how many are whole."""

    def __init__(self, *, answers: bool) -> None:
        self.answers, self.done, self.broken, self.closing = answers, 0, False, False
        self._state, self._left, self._head = "head", 0, bytearray()

    @property
    def between(self) -> bool:
        return self._state == "head" and not self._head

    def feed(self, data: bytes, *, stop: bool = False) -> int:
        at = 0
        while at < len(data) and not self.broken:
            before = self.done
            if self._state in ("body", "chunk"):
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                if self._left == 0:
                    self._end() if self._state == "body" else self._enter("size")
            elif self._state == "rest":
                return len(data)
            else:
                at = self._line(data, at)
            if stop and self.done > before:
                return at
        return len(data)

    def _line(self, data: bytes, at: int) -> int:
        """Take what belongs to a head, or to a line between chunks; where the next thing begins."""
        mark = b"\r\n\r\n" if self._state == "head" else b"\r\n"
        known = len(self._head)
        self._head += data[at : at + _HEAD_LIMIT]
        end = self._head.find(mark, max(0, known - 3))
        if end < 0:
            self.broken = len(self._head) >= _HEAD_LIMIT
            return min(at + _HEAD_LIMIT, len(data))
        at += end + len(mark) - known
        line = bytes(self._head[: end + len(mark)])
        self._head.clear()
        if self._state == "head":
            self._begin(line.lower())
        elif self._state == "size":
            self._size(line)
        elif line == mark:  # the trailer's end
            self._end()
        return at

    def _size(self, line: bytes) -> None:
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            self.broken = True
            return
        self._left = size + 2
        self._enter("chunk" if size else "trailer")

    def _begin(self, head: bytes) -> None:
        status = int(head[9:12]) if self.answers and head[9:12].isdigit() else 0
        if status == 101 or head.startswith((b"pri * http/2", b"head ", b"connect ")):
            self.broken = True  # another protocol from here on, or answers whose length cannot be told alone
        elif 100 <= status < 200:
            pass
        elif status in (204, 304):
            self._finish(head)
        elif _CHUNKED.search(head):
            self._note(head)
            self._enter("size")
        elif length := _LENGTH.search(head):
            self._note(head)
            self._left = int(length[1])
            self._enter("body") if self._left else self._end()
        elif self.answers:
            self.closing = True
            self._enter("rest")
        else:
            self._finish(head)

    def _note(self, head: bytes) -> None:
        self.closing = self.closing or bool(_CLOSE.search(head))

    def _finish(self, head: bytes) -> None:
        self._note(head)
        self._end()

    def _enter(self, state: str) -> None:
        self._state = state

    def _end(self) -> None:
        self.done += 1
        self._state = "head"


class Http:
    """HTTP/1.1 requests and their answers."""

    acknowledged = True

    def __init__(self) -> None:
        self.opaque = False
        self._requests, self._answers = _Messages(answers=False), _Messages(answers=True)

    @property
    def closing(self) -> bool:
        return self._requests.closing or self._answers.closing

    @property
    def settled(self) -> bool:
        return (
            not self.opaque
            and self._requests.between
            and self._answers.between
            and self._answers.done >= self._requests.done
        )  # fmt: skip

    def said(self, data: bytes, *, stop: bool) -> int:
        if self.opaque:
            return len(data)
        if stop and self._requests.between:
            return 0
        taken = self._requests.feed(data, stop=stop)
        self.opaque = self._requests.broken
        return len(data) if self.opaque else taken

    def answered(self, data: bytes) -> None:
        if not self.opaque:
            self._answers.feed(data)
            self.opaque = self._answers.broken

    def renew(self) -> None:
        self._requests, self._answers = _Messages(answers=False), _Messages(answers=True)
