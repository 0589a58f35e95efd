"""Subscribe and unsubscribe, for every kind of channel. Protocol: §5, §6."""

from typing import Any

import pytest

from tests.unit.rooms import (
    APP,
    Client,
    Node,
    added,
    count,
    error,
    event,
    refusal,
    removed,
    roster,
    succeeded,
)

MISS = "pusher:cache_miss"

PLAIN = ["orders", "private-orders", "private-encrypted-vault"]
CACHED = ["cache-prices", "private-cache-prices", "private-encrypted-cache-vault"]
PRESENT = ["presence-room", "presence-cache-room"]
SIGNED = [name for name in (*PLAIN, *CACHED, *PRESENT) if name.startswith("pr")]
# Close to a prefix, and yet public. Protocol: §5.
PUBLIC = ["privateer", "presence", "my-cache-x", "private", "cache", "Private-x", "x-private-y"]


def member(channel: str) -> dict[str, Any]:
    """What a subscription to this channel needs beside the signature."""
    return {"user_id": "u-7"} if channel in PRESENT else {}


@pytest.mark.parametrize("channel", [*PLAIN, *PUBLIC])
def test_a_plain_channel_is_confirmed_with_an_empty_object(channel: str) -> None:
    """Protocol: §6.1."""
    client = Node().client()
    auth = "" if channel in PUBLIC else None
    assert client.subscribe(channel, auth=auth) == [succeeded(channel)]


@pytest.mark.parametrize("channel", CACHED)
def test_a_cache_channel_says_at_once_that_it_remembers_nothing(channel: str) -> None:
    """Protocol: §6.5, §10."""
    client = Node().client()
    assert client.subscribe(channel) == [succeeded(channel), event(channel, MISS)]


@pytest.mark.parametrize("channel", CACHED)
def test_the_cached_event_follows_the_confirmation(channel: str) -> None:
    """Protocol: §6.5, §10: kept though nobody was subscribed, and the same as it was."""
    node = Node()
    node.publish(channel, "tick", '{"p":1}')
    node.publish(channel, "tick", '{"p":2}')
    told = [succeeded(channel), event(channel, "tick", {"p": 2})]
    assert node.client().subscribe(channel) == told
    node.clock.advance(1800)
    assert node.client().subscribe(channel) == [succeeded(channel), event(channel, MISS)]


def test_a_presence_channel_is_confirmed_with_who_is_there() -> None:
    """Protocol: §7.1."""
    node = Node()
    ann, bob = node.client(), node.client()
    info = {"name": "Ada"}
    assert ann.subscribe("presence-room", "ann", info) == [roster("presence-room", ann=info)]
    assert bob.subscribe("presence-room", "bob") == [roster("presence-room", ann=info, bob={})]


def test_a_presence_cache_channel_is_both() -> None:
    """Protocol: §6.5."""
    node = Node()
    ann, bob = node.client(), node.client()
    told = ann.subscribe("presence-cache-room", "ann")
    assert told == [roster("presence-cache-room", ann={}), event("presence-cache-room", MISS)]
    node.publish("presence-cache-room", "tick", "1")
    assert bob.subscribe("presence-cache-room", "bob") == [
        roster("presence-cache-room", ann={}, bob={}),
        event("presence-cache-room", "tick", 1),
    ]
    assert ann.heard() == [
        event("presence-cache-room", "tick", 1),
        added("presence-cache-room", "bob"),
    ]


@pytest.mark.parametrize("channel", SIGNED)
@pytest.mark.parametrize(
    ("auth", "why"),
    [
        ("", "Missing auth for channel"),
        ("fizz-key:" + "0" * 64, "Invalid signature for channel"),
        ("other-key:" + "0" * 64, "Invalid key in subscription auth data for channel"),
    ],
)
def test_a_signed_channel_needs_a_good_signature(channel: str, auth: str, why: str) -> None:
    """Protocol: §6.3; the connection stays, and is in nothing."""
    node = Node()
    client = node.client()
    told = client.subscribe(channel, auth=auth, **member(channel))
    assert told == refusal(channel, f"{why} {channel}")
    assert client.closed is None
    assert client.connection.subscriptions == {}
    assert node.registry.channels(APP.app_id, "") == {}
    assert not client.connection.is_authorized


