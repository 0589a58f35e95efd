"""Connecting to a receiver, and refusing to where it is inside a private network."""

import ipaddress
from typing import Any

from gevent import socket

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class AddressRefused(OSError):
    """A name leads to an address that webhooks may not be sent to."""


def connect(
    host: str,
    port: int,
    *,
    seconds: float,
    allow_private: bool,
    options: Any = (),
) -> socket.socket:
    """Connect to a host; without ``allow_private`` only where each of its addresses is public.

    The addresses that were looked at are the ones connected to: a name that answers differently
    the next time gains nothing. Yields.

    Raises:
        AddressRefused: One of them is not.
        OSError: The name has no address, or nobody answers there.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if not allow_private:
        for *_, address in found:
            if not is_public(str(address[0])):
                raise AddressRefused(f"{host} is at {address[0]}, inside a private network")
    error: OSError | None = None
    for family, kind, protocol, _, address in found:
        attempt = socket.socket(family, kind, protocol)
        try:
            for option in options:
                attempt.setsockopt(*option)
            attempt.settimeout(seconds)
            attempt.connect(address)
            return attempt
        except OSError as failure:
            attempt.close()
            error = failure
        except BaseException:
            attempt.close()
            raise
    raise error or OSError(f"{host} has no address")


def is_public(text: str) -> bool:
    """Whether an address is one of the open internet, also as seen through what embeds another."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that packets to this one end up at."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour
