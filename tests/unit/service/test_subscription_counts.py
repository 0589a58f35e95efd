"""Subscribers are told how many they are. Protocol: §11."""

import pytest

from tests.unit.rooms import Client, Node, count, succeeded

CHANNEL = "orders"


def crowd(node: Node, number: int, channel: str = CHANNEL) -> list[Client]:
    """So many subscribers; the first has heard nothing yet of the others."""
    clients = [node.client() for _ in range(number)]
    for client in clients:
        client.subscribe(channel)
    return clients


def told(client: Client) -> list[int]:
    events = client.heard()
    assert all(event["event"] == "pusher_internal:subscription_count" for event in events), events
    return [event["data"]["subscription_count"] for event in events]


def test_each_change_is_told_up_to_a_hundred() -> None:
    node = Node(subscription_counts=True)
    clients = crowd(node, 100)
    assert told(clients[0]) == list(range(2, 101))
    clients[-1].unsubscribe(CHANNEL)
    clients[-2].vanish()
    node.turn()
    assert told(clients[0]) == [99, 98]
    assert node.clock.pending == 0


def test_the_subscriber_itself_hears_the_count_behind_its_confirmation() -> None:
    """Protocol: §6.5."""
    node = Node(subscription_counts=True)
    assert node.client().subscribe(CHANNEL) == [succeeded(CHANNEL), count(CHANNEL, 1)]


def test_above_a_hundred_one_is_told_in_five_seconds_and_the_last_always() -> None:
    node = Node(subscription_counts=True)
    clients = crowd(node, 130)
    assert told(clients[0]) == [*range(2, 101), 101]
    node.clock.advance(4.9)
    assert told(clients[0]) == []
    node.clock.advance(0.2)
    assert told(clients[0]) == [130]
    crowd(node, 1)
    assert told(clients[0]) == [], "the next five seconds have begun"
    node.clock.advance(5)
    assert told(clients[0]) == [131]


def test_nothing_is_told_when_nothing_has_changed() -> None:
    node = Node(subscription_counts=True)
    clients = crowd(node, 101)
    told(clients[0])
    node.clock.advance(60)
    assert told(clients[0]) == []
    assert node.clock.pending == 0
    late = crowd(node, 1)
    assert told(clients[0]) == [102], "after a quiet time at once"
    late[0].unsubscribe(CHANNEL)
    crowd(node, 1)
    node.clock.advance(60)
    assert told(clients[0]) == [], "up and down again is no change"


def test_below_the_threshold_again_each_change_is_told_at_once() -> None:
    node = Node(subscription_counts=True)
    clients = crowd(node, 103)
    told(clients[0])
    for client in clients[:-6:-1]:
        client.unsubscribe(CHANNEL)
    assert told(clients[0]) == [100, 99, 98]
    node.clock.advance(60)
    assert told(clients[0]) == []


def test_a_channel_that_empties_meanwhile_leaves_nothing_behind() -> None:
    node = Node(subscription_counts=True)
    for client in crowd(node, 102):
        client.vanish()
    node.assert_nothing_is_left()
    node.clock.advance(60)
    assert node.clock.pending == 0
    assert told(crowd(node, 1)[0]) == []


def test_channels_are_throttled_apart() -> None:
    node = Node(subscription_counts=True)
    big = crowd(node, 102)
    told(big[0])
    small = crowd(node, 2, "prices")
    assert told(small[0]) == [2]
    assert told(big[0]) == []


@pytest.mark.parametrize(
    ("channel", "is_told"),
    [
        ("orders", True),
        ("cache-prices", True),
        ("private-x", True),
        ("private-cache-x", True),
        ("private-encrypted-x", True),
        ("private-encrypted-cache-x", True),
        ("presence-x", False),
        ("presence-cache-x", False),
        ("#server-to-user-ann", False),
    ],
)
def test_every_kind_but_presence_is_counted(channel: str, is_told: bool) -> None:
    """Protocol: §5, §9.2, §11."""
    node = Node(subscription_counts=True)
    first, second = node.client(), node.client()
    for client in (first, second):
        client.sign_in("ann")
        client.subscribe(channel)
    events = [each for each in first.heard() if "subscription_count" in each["event"]]
    assert events == ([count(channel, 2)] if is_told else [])


def test_an_application_has_to_ask_for_it() -> None:
    """Protocol: §11, default off."""
    node = Node()
    clients = crowd(node, 120)
    clients[1].unsubscribe(CHANNEL)
    node.clock.advance(60)
    assert clients[0].heard() == []
