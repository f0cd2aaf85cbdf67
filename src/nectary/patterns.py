"""Regular expressions in RE2's syntax, matched in time that grows with the text and with the pattern, never faster.

People write them and the server runs them, so Python's own engine will not do: `(a+)+$` keeps it busy for years, and it cannot
be interrupted. This one follows all ways through a pattern at once (Thompson's construction), as RE2 does, and takes the part
of RE2's syntax that names are matched with; the rest is refused by name, not misread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 1000
MOST_STEPS = 2000
_DEEPEST = 50

Test = Callable[[str], bool]

_CLASSES: dict[str, Test] = {
    "d": lambda letter: "0" <= letter <= "9",
    "w": lambda letter: letter.isascii() and (letter.isalnum() or letter == "_"),
    "s": lambda letter: letter in "\t\n\f\r ",
}
_POSIX: dict[str, Test] = {
    "alnum": lambda letter: letter.isascii() and letter.isalnum(),
    "alpha": lambda letter: letter.isascii() and letter.isalpha(),
    "ascii": str.isascii,
    "blank": lambda letter: letter in "\t ",
    "cntrl": lambda letter: letter < " " or letter == "\x7f",
    "digit": _CLASSES["d"],
    "graph": lambda letter: "!" <= letter <= "~",
    "lower": lambda letter: "a" <= letter <= "z",
    "print": lambda letter: " " <= letter <= "~",
    "punct": lambda letter: "!" <= letter <= "~" and not letter.isalnum(),
    "space": lambda letter: letter in "\t\n\v\f\r ",
    "upper": lambda letter: "A" <= letter <= "Z",
    "word": _CLASSES["w"],
    "xdigit": lambda letter: letter in "0123456789abcdefABCDEF",
}
_ESCAPES = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}


class BadPatternError(ValueError):
    """A pattern that is wrong, too long, or beyond the syntax taken here; the text says which."""


@dataclass(frozen=True, slots=True)
class _One:
    """One letter that passes a test."""

    test: Test


@dataclass(frozen=True, slots=True)
class _At:
    """A place between letters: its kind is `^`, `$`, `A`, `z`, `b` or `B`; `lines`: line ends count for the first two."""

    kind: str
    lines: bool


@dataclass(frozen=True, slots=True)
class _Row:
    parts: "tuple[_Node, ...]"


@dataclass(frozen=True, slots=True)
class _Either:
    ways: "tuple[_Node, ...]"


@dataclass(frozen=True, slots=True)
class _Times:
    part: "_Node"
    least: int
    most: int | None


_Node = _One | _At | _Row | _Either | _Times


@dataclass(frozen=True, slots=True)
class _Flags:
    fold: bool = False
    lines: bool = False
    dot_all: bool = False


class Pattern:
    """A pattern that was understood. Raises BadPatternError for any other."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise BadPatternError(f"longer than {LONGEST} characters")
        self._steps: list[tuple[_One | _At | None, list[int]]] = [(None, [])]  # step 0 is the match
        self._start = self._built(_Reader(text).pattern(), 0)

    @property
    def size(self) -> int:
        """How many steps it has: what one letter of a text costs at most."""
        return len(self._steps)

    def found_in(self, text: str) -> bool:
        """Whether it matches anywhere in a text."""
        waiting: set[int] = set()
        for place in range(len(text) + 1):
            waiting.add(self._start)
            ready = self._reached(waiting, text, place)
            if 0 in ready:
                return True
            if place < len(text):
                letter = text[place]
                steps = (self._steps[at] for at in ready)
                waiting = {to for part, next_ in steps if isinstance(part, _One) and part.test(letter) for to in next_}
        return False

    def _reached(self, waiting: set[int], text: str, place: int) -> set[int]:
        """All steps that can be stood on without taking a letter."""
        reached, left = set(waiting), list(waiting)
        while left:
            part, next_ = self._steps[left.pop()]
            if isinstance(part, _One) or (isinstance(part, _At) and not _stands(part, text, place)):
                continue
            fresh = [to for to in next_ if to not in reached]
            reached.update(fresh)
            left += fresh
        return reached

    def _step(self, part: _One | _At | None, next_: list[int]) -> int:
        if len(self._steps) >= MOST_STEPS:
            raise BadPatternError("it repeats too much")
        self._steps.append((part, next_))
        return len(self._steps) - 1

    def _built(self, node: _Node, then: int) -> int:
        """The step where `node` begins, of steps that lead to `then`."""
        if isinstance(node, _One | _At):
            return self._step(node, [then])
        if isinstance(node, _Row):
            for part in reversed(node.parts):
                then = self._built(part, then)
            return then
        if isinstance(node, _Either):
            return self._step(None, [self._built(way, then) for way in node.ways])
        if node.most is None:
            again = self._step(None, [then])
            self._steps[again][1].append(self._built(node.part, again))
            then = again
        else:
            for _ in range(node.most - node.least):
                then = self._step(None, [self._built(node.part, then), then])
        for _ in range(node.least):
            then = self._built(node.part, then)
        return then


