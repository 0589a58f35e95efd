"""Whose word about a client is believed."""

from ipaddress import ip_network

import pytest

from fizz_gevent.transport.proxies import Proxies

PROXIES = Proxies([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        # A stranger says of itself what it likes.
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("203.0.113.9", "", "203.0.113.9"),
        # A proxy is believed about whom it heard, and that one about nobody.
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.7, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.7,198.51.100.1,10.0.0.2", "198.51.100.1"),
        ("fd00::1", "2001:db8::5", "2001:db8::5"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("", "198.51.100.1", "198.51.100.1"),  # a Unix socket
        # Nothing that could be believed.
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, _hidden", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"),
        ("not an address", "198.51.100.1", "not an address"),
    ],
)
def test_the_client_is_the_last_hop_that_is_no_trusted_proxy(
    peer: str, forwarded: str, client: str
) -> None:
    headers = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    assert PROXIES.client_address(peer, headers) == client


@pytest.mark.parametrize(
    ("peer", "proto", "is_secure"),
    [
        ("10.0.0.1", "https", True),
        ("10.0.0.1", "WSS", True),
        ("10.0.0.1", "http", False),
        ("10.0.0.1", "https, http", False),
        ("10.0.0.1", "http, https", True),
        ("10.0.0.1", "", False),
        ("203.0.113.9", "https", False),
        ("", "https", True),
    ],
)
def test_tls_is_what_the_nearest_trusted_proxy_says(peer: str, proto: str, is_secure: bool) -> None:
    """Protocol: §1.3, 5."""
    assert PROXIES.is_secure(peer, {"HTTP_X_FORWARDED_PROTO": proto}) is is_secure


def test_without_trusted_networks_only_a_unix_socket_is_believed() -> None:
    nobody = Proxies([])
    assert not nobody.trusts("127.0.0.1")
    assert nobody.trusts("")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::5]:4711", "2001:db8::5"),
        ("10.0.0.1", "[2001:db8::5]", "2001:db8::5"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
        # A trusted proxy that does not say for whom it speaks.
        ("10.0.0.1", "", ""),
        ("10.0.0.1", "unknown", ""),
        ("", "", ""),
        ("", "198.51.100.1", "198.51.100.1"),
    ],
)
def test_a_client_without_a_name_is_not_taken_for_its_proxy(
    peer: str, forwarded: str, client: str
) -> None:
    headers = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    assert PROXIES.named_client(peer, headers) == client
