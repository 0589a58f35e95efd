"""Several nodes tell back ends together: each thing once, and nothing is lost with a node.

Protocol: §13.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Start
from tests.harness.cluster import Cluster
from tests.harness.eventually import eventually
from tests.harness.node import NodeScript
from tests.harness.receiver import Receiver
from tests.harness.redis_server import RedisServer
from tests.harness.signing import App
from tests.harness.webhook_helpers import WebhookHelpers

pytestmark = pytest.mark.needs_redis
ROOM = "presence-room"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


def cluster_of(
    fizz: Start, redis: RedisServer, receiver: Receiver, count: int = 2, **settings: Any
) -> Cluster:
    apps = [App().settings(webhooks=[{"url": receiver.url}], **settings)]
    cluster = Cluster(fizz, redis, count, apps=apps)
    cluster.await_joined()
    return cluster


def named(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((event["name"], event["channel"]) for event in events)


def waiting(redis: RedisServer) -> int:
    """How many events and requests wait in Redis."""
    with redis.client() as client:
        held = client.zcard("fizz:w:held") + client.llen("fizz:w:in")
        return int(held) + int(client.get("fizz:w:n") or 0)


def test_what_several_nodes_see_is_told_once(
    fizz: Start, redis: RedisServer, receiver: Receiver
) -> None:
    cluster = cluster_of(fizz, redis, receiver, 3)
    clients = [node.client() for node in cluster.nodes for _ in range(2)]
    for client in clients:
        client.subscribe("orders")
        client.subscribe("cache-x")
        client.request_subscription(ROOM, user_id="ann")
    for client in clients:
        client.pending()
    for client in clients:
        client.close()
    receiver.wait_for(3, "channel_vacated")
    eventually(lambda: waiting(redis) == 0, what="nothing waits")
    channels = ("cache-x", "orders", ROOM)
    assert named(receiver.events()) == [
        ("cache_miss", "cache-x"),
        *[("channel_occupied", channel) for channel in channels],
        *[("channel_vacated", channel) for channel in channels],
        *[("member_added", ROOM), ("member_removed", ROOM)],
    ]
    order = [event["name"] for event in receiver.events() if event["channel"] == ROOM]
    assert order == ["channel_occupied", "member_added", "member_removed", "channel_vacated"]


def test_a_page_that_reloads_onto_another_node_is_not_noticed(
    fizz: Start, redis: RedisServer, receiver: Receiver
) -> None:
    first, second = cluster_of(fizz, redis, receiver).nodes
    client = first.client()
    client.subscribe(ROOM, user_id="ann")
    receiver.wait_for(2)
    client.close()
    eventually(lambda: waiting(redis) == 2, what="two departures are held")
    with second.client() as other:
        other.subscribe(ROOM, user_id="ann")
        eventually(lambda: waiting(redis) == 0, what="nothing is held")
        assert len(receiver.events()) == 2


def test_a_thousand_webhooks_survive_the_node_that_has_not_sent_them(
    fizz: Start, redis: RedisServer, receiver: Receiver, node: Callable[..., NodeScript]
) -> None:
    """Each arrives at least once, in order per channel, from the other node, and signed."""
    receiver.answer = lambda _: 500
    cluster = cluster_of(fizz, redis, receiver, max_client_events_per_second=None)
    first, _ = cluster.nodes
    channels = [f"private-{number}" for number in range(250)]
    client = first.client()
    for channel in channels:
        client.request_subscription(channel)
    client.pending()
    for number in range(3):
        for channel in channels:
            client.trigger("client-n", channel, {"n": number})
    client.ping()
    eventually(lambda: waiting(redis) >= 1000, what="a thousand wait")
    assert receiver.taken == []
    first.kill()
    receiver.answer = lambda _: 200
    # 250 were occupied, had 3 events each, and are vacated now that the node is dead.
    receiver.wait_for(1250, within=60)
    eventually(lambda: waiting(redis) == 0, within=30, what="nothing waits")
    told: dict[str, list[Any]] = {channel: [] for channel in channels}
    for request in receiver.taken:
        (event,) = request.events
        what = event["name"] if "data" not in event else json.loads(event["data"])["n"]
        if what not in told[event["channel"]]:  # at least once
            told[event["channel"]].append(what)
    whole = ["channel_occupied", 0, 1, 2, "channel_vacated"]
    assert {channel: order for channel, order in told.items() if order != whole} == {}
    helpers = WebhookHelpers(node, first)
    helpers.check(receiver.taken)
    helpers.close()
    client.__exit__()


def test_the_members_of_a_dead_node_are_told_of_by_another_once(
    fizz: Start, redis: RedisServer, receiver: Receiver
) -> None:
    first, second, third = cluster_of(fizz, redis, receiver, 3).nodes
    with first.client() as doomed, second.client() as other, third.client() as last:
        doomed.subscribe(ROOM, user_id="ann")
        doomed.subscribe("orders")
        last.request_subscription(ROOM, user_id="ann")
        last.pending()
        doomed.request_subscription("presence-alone", user_id="bob")
        doomed.pending()
        other.subscribe("marker")
        receiver.wait_for(6)
        # what the node has sent and not yet noted as sent would wait for the end of its lease
        eventually(lambda: waiting(redis) == 0, what="nothing waits")
        first.kill()
        receiver.wait_for(2, "channel_vacated", within=20)
        eventually(lambda: waiting(redis) == 0, what="nothing waits")
        gone = receiver.events("channel_vacated", "member_removed")
        assert named(gone) == [
            ("channel_vacated", "orders"),
            ("channel_vacated", "presence-alone"),
            ("member_removed", "presence-alone"),
        ]


def test_webhooks_wait_for_a_redis_that_is_away(
    fizz: Start, redis: RedisServer, receiver: Receiver
) -> None:
    """Who came meanwhile is told of, and nobody twice, though Redis has forgotten everything."""
    node, _ = cluster_of(fizz, redis, receiver).nodes
    with node.client() as client:
        client.subscribe("private-before")
        client.subscribe(ROOM, user_id="ann")
        receiver.wait_for(3)
        redis.kill()
        client.subscribe("private-during")
        client.trigger("client-x", "private-before", {})
        client.ping()
        redis.start()
        receiver.wait_for(5, within=20)
        eventually(lambda: waiting(redis) == 0, within=20, what="nothing waits")
        assert named(receiver.events()) == [
            *[("channel_occupied", name) for name in (ROOM, "private-before", "private-during")],
            *[("client_event", "private-before"), ("member_added", ROOM)],
        ]
