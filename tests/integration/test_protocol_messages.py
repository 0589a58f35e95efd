"""The form of messages in both directions, and what is said to a malformed one."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.websocket import BINARY, CONTINUATION, TEXT

OPEN = App("1001", "open-key", "open-secret")
TIGHT = App("1002", "tight-key", "tight-secret")

INVALID = {"code": None, "message": "Invalid message format"}
OBJECTS = {"pusher:error", "pusher:subscription_error", "pusher:signin_success"}
"""The only events whose data is an object. Protocol: §2, "the one rule"."""


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(
        apps=[
            OPEN.settings(subscription_counts=True),
            TIGHT.settings(max_message_size=200),
        ],
        server={"close_timeout": 0.5},
    )


def send_json(client: PusherClient, message: Any) -> None:
    client.websocket.send_text(json.dumps(message))


def check_form(event: dict[str, Any]) -> None:
    """Demand the keys, their order and the type of ``data``."""
    wire = json.loads(event["raw"])
    order = [key for key in ("event", "channel", "data", "user_id") if key in wire]
    assert list(wire) == order, event["raw"]
    assert isinstance(wire["event"], str), event["raw"]
    wanted = dict if wire["event"] in OBJECTS else str
    assert type(wire["data"]) is wanted, event["raw"]


def test_every_event_has_data_in_the_form_that_clients_read(server: FizzServer) -> None:
    """Protocol: §2, "the one rule"; §14 "pusher:error data", "data when empty"."""
    seen: list[dict[str, Any]] = []
    with server.client(OPEN) as ann, server.client(OPEN) as bob:
        for client, name in ((ann, "ann"), (bob, "bob")):
            client.request_signin(name, watchlist=["ann", "bob", "eve"])
            client.request_subscription(f"#server-to-user-{name}")
            client.request_subscription("orders")
            client.request_subscription("cache-orders")
            client.request_subscription("presence-room", user_id=name)
            client.request_subscription("private-orders", auth="bad")
            seen += client.pending()
        bob.trigger("client-hi", "presence-room", {"a": 1})
        bob.trigger("client-hi", "orders", {"a": 1})
        seen += bob.pending()
        api = server.api(OPEN)
        api.trigger(["orders", "cache-orders"], "plain", "no JSON at all")
        api.trigger("#server-to-user-ann", "hello", "{}")
        ann.request_subscription("cache-orders")
        seen += ann.pending()
        bob.close()
        seen.append({"event": "", "raw": json.dumps({"event": "", "data": ""})})
        while seen[-1]["event"] != "pusher_internal:member_removed":
            seen.append(ann.next_event())
        seen += ann.pending()
    for event in seen:
        check_form(event)
    assert {event["event"] for event in seen} >= {
        "pusher:signin_success",
        "pusher_internal:watchlist_events",
        "pusher_internal:subscription_succeeded",
        "pusher_internal:subscription_count",
        "pusher:cache_miss",
        "pusher_internal:member_added",
        "pusher_internal:member_removed",
        "pusher:subscription_error",
        "pusher:error",
        "client-hi",
        "plain",
        "hello",
    }


@pytest.mark.parametrize(
    "text",
    [
        '{"event":"pusher:ping","data":{}}',
        '{"event":"pusher:ping","data":"{}"}',
        '{"event":"pusher:ping"}',
        '{"event": "pusher:ping", "data": null}',
        '{"data":{},"event":"pusher:ping","channel":null}',
        ' {"event":\t"pusher:\\u0070ing"} ',
    ],
)
def test_a_ping_is_answered_whatever_its_data(server: FizzServer, text: str) -> None:
    """Protocol: §2 "accept data as", §3 the client's probe."""
    with server.client(OPEN) as client:
        client.websocket.send_text(text)
        assert client.websocket.recv_text() == '{"event":"pusher:pong","data":"{}"}'


@pytest.mark.parametrize("data", [{}, "{}", None])
def test_a_pong_is_taken_in_silence(server: FizzServer, data: Any) -> None:
    """Protocol: §3 "Fizz"."""
    with server.client(OPEN) as client:
        client.send("pusher:pong", data)
        client.expect_nothing()


def test_data_may_be_a_string_of_json(server: FizzServer) -> None:
    """Protocol: §2, client to server."""
    with server.client(OPEN) as client:
        client.send("pusher:subscribe", json.dumps({"channel": "orders", "auth": ""}))
        client.expect("pusher_internal:subscription_succeeded", "orders")
        client.expect("pusher_internal:subscription_count", "orders")
        text = json.dumps({"id": "ann"})
        auth = OPEN.user_auth(client.socket_id, text)
        client.send("pusher:signin", json.dumps({"auth": auth, "user_data": text}))
        assert client.expect("pusher:signin_success") == {"user_data": text}
        client.send("pusher:unsubscribe", json.dumps({"channel": "orders"}))
        client.expect_nothing()
        server.api(OPEN).trigger("orders", "missed")
        client.expect_nothing()


