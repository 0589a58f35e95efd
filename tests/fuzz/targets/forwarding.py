"""What clients and proxies say of themselves: never more than they may, and never an exception.

Protocol: §1.3, origin rule.
"""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from fizz_gevent.application import Application
from fizz_gevent.transport.proxies import Proxies
from tests.fuzz.source import Source

MAX_SIZE = 400
DICTIONARY = (b"10.0.0.1", b"203.0.113.9", b"::ffff:10.0.0.1", b"fe80::1%x", b",", b"https", b"://")
_PROXIES = Proxies([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])
_PEERS = ("", "10.1.2.3", "192.0.2.1", "fd00::1", "::ffff:10.0.0.9", "2001:db8::1", "fe80::1%eth0")
_PAGES = Application("1001", "key", "secret", allowed_origins=("example.com", "*-*-*.example.org"))


def seeds() -> Iterator[bytes]:
    """Chains of proxies, and origins."""
    for peer in range(len(_PEERS)):
        for hops in (b"203.0.113.9", b"1.2.3.4, 10.0.0.2", b"fd00::5,::1", b"unknown", b""):
            yield bytes((peer, len(hops))) + hops + bytes((5,)) + b"https"
    for origin in (
        b"https://example.com",
        b"https://a-b-c.example.org:8443",
        b"null",
        b"http://[::1]",
    ):
        yield b"\x00\x00\x00" + origin


def run(data: bytes) -> None:
    """Ask who a client is, how it came, and whether its page is allowed."""
    source = Source(data)
    peer = source.choice(_PEERS)
    hops, proto = (source.chunk().decode("latin-1") for _ in range(2))
    headers = {"HTTP_X_FORWARDED_FOR": hops, "HTTP_X_FORWARDED_PROTO": proto}
    found = _PROXIES.client_address(peer, headers)
    is_trusted = peer in ("", "10.1.2.3", "fd00::1", "::ffff:10.0.0.9")
    assert _PROXIES.trusts(peer) == is_trusted
    if not is_trusted:
        assert found == peer
        assert not _PROXIES.is_secure(peer, headers)
    if found != peer:
        ip_address(found)
        assert any(found in hop for hop in hops.split(","))
    origin = source.rest().decode("latin-1")
    if _PAGES.allows_origin(origin):
        plain = origin.lower().translate({9: "", 10: "", 13: ""})  # as URLs are read since WHATWG
        assert "example.com" in plain or ".example.org" in plain
