"""Connecting to a receiver, and refusing to where it is inside a private network."""

import ipaddress
from typing import Any

import gevent
from gevent import socket
from gevent.lock import BoundedSemaphore

_LOOKUPS_AT_ONCE = 6
_Addresses = list[tuple[Any, Any, int, str, tuple[Any, ...]]]

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class AddressRefused(OSError):
    """A name leads to an address that webhooks may not be sent to."""


class _Lookups:
    """Asks for the addresses of names, each name once at a time and few at all.

    Each question occupies a thread for as long as a name server is silent, which is longer than
    anybody waits here; and there are ten threads, which Redis and other receivers need as well.
    """

    def __init__(self) -> None:
        self._running: dict[tuple[str, int], gevent.Greenlet[..., _Addresses | OSError]] = {}
        self._places = BoundedSemaphore(_LOOKUPS_AT_ONCE)

    def addresses(self, host: str, port: int) -> _Addresses:
        """What ``getaddrinfo`` says. Yields.

        Raises:
            OSError: The name has no address.
        """
        running = self._running.get((host, port))
        if running is None:
            running = self._running[host, port] = gevent.spawn(self._ask, host, port)
        found = running.get()
        if isinstance(found, OSError):
            raise found
        return found

    def _ask(self, host: str, port: int) -> _Addresses | OSError:
        try:
            with self._places:
                return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            return error
        finally:
            del self._running[host, port]


_lookups = _Lookups()


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
    found = _lookups.addresses(host, port)
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
