"""A node among others: what it tells them, and what comes from them for its clients."""

import math
from collections.abc import Iterable
from typing import Any

from fizz_gevent.cluster.memory import MemoryRegistry
from fizz_gevent.protocol import events
from fizz_gevent.protocol.members import Member
from fizz_gevent.service.inbox import NodeInbox
from fizz_gevent.service.readiness import Readiness
from tests.unit.clockwork import HandClock
from tests.unit.rooms import APP, Node, added, count, event, removed, succeeded

ROOM = "presence-room"


class RecordingBus:
    """Remembers what the other nodes are told."""

    is_shared = True

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    def publish(
        self,
        app_id: str,
        channel: str,
        payload: bytes,
        *,
        except_socket_id: str | None = None,
        cache_seconds: float | None = None,
    ) -> None:
        self.said.append((app_id, channel, payload, except_socket_id, cache_seconds))

    def terminate(self, app_id: str, user_id: str) -> None:
        self.said.append(("terminate", app_id, user_id))

    def tell_count(self, app_id: str, channel: str, payload: bytes) -> None:
        self.said.append(("count", app_id, channel, payload))

    def catch_up(self) -> None:
        pass

    def settle(self) -> None:
        pass


class RecordingCache:
    """Remembers which events of the cluster a cache was told of."""

    def __init__(self) -> None:
        self.noted: list[tuple[Any, ...]] = []

    def note(self, app_id: str, channel: str, payload: bytes, position: int, ttl: float) -> None:
        self.noted.append((app_id, channel, payload, position, ttl))


def inbox(node: Node, cache: RecordingCache | None = None) -> NodeInbox:
    return NodeInbox(node.tables, node.users, node.watchlists, cache or RecordingCache())


def payload(channel: str, data: str = "1") -> bytes:
    return events.channel_event("news", channel, data)


def test_every_event_goes_to_the_other_nodes_though_nobody_listens_here() -> None:
    bus = RecordingBus()
    node = Node(bus=bus)
    node.publish(["orders", "cache-prices"], data="1", socket_id="5.5")
    assert bus.said == [
        (APP.app_id, "orders", payload("orders"), "5.5", None),
        (APP.app_id, "cache-prices", payload("cache-prices"), "5.5", 1800),
    ]


def test_client_events_go_to_the_other_nodes_and_refused_ones_do_not() -> None:
    bus = RecordingBus()
    node = Node(bus=bus)
    client = node.client()
    client.say("client-wave", 1, channel=ROOM)
    assert bus.said == []
    client.subscribe(ROOM, "ann")
    client.say("client-wave", 1, channel=ROOM)
    sent = events.channel_event("client-wave", ROOM, "1", user_id="ann")
    assert bus.said == [(APP.app_id, ROOM, sent, client.socket_id, None)]


def test_users_are_terminated_and_counts_told_everywhere() -> None:
    bus = RecordingBus()
    node = Node(bus=bus, subscription_counts=True)
    node.users.terminate(node.table(), "ann")
    node.client().subscribe("orders")
    told = events.subscription_count("orders", 1)
    assert bus.said == [
        ("terminate", APP.app_id, "ann"),
        ("count", APP.app_id, "orders", told),
    ]


def test_a_server_that_is_alone_tells_nobody_anything() -> None:
    class Alone(RecordingBus):
        is_shared = False

    bus = Alone()
    node = Node(bus=bus)
    client = node.client()
    client.subscribe(ROOM, "ann")
    client.say("client-wave", 1, channel=ROOM)
    node.publish(["orders", ROOM])
    node.users.terminate(node.table(), "ann")
    assert bus.said == []


def test_an_event_of_another_node_reaches_the_subscribers_here_but_its_sender() -> None:
    """Protocol: §6.6, the connection is skipped "on whichever node it is"."""
    node = Node()
    sender, other, stranger = node.client(), node.client(), node.client()
    sender.subscribe("orders")
    other.subscribe("orders")
    inbox(node).deliver(
        APP.app_id,
        "orders",
        payload("orders"),
        except_socket_id=sender.socket_id,
        position=1,
        is_cached=False,
    )
    assert (sender.heard(), stranger.heard()) == ([], [])
    assert other.heard() == [event("orders", data=1)]


def test_events_that_are_cached_are_noted_wherever_they_come_from_and_clients_are_not() -> None:
    """Protocol: §8, never cached."""
    node, cache = Node(cache_ttl=60), RecordingCache()
    letters = inbox(node, cache)
    sent = payload("private-cache-x")
    for position, is_cached in ((7, True), (9, False)):
        letters.deliver(
            APP.app_id,
            "private-cache-x",
            sent,
            except_socket_id=None,
            position=position,
            is_cached=is_cached,
        )
    letters.published(APP.app_id, "private-cache-x", sent, 8)
    assert cache.noted == [
        (APP.app_id, "private-cache-x", sent, 7, 60),
        (APP.app_id, "private-cache-x", sent, 8, 60),
    ]


