"""What may happen while a registry or a cache is asked, where that takes its time.

Protocol: §15, "pending" and "leaving must be idempotent".
"""

from collections.abc import Callable, Iterable

import pytest

from fizz_gevent.cluster.memory import MemoryEventCache, MemoryRegistry
from fizz_gevent.ports import CachedEvent
from fizz_gevent.protocol.members import Joined, Left, Member
from tests.unit.clockwork import HandClock
from tests.unit.rooms import APP, Client, Node, added, count, event, removed, roster, succeeded

ROOM = "presence-room"


class SlowRegistry(MemoryRegistry):
    """A registry that answers late: ``meanwhile`` happens between its answer and the caller's go.

    Attributes:
        meanwhile: Happens once, at the next call.
    """

    meanwhile: Callable[[], object] | None = None

    def happen(self) -> None:
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()

    def join(
        self,
        app_id: str,
        channel: str,
        socket_id: str,
        *,
        member: Member | None = None,
        max_members: int | None = None,
    ) -> Joined | None:
        joined = super().join(app_id, channel, socket_id, member=member, max_members=max_members)
        self.happen()
        return joined

    def update(self, app_id: str, channel: str, socket_id: str, member: Member) -> Joined:
        joined = super().update(app_id, channel, socket_id, member)
        self.happen()
        return joined

    def leave(
        self, app_id: str, channel: str, socket_id: str, *, user_id: str | None = None
    ) -> Left:
        left = super().leave(app_id, channel, socket_id, user_id=user_id)
        self.happen()
        return left

    def sign_in(self, app_id: str, user_id: str, socket_id: str) -> bool:
        is_first = super().sign_in(app_id, user_id, socket_id)
        self.happen()
        return is_first

    def sign_out(self, app_id: str, user_id: str, socket_id: str) -> bool:
        is_last = super().sign_out(app_id, user_id, socket_id)
        self.happen()
        return is_last

    def online(self, app_id: str, user_ids: Iterable[str]) -> dict[str, float]:
        online = super().online(app_id, user_ids)
        self.happen()
        return online


class SlowCache(MemoryEventCache):
    """The same for a cache."""

    meanwhile: Callable[[], object] | None = None

    def get(self, app_id: str, channel: str) -> CachedEvent | None:
        found = super().get(app_id, channel)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return found


@pytest.fixture
def registry() -> SlowRegistry:
    return SlowRegistry(HandClock())


def gone(client: Client) -> Callable[[], None]:
    """The client goes, and its connection is closed, before the caller has its answer."""

    def happen() -> None:
        client.vanish()
        client.node.turn()

    return happen


def going(client: Client) -> Callable[[], None]:
    """The client goes; its connection is closed when the caller is done."""
    return client.vanish


@pytest.mark.parametrize("leave", [gone, going])
@pytest.mark.parametrize("channel", ["orders", "private-orders", "cache-prices", ROOM])
def test_who_goes_while_it_joins_is_in_nothing(
    registry: SlowRegistry, channel: str, leave: Callable[[Client], Callable[[], None]]
) -> None:
    node = Node(registry=registry)
    client = node.client()
    registry.meanwhile = leave(client)
    user_id = "ann" if channel == ROOM else None
    assert client.subscribe(channel, user_id) == []
    node.assert_nothing_is_left()


@pytest.mark.parametrize("leave", [gone, going])
def test_who_goes_while_the_cache_is_asked_is_in_nothing(
    leave: Callable[[Client], Callable[[], None]],
) -> None:
    cache = SlowCache(HandClock())
    node = Node(cache=cache)
    client = node.client()
    cache.meanwhile = leave(client)
    assert client.subscribe("cache-prices") == []
    node.assert_nothing_is_left()


@pytest.mark.parametrize("leave", [gone, going])
def test_the_others_hear_of_both_or_of_neither(
    registry: SlowRegistry, leave: Callable[[Client], Callable[[], None]]
) -> None:
    """Protocol: §7.3; a member_removed without its member_added would be of nobody."""
    node = Node(registry=registry)
    bob, ann = node.client(), node.client()
    bob.subscribe(ROOM, "bob")
    registry.meanwhile = leave(ann)
    ann.subscribe(ROOM, "ann")
    assert bob.heard() in ([], [added(ROOM, "ann"), removed(ROOM, "ann")])
    assert registry.users(APP.app_id, ROOM) == ["bob"]


def test_a_second_tab_that_stays_is_told_of_though_the_first_went_on_the_way(
    registry: SlowRegistry,
) -> None:
    """The first made the user present, so the second is not first; somebody has to say it."""
    node = Node(registry=registry)
    bob, ann, tab = node.client(), node.client(), node.client()
    bob.subscribe(ROOM, "bob")

    def meanwhile() -> None:
        tab.subscribe(ROOM, "ann")
        ann.vanish()

    registry.meanwhile = meanwhile
    ann.subscribe(ROOM, "ann")
    assert bob.heard() == [added(ROOM, "ann")]
    tab.vanish()
    assert bob.heard() == [added(ROOM, "ann"), removed(ROOM, "ann")][1:]
    bob.vanish()
    node.assert_nothing_is_left()


