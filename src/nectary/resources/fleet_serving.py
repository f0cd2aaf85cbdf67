"""Who is served what: the one decision behind every fleet poll, made of what is known and nothing else.

A poll carries no agent's identity, only a project token and an address (in_calyptia_fleet sends X-Project-Token and
Fleet-Config-Version). So the unit that a rollout reaches is what every poll of a host has in common: its key.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import TypeAlias
from uuid import UUID

COHORTS = 10_000


@dataclass(frozen=True, slots=True)
class Served:
    """A revision of the fleet by its number, and the Last-Modified it is served with, in seconds since the epoch."""

    revision: int
    version: int


@dataclass(frozen=True, slots=True)
class Split:
    """A rollout that has the last word on a fleet: those it reaches are served one thing, all others another.

    `outside` is a Split where the rollout began while another one, rolled back or cancelled, had the last word.
    """

    reach: int  # of COHORTS
    canaries: frozenset[str]  # keys that are reached whatever their cohort
    inside: Served
    outside: "Serving"


Serving: TypeAlias = Served | Split


def served(serving: Serving, key: str) -> Served:
    """What a poll with this key gets. The same key gets the same as long as the serving is the same, on every replica."""
    while isinstance(serving, Split):
        serving = serving.inside if reaches(serving.reach, serving.canaries, key) else serving.outside
    return serving


def revisions_of(serving: Serving) -> set[int]:
    """The revisions that somebody may be served, by number."""
    found = set()
    while isinstance(serving, Split):
        found.add(serving.inside.revision)
        serving = serving.outside
    return {*found, serving.revision}


def reaches(reach: int, canaries: Collection[str], key: str) -> bool:
    """Whether a rollout of that reach, with those canaries, has come to this key. Growing reach never leaves one behind."""
    return key in canaries or cohort(key) < reach


def cohort(key: str) -> int:
    """0 to COHORTS - 1, evenly and for ever: which share of a fleet a key is among."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % COHORTS


def poll_key(token_id: UUID, address: str, *, one_host: bool) -> str:
    """What the polls of one host have in common: its own token, or a shared token and the address they come from."""
    return f"token:{token_id}" if one_host else f"token:{token_id}@{plain_address(address)}"


@lru_cache(65536)
def plain_address(address: str) -> str:
    """One spelling for one address: an IPv4 address that came as IPv6 is the same host. What is no address stays as it is."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ip)
