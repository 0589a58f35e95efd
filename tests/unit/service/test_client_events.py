"""Events from one client to the others. Protocol: §8."""

from dataclasses import replace

import pytest

from tests.unit.rooms import Client, Node, error, event

RATE = error(4301, "Client event rejected due to rate limit")


def pair(node: Node, channel: str) -> tuple[Client, Client]:
    """Two subscribers, ``ann`` and ``bob`` where the channel has members."""
    clients = node.client(), node.client()
    for client, name in zip(clients, ("ann", "bob"), strict=True):
        client.subscribe(channel, name if channel.startswith("presence-") else None)
    clients[0].heard()
    return clients


def rejected(channel: str, why: str, name: str = "client-wave") -> list[dict[str, object]]:
    return [error(None, f"Client event {name!r} on channel {channel!r} rejected: {why}")]


@pytest.mark.parametrize("channel", ["private-x", "private-cache-x"])
def test_the_others_get_it_and_the_sender_does_not(channel: str) -> None:
    ann, bob = pair(Node(), channel)
    assert ann.say("client-wave", {"on": True}, channel=channel) == []
    assert bob.heard() == [event(channel, "client-wave", {"on": True})]


@pytest.mark.parametrize("channel", ["presence-x", "presence-cache-x"])
def test_in_presence_channels_it_says_who_sent_it(channel: str) -> None:
    """The server's own knowledge; what the frame claims is dropped."""
    ann, bob = pair(Node(), channel)
    ann.say("client-wave", 1, channel=channel, user_id="bob", other="dropped")
    assert [payload for _, payload in bob.frames()] == [
        b'{"event":"client-wave","channel":"%b","data":"1","user_id":"ann"}' % channel.encode()
    ]


def test_a_string_goes_as_it_is_and_any_other_value_as_json() -> None:
    ann, bob = pair(Node(), "private-x")
    for data in ("plain", '{"a": 1}', {"a": 1}, [1], None):
        ann.say("client-wave", data, channel="private-x")
    wire = [payload.split(b'"data":')[1] for _, payload in bob.frames()]
    assert wire == [
        b'"plain"}',
        b'"{\\"a\\": 1}"}',
        b'"{\\"a\\":1}"}',
        b'"[1]"}',
        b'"null"}',
    ]


@pytest.mark.parametrize(
    "channel", ["orders", "cache-prices", "private-encrypted-x", "private-encrypted-cache-x"]
)
def test_other_kinds_of_channels_take_none(channel: str) -> None:
    ann, bob = pair(Node(), channel)
    why = "only private and presence channels take client events"
    assert ann.say("client-wave", {}, channel=channel) == rejected(channel, why)
    assert bob.heard() == []


def test_a_users_own_channel_takes_none() -> None:
    """Protocol: §9.2."""
    client = Node().client()
    client.sign_in("ann")
    client.subscribe("#server-to-user-ann")
    why = "only private and presence channels take client events"
    told = client.say("client-wave", {}, channel="#server-to-user-ann")
    assert told == rejected("#server-to-user-ann", why)


def test_the_sender_has_to_be_subscribed() -> None:
    node = Node()
    ann, bob = pair(node, "private-x")
    why = "the connection is not subscribed to the channel"
    assert node.client().say("client-wave", {}, channel="private-x") == rejected("private-x", why)
    ann.unsubscribe("private-x")
    assert ann.say("client-wave", {}, channel="private-x") == rejected("private-x", why)
    assert bob.heard() == []


def test_an_application_may_forbid_them() -> None:
    ann, bob = pair(Node(accept_client_events_from="none"), "private-x")
    why = "client events are disabled for this application"
    assert ann.say("client-wave", {}, channel="private-x") == rejected("private-x", why)
    assert bob.heard() == []


@pytest.mark.parametrize(
    ("name", "is_good"),
    [
        ("client-" + "x" * 193, True),
        ("client-" + "x" * 194, False),
        ("client-a\nb", False),
        ("client-", True),
        ("client-ü ✓", True),
    ],
)
def test_its_name_is_a_proper_one(name: str, is_good: bool) -> None:
    """Protocol: §5."""
    ann, bob = pair(Node(), "private-x")
    told = ann.say(name, {}, channel="private-x")
    assert (told == []) is is_good
    assert bob.names() == ([name] if is_good else [])
    if not is_good:
        assert told[0]["data"]["code"] is None
        assert "control character" in told[0]["data"]["message"]


@pytest.mark.parametrize(
    ("data", "is_good"),
    [
        ("x" * 10_240, True),
        ("x" * 10_241, False),
        ("é" * 5_120, True),
        ("é" * 5_120 + "x", False),
        ({"k": "x" * 10_232}, True),
        ({"k": "x" * 10_233}, False),
    ],
)
def test_its_data_fits_to_the_byte(data: object, is_good: bool) -> None:
    """Protocol: §5, 10 240 bytes of the UTF-8 of the final string."""
    ann, bob = pair(Node(), "private-x")
    told = ann.say("client-wave", data, channel="private-x")
    assert len(bob.heard()) == is_good
    if not is_good:
        assert told == rejected("private-x", "its data is larger than 10240 bytes")


def test_ten_a_second_and_the_connection_stays() -> None:
    node = Node()
    ann, bob = pair(node, "private-x")
    told = [ann.say("client-wave", n, channel="private-x") for n in range(12)]
    assert told == [[]] * 10 + [[RATE]] * 2
    assert len(bob.heard()) == 10
    node.clock.advance(0.125)
    assert ann.say("client-wave", 12, channel="private-x") == []
    assert ann.say("client-wave", 13, channel="private-x") == [RATE]
    assert ann.closed is None
    assert bob.say("client-wave", 14, channel="private-x") == [
        event("private-x", "client-wave", 12)
    ]


def test_what_is_rejected_counts_too() -> None:
    """Or nonsense would be free."""
    client = Node().client()
    told = [client.say("client-wave", 1, channel="private-x")[0] for _ in range(11)]
    assert [each["data"]["code"] for each in told] == [None] * 10 + [4301]


def test_without_a_limit_there_is_none_and_a_new_limit_holds_at_once() -> None:
    node = Node(max_client_events_per_second=None)
    ann, bob = pair(node, "private-x")
    for number in range(100):
        assert ann.say("client-wave", number, channel="private-x") == []
    assert len(bob.heard()) == 100
    table = node.table()
    for rate in (2, 3):
        table.application = replace(table.application, max_client_events_per_second=rate)
        told = [ann.say("client-wave", n, channel="private-x") for n in range(rate + 1)]
        assert told == [[]] * rate + [[RATE]]
