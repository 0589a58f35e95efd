"""What this node itself has of the cluster's state: the part that ends with it."""

from collections.abc import Hashable, Iterator
from typing import TypeVar

from fizz_gevent.protocol.members import Member

_Key = TypeVar("_Key", bound=Hashable)


class Holdings:
    """Counts of this node's own connections, subscriptions, members and signed-in users.

    Redis is always told the count, never the change, so that telling it again does no harm.
    Never yields.

    Attributes:
        presence_members: By application, users present here: once for each channel of a user.
    """

    def __init__(self) -> None:
        self.presence_members: dict[str, int] = {}
        self.connections: dict[str, int] = {}
        self.subscriptions: dict[tuple[str, str], int] = {}
        self.members: dict[tuple[str, str], dict[str, _Held]] = {}
        self.users: dict[tuple[str, str], int] = {}

    def change_connections(self, app_id: str, by: int) -> int:
        """Count one connection more or less; how many there are now."""
        return _change(self.connections, app_id, by)

    def change_user(self, app_id: str, user_id: str, by: int) -> int:
        """Count one signed-in connection more or less; how many the user has here now."""
        return _change(self.users, (app_id, user_id), by)

    def add(self, app_id: str, channel: str, member: Member | None) -> None:
        """Count one subscription more."""
        _change(self.subscriptions, (app_id, channel), 1)
        if member is not None:
            held = self.members.setdefault((app_id, channel), {})
            count = held[member.user_id].count if member.user_id in held else 0
            if not count:
                _change(self.presence_members, app_id, 1)
            held[member.user_id] = _Held(count + 1, member.user_info)

    def remove(self, app_id: str, channel: str, user_id: str | None) -> None:
        """Count one subscription less."""
        _change(self.subscriptions, (app_id, channel), -1)
        if user_id is not None:
            members = self.members[app_id, channel]
            members[user_id].count -= 1
            if not members[user_id].count:
                del members[user_id]
                _change(self.presence_members, app_id, -1)
                if not members:
                    del self.members[app_id, channel]

    def update(self, app_id: str, channel: str, member: Member) -> None:
        """Replace what is known of a member."""
        self.members[app_id, channel][member.user_id].user_info = member.user_info

    def count(self, app_id: str, channel: str) -> int:
        """Subscriptions to a channel here."""
        return self.subscriptions.get((app_id, channel), 0)

    def member(self, app_id: str, channel: str, user_id: str) -> tuple[int, bytes]:
        """How many subscriptions a member has here, and what is known of it."""
        held = self.members.get((app_id, channel), {}).get(user_id)
        return (0, b"") if held is None else (held.count, held.user_info)

    def channels(self, app_id: str, prefix: str) -> Iterator[tuple[str, int]]:
        """Each channel with a subscriber here, and how many."""
        for (owner, channel), count in self.subscriptions.items():
            if owner == app_id and channel.startswith(prefix):
                yield channel, count


class _Held:
    __slots__ = ("count", "user_info")

    def __init__(self, count: int, user_info: bytes) -> None:
        self.count = count
        self.user_info = user_info


def _change(counts: dict[_Key, int], key: _Key, by: int) -> int:
    count = counts.get(key, 0) + by
    if count:
        counts[key] = count
    else:
        counts.pop(key, None)
    return count
