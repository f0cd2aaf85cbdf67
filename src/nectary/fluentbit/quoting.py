"""Writes one text as a YAML or JSON scalar that is read back as exactly that text, on one line unless it is a block."""

import json
import re

# A text that every YAML reader takes for itself without quotes, in block and flow style: it starts like a word or a path and
# holds nothing that means something in YAML.
_BARE = re.compile(
    r"[A-Za-z_./$^\\(][A-Za-z0-9_./$^\\()*+=@;~<>!?%&|-]*+(?: [A-Za-z0-9_./$^\\()*+=@;~<>!?%|-]++)*+|[0-9][A-Za-z0-9_./-]*+"
)
# What YAML 1.1 or 1.2 takes for a boolean, a null, a number, a date or a time.
_SPECIAL = re.compile(
    r"""y|n|yes|no|on|off|true|false|null|~|none|
    [-+]?\.?(?:inf|nan)|[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:e[-+]?[0-9]+)?|[-+]?\.[0-9_]+(?:e[-+]?[0-9]+)?|
    0[xob][0-9a-f_]+|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*|=|<<""",
    re.IGNORECASE | re.VERBOSE,
)
_NOT_PRINTABLE = re.compile("[^\\x20-\\x7e\\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_NOT_IN_BLOCK = re.compile("[^\\n\\x20-\\x7e\\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def yaml_string(text: str) -> str:
    """A text as one line of YAML, key or value, in block or flow style; bare only where no reader takes it for more."""
    if _BARE.fullmatch(text) and not _SPECIAL.fullmatch(text):
        return text
    if not _NOT_PRINTABLE.search(text):
        return "'" + text.replace("'", "''") + "'"
    escaped = re.sub(r'[\\"\n\r\t]', lambda found: _ESCAPES[found.group()], text)
    return '"' + _NOT_PRINTABLE.sub(_escape, escaped) + '"'


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def comment(text: str) -> str:
    """A comment that stays one line in every format: what YAML or a terminal would take for a line end becomes a blank."""
    return _NOT_PRINTABLE.sub(" ", text)


def yaml_block(text: str) -> tuple[str, list[str]] | None:
    """A text of several lines as a literal block: its mark and its lines; None when a block cannot hold it safely."""
    body = text.removesuffix("\n")
    if "\n" not in text or body.endswith("\n") or not body or body[0] in " \t\n" or _NOT_IN_BLOCK.search(text):
        return None
    lines = body.split("\n")
    if any(line.endswith(" ") for line in lines):
        return None  # it would be kept, but nobody could see it
    return ("|" if text.endswith("\n") else "|-"), lines


def json_string(text: str) -> str:
    """A text as a JSON string; also YAML, so that Fluent Bit reads it under a .yaml name."""
    # libyaml takes no DEL, C1 or byte order mark in a text; JSON would.
    return re.sub(
        "[\\x7f-\\x9f\u2028\u2029\ufeff\ufffe\uffff]",
        lambda found: f"\\u{ord(found.group()):04x}",
        json.dumps(text, ensure_ascii=False),
    )