@lru_cache(maxsize=256)
def compiled(text: str) -> Pattern:
    """The pattern of a text, remembered. Raises BadPatternError."""
    return Pattern(text)


def _stands(part: _At, text: str, place: int) -> bool:
    before, after = text[place - 1 : place], text[place : place + 1]
    if part.kind in "^A":
        return not before or (part.lines and before == "\n")
    if part.kind in "$z":
        return not after or (part.lines and after == "\n")
    word = _CLASSES["w"]
    edge = (bool(before) and word(before)) != (bool(after) and word(after))
    return edge if part.kind == "b" else not edge


class _Reader:
    """Reads one pattern, from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def pattern(self) -> _Node:
        node = self._either(_Flags())
        if self.at < len(self.text):
            raise BadPatternError('a ")" without "("')
        return node

    def _peek(self, what: str) -> bool:
        return self.text.startswith(what, self.at)

    def _take(self, what: str) -> bool:
        if self._peek(what):
            self.at += len(what)
            return True
        return False

    def _letter(self) -> str:
        if self.at >= len(self.text):
            raise BadPatternError("it ends too early")
        self.at += 1
        return self.text[self.at - 1]

    def _either(self, flags: _Flags) -> _Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise BadPatternError(f"nested deeper than {_DEEPEST} levels")
        ways: list[_Node] = []
        parts: list[_Node] = []
        while self.at < len(self.text) and not self._peek(")"):
            if self._take("|"):
                ways.append(_Row(tuple(parts)))
                parts = []
            elif (found := self._flags_alone(flags)) is not None:
                flags = found
            else:
                parts.append(self._repeated(self._one(flags)))
        self.depth -= 1
        row = _Row(tuple(parts))
        return _Either((*ways, row)) if ways else row

    def _flags_alone(self, flags: _Flags) -> _Flags | None:
        """`(?i)`: from here on."""
        if not self._peek("(?"):
            return None
        end = self.at + 2
        while end < len(self.text) and self.text[end] in "imsU-":
            end += 1
        if end == self.at + 2 or not self.text.startswith(")", end):
            return None
        found = _with(flags, self.text[self.at + 2 : end])
        self.at = end + 1
        return found

    def _one(self, flags: _Flags) -> _Node:
        letter = self._letter()
        if letter == "(":
            return self._group(flags)
        if letter == "[":
            return _One(_folded(self._class(), flags))
        if letter == ".":
            return _One((lambda _: True) if flags.dot_all else (lambda it: it != "\n"))
        if letter in "^$":
            return _At(letter, flags.lines)
        if letter in "*+?":
            raise BadPatternError(f'a "{letter}" has nothing before it to repeat')
        if letter == "\\":
            escaped = self._escaped()
            return escaped if isinstance(escaped, _At) else _One(_folded(escaped, flags))
        return _One(_folded(_same(letter), flags))

    def _group(self, flags: _Flags) -> _Node:
        if self._take("?P<") or self._take("?<"):
            name = ""
            while not (name and self._take(">")):
                name += self._letter()
                if not name.isidentifier():
                    raise BadPatternError("a group's name is letters, digits and _")
        elif self._take("?"):
            given = ""
            while not self._peek(":"):
                given += self._letter()
                if given[-1] not in "imsU-":
                    raise BadPatternError(f'"(?{given}" is beyond RE2\'s syntax')
            self._letter()
            flags = _with(flags, given)
        node = self._either(flags)
        if not self._take(")"):
            raise BadPatternError('a "(" without ")"')
        return node

    def _repeated(self, node: _Node) -> _Node:
        repeated = False
        while self.at < len(self.text):
            counts = self._counts()
            if counts is None:
                return node
            if repeated:
                raise BadPatternError("a repetition of a repetition")
            repeated = True
            self._take("?")  # the shortest way first; which way is found first does not matter here
            node = _Times(node, *counts)
        return node

    def _counts(self) -> tuple[int, int | None] | None:
        for mark, counts in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(mark):
                return counts
        end = self.text.find("}", self.at)
        if not self._peek("{") or end < 0:
            return None
        least, comma, most = self.text[self.at + 1 : end].partition(",")
        if not _is_count(least) or (most and not _is_count(most)):
            return None  # a brace that means itself
        low, high = int(least), (int(most) if most else None) if comma else int(least)
        if low > 1000 or (high is not None and (high > 1000 or high < low)):
            raise BadPatternError("counts go up to 1000, the smaller one first")
        self.at = end + 1
        return low, high

    def _escaped(self) -> Test | _At:
        letter = self._letter()
        if letter.lower() in _CLASSES:
            test = _CLASSES[letter.lower()]
            return test if letter.islower() else lambda it: not test(it)
        if letter in "AzbB":
            return _At(letter, lines=False)
        return _same(self._literal(letter))

    def _literal(self, letter: str) -> str:
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if letter == "x":
            if self._take("{"):
                end = self.text.find("}", self.at)
                digits, self.at = self.text[self.at : max(end, self.at)], end + 1 or len(self.text)
            else:
                digits = self._letter() + self._letter()
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError):
                raise BadPatternError(f'"\\x{digits}" is no character') from None
        if letter.isascii() and letter.isalnum():
            raise BadPatternError(f'"\\{letter}" is beyond the syntax taken here')
        return letter

    def _class(self) -> Test:
        negated = self._take("^")
        tests: list[Test] = []
        first = True
        while first or not self._peek("]"):
            first = False
            tests.append(self._class_part())
        self._letter()
        return lambda it: any(test(it) for test in tests) != negated

    def _class_part(self) -> Test:
        if self._take("[:"):
            end = self.text.find(":]", self.at)
            name = self.text[self.at : end].removeprefix("^")
            if end < 0 or name not in _POSIX:
                raise BadPatternError(f'"[:{name[:20]}" is no class')
            negated = self._take("^")
            self.at = end + 2
            test = _POSIX[name]
            return (lambda it: not test(it)) if negated else test
        low = self._letter()
        if low == "\\":
            following = self._letter()
            if following.lower() in _CLASSES:
                test = _CLASSES[following.lower()]
                return test if following.islower() else lambda it: not test(it)
            low = self._literal(following)
        if not self._peek("-") or self.text.startswith("-]", self.at):
            return _same(low)
        self._letter()
        high = self._letter()
        if high == "\\":
            high = self._literal(self._letter())
        if high < low:
            raise BadPatternError(f'"{low}-{high}" goes backwards')
        return lambda it: low <= it <= high


def _with(flags: _Flags, given: str) -> _Flags:
    """`i-s`: on before the sign, off behind it. U, which only changes which match is found first, changes nothing here."""
    on, _, off = given.partition("-")
    return _Flags(
        fold=("i" in on or flags.fold) and "i" not in off,
        lines=("m" in on or flags.lines) and "m" not in off,
        dot_all=("s" in on or flags.dot_all) and "s" not in off,
    )


def _folded(test: Test, flags: _Flags) -> Test:
    return (lambda it: test(it) or test(it.lower()) or test(it.upper())) if flags.fold else test


def _same(letter: str) -> Test:
    return lambda it: it == letter


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4
