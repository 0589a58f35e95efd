"""Which addresses are inside private networks, and that the checked one is connected to."""

from typing import Any

import pytest
from gevent import socket

from fizz_gevent.webhooks import addresses
from fizz_gevent.webhooks.addresses import AddressRefused, connect, is_public


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe"),
        *("64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "2002:7f00:1::", "2002:a00:1::1"),
    ],
)
def test_an_address_inside_a_private_network_is_not_public(address: str) -> None:
    """Protocol: §13, webhook_private_networks."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"],
)
def test_an_address_of_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


def answers(*found: str) -> Any:
    """A resolver that gives these addresses, the first time; afterwards it fails."""
    left = [
        [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 9)) for address in found],
    ]

    def getaddrinfo(host: str, port: int, **_: Any) -> Any:
        return left.pop()

    return getaddrinfo


def test_one_private_address_among_several_refuses_the_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(addresses.socket, "getaddrinfo", answers("8.8.8.8", "127.0.0.1"))
    with pytest.raises(AddressRefused, match=r"shop\.test is at 127\.0\.0\.1"):
        connect("shop.test", 80, seconds=1, allow_private=False)


def test_the_address_that_was_checked_is_the_one_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Names that answer differently the second time gain nothing: they are asked once."""
    reached: list[Any] = []

    class Socket:
        def __init__(self, *_: Any) -> None:
            pass

        def settimeout(self, seconds: float) -> None:
            pass

        def connect(self, address: Any) -> None:
            reached.append(address)

    monkeypatch.setattr(addresses.socket, "getaddrinfo", answers("8.8.8.8"))
    monkeypatch.setattr(addresses.socket, "socket", Socket)
    connect("shop.test", 80, seconds=1, allow_private=False)
    assert reached == [("8.8.8.8", 9)]


def test_the_next_address_is_tried_where_nobody_answers() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with connect("localhost", port, seconds=5, allow_private=True) as connected:
            assert connected.getpeername()[1] == port
    with pytest.raises(OSError, match="refused"):
        connect("localhost", port, seconds=5, allow_private=True)
