"""The kinds of text that name things, and what the contract calls a wrong one."""

from typing import Annotated, Literal

from pydantic import AfterValidator, EmailStr, Field, StringConstraints

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


def _once_each(permissions: list[str]) -> list[str]:
    if len(set(permissions)) != len(permissions):
        raise ValueError("a permission stands twice")
    return permissions


Permission = Annotated[Literal[PERMISSIONS], Says("invalid permission")]  # type: ignore[valid-type]
Permissions = Annotated[list[Permission], AfterValidator(_once_each), Says("duplicate permission")]

Tag = Annotated[str, Field(min_length=1, max_length=255), Says("invalid tag")]
