"""Whether a regular expression can be compiled at all: what Fluent Bit's engine (Onigmo, Ruby syntax) surely refuses.

Nothing is ever run here, and only faults that every reading of the syntax agrees on are reported, in one pass over the text.
"""

import re

_QUANTIFIERS = "*+?"
_LONGEST = 10_000
_FREE_SPACING = re.compile(r"\(\?[imx]*x")


def fault(pattern: str) -> str | None:
    """What is wrong with a pattern, or None: unbalanced brackets, nothing to repeat, an escape without a letter.

    Patterns over 10,000 characters and those with free spacing (where `#` starts a comment) are not judged.
    """
    if len(pattern) > _LONGEST or _FREE_SPACING.search(pattern) or (pattern.startswith("/") and pattern.endswith("x")):
        return None
    text = _between_slashes(pattern)
    depth, place, repeatable = 0, 0, False
    while place < len(text):
        letter = text[place]
        if letter == "\\":
            if place + 1 >= len(text):
                return "it ends in a lone backslash"
            place += 2
            repeatable = True
            continue
        if letter == "[":
            end = _class_end(text, place)
            if end < 0:
                return 'a "[" has no "]"'
            place, repeatable = end + 1, True
            continue
        if letter == "(":
            if text.startswith("(?#", place):
                place = text.find(")", place) + 1
                if not place:
                    return 'a "(" has no ")"'
                continue
            depth += 1
            place += 1
            repeatable = False
            if text.startswith("?", place):
                if text[place + 1 : place + 2] in {"<", "'"} and text[place + 2 : place + 3].isdigit():
                    return "the name of a group starts with a digit"
                place = _after_group_mark(text, place)
            continue
        if letter == ")":
            depth -= 1
            if depth < 0:
                return 'a ")" has no "("'
            repeatable = True
        elif letter == "|":
            repeatable = False
        elif letter in _QUANTIFIERS and not repeatable:
            return f'"{letter}" has nothing before it to repeat'
        else:
            repeatable = True
        place += 1
    return 'a "(" has no ")"' if depth else None


def _between_slashes(pattern: str) -> str:
    """Fluent Bit takes `/.../` with optional flags as well as the bare pattern (check_option in src/flb_regex.c)."""
    if len(pattern) > 1 and pattern.startswith("/"):
        end = pattern.rfind("/")
        if end > 0 and all(flag in "imxo" for flag in pattern[end + 1 :]):
            return pattern[1:end]
    return pattern


def _after_group_mark(text: str, place: int) -> int:
    """Past `?:`, `?=`, `?<name>`, `?<!` and the like, so that the `?` is not taken for a repeat."""
    if text.startswith(("?<", "?'"), place) and not text.startswith(("?<=", "?<!"), place):
        close = text.find(">" if text[place + 1] == "<" else "'", place + 2)
        return close + 1 if close >= 0 else place + 2
    return place + 2


def _class_end(text: str, place: int) -> int:
    """The place of the `]` that ends the class opened at `place`, or -1. Classes nest; a first `]` is a letter."""
    depth = 0
    while place < len(text):
        letter = text[place]
        if letter == "\\":
            place += 2
            continue
        if (
            text.startswith("[:", place)
            and depth
            and (end := text.find(":]", place + 2)) >= 0
            and text[place + 2 : end].strip("^").isalpha()
        ):
            place = end + 2
            continue
        if letter == "[":
            depth += 1
            if text.startswith("^", place + 1):
                place += 1
            if text.startswith("]", place + 1):
                place += 1
        elif letter == "]":
            depth -= 1
            if not depth:
                return place
        place += 1
    return -1
