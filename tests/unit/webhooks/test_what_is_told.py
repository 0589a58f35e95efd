"""What clients do, and what their back end is told of it. Protocol: §13."""

from typing import Any

from fizz_gevent.application import Webhook
from tests.unit.rooms import Client, Node

HOOK = (Webhook("http://shop.test"),)
ROOM = "presence-room"


def node(**settings: Any) -> Node:
    return Node(webhooks=HOOK, **settings)


def names(node: Node) -> list[str]:
    return [event["name"] for event in node.told()]


def test_the_first_subscription_occupies_and_the_last_vacates_after_a_while() -> None:
    house = node()
    first, second = house.client(), house.client()
    first.subscribe("orders")
    second.subscribe("orders")
    assert house.told() == [{"name": "channel_occupied", "channel": "orders"}]
    first.unsubscribe("orders")
    second.vanish()
    assert house.told() == []
    house.clock.advance(3)
    assert house.told() == [{"name": "channel_vacated", "channel": "orders"}]


def test_a_user_is_added_with_the_first_connection_and_removed_with_the_last() -> None:
    house = node()
    first, second = house.client(), house.client()
    first.subscribe(ROOM, "ann")
    second.subscribe(ROOM, "ann")
    second.subscribe(ROOM, "ann")
    assert house.told() == [
        {"name": "channel_occupied", "channel": ROOM},
        {"name": "member_added", "channel": ROOM, "user_id": "ann"},
    ]
    first.vanish()
    assert house.told() == []
    second.vanish()
    house.turn()
    house.clock.advance(3)
    assert house.told() == [
        {"name": "member_removed", "channel": ROOM, "user_id": "ann"},
        {"name": "channel_vacated", "channel": ROOM},
    ]


def test_a_page_that_reloads_is_not_noticed() -> None:
    house = node()
    client = house.client()
    client.subscribe(ROOM, "ann")
    assert len(house.told()) == 2
    client.vanish()
    house.turn()
    house.clock.advance(2)
    house.client().subscribe(ROOM, "ann")
    house.clock.advance(60)
    assert house.told() == []


def test_a_refused_subscription_is_not_told_of() -> None:
    house = node(max_presence_members=0)
    client = house.client()
    client.subscribe(ROOM, "ann")
    client.subscribe("private-x", auth="fizz-key:wrong")
    assert house.told() == []


def test_the_channel_of_a_user_is_hidden() -> None:
    """Protocol: §9.2."""
    house = node()
    client = house.client()
    client.sign_in("ann")
    client.subscribe("#server-to-user-ann")
    client.vanish()
    house.turn()
    house.clock.advance(5)
    assert house.told() == []


def in_room(house: Node, user_id: str) -> Client:
    client = house.client()
    client.subscribe(ROOM, user_id)
    client.subscribe("private-x")
    house.told()
    return client


def test_an_accepted_client_event_is_told_with_the_user_in_presence_channels_only() -> None:
    """Protocol: §8, §13."""
    house = node()
    client = in_room(house, "ann")
    client.say("client-move", {"x": 1}, channel=ROOM)
    client.say("client-move", "text", channel="private-x")
    client.say("client-move", {}, channel="private-elsewhere")
    client.say("client-move", {}, channel="orders")
    event = {"name": "client_event", "event": "client-move", "socket_id": client.socket_id}
    assert house.told() == [
        {**event, "channel": ROOM, "data": '{"x":1}', "user_id": "ann"},
        {**event, "channel": "private-x", "data": "text"},
    ]


def test_a_miss_is_told_once_until_the_next_publish() -> None:
    """Protocol: §10."""
    house = node(cache_ttl=2)
    house.client().subscribe("cache-x")
    house.client().subscribe("cache-x")
    assert names(house) == ["channel_occupied", "cache_miss"]
    house.publish("cache-x")
    house.client().subscribe("cache-x")
    assert names(house) == []
    house.clock.advance(3)  # what was published is forgotten
    house.client().subscribe("cache-x")
    assert names(house) == ["cache_miss"]
    house.client().subscribe("cache-x")
    assert names(house) == []
    house.clock.advance(10)
    house.client().subscribe("cache-x")
    assert names(house) == ["cache_miss"]


def test_a_long_lived_cached_event_ends_the_silence_too() -> None:
    """Protocol: §10."""
    house = node(cache_ttl=12)
    house.client().subscribe("cache-x")
    house.publish("cache-x")
    house.clock.advance(13)
    house.client().subscribe("cache-x")
    assert names(house) == ["channel_occupied", "cache_miss", "cache_miss"]


def test_counts_are_told_where_the_application_counts() -> None:
    """Protocol: §11, §13."""
    house = node(subscription_counts=True)
    client = house.client()
    client.subscribe("orders")
    client.subscribe(ROOM, "ann")
    client.unsubscribe("orders")
    counts = [event for event in house.told() if event["name"] == "subscription_count"]
    assert counts == [
        {"name": "subscription_count", "channel": "orders", "subscription_count": 1},
        {"name": "subscription_count", "channel": "orders", "subscription_count": 0},
    ]


def test_counts_above_a_hundred_are_told_every_five_seconds() -> None:
    """Protocol: §11."""
    house = node(subscription_counts=True)
    for _ in range(100):
        house.client().subscribe("orders")
    house.told()
    for _ in range(20):
        house.client().subscribe("orders")
    assert [event["subscription_count"] for event in house.told()] == [101]
    house.clock.advance(5)
    assert [event["subscription_count"] for event in house.told()] == [120]
    house.clock.advance(5)
    assert house.told() == []


def test_nothing_is_counted_for_back_ends_where_the_application_does_not_count() -> None:
    house = node()
    house.client().subscribe("orders")
    assert names(house) == ["channel_occupied"]


def test_an_application_without_webhooks_leaves_nothing_waiting() -> None:
    house = Node(subscription_counts=True)
    client = house.client()
    client.subscribe("cache-x")
    client.subscribe(ROOM, "ann")
    client.say("client-move", {}, channel=ROOM)
    client.vanish()
    house.turn()
    assert house.backlog.waiting_count == 0
    assert house.backlog.seconds_to_wait() is None


def test_only_the_kinds_that_a_webhook_wants_are_sent_to_it() -> None:
    wanted = Webhook("http://a.test", event_types=("member_added",))
    other = Webhook("http://b.test", channel_prefix="cache-")
    house = Node(webhooks=(wanted, other))
    house.client().subscribe(ROOM, "ann")
    house.client().subscribe("cache-x")
    told = [(target, body["events"][0]["name"]) for target, body in house.webhooks()]
    assert told == [
        ("0 http://a.test", "member_added"),
        ("0 http://b.test", "channel_occupied"),
        ("0 http://b.test", "cache_miss"),
    ]
