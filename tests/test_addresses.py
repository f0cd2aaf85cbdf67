"""Where a request comes from: nobody but a trusted proxy is believed."""

from ipaddress import ip_network

import pytest

from nectary.edge.addresses import source

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def asked(peer: str, *forwarded: str) -> str:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return source({"type": "http", "client": (peer, 4321), "headers": headers}, TRUSTED)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", (), "192.0.2.1"),
        ("192.0.2.1", ("198.51.100.7",), "192.0.2.1"),  # anybody can write the header
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.7",), "198.51.100.7"),
        ("10.0.0.1", ("1.1.1.1, 198.51.100.7",), "198.51.100.7"),  # what is further left the client wrote
        ("10.0.0.1", ("1.1.1.1", "198.51.100.7"), "198.51.100.7"),
        ("10.0.0.1", ("198.51.100.7, 10.2.0.1, 10.3.0.1",), "198.51.100.7"),
        ("10.0.0.1", ("10.2.0.1",), "10.2.0.1"),  # an agent inside
        ("10.0.0.1", ("198.51.100.7:5544",), "198.51.100.7"),
        ("10.0.0.1", ("[2001:db8::1]:5544",), "2001:db8::1"),
        ("fd00::1", ("2001:DB8::1",), "2001:db8::1"),
        ("::ffff:10.0.0.1", ("198.51.100.7",), "198.51.100.7"),
        ("10.0.0.1", ("198.51.100.7, unknown",), "10.0.0.1"),  # whoever wrote that is no proxy we know
        ("10.0.0.1", ("\xff\xfe, , ",), "10.0.0.1"),
    ],
)
def test_the_right_most_address_that_is_no_trusted_proxy_counts(peer: str, forwarded: tuple[str, ...], address: str) -> None:
    assert asked(peer, *forwarded) == address


def test_without_trusted_proxies_the_peer_counts() -> None:
    assert source({"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", b"192.0.2.9")]}, ()) == "10.0.0.1"
    assert source({"client": None, "headers": []}, ()) == ""
