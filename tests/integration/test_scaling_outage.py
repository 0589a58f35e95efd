"""What clients and back ends see while Redis is away, and when it is back."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.conftest import Start
from tests.harness.cluster import Cluster, is_partial, users_in
from tests.harness.eventually import eventually
from tests.harness.pusher_client import PusherClient
from tests.harness.redis_server import RedisServer
from tests.harness.server import FizzServer
from tests.harness.signing import App

pytestmark = pytest.mark.needs_redis

ROOM = "presence-room"
COUNTED = App("1002", "counted-key", "counted-secret")


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Not started yet."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


def everybody_is_partial(cluster: Cluster) -> bool:
    return all(is_partial(node) for node in cluster.nodes)


def members_of(client: PusherClient, count: int) -> set[tuple[str, str]]:
    """Who came and went, of the next events, all of which have to be about members."""
    found = set()
    for _ in range(count):
        event = client.next_event()
        name = event["event"].removeprefix("pusher_internal:member_")
        found.add((name, event["data"]["user_id"]))
    return found


def leave_and_be_held(node: FizzServer) -> None:
    """A user of this node leaves, and is online for three seconds more. Protocol: §9.3."""
    told = "pusher_internal:watchlist_events"
    before = node.api().get("/connections").json
    with node.client() as leaver:
        leaver.signin("leaver")
    eventually(lambda: node.api().get("/connections").json == before)
    with node.client() as watcher:
        watcher.signin("watcher", watchlist=["leaver"])
        for status in ("online", "offline"):
            assert watcher.expect(told) == {"events": [{"name": status, "user_ids": ["leaver"]}]}
    eventually(lambda: node.api().get("/connections").json == before)


def test_nodes_serve_without_redis_and_join_when_it_comes(fizz: Start, redis: RedisServer) -> None:
    """Protocol: §12.2 and §12.10: partial answers, and not ready after ten seconds."""
    cluster = Cluster(fizz, redis, 1)
    assert cluster.nodes[0].api().request("GET", "/ready", query="").status == 200
    cluster.add()
    one, two = cluster.nodes
    with one.client() as ann, one.client() as near, two.client() as bob:
        assert ann.subscribe(ROOM, user_id="ann")["presence"]["ids"] == ["ann"]
        assert sorted(near.subscribe(ROOM, user_id="near")["presence"]["ids"]) == ["ann", "near"]
        assert members_of(ann, 1) == {("added", "near")}
        assert bob.subscribe(ROOM, user_id="bob")["presence"]["ids"] == ["bob"]
        one.api().trigger(ROOM, "news", 1)
        assert ann.expect("news") == 1
        near.expect("news")
        answer = one.api().get(f"/channels/{ROOM}/users")
        assert users_in(answer.json) == {"ann", "near"}
        assert answer.headers["fizz-partial"] == "1"
        assert one.api().get("/connections").json == {"connections": 2}
        asked = {"name": "x", "channel": "orders", "data": "{}", "info": "subscription_count"}
        told = one.api().post("/events", asked)
        assert told.headers["fizz-partial"] == "1"
        eventually(lambda: one.api().request("GET", "/ready", query="").status == 503, within=20)
        assert one.api().request("GET", "/ready", query="").json == {
            "ready": False,
            "reason": "redis",
        }
        assert one.api().request("GET", "/up", query="").status == 200
        leave_and_be_held(one)
        near.close()
        assert members_of(ann, 1) == {("removed", "near")}
        redis.start()
        cluster.await_joined()
        # The event that was published while nobody could hear it arrives; the order against the
        # members is not promised.
        seen = [bob.next_event() for _ in range(2)]
        assert {event["event"] for event in seen} == {"news", "pusher_internal:member_added"}
        assert members_of(ann, 1) == {("added", "bob")}
        eventually(lambda: users_in(cluster.ask(f"/channels/{ROOM}/users")) == {"ann", "bob"})
        eventually(lambda: one.api().request("GET", "/ready", query="").status == 200)
        for client in (ann, bob):
            client.expect_nothing()
    for node in cluster.nodes:
        lines = node.stderr.splitlines()
        assert sum("Redis is away" in line for line in lines) == 1, node.stderr
        assert sum("Redis is back" in line for line in lines) == 1, node.stderr


def test_answers_do_not_wait_for_a_frozen_redis_and_nothing_is_lost(
    fizz: Start, redis: RedisServer
) -> None:
    redis.start()
    cluster = Cluster(fizz, redis)
    cluster.await_joined()
    one, two = cluster.nodes
    with one.client() as near, two.client() as far:
        for client in (near, far):
            client.subscribe("orders")
        redis.freeze()
        try:
            # Every answer here comes while Redis is frozen, or never.
            for number in range(20):
                one.api().trigger("orders", "news", number)
            assert [near.expect("news") for _ in range(20)] == list(range(20))
            eventually(lambda: everybody_is_partial(cluster))
            with two.client() as newcomer:
                newcomer.subscribe("orders")
                two.api().trigger("orders", "news", 20)
                assert newcomer.expect("news") == 20
        finally:
            redis.thaw()
        cluster.await_joined()
        two.api().trigger("orders", "news", 21)
        assert sorted(near.expect("news") for _ in range(2)) == [20, 21]
        assert sorted(far.expect("news") for _ in range(22)) == list(range(22))
        for client in (near, far):
            client.expect_nothing()
        assert one.api().get("/connections").json == {"connections": 2}


def test_what_happened_while_redis_was_away_is_put_right_when_it_is_back(
    fizz: Start, redis: RedisServer
) -> None:
    """Protocol: §7.3, §9.3, §11."""
    redis.start()
    apps = [App().settings(), COUNTED.settings(subscription_counts=True)]
    cluster = Cluster(fizz, redis, apps=apps)
    cluster.await_joined()
    one, two = cluster.nodes
    clients = [node.client() for node in (one, one, two, two)]
    ann, leaver, bob = clients[:3]
    counted = [one.client(COUNTED), two.client(COUNTED)]
    try:
        for client, user in zip(clients, ("ann", "leaver", "bob", "stayer"), strict=True):
            client.subscribe(ROOM, user_id=user)
        members_of(ann, 3)
        members_of(leaver, 2)
        members_of(bob, 1)
        for client in counted:
            client.subscribe("orders")
        watched = "pusher_internal:watchlist_events"
        bob.signin("bob", watchlist=["leaver", "late"])
        bob.wait_for(watched)
        leaver.signin("leaver")
        bob.wait_for(watched)
        redis.kill()
        eventually(lambda: everybody_is_partial(cluster))
        leaver.close()
        late = one.client()
        clients.append(late)
        ids = late.subscribe(ROOM, user_id="late")["presence"]["ids"]
        assert {"ann", "bob", "stayer", "late"} <= set(ids)
        late.signin("late")
        assert members_of(ann, 1) == {("added", "late")}
        counted.append(two.client(COUNTED))
        counted[-1].subscribe("orders")
        redis.start()
        cluster.await_joined()
        truth = {"ann", "bob", "stayer", "late"}
        eventually(lambda: users_in(cluster.ask(f"/channels/{ROOM}/users")) == truth)
        assert ann.wait_for("pusher_internal:member_removed") == {"user_id": "leaver"}
        seen = []
        while len(seen) < 4:
            event = bob.next_event()
            if event["event"] == watched:
                for each in event["data"]["events"]:
                    seen.append((each["name"], each["user_ids"]))
            else:
                seen.append((event["event"].rpartition("_")[2], event["data"]["user_id"]))
        assert sorted(seen) == [
            ("added", "late"),
            ("offline", ["leaver"]),
            ("online", ["late"]),
            ("removed", "leaver"),
        ]
        for client in counted:
            eventually(
                lambda client=client: (
                    client.wait_for("pusher_internal:subscription_count")
                    == {"subscription_count": 3}
                )
            )
        eventually(lambda: cluster.ask("/connections") == {"connections": 4})
    finally:
        for client in (*clients, *counted):
            client.websocket.abandon()


def test_a_redis_that_is_emptied_under_the_nodes_is_filled_again(
    fizz: Start, redis: RedisServer
) -> None:
    redis.start()
    cluster = Cluster(fizz, redis)
    cluster.await_joined()
    one, two = cluster.nodes
    with one.client() as ann, two.client() as bob:
        for client, user in ((ann, "ann"), (bob, "bob")):
            client.subscribe(ROOM, user_id=user)
            client.subscribe("orders")
        members_of(ann, 1)
        with redis.client() as admin:
            admin.flushall()
            eventually(lambda: admin.hlen("fizz:nodes") == 2)
        cluster.await_joined()
        eventually(lambda: users_in(cluster.ask(f"/channels/{ROOM}/users")) == {"ann", "bob"})
        for number, node in enumerate((one, two) * 3):
            node.api().trigger("orders", "news", number)
            assert [client.expect("news") for client in (ann, bob)] == [number, number]
        for client in (ann, bob):
            client.expect_nothing()


def test_foreign_and_damaged_messages_are_counted_and_skipped(
    fizz: Start, redis: RedisServer
) -> None:
    redis.start()
    cluster = Cluster(fizz, redis)
    cluster.await_joined()
    one, two = cluster.nodes
    hostile = [
        b"",
        b"\n",
        b"hello",
        b"E\n{}",
        b"E 1 x 1 - -",
        b"E one x 1 - -\n{}",
        b"E 1 x 1 - z\n{}",
        b"P 0 1 + 99\nann",
        b"P 0 1 + -1\nann",
        b"P 0 1 + 0\n",
        b"P 0 1 * 3\nann",
        b"P 0 1\n",
        b"P 0 1 + 2\n\xff\xfe",
        b"U ~ 1001\nann",
        b"U + 1001\n\xff",
        b"C\n",
        b"C many\n",
        b"M x y\n",
        b"\xff\xfe\xfd\n",
        b"Z 1 2 3\n",
        b"\0" * 1000,
    ]
    with two.client() as client, redis.client() as admin:
        client.subscribe("presence-room", user_id="ann")
        for message in hostile:
            for name in ("fizz:all", "fizz:e:1001:presence-room"):
                assert admin.publish(name, message) > 0
        one.api().trigger("presence-room", "news", 1)
        assert client.expect("news") == 1
        client.expect_nothing()
    assert "foreign messages on the bus" in two.stderr
    assert "Traceback" not in two.stderr


def test_no_secret_is_ever_said_to_redis(fizz: Start, redis: RedisServer) -> None:
    redis.start()
    app = App("1001", "the-key", "the-secret-of-the-application")
    is_over = threading.Event()
    lines: list[str] = []

    def listen() -> None:
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(redis.socket))
            monitor.settimeout(0.1)
            monitor.sendall(b"MONITOR\r\n")
            while not is_over.is_set():
                with contextlib.suppress(TimeoutError):
                    lines.append(monitor.recv(65536).decode(errors="replace"))

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        cluster = Cluster(fizz, redis, apps=[app.settings(subscription_counts=True)])
        cluster.await_joined()
        one, two = cluster.nodes
        with one.client() as ann, two.client() as bob:
            for client, user in ((ann, "ann"), (bob, "bob")):
                client.signin(user, watchlist=["ann", "bob"])
                client.wait_for("pusher_internal:watchlist_events")
                client.request_subscription("presence-cache-room", user_id=user)
                client.wait_for("pusher_internal:subscription_succeeded")
            one.api().trigger("presence-cache-room", "news", 1, info="user_count")
            bob.wait_for("news")
            ann.trigger("client-x", "presence-cache-room", 1)
            bob.wait_for("client-x")
            two.api().get("/channels")
            two.api().post("/users/ann/terminate_connections", {})
            ann.expect_close()
        eventually(lambda: any("news" in line for line in lines))
    finally:
        is_over.set()
        thread.join()
    said = "".join(lines)
    assert said.count("EVALSHA") > 10
    assert app.secret not in said
    assert app.key not in said


def test_a_node_that_stops_leaves_nothing_behind(fizz: Start, redis: RedisServer) -> None:
    redis.start()
    cluster = Cluster(fizz, redis, server={"close_timeout": 0.5})
    cluster.await_joined()
    one, two = cluster.nodes
    with one.client() as ann, two.client() as bob:
        ann.subscribe(ROOM, user_id="ann")
        ann.subscribe("orders")
        ann.signin("ann")
        bob.subscribe(ROOM, user_id="bob")
        one.stop()
        assert bob.expect("pusher_internal:member_removed") == {"user_id": "ann"}
        bob.expect_nothing()
        with redis.client() as admin:
            assert admin.hlen("fizz:nodes") == 1
        assert two.api().get("/connections").json == {"connections": 1}
        assert two.api().get("/channels").json == {"channels": {ROOM: {}}}
        bob.close()
    two.stop()
    with redis.client() as admin:
        lasting = {"fizz:epoch", "fizz:n", "fizz:g", "fizz:log"}
        # A moment longer: that ann was online.
        eventually(lambda: {key for key in admin.scan_iter() if ":sent:" not in key} <= lasting)