def test_members_who_come_and_go_elsewhere_are_told_here() -> None:
    """Protocol: §7.2."""
    node = Node()
    client = node.client()
    client.subscribe(ROOM, "bob")
    letters = inbox(node)
    letters.members_changed(APP.app_id, ROOM, [Member("ann", b'{"n":1}')], [])
    letters.members_changed(APP.app_id, ROOM, [Member("cid")], ["ann"])
    assert client.heard() == [
        added(ROOM, "ann", {"n": 1}),
        removed(ROOM, "ann"),
        added(ROOM, "cid"),
    ]


def test_counts_of_another_node_are_passed_on() -> None:
    """Protocol: §11."""
    node = Node()
    client = node.client()
    assert client.subscribe("orders") == [succeeded("orders")]
    inbox(node).count_told(APP.app_id, "orders", events.subscription_count("orders", 240))
    assert client.heard() == [count("orders", 240)]


def test_to_terminate_is_not_passed_on_again() -> None:
    """Protocol: §9.4."""
    bus = RecordingBus()
    node = Node(bus=bus)
    client = node.client()
    client.sign_in("ann")
    inbox(node).terminate(APP.app_id, "ann")
    assert client.closed == (4009, "Connection terminated by the application")
    assert bus.said == []


class FarRegistry(MemoryRegistry):
    """A registry that knows of users on other nodes, while it can be asked."""

    def __init__(self) -> None:
        super().__init__(HandClock())
        self.elsewhere: set[str] = set()
        self.is_partial = False

    def online(self, app_id: str, user_ids: Iterable[str]) -> dict[str, float]:
        names = set(user_ids)
        return super().online(app_id, names) | dict.fromkeys(self.elsewhere & names, math.inf)


def statuses(client_events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        (group["name"], user_id)
        for each in client_events
        for group in each["data"]["events"]
        for user_id in group["user_ids"]
    ]


def test_users_who_come_and_go_elsewhere_are_told_to_their_watchers_and_never_twice() -> None:
    """Protocol: §9.3."""
    node = Node(registry=FarRegistry())
    client = node.client()
    client.sign_in("watcher", watchlist=["ann"])
    letters = inbox(node)
    for _ in range(2):
        letters.user_changed(APP.app_id, "ann", True)
    assert statuses(client.heard()) == [("online", "ann")]
    for _ in range(2):
        letters.user_changed(APP.app_id, "ann", False)
    node.clock.advance(2.9)
    assert client.heard() == []
    node.clock.advance(10)
    assert statuses(client.heard()) == [("offline", "ann")]


def test_what_was_missed_is_made_up_for() -> None:
    registry = FarRegistry()
    node = Node(registry=registry)
    client = node.client()
    client.sign_in("watcher", watchlist=["ann", "bob"])
    letters = inbox(node)
    letters.user_changed(APP.app_id, "bob", True)
    client.heard()
    registry.elsewhere = {"ann"}
    letters.refresh_users()
    node.clock.advance(3)
    assert statuses(client.heard()) == [("online", "ann"), ("offline", "bob")]
    letters.refresh_users()
    node.clock.advance(10)
    assert client.heard() == []


def test_a_registry_that_cannot_ask_is_no_reason_to_call_anybody_offline() -> None:
    registry = FarRegistry()
    node = Node(registry=registry)
    client = node.client()
    registry.elsewhere = {"ann"}
    client.sign_in("watcher", watchlist=["ann"])
    registry.elsewhere = set()
    registry.is_partial = True
    inbox(node).refresh_users()
    node.clock.advance(10)
    assert client.heard() == []
    assert node.directory.is_partial


def test_letters_for_an_unknown_application_are_dropped() -> None:
    """Two nodes may be configured differently for a while."""
    node, cache = Node(), RecordingCache()
    letters = inbox(node, cache)
    letters.deliver(
        "9", "cache-x", payload("cache-x"), except_socket_id=None, position=1, is_cached=True
    )
    letters.published("9", "cache-x", payload("cache-x"), 1)
    letters.members_changed("9", ROOM, [Member("ann")], ["bob"])
    letters.count_told("9", "orders", b"{}")
    letters.user_changed("9", "ann", True)
    letters.terminate("9", "ann")
    assert cache.noted == []


def test_a_client_that_reads_slowly_makes_the_node_congested() -> None:
    node = Node()
    letters = inbox(node)
    fast, slow = node.client(limit_bytes=1000), node.client(limit_bytes=1000)
    slow.is_reading = False
    for client in (fast, slow):
        client.subscribe("orders")
    node.turn()
    assert not letters.is_congested()
    node.publish("orders", data="x" * 600)
    node.turn()
    assert letters.is_congested()
    slow.vanish()
    node.turn()
    assert not letters.is_congested()


def test_a_node_without_redis_for_long_is_not_ready() -> None:
    """Protocol: §12.10, "reason":"redis" after 10 s."""
    readiness = Readiness()
    away = 0.0
    readiness.seconds_without_redis = lambda: away
    assert readiness.reason is None
    away = 9.9
    assert readiness.reason is None
    away = 10.0
    assert readiness.reason == "redis"
    readiness.is_draining = True
    assert readiness.reason == "draining"