@pytest.mark.parametrize(
    "event",
    [
        "",
        "hello",
        "order.created",
        "clientele",
        "Client-typing",
        "pusher:",
        "pusher:unknown",
        "pusher:PING",
        "pusher:error",
        "pusher:connection_established",
        "pusher:signin_success",
        "pusher_internal:subscription_succeeded",
        "pusher_internal:member_added",
        "pusher_internal:anything",
    ],
)
def test_an_unknown_event_is_ignored(server: FizzServer, event: str) -> None:
    """Protocol: §2, unknown events and pusher_internal."""
    with server.client(OPEN) as client, server.client(OPEN) as other:
        for each in (client, other):
            each.subscribe("presence-room", user_id="ann")
        client.pending()
        client.send(event, {"channel": "presence-room", "user_id": "x"}, channel="presence-room")
        client.expect_nothing()
        other.expect_nothing()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "hello",
        "{",
        "[]",
        "null",
        "1",
        '"pusher:ping"',
        '[{"event":"pusher:ping"}]',
        "{}",
        '{"data":{}}',
        '{"event":null}',
        '{"event":1}',
        '{"event":["pusher:ping"]}',
        '{"event":"pusher:ping"}{"event":"pusher:ping"}',
        "{'event':'pusher:ping'}",
        '{"event":"pusher:ping","data":NaN}',
    ],
)
def test_what_is_no_message_is_told_and_costs_nothing(server: FizzServer, text: str) -> None:
    """Protocol: §2, bad JSON, not an object, no string event."""
    with server.client(OPEN) as client:
        client.websocket.send_text(text)
        assert client.expect("pusher:error") == INVALID
        client.ping()


def test_a_binary_message_is_told_and_costs_nothing(server: FizzServer) -> None:
    """Protocol: §2, binary frame."""
    with server.client(OPEN) as client:
        client.websocket.send_frame(BINARY, b'{"event":"pusher:ping"}')
        assert client.expect("pusher:error") == INVALID
        client.websocket.send_frame(BINARY, b'{"event":', fin=False)
        client.websocket.send_frame(CONTINUATION, b'"pusher:ping"}')
        assert client.expect("pusher:error") == INVALID
        client.ping()


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("pusher:subscribe", None),
        ("pusher:subscribe", {}),
        ("pusher:subscribe", []),
        ("pusher:subscribe", "orders"),
        ("pusher:subscribe", {"channel": None}),
        ("pusher:subscribe", {"channel": 7}),
        ("pusher:subscribe", {"channel": ["orders"]}),
        ("pusher:unsubscribe", None),
        ("pusher:unsubscribe", {"channel": {}}),
        ("pusher:signin", None),
        ("pusher:signin", {"auth": "x"}),
        ("pusher:signin", {"auth": "x", "user_data": {"id": "ann"}}),
    ],
)
def test_a_message_without_its_fields_is_one_error(
    server: FizzServer, event: str, data: Any
) -> None:
    """Protocol: §2; §6.3 "channel missing / not a string": pusher:error only."""
    with server.client(OPEN) as client:
        client.send(event, data)
        error = client.expect("pusher:error")
        assert error["code"] == (4009 if "auth" in (data or {}) else None)
        assert event in error["message"]
        client.expect_nothing()


def padded_ping(size: int) -> bytes:
    text = b'{"event":"pusher:ping","data":"%s"}'
    return text % (b"x" * (size - len(text) + 2))


@pytest.mark.parametrize(("app", "limit"), [(OPEN, 65536), (TIGHT, 200)])
def test_the_inbound_limit_is_exact(server: FizzServer, app: App, limit: int) -> None:
    """Protocol: §2, frame larger than the inbound limit."""
    client = server.client(app)
    client.websocket.send_text(padded_ping(limit))
    assert client.expect("pusher:pong") == {}
    half = limit // 2
    text = padded_ping(limit)
    client.websocket.send_frame(TEXT, text[:half], fin=False)
    client.websocket.send_frame(CONTINUATION, text[half:])
    assert client.expect("pusher:pong") == {}
    client.websocket.send_text(padded_ping(limit + 1))
    assert client.expect_close()[0] == 1009


def test_the_limit_covers_all_fragments_together(server: FizzServer) -> None:
    """Protocol: §2, frame larger than the inbound limit."""
    client = server.client(TIGHT)
    client.websocket.send_frame(TEXT, b"x" * 150, fin=False)
    client.websocket.send_frame(CONTINUATION, b"x" * 51, fin=False)
    assert client.expect_close()[0] == 1009


def test_a_signin_that_watches_a_hundred_long_ids_fits(server: FizzServer) -> None:
    """Protocol: §2, the reason for 65,536 bytes."""
    watched = [f"{number:0128}" for number in range(100)]
    with server.client(OPEN) as client:
        client.signin("ann", watchlist=watched)
        told = client.expect("pusher_internal:watchlist_events")
        assert told == {"events": [{"name": "offline", "user_ids": watched}]}


def test_text_of_every_plane_arrives_as_it_was_sent(server: FizzServer) -> None:
    """Protocol: §2, UTF-8; §6.6, the publisher's string untouched."""
    data = 'ä€𝄞\u2028\u0000 "quoted" \\ / <b>'
    with server.client(OPEN) as client:
        client.subscribe("orders")
        client.pending()
        server.api(OPEN).trigger("orders", "ünïcode 𝄞", data)
        event = client.next_event()
        assert json.loads(event["raw"]) == {
            "event": "ünïcode 𝄞",
            "channel": "orders",
            "data": data,
        }
