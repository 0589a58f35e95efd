"""Channels that remember their last event."""

import json
from collections.abc import Callable

import pytest

from tests.harness.eventually import eventually
from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.signing import App

OPEN = App("1001", "open-key", "open-secret")
OTHER = App("1002", "other-key", "other-secret")
BRIEF = App("1003", "brief-key", "brief-secret")

KINDS = ["cache-", "private-cache-", "private-encrypted-cache-", "presence-cache-"]
MISS = "pusher:cache_miss"


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(
        apps=[OPEN.settings(), OTHER.settings(), BRIEF.settings(cache_ttl=1)],
    )


def subscribe(client: PusherClient, channel: str) -> None:
    client.subscribe(channel, user_id="ann" if channel.startswith("presence-") else None)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_channel_says_so(server: FizzServer, kind: str) -> None:
    """Protocol: §10, the frame byte for byte; §6.5, after the confirmation."""
    channel = f"{kind}empty"
    with server.client(OPEN) as client:
        subscribe(client, channel)
        assert client.websocket.recv_text() == (
            f'{{"event":"pusher:cache_miss","channel":"{channel}","data":"{{}}"}}'
        )
        client.expect_nothing()


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_published_to_nobody_comes_first(server: FizzServer, kind: str) -> None:
    """Protocol: §10, "Kept whether or not anyone is subscribed", identical to §6.6."""
    channel = f"{kind}nobody"
    data = '{"nonce":"n","ciphertext": "ä"}'
    api = server.api(OPEN)
    api.trigger(channel, "first", "old")
    api.trigger(channel, "price", data)
    with server.client(OPEN) as client:
        subscribe(client, channel)
        cached = client.websocket.recv_text()
        assert json.loads(cached) == {"event": "price", "channel": channel, "data": data}
        client.expect_nothing()
        api.trigger(channel, "price", data)
        assert client.websocket.recv_text() == cached
    with server.client(OPEN) as late:  # kept when the channel was empty in between
        subscribe(late, channel)
        assert late.websocket.recv_text() == cached


@pytest.mark.parametrize("kind", ["", "private-", "presence-", "private-encrypted-", "my-cache-"])
def test_other_kinds_remember_nothing(server: FizzServer, kind: str) -> None:
    """Protocol: §5, channel types."""
    channel = f"{kind}forgets"
    server.api(OPEN).trigger(channel, "price", "7")
    with server.client(OPEN) as client:
        subscribe(client, channel)
        client.expect_nothing()


def test_a_batch_is_remembered_too(server: FizzServer) -> None:
    """Protocol: §10, "single or batch"."""
    batch = [
        {"channel": "cache-batch-a", "name": "price", "data": "1"},
        {"channel": "cache-batch-b", "name": "price", "data": "2"},
        {"channel": "cache-batch-a", "name": "price", "data": "3"},
    ]
    assert server.api(OPEN).post("/batch_events", {"batch": batch}).status == 200
    with server.client(OPEN) as client:
        for channel, data in (("cache-batch-a", 3), ("cache-batch-b", 2)):
            subscribe(client, channel)
            assert client.expect("price", channel) == data


def test_one_event_for_several_channels_is_remembered_in_each(server: FizzServer) -> None:
    """Protocol: §10; the channel in the cached frame is the one subscribed to."""
    server.api(OPEN).trigger(["cache-many-a", "plain", "cache-many-b"], "price", "7")
    with server.client(OPEN) as client:
        for channel in ("cache-many-a", "cache-many-b"):
            subscribe(client, channel)
            assert client.expect("price", channel) == 7


def test_who_was_left_out_gets_it_on_the_next_subscription(server: FizzServer) -> None:
    """Protocol: §10, "also when socket_id excluded someone"."""
    with server.client(OPEN) as client:
        subscribe(client, "cache-excluded")
        client.expect(MISS)
        server.api(OPEN).trigger("cache-excluded", "price", "7", socket_id=client.socket_id)
        client.expect_nothing()
        client.unsubscribe("cache-excluded")
        subscribe(client, "cache-excluded")
        assert client.expect("price", "cache-excluded") == 7


def test_applications_do_not_share_a_cache(server: FizzServer) -> None:
    """Protocol: §10, per channel of one application."""
    server.api(OPEN).trigger("cache-shared", "price", "7")
    with server.client(OTHER) as client:
        subscribe(client, "cache-shared")
        client.expect(MISS, "cache-shared")


def test_a_back_end_can_read_what_subscribers_get(server: FizzServer) -> None:
    """Protocol: §10, §12.6: the same string, and the seconds left."""
    api = server.api(OPEN)
    api.trigger("cache-read", "price", '{"p": 1}')
    cache = api.get("/channels/cache-read", info="cache").json["cache"]
    assert cache["data"] == '{"p": 1}'
    assert 0 < cache["ttl"] <= 1800


def test_the_memory_ends_and_reading_does_not_prolong_it(server: FizzServer) -> None:
    """Protocol: §10, TTL "renewed by each publish, not by reads"; §14 "cache TTL"."""
    server.api(BRIEF).trigger("cache-brief", "price", "7")
    with server.client(BRIEF) as client:
        heard: list[str] = []

        def is_forgotten() -> bool:
            subscribe(client, "cache-brief")
            heard.append(client.next_event()["event"])
            return heard[-1] == MISS

        eventually(is_forgotten, what="the cached event is forgotten")
        assert heard[0] == "price"
        assert set(heard[:-1]) == {"price"}
        answer = server.api(BRIEF).get("/channels/cache-brief", info="cache")
        assert answer.json["cache"] is None


def test_publishing_prolongs_it(server: FizzServer) -> None:
    """Protocol: §10, TTL "renewed by each publish"."""
    api = server.api(OPEN)

    def seconds_left() -> int:
        return int(api.get("/channels/cache-long", info="cache").json["cache"]["ttl"])

    api.trigger("cache-long", "price", "7")
    eventually(lambda: seconds_left() < 1799, what="some of its time has passed")
    api.trigger("cache-long", "price", "8")
    assert seconds_left() >= 1799
