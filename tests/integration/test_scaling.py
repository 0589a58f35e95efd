"""Two nodes and one Redis behave as one server does."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Start
from tests.harness.cluster import Cluster, users_in
from tests.harness.eventually import eventually
from tests.harness.pusher_client import PusherClient
from tests.harness.redis_server import RedisServer
from tests.harness.signing import App, compact

pytestmark = pytest.mark.needs_redis

ROOM = "presence-room"
COUNTED = App("1002", "counted-key", "counted-secret")
SMALL = App("1003", "small-key", "small-secret")


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def cluster(module_fizz: Start, redis: RedisServer) -> Cluster:
    apps = [
        App().settings(),
        COUNTED.settings(subscription_counts=True),
        SMALL.settings(max_connections=3, max_presence_members=2),
    ]
    cluster = Cluster(module_fizz, redis, apps=apps)
    cluster.await_joined()
    return cluster


def member_event(client: PusherClient) -> tuple[str, str]:
    event = client.next_event()
    return event["event"].removeprefix("pusher_internal:member_"), event["data"]["user_id"]


def data_of(client: PusherClient, count: int) -> list[Any]:
    return [client.expect("news") for _ in range(count)]


def test_events_reach_the_subscribers_of_every_node_once_and_in_order(cluster: Cluster) -> None:
    """Protocol: §6.6."""
    for publisher, other in cluster.pairs():
        with publisher.client() as near, other.client() as far, other.client() as stranger:
            near.subscribe("orders")
            far.subscribe("orders")
            for number in range(50):
                publisher.api().trigger("orders", "news", number)
            assert data_of(near, 50) == list(range(50))
            assert data_of(far, 50) == list(range(50))
            for client in (near, far, stranger):
                client.expect_nothing()


def test_what_a_busy_node_has_from_another_goes_before_what_it_is_asked_later(
    cluster: Cluster,
) -> None:
    """A back end that has its answer from one node and asks another next keeps its order."""
    idle, busy = cluster.nodes
    api = busy.api()
    kept = api.connection()
    with busy.client() as client:
        client.subscribe("orders")
        for number in range(0, 40, 2):
            assert api.request("GET", f"{api.base}/channels", connection=kept).status == 200
            os.kill(busy.pid, signal.SIGSTOP)  # everything that comes now, it finds together
            try:
                idle.api().trigger("orders", "news", number)
                body = compact({"name": "news", "channel": "orders", "data": str(number + 1)})
                path = f"{api.base}/events"
                query = api.app.signed_query("POST", path, None, body.encode())
                kept.request("POST", f"{path}?{query}", body)
            finally:
                os.kill(busy.pid, signal.SIGCONT)
            assert kept.getresponse().read() == b"{}"
        assert data_of(client, 40) == list(range(40))
    kept.close()


def test_a_node_takes_in_only_what_it_has_subscribers_for(
    cluster: Cluster, redis: RedisServer
) -> None:
    one, two = cluster.nodes
    with redis.client() as admin:

        def listeners() -> int:
            return int(admin.pubsub_numsub("fizz:e:1001:wanted")[0][1])

        with one.client() as near, two.client() as far:
            for expected, client in enumerate((near, far), 1):
                client.subscribe("wanted")
                assert listeners() == expected
            near.unsubscribe("wanted")
            eventually(lambda: listeners() == 1)
        eventually(lambda: listeners() == 0)


def test_a_batch_arrives_in_its_order(cluster: Cluster) -> None:
    """Protocol: §12.4."""
    publisher, other = cluster.nodes
    with other.client() as client:
        for channel in ("a", "b"):
            client.subscribe(channel)
        batch = [{"channel": "ab"[n % 2], "name": "news", "data": str(n)} for n in range(10)]
        assert publisher.api().post("/batch_events", {"batch": batch}).status == 200
        assert data_of(client, 10) == list(range(10))


def test_the_connection_of_the_socket_id_is_skipped_wherever_it_is(cluster: Cluster) -> None:
    """Protocol: §6.6."""
    for publisher, other in cluster.pairs():
        with publisher.client() as near, other.client() as far:
            for client in (near, far):
                client.subscribe("orders")
            for left_out in (near, far):
                publisher.api().trigger("orders", "news", 1, socket_id=left_out.socket_id)
            publisher.api().trigger("orders", "news", 2)
            assert data_of(near, 2) == [1, 2]
            assert data_of(far, 2) == [1, 2]


def test_client_events_cross_and_never_come_back(cluster: Cluster) -> None:
    """Protocol: §8."""
    one, two = cluster.nodes
    with one.client() as ann, two.client() as bob:
        ann.subscribe(ROOM, user_id="ann")
        bob.subscribe(ROOM, user_id="bob")
        assert member_event(ann) == ("added", "bob")
        ann.trigger("client-typing", ROOM, {"on": True})
        event = bob.next_event()
        assert (event["event"], event["data"], event["user_id"]) == (
            "client-typing",
            {"on": True},
            "ann",
        )
        bob.trigger("client-typing", ROOM, 2)
        assert ann.expect("client-typing") == 2
        ann.expect_nothing()
        bob.expect_nothing()


def test_members_are_of_the_whole_cluster(cluster: Cluster) -> None:
    """Protocol: §7.3: a user with connections on two nodes comes once and goes once."""
    one, two = cluster.nodes
    with one.client() as watcher, one.client() as tab, two.client() as other_tab:
        watcher.subscribe(ROOM, user_id="watcher")
        tab.subscribe(ROOM, user_id="ann", user_info={"tab": 1})
        assert member_event(watcher) == ("added", "ann")
        shown = other_tab.subscribe(ROOM, user_id="ann", user_info={"tab": 2})["presence"]
        assert shown["count"] == 2
        assert shown["hash"] == {"watcher": {}, "ann": {"tab": 2}}
        assert sorted(shown["ids"]) == ["ann", "watcher"]
        assert users_in(cluster.ask(f"/channels/{ROOM}/users")) == {"ann", "watcher"}
        info = cluster.ask(f"/channels/{ROOM}", info="user_count,subscription_count")
        assert info == {"occupied": True, "user_count": 2, "subscription_count": 3}
        tab.close()
        eventually(
            lambda: (
                cluster.ask(f"/channels/{ROOM}", info="subscription_count")
                == {"occupied": True, "subscription_count": 2}
            )
        )
        watcher.expect_nothing()
        other_tab.close()
        assert member_event(watcher) == ("removed", "ann")
        watcher.expect_nothing()


def test_a_full_room_is_full_on_every_node(cluster: Cluster) -> None:
    """Protocol: §7.3, the limit counts distinct users."""
    one, two = cluster.nodes
    with one.client(SMALL) as ann, two.client(SMALL) as bob:
        ann.subscribe(ROOM, user_id="ann")
        bob.subscribe(ROOM, user_id="bob")
        with one.client(SMALL) as late:
            late.request_subscription(ROOM, user_id="cid")
            assert late.expect("pusher:subscription_error")["type"] == "LimitReached"
            late.expect("pusher:error")
            late.subscribe(ROOM, user_id="bob")
            late.close()
        answer = two.api(SMALL).get(f"/channels/{ROOM}", info="user_count").json
        assert answer["user_count"] == 2


def test_a_quota_of_connections_is_of_the_cluster(cluster: Cluster) -> None:
    """Protocol: §1.3, check 8."""
    one, two = cluster.nodes
    eventually(lambda: two.api(SMALL).get("/connections").json == {"connections": 0})
    with one.client(SMALL), two.client(SMALL), two.client(SMALL) as third:
        for node in cluster.nodes:
            assert node.api(SMALL).get("/connections").json == {"connections": 3}
            with node.websocket(app=SMALL) as refused:
                error = refused.recv_event()
                assert error["data"]["code"] == 4004
        third.close()
        eventually(lambda: one.api(SMALL).get("/connections").json == {"connections": 2})
        one.client(SMALL).close()


def test_back_ends_are_told_the_same_by_every_node(cluster: Cluster) -> None:
    """Protocol: §12.5, §12.7, §12.10."""
    one, two = cluster.nodes
    base = cluster.ask("/connections")["connections"]
    with one.client() as ann, two.client() as bob:
        ann.subscribe("plain-one")
        bob.subscribe("plain-one")
        bob.subscribe("plain-two")
        bob.subscribe("presence-three", user_id="bob")
        assert cluster.ask("/connections") == {"connections": base + 2}
        assert cluster.ask("/channels", filter_by_prefix="plain-", info="subscription_count") == {
            "channels": {
                "plain-one": {"subscription_count": 2},
                "plain-two": {"subscription_count": 1},
            }
        }
        found = cluster.ask("/channels", filter_by_prefix="presence-three", info="user_count")
        assert found == {"channels": {"presence-three": {"user_count": 1}}}
        for node in cluster.nodes:
            told = node.api().trigger("plain-one", "news", 1, info="subscription_count")
            assert told == {"channels": {"plain-one": {"subscription_count": 2}}}
        bob.unsubscribe("plain-two")
        bob.unsubscribe("plain-one")
        eventually(
            lambda: (
                cluster.ask("/channels", filter_by_prefix="plain-")
                == {"channels": {"plain-one": {}}}
            )
        )
        assert cluster.ask("/channels/plain-two") == {"occupied": False}


def test_counts_are_told_everywhere_and_once(cluster: Cluster) -> None:
    """Protocol: §11."""
    one, two = cluster.nodes
    told = "pusher_internal:subscription_count"
    with one.client(COUNTED) as first, two.client(COUNTED) as second:
        first.subscribe("orders")
        assert first.expect(told) == {"subscription_count": 1}
        second.subscribe("orders")
        for client in (first, second):
            assert client.expect(told) == {"subscription_count": 2}
        with one.client(COUNTED) as third:
            third.subscribe("orders")
            for client in (first, second, third):
                assert client.expect(told) == {"subscription_count": 3}
            third.close()
        for client in (first, second):
            assert client.expect(told) == {"subscription_count": 2}
            client.expect_nothing()


def test_an_event_to_a_user_finds_all_its_connections(cluster: Cluster) -> None:
    """Protocol: §9.2."""
    with cluster.nodes[0].client() as one, cluster.nodes[1].client() as two:
        for client in (one, two):
            client.signin("ann")
            client.subscribe("#server-to-user-ann")
        for node in cluster.nodes:
            node.api().trigger("#server-to-user-ann", "news", 1)
        for client in (one, two):
            assert data_of(client, 2) == [1, 1]
            client.expect_nothing()
        assert "#server-to-user-ann" not in cluster.ask("/channels")["channels"]


def test_users_are_terminated_from_any_node(cluster: Cluster) -> None:
    """Protocol: §9.4."""
    for asked, _ in cluster.pairs():
        with cluster.nodes[0].client() as one, cluster.nodes[1].client() as two:
            for client in (one, two):
                client.signin("ann")
            assert asked.api().post("/users/ann/terminate_connections", {}).status == 200
            for client in (one, two):
                assert client.expect_close() == (4009, "Connection terminated by the application")


def test_watchers_hear_of_users_on_every_node(cluster: Cluster) -> None:
    """Protocol: §9.3."""
    one, two = cluster.nodes
    told = "pusher_internal:watchlist_events"

    def heard(client: PusherClient) -> list[tuple[str, list[str]]]:
        return [(each["name"], each["user_ids"]) for each in client.expect(told)["events"]]

    with one.client() as watcher, two.client() as tab:
        watcher.signin("watcher", watchlist=["bob"])
        assert heard(watcher) == [("offline", ["bob"])]
        tab.signin("bob")
        assert heard(watcher) == [("online", ["bob"])]
        with one.client() as other_tab:
            other_tab.signin("bob", watchlist=["watcher"])
            assert heard(other_tab) == [("online", ["watcher"])]
            tab.close()
            other_tab.close()
        assert heard(watcher) == [("offline", ["bob"])]
        watcher.expect_nothing()


def test_who_has_left_is_online_for_a_moment_at_every_node(
    cluster: Cluster, redis: RedisServer
) -> None:
    """Protocol: §9.3, offline is held back 3 s: also for nodes that had no watcher then."""
    told = "pusher_internal:watchlist_events"
    one, two = cluster.nodes
    with redis.client() as admin, one.client() as near, two.client() as far:
        with one.client() as leaver:
            leaver.signin("leaver")
        eventually(lambda: admin.exists("fizz:v:1001:leaver"))
        for client in (near, far):
            client.signin("late", watchlist=["leaver"])
        for client in (near, far):
            for status in ("online", "offline"):
                event = {"name": status, "user_ids": ["leaver"]}
                assert client.expect(told) == {"events": [event]}
            client.expect_nothing()
