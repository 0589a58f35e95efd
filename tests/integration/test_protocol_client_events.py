"""Events that subscribers send to each other."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.websocket import TEXT, encode_frame

OPEN = App("1001", "open-key", "open-secret")
LIMITED = App("1002", "limited-key", "limited-secret")
SILENT = App("1003", "silent-key", "silent-secret")
SMALL = App("1004", "small-key", "small-secret")

TOO_MANY = {"code": 4301, "message": "Client event rejected due to rate limit"}


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(
        apps=[
            OPEN.settings(max_client_events_per_second=None),
            LIMITED.settings(),
            SILENT.settings(accept_client_events_from="none"),
            SMALL.settings(max_event_size=10, max_event_name_length=12),
        ]
    )


def pair(server: FizzServer, channel: str, app: App = OPEN) -> tuple[PusherClient, PusherClient]:
    """Two subscribers of a channel, which have read everything so far."""
    clients = server.client(app), server.client(app)
    for client, user_id in zip(clients, ("ann", "bob"), strict=True):
        needs_user = channel.startswith("presence-")
        client.subscribe(channel, user_id=user_id if needs_user else None)
    for client in clients:
        client.pending()
    return clients


def expect_rejection(client: PusherClient, event: str, channel: str) -> str:
    """Demand one error without a code, which names event and channel; return its text."""
    error = client.expect("pusher:error")
    assert list(error) == ["code", "message"]
    assert error["code"] is None
    assert event[:200] in error["message"]
    assert channel in error["message"]
    client.expect_nothing()
    return str(error["message"])


@pytest.mark.parametrize(
    ("data", "forwarded"),
    [
        ({"on": True}, '{"on":true}'),
        ({}, "{}"),
        ([1, "ä", None], '[1,"ä",null]'),
        (1.5, "1.5"),
        (False, "false"),
        ("a string", "a string"),
        ('{"on": true}', '{"on": true}'),
        ("", ""),
        (None, "null"),
    ],
)
def test_data_arrives_as_a_string(server: FizzServer, data: Any, forwarded: str) -> None:
    """Protocol: §8 "Fizz": a string as it is, another value as JSON, missing as null; §14."""
    ann, bob = pair(server, "private-chat")
    ann.trigger("client-typing", "private-chat", data)
    assert json.loads(bob.websocket.recv_text()) == {
        "event": "client-typing",
        "channel": "private-chat",
        "data": forwarded,
    }
    ann.expect_nothing()  # never delivered to the sender
    ann.websocket.abandon()
    bob.websocket.abandon()


def test_the_members_id_is_added_in_presence_channels(server: FizzServer) -> None:
    """Protocol: §8, "presence: add user_id"; §14 "client event user_id"."""
    ann, bob = pair(server, "presence-room.1")
    ann.trigger("client-typing", "presence-room.1", {"on": True})
    assert bob.websocket.recv_text() == (
        '{"event":"client-typing","channel":"presence-room.1","data":"{\\"on\\":true}",'
        '"user_id":"ann"}'
    )
    ann.websocket.abandon()
    bob.websocket.abandon()


@pytest.mark.parametrize("channel", ["private-chat", "presence-room.1"])
def test_nothing_else_of_the_frame_is_forwarded(server: FizzServer, channel: str) -> None:
    """Protocol: §8, "any user_id in the frame is dropped", "Only event, channel, data"."""
    ann, bob = pair(server, channel)
    ann.send("client-typing", 1, channel=channel, user_id="bob", socket_id="1.1", extra={})
    event = json.loads(bob.websocket.recv_text())
    owner = {"user_id": "ann"} if channel.startswith("presence-") else {}
    assert event == {"event": "client-typing", "channel": channel, "data": "1"} | owner
    ann.websocket.abandon()
    bob.websocket.abandon()


def test_other_connections_of_the_same_user_hear_it(server: FizzServer) -> None:
    """Protocol: §8, "never delivered to the sender": the connection, not the user."""
    with server.client(OPEN) as first, server.client(OPEN) as second:
        first.subscribe("presence-tabs", user_id="ann")
        second.subscribe("presence-tabs", user_id="ann")
        first.trigger("client-typing", "presence-tabs", 1)
        assert second.expect("client-typing", "presence-tabs") == 1
        first.expect_nothing()


@pytest.mark.parametrize("event", ["client-", "client-a", "client-Ä 𝄞", "client-" + "x" * 193])
def test_names_that_may_be_sent(server: FizzServer, event: str) -> None:
    """Protocol: §8, name starts with client-, at most 200 characters."""
    ann, bob = pair(server, "private-chat")
    ann.trigger(event, "private-chat", 1)
    assert bob.expect(event, "private-chat") == 1
    ann.websocket.abandon()
    bob.websocket.abandon()


@pytest.mark.parametrize("event", ["client-" + "x" * 194, "client-\n", "client-\x7f"])
def test_names_that_may_not(server: FizzServer, event: str) -> None:
    """Protocol: §8 and §5."""
    ann, bob = pair(server, "private-chat")
    ann.trigger(event, "private-chat", 1)
    error = ann.expect("pusher:error")
    assert error["code"] is None
    assert "private-chat" in error["message"]
    ann.ping()
    bob.expect_nothing()
    ann.websocket.abandon()
    bob.websocket.abandon()


@pytest.mark.parametrize(
    "channel", ["orders", "cache-orders", "private-encrypted-a", "private-encrypted-cache-a"]
)
def test_channels_that_take_none(server: FizzServer, channel: str) -> None:
    """Protocol: §8, private and presence only, not encrypted; §14 "on public channel"."""
    ann, bob = pair(server, channel)
    ann.trigger("client-typing", channel, 1)
    expect_rejection(ann, "client-typing", channel)
    bob.expect_nothing()
    ann.websocket.abandon()
    bob.websocket.abandon()


def test_a_users_own_channel_takes_none(server: FizzServer) -> None:
    """Protocol: §9.2 "Fizz": take no client events."""
    with server.client(OPEN) as first, server.client(OPEN) as second:
        for client in (first, second):
            client.signin("ann")
            client.subscribe("#server-to-user-ann")
        first.trigger("client-typing", "#server-to-user-ann", 1)
        expect_rejection(first, "client-typing", "#server-to-user-ann")
        second.expect_nothing()


@pytest.mark.parametrize("channel", ["private-chat", "presence-chat", "nowhere", ""])
def test_the_sender_has_to_be_subscribed(server: FizzServer, channel: str) -> None:
    """Protocol: §8, "sender subscribed to it (confirmed)"."""
    with server.client(OPEN) as member, server.client(OPEN) as stranger:
        if channel:
            member.subscribe(channel, user_id="ann" if channel.startswith("presence-") else None)
        stranger.request_subscription(channel, auth="")
        stranger.pending()
        if channel == "nowhere":
            stranger.unsubscribe(channel)
        stranger.trigger("client-typing", channel, 1)
        expect_rejection(stranger, "client-typing", channel)
        member.expect_nothing()


@pytest.mark.parametrize("channel", [None, 7, ["private-chat"]])
def test_a_channel_is_needed(server: FizzServer, channel: Any) -> None:
    """Protocol: §8."""
    with server.client(OPEN) as client:
        client.send("client-typing", {}, **({} if channel is None else {"channel": channel}))
        error = client.expect("pusher:error")
        assert error["code"] is None
        assert "client-typing" in error["message"]
        client.expect_nothing()


def test_an_application_may_forbid_them(server: FizzServer) -> None:
    """Protocol: §8, "feature must be enabled for the app"."""
    ann, bob = pair(server, "private-chat", SILENT)
    ann.trigger("client-typing", "private-chat", 1)
    assert "disabled" in expect_rejection(ann, "client-typing", "private-chat")
    bob.expect_nothing()
    server.api(SILENT).trigger("private-chat", "client-typing", "1")  # a back end may
    bob.expect("client-typing")
    ann.websocket.abandon()
    bob.websocket.abandon()


@pytest.mark.parametrize(
    ("data", "fits"),
    [
        ("x" * 10_240, True),
        ("x" * 10_241, False),
        ("ä" * 5_120, True),
        ("ä" * 5_121, False),
        (["x" * 10_236], True),
        (["x" * 10_237], False),
    ],
)
def test_data_has_a_limit_in_bytes(server: FizzServer, data: Any, fits: bool) -> None:
    """Protocol: §8 and §5, 10,240 bytes of the final string."""
    ann, bob = pair(server, "private-chat")
    ann.trigger("client-typing", "private-chat", data)
    if fits:
        assert bob.expect("client-typing") == data
    else:
        assert "10240" in expect_rejection(ann, "client-typing", "private-chat")
        bob.expect_nothing()
    ann.websocket.abandon()
    bob.websocket.abandon()


def test_the_limits_are_the_applications(server: FizzServer) -> None:
    """Protocol: §5 "Fizz"."""
    ann, bob = pair(server, "private-chat", SMALL)
    ann.trigger("client-x", "private-chat", "x" * 11)
    expect_rejection(ann, "client-x", "private-chat")
    ann.trigger("client-123456", "private-chat", "x")
    expect_rejection(ann, "client-123456", "private-chat")
    ann.trigger("client-12345", "private-chat", "x" * 10)
    assert bob.expect("client-12345") == "x" * 10
    ann.websocket.abandon()
    bob.websocket.abandon()


def burst(client: PusherClient, count: int) -> None:
    """Send numbered events in one piece, so that no time passes between them."""
    messages = (
        json.dumps({"event": "client-n", "channel": "private-chat", "data": number})
        for number in range(count)
    )
    frames = b"".join(encode_frame(TEXT, message.encode()) for message in messages)
    client.websocket.send_raw(frames)


def test_more_than_ten_a_second_are_refused_one_by_one(server: FizzServer) -> None:
    """Protocol: §8, rate: 4301, connection stays; §4.3, 4301; §14 "rate limit client events"."""
    ann, bob = pair(server, "private-chat", LIMITED)
    with server.client(LIMITED) as carol:
        carol.subscribe("private-chat")
        burst(ann, 40)
        told = [event["data"] for event in ann.pending()]
        passed = [event["data"] for event in bob.pending()]
        assert set(map(json.dumps, told)) == {json.dumps(TOO_MANY)}
        assert passed[:10] == list(range(10))
        assert len(passed) + len(told) == 40  # some tokens may have come back meanwhile
        assert told
        carol.pending()
        burst(carol, 10)  # each connection has a bucket of its own
        carol.expect_nothing()
        assert len(bob.pending()) == 10
        assert len(ann.pending()) == 10
    ann.websocket.abandon()
    bob.websocket.abandon()


def test_the_bucket_fills_again(server: FizzServer) -> None:
    """Protocol: §8, "10 tokens, 10/s refill"."""
    ann, bob = pair(server, "private-chat", LIMITED)
    burst(ann, 15)
    assert ann.pending()
    bob.pending()
    for _ in range(10_000):  # bounded by the bucket, a tenth of a second a token
        ann.trigger("client-again", "private-chat", 1)
        if not ann.pending():
            break
    assert bob.expect("client-again") == 1
    ann.websocket.abandon()
    bob.websocket.abandon()


def test_without_a_limit_all_pass(server: FizzServer) -> None:
    """Protocol: §8, per-app setting."""
    ann, bob = pair(server, "private-chat", OPEN)
    burst(ann, 200)
    assert [bob.expect("client-n") for _ in range(200)] == list(range(200))
    ann.expect_nothing()
    ann.websocket.abandon()
    bob.websocket.abandon()


def test_they_are_never_cached(server: FizzServer) -> None:
    """Protocol: §8, §10."""
    ann, bob = pair(server, "private-cache-chat")
    ann.trigger("client-typing", "private-cache-chat", 1)
    bob.expect("client-typing")
    with server.client(OPEN) as late:
        late.subscribe("private-cache-chat")
        late.expect("pusher:cache_miss", "private-cache-chat")
    ann.websocket.abandon()
    bob.websocket.abandon()
