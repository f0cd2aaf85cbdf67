"""Where a request comes from, behind the proxies that are trusted to say so."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

from starlette.types import Scope

from nectary.resources.fleet_serving import plain_address

Network = IPv4Network | IPv6Network


def source(scope: Scope, trusted: Sequence[Network]) -> str:
    """The address of whoever asked: the peer's own, or, where the peer is a trusted proxy, the right-most address in
    X-Forwarded-For that is not one. What stands further left anybody could have written."""
    client = scope.get("client")
    address = plain_address(client[0]) if client else ""
    if not trusted or not _is_trusted(address, tuple(trusted)):
        return address
    told = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
    for hop in reversed([part.strip() for part in told.split(",") if part.strip()]):
        said = plain_address(_without_port(hop))
        if not _is_address(said):
            break  # whoever wrote this is no proxy we know; the one that passed it on is the best that is known
        address = said
        if not _is_trusted(said, tuple(trusted)):
            break
    return address


@lru_cache(65536)
def _is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    return _is_address(address) and any(ip_address(address) in network for network in trusted)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _without_port(hop: str) -> str:
    """`10.0.0.1:4321`, `[2001:db8::1]:4321` and `2001:db8::1` as some proxies write them."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
