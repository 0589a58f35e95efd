"""Telling subscribers how many they are."""

from collections.abc import Callable, Iterator

import pytest

from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.signing import App

OPEN = App("1001", "open-key", "open-secret")
PLAIN = App("1002", "plain-key", "plain-secret")

COUNT = "pusher_internal:subscription_count"
SUCCEEDED = "pusher_internal:subscription_succeeded"


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(apps=[OPEN.settings(subscription_counts=True), PLAIN.settings()])


@pytest.fixture
def crowd(server: FizzServer) -> Iterator[Callable[[], PusherClient]]:
    """Connect clients, and let go of them all in the end."""
    clients: list[PusherClient] = []

    def connect() -> PusherClient:
        clients.append(server.client(OPEN))
        return clients[-1]

    yield connect
    for client in clients:
        client.websocket.abandon()


def test_it_is_off_unless_wanted(server: FizzServer) -> None:
    """Protocol: §11 "Fizz": default off; §14 "count event"."""
    with server.client(PLAIN) as first, server.client(PLAIN) as second:
        for client in (first, second):
            client.subscribe("orders")
        for client in (first, second):
            client.expect_nothing()


@pytest.mark.parametrize("channel", ["orders", "private-orders", "cache-orders"])
def test_every_change_is_told_to_all(server: FizzServer, channel: str) -> None:
    """Protocol: §11, up to 100; the frame byte for byte; §6.5, after 1 and 2."""
    second = server.client(OPEN)
    with server.client(OPEN) as first, server.client(OPEN) as third:
        wire = (
            f'{{"event":"pusher_internal:subscription_count","channel":"{channel}",'
            '"data":"{\\"subscription_count\\":%d}"}'
        )
        first.subscribe(channel)
        if channel.startswith("cache-"):
            first.expect("pusher:cache_miss")
        assert first.websocket.recv_text() == wire % 1
        second.request_subscription(channel)
        answers = [event["event"] for event in second.pending()]
        assert (answers[0], answers[-1]) == (SUCCEEDED, COUNT)
        assert first.websocket.recv_text() == wire % 2
        third.request_subscription(channel)
        third.pending()
        for client in (first, second):
            assert client.expect(COUNT, channel) == {"subscription_count": 3}
        third.unsubscribe(channel)
        third.expect_nothing()  # who leaves is not told
        for client in (first, second):
            assert client.expect(COUNT, channel) == {"subscription_count": 2}
        second.close()
        assert first.expect(COUNT, channel) == {"subscription_count": 1}
        first.expect_nothing()


def test_several_connections_of_a_user_count_each(server: FizzServer) -> None:
    """Protocol: §11, "Counts connections"."""
    with server.client(OPEN) as first, server.client(OPEN) as second:
        for number, client in enumerate((first, second), start=1):
            client.signin("ann")
            client.subscribe("private-tabs")
            assert client.expect(COUNT) == {"subscription_count": number}


def test_above_a_hundred_changes_are_gathered(
    server: FizzServer, crowd: Callable[[], PusherClient]
) -> None:
    """Protocol: §11, more than 100: throttled, and the last value is always told."""
    witness = crowd()
    witness.subscribe("crowd")
    for number in range(1, 101):
        # One by one: of what several workers change at the same time the last word alone is sure.
        assert witness.expect(COUNT, "crowd") == {"subscription_count": number}
        if number < 100:
            crowd().subscribe("crowd")
    last: list[PusherClient] = []
    for _ in range(20):
        last.append(crowd())
        last[-1].subscribe("crowd")
    told = []
    while told[-1:] != [120]:
        told.append(witness.expect(COUNT, "crowd")["subscription_count"])
    assert told == sorted(set(told))
    assert len(told) < 20  # the number of changes; it took a few frames, not as many
    assert last[-1].expect(COUNT, "crowd") == {"subscription_count": 120}
    for client in last:
        client.close()
    told = []
    while told[-1:] != [100]:
        told.append(witness.expect(COUNT, "crowd")["subscription_count"])
    assert len(told) < 20
    crowd().subscribe("other")  # another channel is not held up
    newcomer = crowd()
    newcomer.subscribe("other")
    assert newcomer.expect(COUNT, "other") == {"subscription_count": 2}
