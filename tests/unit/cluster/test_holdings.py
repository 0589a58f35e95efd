"""What a node itself holds: counts that go up and down and leave nothing behind."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fizz_gevent.cluster.holdings import Holdings
from fizz_gevent.protocol.members import Member

ROOM = "presence-room"


def test_members_are_counted_by_user_and_the_newest_info_stays() -> None:
    held = Holdings()
    held.add("app", ROOM, Member("ann", b'{"tab":1}'))
    held.add("app", ROOM, Member("ann", b'{"tab":2}'))
    assert held.member("app", ROOM, "ann") == (2, b'{"tab":2}')
    held.update("app", ROOM, Member("ann", b'{"tab":3}'))
    held.remove("app", ROOM, "ann")
    assert held.member("app", ROOM, "ann") == (1, b'{"tab":3}')
    assert held.count("app", ROOM) == 1
    held.remove("app", ROOM, "ann")
    assert held.member("app", ROOM, "ann") == (0, b"")


def test_channels_are_found_by_application_and_prefix() -> None:
    held = Holdings()
    for app_id, channel in (("app", "orders"), ("app", "orders"), ("app", "x"), ("b", "orders")):
        held.add(app_id, channel, None)
    assert dict(held.channels("app", "ord")) == {"orders": 2}
    assert dict(held.channels("app", "")) == {"orders": 2, "x": 1}
    assert dict(held.channels("b", "")) == {"orders": 1}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]), st.sampled_from([ROOM, "orders"]), st.integers(0, 2)
        ),
        max_size=30,
    ),
    st.randoms(use_true_random=False),
)
def test_whatever_comes_and_goes_the_counts_are_right_and_end_empty(
    subscriptions: list[tuple[str, str, int]], chance: random.Random
) -> None:
    held = Holdings()
    present: list[tuple[str, str, str | None]] = []

    def check() -> None:
        counts = Counter((app_id, channel) for app_id, channel, _ in present)
        users = Counter(each for each in present if each[2] is not None)
        assert held.subscriptions == counts
        assert {
            (app_id, channel, user_id): member.count
            for (app_id, channel), members in held.members.items()
            for user_id, member in members.items()
        } == users
        for app_id in ("a", "b"):
            distinct = sum(1 for each in users if each[0] == app_id)
            assert held.presence_members.get(app_id, 0) == distinct

    for app_id, channel, number in subscriptions:
        user_id = f"u{number}" if channel == ROOM else None
        held.add(app_id, channel, None if user_id is None else Member(user_id))
        present.append((app_id, channel, user_id))
        if chance.random() < 0.3:
            held.remove(*present.pop(chance.randrange(len(present))))
        check()
    while present:
        held.remove(*present.pop(chance.randrange(len(present))))
        check()
    assert held.subscriptions == {}
    assert held.members == {}


def test_connections_and_users_leave_nothing_behind() -> None:
    held = Holdings()
    assert held.change_connections("app", 1) == 1
    assert held.change_connections("app", 1) == 2
    assert held.change_user("app", "ann", 1) == 1
    assert held.change_connections("app", -1) == 1
    assert held.change_connections("app", -1) == 0
    assert held.change_user("app", "ann", -1) == 0
    assert (held.connections, held.users) == ({}, {})
