"""A node dies with all its members: the others say so once, and of nobody who is elsewhere too."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.harness.cluster import Cluster, users_in
from tests.harness.eventually import eventually
from tests.harness.redis_server import RedisServer
from tests.harness.signing import App
from tests.probe.cluster_crowd import Client, Crowd

pytestmark = pytest.mark.needs_redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


def die(
    fizz: Start, redis: RedisServer, members: int, lease: float, within: float
) -> dict[str, object]:
    """Kill the first of three nodes; return when its members were seen to go.

    Every seventh of its users has a tab on another node too. One observer in each channel on each
    other node.
    """
    channels = [f"presence-{number}" for number in range(5)]
    apps = [App().settings(max_presence_members=1000)]
    cluster = Cluster(fizz, redis, 3, apps=apps, scaling={"lease_seconds": lease})
    cluster.await_joined()
    crowd = Crowd(App(), [("127.0.0.1", node.port) for node in cluster.nodes])
    try:
        observers: list[Client] = [
            crowd.add(f"o{number}", f"observer{number}", 1 + number % 2, channels[number // 2])
            for number in range(10)
        ]
        doomed = [
            crowd.add(f"d{number}", f"u{number}", 0, channels[number % 5])
            for number in range(members)
        ]
        for number in range(0, members, 7):
            crowd.add(f"t{number}", f"u{number}", 1 + number % 2, channels[number % 5])

        def all_see_each_other() -> bool:
            crowd.check()
            with crowd.lock:
                assert all(client.is_settled for client in crowd.clients)
                for client in observers:
                    for channel, subscription in client.subscriptions.items():
                        assert subscription.members == crowd.members(channel)
            return True

        eventually(all_see_each_other, within=30)
        with crowd.lock:
            for client in doomed:
                client.comes_back = False
        killed_at = time.monotonic()
        cluster.nodes[0].kill()
        eventually(lambda: all(client.socket is None for client in doomed))
        with crowd.lock:
            crowd.clients = [client for client in crowd.clients if client not in doomed]
        eventually(all_see_each_other, within=within)
        seconds = [
            when - killed_at
            for client in observers
            for subscription in client.subscriptions.values()
            for when in subscription.removals.values()
        ]
        gone = {f"u{number}" for number in range(members) if number % 7}
        with crowd.lock:
            for client in observers:
                for channel, subscription in client.subscriptions.items():
                    here = {f"u{n}" for n in range(members) if channels[n % 5] == channel}
                    assert set(subscription.removals) == gone & here
        assert crowd.complaints == []
        for node in cluster.nodes[1:]:
            for channel in channels:
                found = users_in(node.api().get(f"/channels/{channel}/users").json)
                assert found == crowd.members(channel)
            assert node.api().get("/connections").json == {"connections": len(crowd.clients)}
        with redis.client() as admin:
            assert admin.hlen("fizz:nodes") == 2
            assert not admin.exists("fizz:dead")
            assert sum(1 for _ in admin.scan_iter("fizz:h:*:m")) == 2
        return {
            "members": members,
            "gone": len(gone),
            "removals seen": len(seconds),
            "first after s": round(min(seconds), 1),
            "last after s": round(max(seconds), 1),
        }
    finally:
        crowd.close()
        cluster.close()


def test_members_of_a_dead_node_go_once_and_users_with_another_tab_stay(
    fizz: Start, redis: RedisServer
) -> None:
    """Protocol: §7.3."""
    die(fizz, redis, 100, lease=2, within=8)


@pytest.mark.long
def test_five_hundred_members_are_gone_within_twelve_seconds(
    fizz: Start, redis: RedisServer
) -> None:
    """Protocol: §7.3; with the lease as it is by default."""
    print(die(fizz, redis, 500, lease=10, within=12))


def test_a_user_of_a_dead_node_is_online_until_all_watchers_are_told(
    fizz: Start, redis: RedisServer
) -> None:
    """Protocol: §9.3: three seconds after a survivor has seen the death, at every node."""
    told = "pusher_internal:watchlist_events"
    online = {"events": [{"name": "online", "user_ids": ["bob"]}]}
    offline = {"events": [{"name": "offline", "user_ids": ["bob"]}]}
    cluster = Cluster(fizz, redis, 3)
    cluster.await_joined()
    doomed, *others = cluster.nodes
    bob = doomed.client()
    bob.signin("bob")
    with contextlib.ExitStack() as stack:
        watchers = [stack.enter_context(node.client()) for node in others * 3]
        early, leased, held = watchers[:2], watchers[2:4], watchers[4:]
        for watcher in early:
            watcher.signin("watcher", watchlist=["bob"])
            assert watcher.expect(told) == online
        doomed.kill()
        bob.websocket.abandon()
        for watcher in leased:
            watcher.signin("watcher", watchlist=["bob"])
            assert watcher.expect(told) == online
        with redis.client() as admin:
            eventually(lambda: not admin.hexists("fizz:u:1001", "bob"))
        for watcher in held:
            watcher.signin("watcher", watchlist=["bob"])
            assert watcher.expect(told) == online
        for watcher in watchers:
            assert watcher.expect(told) == offline
        for watcher in watchers:
            watcher.expect_nothing()


def test_a_large_node_is_taken_over_whole(fizz: Start, redis: RedisServer) -> None:
    """More than one slice of everything that a node can hold."""
    cluster = Cluster(fizz, redis, 1)
    cluster.await_joined()
    with redis.client() as admin:
        with admin.pipeline() as pipe:
            pipe.hset("fizz:nodes", "dead", 7)
            for number in range(9000):
                pipe.hset("fizz:h:dead:s", f"1001 orders-{number}", 1)
                pipe.hset("fizz:s:1001", f"orders-{number}", 1)
                pipe.hset("fizz:h:dead:u", f"1001 user {number}", 2)
                pipe.hset("fizz:u:1001", f"user {number}", 2)
                pipe.hset("fizz:h:dead:m", f"1001 presence-{number} u {number}", 1)
                pipe.hset(f"fizz:m:1001:presence-{number}", f"u {number}", "{}")
                pipe.hset(f"fizz:k:1001:presence-{number}", f"u {number}", 1)
            pipe.hset("fizz:h:dead:c", "1001", 9000)
            pipe.hset("fizz:c", "1001", 9000)
            pipe.execute()
        eventually(lambda: admin.hkeys("fizz:nodes") != ["dead"] and not admin.exists("fizz:dead"))
        eventually(lambda: not admin.hexists("fizz:nodes", "dead"))
        eventually(lambda: not admin.exists("fizz:dead"), within=20)
        lasting = {"fizz:nodes", "fizz:epoch", "fizz:n", "fizz:g", "fizz:log", "fizz:w:n"}
        # A moment longer: that its users were online.
        eventually(lambda: set(admin.scan_iter("fizz:*", count=1000)) <= lasting)
    assert cluster.nodes[0].api().get("/connections").json == {"connections": 0}
