"""What happens when clients subscribe again or leave, and what subscribers hear."""

import json
from collections.abc import Callable

import pytest

from tests.harness.refusals import expect_refusal
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.websocket import TEXT, encode_frame

OPEN = App("1001", "open-key", "open-secret")
COUNTING = App("1002", "counting-key", "counting-secret")

SUCCEEDED = "pusher_internal:subscription_succeeded"


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(apps=[OPEN.settings(), COUNTING.settings(subscription_counts=True)])


@pytest.mark.parametrize("channel", ["orders", "private-orders", "presence-room"])
def test_a_second_subscribe_is_confirmed_again_and_changes_nothing(
    server: FizzServer, channel: str
) -> None:
    """Protocol: §6.4, second subscribe; §14 "double subscribe"."""
    user_id = "ann" if channel.startswith("presence-") else None
    with server.client(COUNTING) as client, server.client(COUNTING) as other:
        other.subscribe(channel, user_id=None if user_id is None else "bob")
        first = client.subscribe(channel, user_id=user_id)
        client.pending()
        other.pending()
        assert client.subscribe(channel, user_id=user_id) == first
        client.expect_nothing()
        other.expect_nothing()
        api = server.api(COUNTING)
        counts = api.get(f"/channels/{channel}", info="subscription_count").json
        assert counts == {"occupied": True, "subscription_count": 2}
        api.trigger(channel, "once")
        assert [event["event"] for event in client.pending()] == ["once"]
        client.unsubscribe(channel)  # once is enough
        client.pending()
        api.trigger(channel, "never")
        client.expect_nothing()


def test_a_second_subscribe_is_signed_too(server: FizzServer) -> None:
    """Protocol: §6.4 "auth is checked again"."""
    with server.client(OPEN) as client:
        client.subscribe("private-orders")
        client.request_subscription("private-orders", auth="")
        expect_refusal(client, "private-orders", "AuthError", 401, 4009)
        server.api(OPEN).trigger("private-orders", "still")
        client.expect("still", "private-orders")


def test_a_second_subscribe_gets_the_cached_event_again(server: FizzServer) -> None:
    """Protocol: §6.4 "and the cached event on cache channels"."""
    with server.client(OPEN) as client:
        client.subscribe("cache-repeat")
        client.expect("pusher:cache_miss", "cache-repeat")
        client.subscribe("cache-repeat")
        client.expect("pusher:cache_miss", "cache-repeat")
        server.api(OPEN).trigger("cache-repeat", "price", "7")
        client.expect("price", "cache-repeat")
        client.subscribe("cache-repeat")
        assert client.expect("price", "cache-repeat") == 7
        client.expect_nothing()


@pytest.mark.parametrize(
    "channel", ["orders", "private-orders", "presence-room", "#server-to-user-ann", "", "a b"]
)
def test_unsubscribing_from_where_one_is_not_is_nothing(server: FizzServer, channel: str) -> None:
    """Protocol: §6.4, unsubscribe when not subscribed; §14 "unsubscribe unknown"."""
    with server.client(OPEN) as client:
        client.unsubscribe(channel)
        client.expect_nothing()


def test_unsubscribing_has_no_reply(server: FizzServer) -> None:
    """Protocol: §6.1."""
    with server.client(OPEN) as client:
        client.subscribe("orders")
        client.unsubscribe("orders")
        client.expect_nothing()


def test_frames_of_one_socket_are_handled_in_order(server: FizzServer) -> None:
    """Protocol: §6.4, "subscribe/unsubscribe/subscribe ends subscribed"."""
    subscribe = json.dumps({"event": "pusher:subscribe", "data": {"channel": "orders"}})
    unsubscribe = json.dumps({"event": "pusher:unsubscribe", "data": {"channel": "orders"}})
    with server.client(OPEN) as client:
        frames = [subscribe, unsubscribe] * 5 + [subscribe]
        client.websocket.send_raw(b"".join(encode_frame(TEXT, text.encode()) for text in frames))
        assert [event["event"] for event in client.pending()] == [SUCCEEDED] * 6
        server.api(OPEN).trigger("orders", "created")
        client.expect("created", "orders")
        client.expect_nothing()


