"""What every ``Registry`` promises, whoever keeps the truth."""

import math

from fizz_gevent.ports import Registry
from fizz_gevent.protocol.members import ChannelCounts, Joined, Left, Member
from fizz_gevent.protocol.users import OFFLINE_AFTER
from tests.harness.eventually import eventually

ROOM = "presence-room"


def enter(
    registry: Registry, socket_id: str, user_id: str, info: bytes = b"{}", limit: int | None = None
) -> tuple[bool, dict[str, bytes]] | None:
    """Join the room; return whether the user is new, and who is there. None: the room is full."""
    joined = registry.join("app", ROOM, socket_id, member=Member(user_id, info), max_members=limit)
    if joined is None:
        return None
    assert joined.roster is not None
    return joined.is_first_of_user, dict(joined.roster)


def test_connections_are_counted_up_to_the_limit(registry: Registry) -> None:
    """Protocol: §1.3, check 8."""
    assert registry.connections("app") == 0
    assert registry.connect("app", "1.1", 2)
    assert registry.connect("app", "2.2", 2)
    assert not registry.connect("app", "3.3", 2)
    assert registry.connections("app") == 2
    registry.disconnect("app", "1.1")
    assert registry.connect("app", "3.3", 2)
    assert registry.connect("app", "4.4", None)
    assert registry.connections("app") == 3


def test_a_channel_becomes_occupied_once_and_vacant_once(registry: Registry) -> None:
    assert registry.join("app", "orders", "1.1") == Joined(1, True)
    assert registry.join("app", "orders", "2.2") == Joined(2, False)
    assert registry.counts("app", "orders") == ChannelCounts(2)
    assert registry.leave("app", "orders", "1.1") == Left(1, False)
    assert registry.leave("app", "orders", "2.2") == Left(0, True)
    assert registry.counts("app", "orders") is None
    assert registry.join("app", "orders", "1.1") == Joined(1, True)


def test_a_second_connection_of_a_user_is_not_a_new_member(registry: Registry) -> None:
    """Protocol: §7.3."""
    assert enter(registry, "1.1", "ann") == (True, {"ann": b"{}"})
    assert enter(registry, "2.2", "ann") == (False, {"ann": b"{}"})
    assert enter(registry, "3.3", "bob") == (True, {"ann": b"{}", "bob": b"{}"})
    assert registry.counts("app", ROOM) == ChannelCounts(3, 2)
    assert registry.leave("app", ROOM, "1.1", user_id="ann") == Left(2, False, False)
    assert sorted(registry.users("app", ROOM)) == ["ann", "bob"]
    assert registry.leave("app", ROOM, "2.2", user_id="ann") == Left(1, False, True)
    assert registry.users("app", ROOM) == ["bob"]
    assert registry.leave("app", ROOM, "3.3", user_id="bob") == Left(0, True, True)
    assert registry.users("app", ROOM) == []


def test_the_newest_user_info_is_shown_to_later_joiners(registry: Registry) -> None:
    """Protocol: §7.3."""
    enter(registry, "1.1", "ann", b'{"tab":1}')
    assert enter(registry, "2.2", "ann", b'{"tab":2}') == (False, {"ann": b'{"tab":2}'})
    assert enter(registry, "3.3", "bob") == (True, {"ann": b'{"tab":2}', "bob": b"{}"})


def test_a_repeated_subscription_changes_what_is_known_and_no_count(registry: Registry) -> None:
    """Protocol: §6.4."""
    enter(registry, "1.1", "ann", b'{"tab":1}')
    enter(registry, "2.2", "bob")
    again = registry.update("app", ROOM, "1.1", Member("ann", b'{"tab":2}'))
    assert (again.subscription_count, again.is_first, again.is_first_of_user) == (2, False, False)
    assert dict(again.roster or {}) == {"ann": b'{"tab":2}', "bob": b"{}"}
    assert registry.counts("app", ROOM) == ChannelCounts(2, 2)


def test_a_full_room_refuses_new_users_only_and_enters_nothing(registry: Registry) -> None:
    """Protocol: §7.3, the limit counts distinct users."""
    enter(registry, "1.1", "ann", limit=1)
    assert enter(registry, "2.2", "bob", limit=1) is None
    assert registry.counts("app", ROOM) == ChannelCounts(1, 1)
    assert enter(registry, "3.3", "ann", limit=1) == (False, {"ann": b"{}"})
    registry.leave("app", ROOM, "1.1", user_id="ann")
    registry.leave("app", ROOM, "3.3", user_id="ann")
    assert enter(registry, "2.2", "bob", limit=1) == (True, {"bob": b"{}"})


def test_a_refused_user_leaves_an_empty_room_vacant(registry: Registry) -> None:
    assert enter(registry, "1.1", "ann", limit=0) is None
    assert registry.counts("app", ROOM) is None
    assert registry.users("app", ROOM) == []
    assert registry.channels("app", "") == {}


def test_channels_are_listed_by_prefix_with_their_counts(registry: Registry) -> None:
    """Protocol: §12.5."""
    registry.join("app", "orders", "1.1")
    registry.join("app", "orders-eu", "1.1")
    enter(registry, "1.1", "ann")
    assert registry.channels("app", "orders") == {
        "orders": ChannelCounts(1),
        "orders-eu": ChannelCounts(1),
    }
    assert registry.channels("app", "presence-") == {ROOM: ChannelCounts(1, 1)}
    assert registry.channels("app", "nothing") == {}
    assert len(registry.channels("app", "")) == 3


def test_a_user_is_online_from_the_first_connection_to_the_last(registry: Registry) -> None:
    """Protocol: §9.3."""
    assert registry.online("app", ["ann", "bob"]) == {}
    assert registry.sign_in("app", "ann", "1.1")
    assert not registry.sign_in("app", "ann", "2.2")
    assert registry.online("app", ["ann", "bob"]) == {"ann": math.inf}
    assert not registry.sign_out("app", "ann", "1.1")
    assert registry.online("app", ["ann"]) == {"ann": math.inf}
    assert registry.sign_out("app", "ann", "2.2")
    left = registry.online("app", ["bob", "ann"])
    assert left.keys() == {"ann"}, "a page that reloads does not flicker"
    assert 0 < left["ann"] <= OFFLINE_AFTER
    assert registry.online("other", ["ann"]) == {}
    assert registry.sign_in("app", "ann", "1.1")
    assert registry.online("app", ["ann"]) == {"ann": math.inf}
    assert registry.sign_out("app", "ann", "1.1")
    again = registry.online("app", ["ann"])["ann"]
    eventually(lambda: registry.online("app", ["ann"]).get("ann", 0) < again)
    eventually(lambda: registry.online("app", ["ann"]) == {})


def test_applications_know_nothing_of_each_other(registry: Registry) -> None:
    registry.connect("app", "1.1", 1)
    registry.join("app", "orders", "1.1")
    enter(registry, "1.1", "ann")
    registry.sign_in("app", "ann", "1.1")
    assert registry.connect("other", "2.2", 1)
    assert registry.join("other", "orders", "2.2") == Joined(1, True)
    assert registry.counts("other", ROOM) is None
    assert registry.users("other", ROOM) == []
    assert registry.online("other", ["ann"]) == {}
    assert set(registry.channels("other", "")) == {"orders"}
