"""A cluster of one process: the truth in dictionaries, no waiting."""

from collections.abc import Callable, Iterable, Mapping

from fizz_gevent.cluster.departures import Departures
from fizz_gevent.ports import CachedEvent, Clock, Inbox
from fizz_gevent.protocol.members import ChannelCounts, Joined, Left, Member
from fizz_gevent.protocol.names import kind_of


class MemoryCluster:
    """Registry, bus and cache of a server that is alone."""

    seconds_away = 0.0

    def __init__(self, clock: Clock) -> None:
        self.registry = MemoryRegistry(clock)
        self.bus = MemoryBus()
        self.cache = MemoryEventCache(clock)

    def start(self, inbox: Inbox) -> None:
        """Nothing ever comes for this inbox."""

    def stop(self) -> None:
        """Nothing is left behind anywhere."""


class MemoryBus:
    """Says nothing, for there is nobody else."""

    is_shared = False

    def publish(
        self,
        app_id: str,
        channel: str,
        payload: bytes,
        *,
        except_socket_id: str | None = None,
        cache_seconds: float | None = None,
    ) -> None:
        pass

    def terminate(self, app_id: str, user_id: str) -> None:
        pass

    def catch_up(self) -> None:
        pass

    def settle(self) -> None:
        pass

    def tell_count(self, app_id: str, channel: str, payload: bytes) -> bool:
        return False