def test_a_close_unsubscribes_everything(server: FizzServer) -> None:
    """Protocol: §6.4, on close; §15 CLOSED."""
    client = server.client(COUNTING)
    channels = ["left-a", "private-left-b", "presence-left-c", "cache-left-d"]
    for channel in channels:
        client.subscribe(channel, user_id="ann" if channel.startswith("presence-") else None)
        client.pending()
    api = server.api(COUNTING)
    assert set(api.get("/channels").json["channels"]) >= set(channels)
    client.close()
    assert set(api.get("/channels").json["channels"]).isdisjoint(channels)


def test_nothing_comes_before_the_confirmation(server: FizzServer) -> None:
    """Protocol: §6.5, "No event published to the channel may reach the socket before frame 1"."""
    api = server.api(OPEN)
    with server.client(OPEN) as early:
        early.subscribe("busy")
        for number in range(30):
            with server.client(OPEN) as client:
                client.request_subscription("busy")
                api.trigger("busy", "tick", str(number))
                first = client.next_event()
                assert first["event"] == SUCCEEDED
        assert [early.expect("tick") for _ in range(30)] == list(range(30))


@pytest.mark.parametrize("data", ["{}", '{"id": 42}', "plain", "", '"quoted"', "null", " spaced "])
def test_an_event_carries_the_publishers_string_untouched(server: FizzServer, data: str) -> None:
    """Protocol: §6.6."""
    with server.client(OPEN) as client:
        client.subscribe("orders")
        server.api(OPEN).trigger("orders", "order.created", data)
        wire = json.loads(client.websocket.recv_text())
        assert wire == {"event": "order.created", "channel": "orders", "data": data}


def test_the_connection_that_published_is_skipped(server: FizzServer) -> None:
    """Protocol: §6.6, socket_id, in a single event and in a batch."""
    api = server.api(OPEN)
    with server.client(OPEN) as sender, server.client(OPEN) as other:
        for client in (sender, other):
            client.subscribe("orders")
            client.subscribe("cache-orders")
            client.expect("pusher:cache_miss")
        api.trigger(["orders", "cache-orders"], "one", "1", socket_id=sender.socket_id)
        batch = [
            {"channel": "orders", "name": "two", "data": "2", "socket_id": sender.socket_id},
            {"channel": "orders", "name": "three", "data": "3", "socket_id": "1.1"},
            {"channel": "orders", "name": "four", "data": "4"},
        ]
        assert api.post("/batch_events", {"batch": batch}).json == {}
        assert [event["event"] for event in sender.pending()] == ["three", "four"]
        heard = [event["event"] for event in other.pending()]
        assert heard == ["one", "one", "two", "three", "four"]


def test_events_arrive_in_the_order_published(server: FizzServer) -> None:
    """Protocol: §12.4, array order; §6.6."""
    api = server.api(OPEN)
    with server.client(OPEN) as client:
        for channel in ("first", "second"):
            client.subscribe(channel)
        for start in range(0, 50, 5):
            batch = [
                {"channel": ("first", "second")[n % 2], "name": "n", "data": str(n)}
                for n in range(start, start + 5)
            ]
            assert api.post("/batch_events", {"batch": batch}).status == 200
        assert [client.expect("n") for _ in range(50)] == list(range(50))


def test_an_event_for_a_hundred_channels_reaches_each_once(server: FizzServer) -> None:
    """Protocol: §5, channels per trigger; §12.3, duplicates folded."""
    names = [f"many-{number}" for number in range(100)]
    with server.client(OPEN) as client:
        for name in names:
            client.subscribe(name)
        server.api(OPEN).trigger([*names, names[0]], "all")
        heard = client.pending()
        assert [(event["event"], event["channel"]) for event in heard] == [
            ("all", name) for name in names
        ]