def test_an_event_published_meanwhile_never_stands_before_the_confirmation(
    registry: SlowRegistry,
) -> None:
    """Protocol: §6.5."""
    node = Node(registry=registry)
    client = node.client()
    registry.meanwhile = lambda: node.publish("orders", "early")
    told = client.subscribe("orders")
    assert told[0] == succeeded("orders")
    node.publish("orders", "late")
    assert client.heard() == [event("orders", "late")]


def test_an_event_published_while_the_cache_answers_is_not_told_twice() -> None:
    """Protocol: §15."""
    cache = SlowCache(HandClock())
    node = Node(cache=cache)
    client = node.client()
    cache.meanwhile = lambda: node.publish("cache-prices", "tick", "1")
    told = client.subscribe("cache-prices")
    assert told[0] == succeeded("cache-prices")
    ticks = [each for each in told if each["event"] == "tick"]
    assert len(ticks) <= 1


def test_who_goes_while_it_repeats_has_left_once(registry: SlowRegistry) -> None:
    node = Node(registry=registry, subscription_counts=True)
    bob, ann = node.client(), node.client()
    bob.subscribe(ROOM, "bob")
    ann.subscribe(ROOM, "ann")
    bob.heard()
    registry.meanwhile = going(ann)
    assert ann.subscribe(ROOM, "ann", {"mood": "merry"}) == []
    assert bob.heard() == [removed(ROOM, "ann")]
    bob.vanish()
    node.assert_nothing_is_left()


def test_who_goes_while_it_leaves_has_left_once(registry: SlowRegistry) -> None:
    node = Node(registry=registry, subscription_counts=True)
    stays, goes = node.client(), node.client()
    stays.subscribe("orders")
    goes.subscribe("orders")
    stays.heard()
    registry.meanwhile = gone(goes)
    goes.unsubscribe("orders")
    assert stays.heard() == [count("orders", 1)]
    stays.vanish()
    node.assert_nothing_is_left()


def test_a_connection_is_closed_once_though_two_find_it_gone(registry: SlowRegistry) -> None:
    """Protocol: §15, close frame, read error and clean-up may race."""
    node = Node(registry=registry)
    bob, ann = node.client(), node.client()
    bob.subscribe(ROOM, "bob")
    ann.subscribe(ROOM, "ann")
    ann.subscribe("orders")
    ann.sign_in("ann")
    bob.heard()
    registry.meanwhile = lambda: node.sessions.closed(ann.connection)
    ann.vanish()
    assert bob.heard() == [removed(ROOM, "ann")]
    node.sessions.closed(ann.connection)
    assert node.registry.connections(APP.app_id) == 1
    bob.vanish()
    node.assert_nothing_is_left()


@pytest.mark.parametrize("leave", [gone, going])
def test_who_goes_while_it_signs_in_is_nobody(
    registry: SlowRegistry, leave: Callable[[Client], Callable[[], None]]
) -> None:
    node = Node(registry=registry)
    client = node.client()
    registry.meanwhile = leave(client)
    assert client.sign_in("ann", watchlist=["bob"]) == []
    node.assert_nothing_is_left()
    assert registry.online(APP.app_id, ["ann"]) == {"ann": 3}, "for a moment more"


def test_a_second_sign_in_is_told_of_though_the_first_went_on_the_way(
    registry: SlowRegistry,
) -> None:
    """Protocol: §9.3."""
    node = Node(registry=registry)
    watcher, ann, tab = node.client(), node.client(), node.client()
    watcher.sign_in("bob", watchlist=["ann"])

    def meanwhile() -> None:
        tab.sign_in("ann")
        ann.vanish()

    registry.meanwhile = meanwhile
    ann.sign_in("ann")
    told = [each["data"]["events"] for each in watcher.heard()]
    assert told == [[{"name": "online", "user_ids": ["ann"]}]]


@pytest.mark.parametrize("leave", [gone, going])
def test_who_goes_while_the_status_of_its_watchlist_is_asked_watches_nobody(
    registry: SlowRegistry, leave: Callable[[Client], Callable[[], None]]
) -> None:
    node = Node(registry=registry)
    client, ann = node.client(), node.client()
    client.sign_in("bob")
    registry.meanwhile = leave(client)
    client.sign_in("bob", watchlist=["ann"])
    assert node.table().watchers == {}
    ann.sign_in("ann")
    ann.vanish()
    node.assert_nothing_is_left()
    assert registry.online(APP.app_id, ["bob"]) == {"bob": 3}, "for a moment more"


def test_two_join_at_once_and_each_sees_the_other(registry: SlowRegistry) -> None:
    """Protocol: §7.3: by the roster, or by member_added."""
    node = Node(registry=registry)
    ann, bob = node.client(), node.client()
    heard: list[dict[str, object]] = []
    registry.meanwhile = lambda: heard.extend(bob.subscribe(ROOM, "bob"))
    told = ann.subscribe(ROOM, "ann")
    heard += bob.heard()
    assert told[0] == roster(ROOM, ann={}, bob={})
    assert heard[0] == roster(ROOM, ann={}, bob={})