class MemoryRegistry:
    """Counts per channel and user. Never yields.

    Keeps no set of sockets: the channel table, in the same process, enters each subscription
    once and takes it back once.

    Attributes:
        presence_members: By application, users present: once for each channel of a user.
        on_turned: Told of each channel that became occupied (True) or vacant. Never yields.
        on_moved: Told of each user who came into a presence channel (True) or left it.
    """

    is_partial = False

    def may_tell_count(self, app_id: str, channel: str, seconds: float) -> bool:
        return True

    def __init__(self, clock: Clock) -> None:
        self.presence_members: dict[str, int] = {}
        self.on_turned: Callable[[str, str, bool], None] = lambda *_: None
        self.on_moved: Callable[[str, str, str, bool], None] = lambda *_: None
        self._connections: dict[str, int] = {}
        self._subscriptions: dict[str, dict[str, int]] = {}
        self._presence: dict[tuple[str, str], _Present] = {}
        self._signed_in: dict[tuple[str, str], int] = {}
        self._departures = Departures(clock)

    def connect(self, app_id: str, socket_id: str, limit: int | None) -> bool:
        count = self._connections.get(app_id, 0)
        if limit is not None and count >= limit:
            return False
        self._connections[app_id] = count + 1
        return True

    def disconnect(self, app_id: str, socket_id: str) -> None:
        self._connections[app_id] -= 1

    def join(
        self,
        app_id: str,
        channel: str,
        socket_id: str,
        *,
        member: Member | None = None,
        max_members: int | None = None,
    ) -> Joined | None:
        is_first_of_user = False
        roster: Mapping[str, bytes] | None = None
        if member is not None:
            present = self._presence.get((app_id, channel)) or _Present()
            is_first_of_user = member.user_id not in present.infos
            if is_first_of_user and max_members is not None and len(present.infos) >= max_members:
                return None
            if is_first_of_user:
                self.presence_members[app_id] = self.presence_members.get(app_id, 0) + 1
            self._presence[app_id, channel] = present
            present.infos[member.user_id] = member.user_info
            present.connections[member.user_id] = present.connections.get(member.user_id, 0) + 1
            roster = present.infos
        subscriptions = self._subscriptions.setdefault(app_id, {})
        count = subscriptions.get(channel, 0) + 1
        subscriptions[channel] = count
        if count == 1:
            self.on_turned(app_id, channel, True)
        if member is not None and is_first_of_user:
            self.on_moved(app_id, channel, member.user_id, True)
        return Joined(count, count == 1, is_first_of_user, roster)

    def update(self, app_id: str, channel: str, socket_id: str, member: Member) -> Joined:
        infos = self._presence[app_id, channel].infos
        infos[member.user_id] = member.user_info
        return Joined(self._subscriptions[app_id][channel], False, False, infos)

    def leave(
        self, app_id: str, channel: str, socket_id: str, *, user_id: str | None = None
    ) -> Left:
        subscriptions = self._subscriptions[app_id]
        count = subscriptions[channel] - 1
        if count:
            subscriptions[channel] = count
        else:
            del subscriptions[channel]
            if not subscriptions:
                del self._subscriptions[app_id]
        is_last_of_user = user_id is not None and self._leave_presence(app_id, channel, user_id)
        if user_id is not None and is_last_of_user:
            self.on_moved(app_id, channel, user_id, False)
        if not count:
            self.on_turned(app_id, channel, False)
        return Left(count, count == 0, is_last_of_user)

    def _leave_presence(self, app_id: str, channel: str, user_id: str) -> bool:
        present = self._presence[app_id, channel]
        present.connections[user_id] -= 1
        if present.connections[user_id]:
            return False
        del present.connections[user_id]
        del present.infos[user_id]
        self.presence_members[app_id] -= 1
        if not self.presence_members[app_id]:
            del self.presence_members[app_id]
        if not present.infos:
            del self._presence[app_id, channel]
        return True

    def sign_in(self, app_id: str, user_id: str, socket_id: str) -> bool:
        self._departures.returned(app_id, user_id)
        count = self._signed_in.get((app_id, user_id), 0)
        self._signed_in[app_id, user_id] = count + 1
        return count == 0

    def sign_out(self, app_id: str, user_id: str, socket_id: str) -> bool:
        count = self._signed_in[app_id, user_id] - 1
        if count:
            self._signed_in[app_id, user_id] = count
            return False
        del self._signed_in[app_id, user_id]
        self._departures.left(app_id, user_id)
        return True

    def online(self, app_id: str, user_ids: Iterable[str]) -> dict[str, float]:
        return self._departures.online(app_id, user_ids, self._signed_in)

    def counts(self, app_id: str, channel: str) -> ChannelCounts | None:
        count = self._subscriptions.get(app_id, {}).get(channel)
        return None if count is None else self._counts(app_id, channel, count)

    def channels(self, app_id: str, prefix: str) -> Mapping[str, ChannelCounts]:
        return {
            channel: self._counts(app_id, channel, count)
            for channel, count in self._subscriptions.get(app_id, {}).items()
            if channel.startswith(prefix)
        }

    def users(self, app_id: str, channel: str) -> list[str]:
        present = self._presence.get((app_id, channel))
        return [] if present is None else list(present.infos)

    def connections(self, app_id: str) -> int:
        return self._connections.get(app_id, 0)

    def _counts(self, app_id: str, channel: str, count: int) -> ChannelCounts:
        if not kind_of(channel).is_presence:
            return ChannelCounts(count)
        return ChannelCounts(count, len(self._presence[app_id, channel].infos))


class _Present:
    __slots__ = ("connections", "infos")

    def __init__(self) -> None:
        self.infos: dict[str, bytes] = {}
        self.connections: dict[str, int] = {}


class MemoryEventCache:
    """The last event of each cache channel, in this process. Never yields."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: dict[tuple[str, str], tuple[float, str, bytes]] = {}

    def put(self, app_id: str, channel: str, data: str, payload: bytes, ttl: float) -> None:
        # Taken out first, so that the dictionary stays in the order of writing.
        self._events.pop((app_id, channel), None)
        self._events[app_id, channel] = (self._clock.monotonic() + ttl, data, payload)

    def note(self, app_id: str, channel: str, payload: bytes, position: int, ttl: float) -> None:
        raise NotImplementedError("events of a cluster do not come to a server that is alone")

    def get(self, app_id: str, channel: str) -> CachedEvent | None:
        found = self._events.get((app_id, channel))
        if found is None:
            return None
        until, data, payload = found
        ttl = until - self._clock.monotonic()
        if ttl <= 0:
            del self._events[app_id, channel]
            return None
        return CachedEvent(data, payload, ttl)

    def sweep(self) -> None:
        """Forget what is too old; the server calls this now and then."""
        now = self._clock.monotonic()
        for key in [key for key, (until, _, _) in self._events.items() if until <= now]:
            del self._events[key]
