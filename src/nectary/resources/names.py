"""The kinds of text that name things, and what the contract calls a wrong one."""

import base64
import binascii
import secrets
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, EmailStr, Field, PlainSerializer, StringConstraints, WithJsonSchema

from nectary.caller import PERMISSIONS
from nectary.shape import Says

_Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]

ProjectName = Annotated[_Title, Says("invalid project name")]
TokenName = Annotated[_Title, Says("invalid token name")]
UserName = Annotated[_Title, Says("invalid user name")]
Email = Annotated[EmailStr, AfterValidator(str.lower), Says("invalid email")]

# RFC 1123: one label of a host name, and a whole host name.
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
HOSTNAME = rf"^{_LABEL}(\.{_LABEL})*$"

EnvironmentName = Annotated[str, StringConstraints(pattern=LABEL), Says("invalid environment name")]


# An image as Docker names one: [host[:port]/]path[:tag][@digest].
_PATH = "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"
IMAGE = (
    rf"^({_LABEL}(\.{_LABEL})*(:[0-9]{{1,5}})?/)?{_PATH}(/{_PATH})*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,128})?$"
)

_HOWS = (
    "agile amber brisk calm coral dawn deft early emerald fiery gentle golden hazel jade keen lively lucid nimble pearl quick"
)
_WHATS = (
    "aster bloom briar clover comet dahlia fern finch heath iris lark lily lotus maple mimosa myrtle poppy sage salvia tulip"
)


def invented() -> str:
    """A name for something whose maker gave none, such as `nimble-salvia-3f9c2a`."""
    return f"{secrets.choice(_HOWS.split())}-{secrets.choice(_WHATS.split())}-{secrets.token_hex(3)}"


def _once_each(permissions: list[str]) -> list[str]:
    if len(set(permissions)) != len(permissions):
        raise ValueError("a permission stands twice")
    return permissions


Permission = Annotated[Literal[PERMISSIONS], Says("invalid permission")]  # type: ignore[valid-type]
Permissions = Annotated[list[Permission], AfterValidator(_once_each), Says("duplicate permission")]

Tag = Annotated[str, Field(min_length=1, max_length=255), Says("invalid tag")]
Tags = Annotated[list[Tag], AfterValidator(lambda tags: list(dict.fromkeys(tags))), Says("invalid tag")]


def decoded(given: Any) -> Any:
    """Bytes from base64; anything else as it came, for a validator behind it to judge."""
    if not isinstance(given, str):
        return given
    try:
        return base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is not base64") from None


def _encoded(contents: bytes) -> str:
    return base64.b64encode(contents).decode()  # standard and padded: Fluent Bit cuts short or empties what is not


# Bytes, which travel as base64.
Contents = Annotated[
    bytes,
    BeforeValidator(decoded, json_schema_input_type=str),
    PlainSerializer(_encoded, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "byte"}),
    Field(min_length=1),
    Says("file contents required"),
]
# The bytes of a secret, which travel as base64, too.
SecretValue = Annotated[
    bytes,
    BeforeValidator(decoded, json_schema_input_type=str),
    WithJsonSchema({"type": "string", "format": "byte"}),
    Field(min_length=1),
    Says("secret value required"),
]
# What may come back sealed, or empty.
Bytes = Annotated[
    bytes,
    PlainSerializer(_encoded, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "byte"}),
]

# What a template names: `{{files.NAME}}`, `{{secrets.NAME}}` (fluentbit/variables.py).
_REFERRED = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
FileName = Annotated[str, StringConstraints(pattern=_REFERRED, max_length=253), Says("invalid file name")]
SecretKey = Annotated[str, StringConstraints(pattern=_REFERRED, max_length=253), Says("invalid secret key")]