@pytest.mark.parametrize("channel", SIGNED)
def test_a_signature_is_for_one_socket_alone(channel: str) -> None:
    """Protocol: §6.2."""
    node = Node()
    owner, thief = node.client(), node.client()
    auth = APP.channel_auth(owner.socket_id, channel)
    told = thief.subscribe(channel, auth=auth)
    assert told == refusal(channel, f"Invalid signature for channel {channel}")


@pytest.mark.parametrize(
    ("channel", "is_good"),
    [
        ("x" * 164, True),
        ("x" * 165, False),
        ("private-" + "x" * 157, False),
        ("", False),
        ("with space", False),
        ("slash/y", False),
        ("colon:ed", False),
        ("ünïcode", False),
        ("line\n", False),
        ("#orders", False),
        ("#server-to-user-", False),
        ("-_=@,.;09azAZ", True),
    ],
)
def test_a_channel_has_a_proper_name(channel: str, is_good: bool) -> None:
    """Protocol: §5, §6.3."""
    told = Node().client().subscribe(channel)
    if is_good:
        assert told == [succeeded(channel)]
    else:
        text = f"Invalid channel name {channel!r}: 1 to 164 of A-Z a-z 0-9 _ - = @ , . ;"
        assert told == refusal(channel, text, "InvalidChannel", 400, None)


def test_the_length_of_a_name_is_the_applications_to_say() -> None:
    client = Node(max_channel_name_length=6).client()
    assert client.subscribe("orders") == [succeeded("orders")]
    assert client.subscribe("orders2")[0]["data"]["type"] == "InvalidChannel"


def test_a_very_long_name_is_not_repeated_in_the_text() -> None:
    told = Node().client().subscribe("x" * 60_000)
    assert len(told[1]["data"]["message"]) < 400


def test_a_server_to_user_channel_belongs_to_its_user() -> None:
    """Protocol: §9.2."""
    node = Node()
    client = node.client()
    channel = "#server-to-user-u-7"
    refused = refusal(channel, f"Not signed in as the user of channel {channel}")
    assert client.subscribe(channel) == refused
    client.sign_in("u-8")
    assert client.subscribe(channel) == refused
    other = node.client()
    other.sign_in("u-7")
    assert other.subscribe(channel) == [succeeded(channel)]
    node.publish(channel, "note", "1")
    assert other.heard() == [event(channel, "note", 1)]
    assert client.heard() == []


def test_no_more_channels_than_a_connection_may_have() -> None:
    node = Node(max_channels_per_connection=2)
    client = node.client()
    client.subscribe("one")
    client.subscribe("two")
    text = "This connection may not subscribe to more than 2 channels"
    assert client.subscribe("three") == refusal("three", text, "LimitReached", 403, None)
    assert client.subscribe("two") == [succeeded("two")], "a repeat is no further channel"
    client.unsubscribe("one")
    assert client.subscribe("three") == [succeeded("three")]
    assert node.client().subscribe("four") == [succeeded("four")]


@pytest.mark.parametrize("channel", [*PLAIN, *CACHED])
def test_a_repeat_is_confirmed_and_changes_nothing(channel: str) -> None:
    """Protocol: §6.4."""
    node = Node(subscription_counts=True)
    client, other = node.client(), node.client()
    other.subscribe(channel)
    first = client.subscribe(channel)
    assert client.subscribe(channel) == [told for told in first if told != count(channel, 2)]
    other.heard()
    assert client.unsubscribe(channel) == []
    assert other.heard() == [count(channel, 1)], "left at once, and for good"


