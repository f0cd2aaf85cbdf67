"""Enrolling hosts in a fleet: a project token for each, so that each polls for itself and can be reached by itself."""

from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy import Row, func, select

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Conflict, Invalid
from nectary.fluentbit import classic, edit
from nectary.fluentbit.document import Kind
from nectary.resources import tokens as project_tokens
from nectary.resources.names import HOSTNAME
from nectary.settings import Settings
from nectary.shape import Says, Shape

tokens, fleets = tables.tokens, tables.fleets

MOST = 1000
# What an agent does with its token: register, look for its fleet, poll.
PERMISSIONS = ["create:*", "read:*"]


def _once_each(hosts: list[str]) -> list[str]:
    if len({host.lower() for host in hosts}) != len(hosts):
        raise ValueError("a host stands twice")
    return hosts


Host = Annotated[str, StringConstraints(pattern=HOSTNAME, max_length=200), Says("invalid host name")]


class Enrollment(Shape):
    """`hosts`: their names; or `count`, for so many that are called after the fleet and a number."""

    hosts: Annotated[list[Host], Field(max_length=MOST), AfterValidator(_once_each)] | None = None
    count: Annotated[int, Field(ge=1, le=MOST)] | None = None


class EnrolledHost(Shape):
    """`config`: what its Fluent Bit is started with; the token stands in it."""

    id: UUID
    host: str
    token: str
    config: str


async def enroll(tx: WriteTx, caller: Caller, fleet_id: UUID, asked: Enrollment, settings: Settings) -> list[EnrolledHost]:
    """A token for each host, with a config to start its Fluent Bit with.

    Raises Invalid unless it is asked for hosts or for a count, Conflict for a host that is enrolled already.
    """
    caller.require_holds(PERMISSIONS)
    fleet = await statements.get(tx, caller, fleets, fleet_id)
    if (asked.hosts is None) == (asked.count is None) or asked.hosts == []:
        raise Invalid("invalid hosts", "give either the names of hosts or a count of them")
    hosts = asked.hosts if asked.hosts is not None else await _numbered(tx, fleet, asked.count or 0)
    await _require_new(tx, fleet_id, hosts)
    found = []
    for host in hosts:
        named = {"name": f"{fleet.name} / {host}", "permissions": PERMISSIONS, "fleet_id": fleet_id, "host": host}
        row = await project_tokens.add(tx, caller.project_id, **named)
        token = project_tokens.text_of(row)
        found.append(EnrolledHost(id=row.id, host=host, token=token, config=_config(settings, row, token)))
    return found


def _config(settings: Settings, row: Row[Any], token: str) -> str:
    """What a host's Fluent Bit is started with: it joins the fleet and gets everything else from there. Its machine id is the
    token's, so that it stays the same agent whatever becomes of the folder where it would keep one."""
    address = urlsplit(settings.address)
    tls = address.scheme == "https"
    calyptia = [
        ("name", "calyptia"),
        ("api_key", token),
        ("calyptia_host", address.hostname or ""),
        ("calyptia_port", str(address.port or (443 if tls else 80))),
        ("calyptia_tls", "on" if tls else "off"),
        ("fleet_id", str(row.fleet_id)),
        ("machine_id", str(row.id)),
        ("net.io_timeout", "30s"),
    ]
    # hot_reload on: an agent without it can end up refusing every later reload.
    service = classic.parse("[SERVICE]\n    hot_reload on\n")
    return edit.add_section(service, Kind.CUSTOM, calyptia).text


async def _numbered(tx: ReadTx, fleet: Row[Any], count: int) -> list[str]:
    """Names after the fleet, with numbers that were not given yet."""
    many = select(func.count()).select_from(tokens).where(tokens.c.fleet_id == fleet.id)
    begin = int((await tx.execute(many)).scalar_one()) + 1
    word = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in fleet.name).strip("-") or "host"
    query = select(tokens.c.host).where(tokens.c.fleet_id == fleet.id, tokens.c.host.like(f"{word}-%"))
    taken = set((await tx.execute(query)).scalars())
    names: list[str] = []
    while len(names) < count:
        if (name := f"{word}-{begin}") not in taken:
            names.append(name)
        begin += 1
    return names


async def _require_new(tx: ReadTx, fleet_id: UUID, hosts: list[str]) -> None:
    there = select(tokens.c.host).where(tokens.c.fleet_id == fleet_id, tokens.c.host.in_(hosts)).order_by(tokens.c.host)
    taken = list((await tx.execute(there)).scalars())
    if taken:
        more = f" and {len(taken) - 5} more" if len(taken) > 5 else ""
        detail = f"{', '.join(taken[:5])}{more}; delete the token of a host to enroll it again"
        raise Conflict("host already enrolled", detail)
