"""A long random walk through a registry, beside a list of who is where."""

import math
import random

import pytest

from fizz_gevent.ports import Registry
from fizz_gevent.protocol.members import ChannelCounts, Member

CHANNELS = ("orders", "private-x", "presence-a", "presence-b")
USERS = ("ann", "bob", "cid")


class Notes:
    """Who is where: every subscription and sign-in by itself, and nothing counted."""

    def __init__(self) -> None:
        self.joined: dict[tuple[str, str], Member | None] = {}
        self.signed_in: dict[str, str] = {}

    def members(self, channel: str) -> dict[str, int]:
        users: dict[str, int] = {}
        for (_, name), member in self.joined.items():
            if name == channel and member is not None:
                users[member.user_id] = users.get(member.user_id, 0) + 1
        return users

    def count(self, channel: str) -> int:
        return sum(name == channel for _, name in self.joined)

    def channels(self) -> dict[str, ChannelCounts]:
        return {
            channel: ChannelCounts(
                self.count(channel),
                len(self.members(channel)) if channel.startswith("presence-") else None,
            )
            for channel in {name for _, name in self.joined}
        }


def step(registry: Registry, notes: Notes, chance: random.Random, number: int) -> None:
    """Do one thing to both."""
    socket_id, channel = f"{chance.randrange(5)}.1", chance.choice(CHANNELS)
    key, user_id = (socket_id, channel), chance.choice(USERS)
    action = chance.choice(("join", "join", "leave", "update", "sign_in", "sign_out"))
    info = b'{"n":%d}' % number
    if action == "join" and key not in notes.joined:
        member = Member(user_id, info) if channel.startswith("presence-") else None
        joined = registry.join("app", channel, socket_id, member=member)
        notes.joined[key] = member
        assert joined is not None
        assert joined.subscription_count == notes.count(channel)
        assert joined.is_first == (notes.count(channel) == 1)
        if member is None:
            assert joined.roster is None
        else:
            assert joined.roster is not None
            assert set(joined.roster) == set(notes.members(channel))
            assert joined.roster[user_id] == info
    elif action == "leave" and key in notes.joined:
        member = notes.joined.pop(key)
        left = registry.leave(
            "app", channel, socket_id, user_id=None if member is None else member.user_id
        )
        assert left.subscription_count == notes.count(channel)
        assert left.is_last == (notes.count(channel) == 0)
    elif action == "update" and (present := notes.joined.get(key)) is not None:
        newer = notes.joined[key] = Member(present.user_id, info)
        updated = registry.update("app", channel, socket_id, newer)
        assert updated.subscription_count == notes.count(channel)
        assert updated.roster is not None
        assert updated.roster[newer.user_id] == info
        assert set(updated.roster) == set(notes.members(channel))
    elif action == "sign_in" and socket_id not in notes.signed_in:
        was_offline = user_id not in notes.signed_in.values()
        notes.signed_in[socket_id] = user_id
        assert registry.sign_in("app", user_id, socket_id) is was_offline
    elif action == "sign_out" and socket_id in notes.signed_in:
        gone = notes.signed_in.pop(socket_id)
        is_offline = gone not in notes.signed_in.values()
        assert registry.sign_out("app", gone, socket_id) is is_offline


def signed_in(registry: Registry) -> set[str]:
    """Who is online for as long as it likes."""
    online = registry.online("app", USERS)
    return {user_id for user_id, seconds in online.items() if seconds == math.inf}


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_the_registry_knows_who_is_where(registry: Registry, seed: int) -> None:
    """Protocol: §7.3, §9.3, §12.5-§12.7."""
    chance, notes = random.Random(seed), Notes()
    for number in range(300):
        step(registry, notes, chance, number)
        channel = chance.choice(CHANNELS)
        assert registry.counts("app", channel) == notes.channels().get(channel)
        assert sorted(registry.users("app", channel)) == sorted(notes.members(channel))
        assert signed_in(registry) == set(notes.signed_in.values())
        assert dict(registry.channels("app", "")) == notes.channels()
    for (socket_id, channel), member in notes.joined.items():
        user_id = None if member is None else member.user_id
        registry.leave("app", channel, socket_id, user_id=user_id)
    for socket_id, user_id in notes.signed_in.items():
        registry.sign_out("app", user_id, socket_id)
    assert registry.channels("app", "") == {}
    assert signed_in(registry) == set()