def test_a_repeat_on_a_cache_channel_brings_the_cached_event_of_now() -> None:
    """Protocol: §6.4."""
    node = Node()
    client = node.client()
    client.subscribe("cache-prices")
    node.publish("cache-prices", "tick", "2")
    client.heard()
    told = client.subscribe("cache-prices")
    assert told == [succeeded("cache-prices"), event("cache-prices", "tick", 2)]


@pytest.mark.parametrize("channel", ["private-orders", "presence-room"])
def test_a_repeat_is_checked_again_and_the_first_stays(channel: str) -> None:
    """Protocol: §6.4."""
    node = Node()
    client = node.client()
    client.subscribe(channel, **member(channel))
    told = client.subscribe(channel, auth="fizz-key:00", **member(channel))
    assert told == refusal(channel, f"Invalid signature for channel {channel}")
    node.publish(channel)
    assert client.heard() == [event(channel)]


def test_unsubscribe_is_silent_and_ends_the_events() -> None:
    """Protocol: §6.1."""
    node = Node()
    client = node.client()
    client.subscribe("orders")
    assert client.unsubscribe("orders") == []
    node.publish("orders")
    assert client.heard() == []
    assert node.table().channels == {}
    assert client.subscribe("orders") == [succeeded("orders")]


def test_to_unsubscribe_from_what_one_is_not_in_is_silent_too() -> None:
    """Protocol: §6.4."""
    node = Node(subscription_counts=True)
    stays, client = node.client(), node.client()
    stays.subscribe("orders")
    stays.heard()
    assert client.unsubscribe("orders") == []
    assert client.unsubscribe("nowhere") == []
    assert client.unsubscribe("") == []
    assert stays.heard() == []
    assert node.registry.channels(APP.app_id, "").keys() == {"orders"}


def test_the_count_comes_behind_the_confirmation_and_the_cached_event() -> None:
    """Protocol: §6.5."""
    node = Node(subscription_counts=True)
    one, two = node.client(), node.client()
    miss = event("cache-prices", MISS)
    assert one.subscribe("cache-prices") == [
        succeeded("cache-prices"),
        miss,
        count("cache-prices", 1),
    ]
    two.subscribe("cache-prices")
    assert one.heard() == [count("cache-prices", 2)]


@pytest.mark.parametrize(
    ("channel", "is_authorized"), [("orders", False), ("private-x", True), ("presence-x", True)]
)
def test_a_signed_channel_authorizes_the_connection(channel: str, is_authorized: bool) -> None:
    """Protocol: §4.3, authorized connections."""
    client = Node().client()
    data = None if channel == "orders" else '{"user_id":"u"}'
    client.subscribe(channel, channel_data=data, auth="" if data is None else None)
    assert client.connection.is_authorized is is_authorized
    client.unsubscribe(channel)
    assert client.connection.is_authorized is is_authorized, "once is enough"


def leave_politely(client: Client) -> None:
    for channel in list(client.connection.subscriptions):
        client.unsubscribe(channel)
    client.vanish()


@pytest.mark.parametrize("leave", [leave_politely, Client.vanish])
def test_who_is_gone_is_in_nothing(leave: Any) -> None:
    """Protocol: §15, "CLOSED"."""
    node = Node(subscription_counts=True)
    client, stays = node.client(), node.client()
    stays.subscribe("presence-room", "bob")
    stays.subscribe("orders")
    for channel in (*PLAIN, *CACHED, *PRESENT):
        client.subscribe(channel, **member(channel))
    stays.heard()
    leave(client)
    node.turn()
    told = stays.heard()
    assert removed("presence-room", "u-7") in told
    assert count("orders", 1) in told
    assert len(told) == 2
    stays.vanish()
    node.assert_nothing_is_left()


def test_a_refusal_before_the_channel_is_known_is_an_error_alone() -> None:
    """Protocol: §6.3, channel missing or not a string."""
    client = Node().client()
    for data in ({}, {"channel": 7}, {"channel": None}):
        told = client.say("pusher:subscribe", data)
        assert told == [error(None, "pusher:subscribe: channel must be a string")]
