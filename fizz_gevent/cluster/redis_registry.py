"""Who is where, decided in Redis; from what this node knows while Redis is away."""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import gevent

from fizz_gevent.cluster.commands import Commands
from fizz_gevent.cluster.holdings import Holdings
from fizz_gevent.cluster.membership import Membership
from fizz_gevent.cluster.presence_view import Change, PresenceView
from fizz_gevent.cluster.redis_listener import RedisListener
from fizz_gevent.errors import ClusterUnavailable
from fizz_gevent.ports import Inbox
from fizz_gevent.protocol.envelope import Transition
from fizz_gevent.protocol.members import ChannelCounts, Joined, Left, Member
from fizz_gevent.protocol.names import kind_of

_log = logging.getLogger(__name__)
_SCAN_COUNT = 1000
_SYNC_SLICE = 200

Place = tuple[str, str]
"""An application's id and a channel's name."""


class RedisRegistry:
    """The registry of a cluster: transitions are decided by scripts, each exactly once.

    What this node holds is kept here too and told to Redis as absolute counts, so after any
    trouble the same words, said again, put everything right. Presence transitions come back over
    the bus to every node, this one included, and the view of each channel makes of them what the
    clients here have yet to hear; so ``Joined`` and ``Left`` say nothing of first and last.
    """

    def __init__(self, commands: Commands, membership: Membership, listener: RedisListener) -> None:
        self._commands = commands
        self._membership = membership
        self._listener = listener
        self.inbox: Inbox
        self._held = Holdings()
        self.presence_members = self._held.presence_members
        self._views: dict[Place, PresenceView] = {}
        self._fetching: set[Place] = set()
        self._is_out_of_step = False

    # Connections

    def connect(self, app_id: str, socket_id: str, limit: int | None) -> bool:
        count = self._held.change_connections(app_id, 1)
        try:
            answer = self._hold("hold_connections", app_id, count, "" if limit is None else limit)
        except ClusterUnavailable:
            if limit is None or count <= limit:
                return True
        else:
            if answer[0] == 1:
                return True
        self._held.change_connections(app_id, -1)
        return False

    def disconnect(self, app_id: str, socket_id: str) -> None:
        count = self._held.change_connections(app_id, -1)
        with contextlib.suppress(ClusterUnavailable):  # told when Redis is back
            self._hold("hold_connections", app_id, count, "")

    # Subscriptions

    def join(
        self,
        app_id: str,
        channel: str,
        socket_id: str,
        *,
        member: Member | None = None,
        max_members: int | None = None,
    ) -> Joined | None:
        place = (app_id, channel)
        self._held.add(app_id, channel, member)
        try:
            self._listener.watch(app_id, channel)
            answer = self._hold_subscription(app_id, channel, member, max_members)
        except ClusterUnavailable:
            return self._join_alone(place, member, max_members)
        if answer[0] == 0:
            self._give_back(place, member)
            return None
        total, turned = int(answer[1]), bool(answer[2])
        self._listener.note_start(app_id, channel, int(answer[4]))
        if member is None:
            return Joined(total, is_first=turned)
        view = self._merge(place, answer)
        return Joined(total, is_first=turned, roster=view.infos)

    def update(self, app_id: str, channel: str, socket_id: str, member: Member) -> Joined:
        self._held.update(app_id, channel, member)
        place = (app_id, channel)
        try:
            answer = self._hold_subscription(app_id, channel, member, None)
        except ClusterUnavailable:
            view = self._view(place)
            self._tell(place, view.add_alone(member))
            return Joined(self._held.count(app_id, channel), False, roster=view.infos)
        return Joined(int(answer[1]), False, roster=self._merge(place, answer).infos)

    def leave(
        self, app_id: str, channel: str, socket_id: str, *, user_id: str | None = None
    ) -> Left:
        place = (app_id, channel)
        self._held.remove(app_id, channel, user_id)
        count = self._held.count(app_id, channel)
        if not count:
            self._listener.unwatch(app_id, channel)
            self._views.pop(place, None)  # nobody here has been told anything any more
        try:
            member = None if user_id is None else Member(user_id, b"")
            answer = self._hold_subscription(app_id, channel, member, None)
        except ClusterUnavailable:
            is_still_here = user_id is None or self._held.member(app_id, channel, user_id)[0]
            if count and not is_still_here and user_id is not None:
                self._tell(place, self._view(place).remove_alone(user_id))
            return Left(count, count == 0)
        if member is not None and place in self._views:
            self._merge(place, answer)
        return Left(int(answer[1]), is_last=bool(answer[2]))

    def _hold_subscription(
        self, app_id: str, channel: str, member: Member | None, max_members: int | None
    ) -> Any:
        count = self._held.count(app_id, channel)
        if member is None:
            return self._hold("hold_subscription", app_id, channel, count)
        held, info = self._held.member(app_id, channel, member.user_id)
        return self._hold(
            "hold_subscription",
            app_id,
            channel,
            count,
            member.user_id,
            held,
            info,
            "" if max_members is None else max_members,
        )

    def _join_alone(
        self, place: Place, member: Member | None, max_members: int | None
    ) -> Joined | None:
        """Enter a subscription while Redis is away; it is told of it on return."""
        self._is_out_of_step = True
        count = self._held.count(*place)
        if member is None:
            return Joined(count, is_first=count == 1)
        view = self._view(place)
        is_full = max_members is not None and len(view.infos) >= max_members
        if is_full and member.user_id not in view.infos:
            self._give_back(place, member)
            return None
        self._tell(place, view.add_alone(member))
        return Joined(count, is_first=count == 1, roster=view.infos)

    def _give_back(self, place: Place, member: Member | None) -> None:
        app_id, channel = place
        self._held.remove(app_id, channel, None if member is None else member.user_id)
        if not self._held.count(app_id, channel):
            self._listener.unwatch(app_id, channel)
            self._views.pop(place, None)

    # Presence

    def transition(self, app_id: str, channel: str, transition: Transition) -> None:
        """A member came or went, as the bus tells. Never yields."""
        place = (app_id, channel)
        view = self._views.get(place)
        if view is None:
            return
        change = view.apply(transition, self._held.members.get(place, ()))
        if change is None:
            self._fetch_soon(place)
        else:
            self._tell(place, change)

    def _view(self, place: Place) -> PresenceView:
        view = self._views.get(place)
        if view is None:
            view = self._views[place] = PresenceView()
        return view

    def _merge(self, place: Place, answer: Any) -> PresenceView:
        view = self._view(place)
        roster = _roster_of(answer[6:])
        self._tell(place, view.merge(int(answer[5]), roster, self._held.members.get(place, ())))
        return view

    def _tell(self, place: Place, change: Change) -> None:
        if change:
            self.inbox.members_changed(*place, change.added, change.removed)

    def _fetch_soon(self, place: Place) -> None:
        if place not in self._fetching:
            self._fetching.add(place)
            gevent.spawn(self._fetch, place)

    def _fetch(self, place: Place) -> None:
        """Get a roster because transitions are missing."""
        try:
            answer = self._commands.script("roster", *place)
        except ClusterUnavailable:
            return  # the next synchronisation brings it
        finally:
            self._fetching.discard(place)
        self._take_roster(place, answer)

    def _take_roster(self, place: Place, answer: Any) -> None:
        view = self._views.get(place)
        if view is not None:
            held = self._held.members.get(place, ())
            self._tell(place, view.merge(int(answer[0]), _roster_of(answer[1:]), held))

    # Users

    def sign_in(self, app_id: str, user_id: str, socket_id: str) -> bool:
        return self._hold_user(app_id, user_id, self._held.change_user(app_id, user_id, 1))

    def sign_out(self, app_id: str, user_id: str, socket_id: str) -> bool:
        return self._hold_user(app_id, user_id, self._held.change_user(app_id, user_id, -1))

    def _hold_user(self, app_id: str, user_id: str, count: int) -> bool:
        """Tell Redis; True only where the change is this node's to tell its own clients."""
        try:
            self._hold("hold_user", app_id, user_id, count)
        except ClusterUnavailable:
            return count <= 1
        return False  # the bus tells every node, this one too

    def online(self, app_id: str, user_ids: Iterable[str]) -> set[str]:
        wanted = list(user_ids)
        if not wanted:
            return set()
        try:
            found = self._commands.ask("HMGET", self._key("u", app_id), *wanted)
        except ClusterUnavailable:
            return {user_id for user_id in wanted if (app_id, user_id) in self._held.users}
        return {user_id for user_id, count in zip(wanted, found, strict=True) if count}

    # What back ends ask

    @property
    def is_partial(self) -> bool:
        """Answers come from what this node knows, because Redis is away."""
        return not self._commands.is_up

    def counts(self, app_id: str, channel: str) -> ChannelCounts | None:
        is_presence = kind_of(channel).is_presence
        try:
            total = self._commands.begin(("HGET", self._key("s", app_id), channel))
            users = self._commands.begin(("HLEN", self._key("m", app_id, channel)))
            count, user_count = _number(total.get()), _number(users.get())
        except ClusterUnavailable:
            return self._counts_here(app_id, channel, self._held.count(app_id, channel))
        if not count:
            return None
        return ChannelCounts(count, user_count if is_presence else None)

    def channels(self, app_id: str, prefix: str) -> Mapping[str, ChannelCounts]:
        try:
            totals = dict(self._scan(self._key("s", app_id), prefix))
            users = {
                channel: self._commands.begin(("HLEN", self._key("m", app_id, channel)))
                for channel in totals
                if kind_of(channel).is_presence
            }
            return {
                channel: ChannelCounts(
                    count, _number(users[channel].get()) if channel in users else None
                )
                for channel, count in totals.items()
            }
        except ClusterUnavailable:
            found = {
                channel: self._counts_here(app_id, channel, count)
                for channel, count in self._held.channels(app_id, prefix)
            }
            return {channel: counts for channel, counts in found.items() if counts is not None}

    def users(self, app_id: str, channel: str) -> list[str]:
        try:
            users = self._commands.ask("HKEYS", self._key("m", app_id, channel))
        except ClusterUnavailable:
            view = self._views.get((app_id, channel))
            return [] if view is None else list(view.infos)
        return [user.decode() for user in users]

    def connections(self, app_id: str) -> int:
        try:
            return _number(self._commands.ask("HGET", self._key("c"), app_id))
        except ClusterUnavailable:
            return self._held.connections.get(app_id, 0)

    def may_tell_count(self, app_id: str, channel: str, seconds: float) -> bool:
        key = self._key("t", app_id, channel)
        try:
            return self._commands.ask("SET", key, 1, "NX", "PX", int(seconds * 1000)) is not None
        except ClusterUnavailable:
            return True

    def _counts_here(self, app_id: str, channel: str, count: int) -> ChannelCounts | None:
        if not count:
            return None
        if not kind_of(channel).is_presence:
            return ChannelCounts(count)
        view = self._views.get((app_id, channel))
        return ChannelCounts(count, 0 if view is None else len(view.infos))

    def _scan(self, key: str, prefix: str) -> Iterator[tuple[str, int]]:
        cursor: bytes | str = "0"
        pattern = f"{_escaped(prefix)}*"
        while True:
            cursor, pairs = self._commands.ask(
                "HSCAN", key, cursor, "MATCH", pattern, "COUNT", _SCAN_COUNT
            )
            for name, count in zip(pairs[::2], pairs[1::2], strict=True):
                yield name.decode(), int(count)
            if cursor in (b"0", "0"):
                return

    # Coming and going of Redis

    def synchronise(self, is_new_life: bool) -> None:
        """Tell Redis all that this node holds, and take back what it only believes. Yields.

        Args:
            is_new_life: Redis has lost its data; the other nodes will tell theirs too.

        Raises:
            ClusterUnavailable: Redis went away again.
        """
        self._is_out_of_step = False
        if is_new_life:
            for view in self._views.values():
                view.restart()
            gevent.spawn_later(self._membership.lease_seconds, self._settle)
        believed = self._membership.holdings()
        connections = believed["c"] | set(self._held.connections)
        for app_id in connections:
            self._hold("hold_connections", app_id, self._held.connections.get(app_id, 0), "")
        users = {tuple(field.split(" ", 1)) for field in believed["u"]} | set(self._held.users)
        for app_id, user_id in users:
            count = self._held.users.get((app_id, user_id), 0)
            self._hold("hold_user", app_id, user_id, count)
        wanted: list[tuple[str, str, str | None]] = []
        members = {tuple(field.split(" ", 2)) for field in believed["m"]}
        for (app_id, channel), held in self._held.members.items():
            members.update((app_id, channel, user_id) for user_id in held)
        wanted.extend((app_id, channel, user_id) for app_id, channel, user_id in members)
        places = {tuple(field.split(" ", 1)) for field in believed["s"]}
        places |= set(self._held.subscriptions)
        wanted.extend(
            (app_id, channel, None)
            for app_id, channel in places
            if not kind_of(channel).is_presence or (app_id, channel) not in self._held.members
        )
        for position in range(0, len(wanted), _SYNC_SLICE):
            jobs = [
                gevent.spawn(self._synchronise_one, *each)
                for each in wanted[position : position + _SYNC_SLICE]
            ]
            gevent.joinall(jobs, raise_error=True)

    def _synchronise_one(self, app_id: str, channel: str, user_id: str | None) -> None:
        member = None if user_id is None else Member(user_id, b"")
        answer = self._hold_subscription(app_id, channel, member, None)
        if member is not None and (app_id, channel) in self._views:
            self._merge((app_id, channel), answer)

    def refresh(self) -> None:
        """Get every roster: transitions may have been missed. Yields.

        Raises:
            ClusterUnavailable: Redis went away again.
        """
        places = list(self._views)
        for position in range(0, len(places), _SYNC_SLICE):
            asked = [
                (place, self._commands.begin_script("roster", *place))
                for place in places[position : position + _SYNC_SLICE]
            ]
            for place, answer in asked:
                self._take_roster(place, answer.get())

    @property
    def is_out_of_step(self) -> bool:
        """Redis has refused to be told something, and should be told everything again."""
        return self._is_out_of_step

    def _settle(self) -> None:
        for place, view in list(self._views.items()):
            if view.settle():
                self._fetch_soon(place)

    def _hold(self, script: str, *arguments: bytes | str | int) -> Any:
        """Run one of the scripts that hold; they know this node by its present name."""
        try:
            answer = self._commands.script(script, self._membership.node_id, *arguments)
        except ClusterUnavailable:
            self._is_out_of_step = True
            raise
        if answer is None:  # somebody took us for dead
            self._is_out_of_step = True
            self._membership.is_forgotten = True
            raise ClusterUnavailable("Redis does not know this node")
        return answer

    def _key(self, *parts: str) -> str:
        return ":".join((self._membership.prefix, *parts))


def _number(answer: Any) -> int:
    return int(answer or 0)


def _roster_of(flat: Any) -> dict[str, bytes]:
    return {user_id.decode(): info for user_id, info in zip(flat[::2], flat[1::2], strict=True)}


def _escaped(prefix: str) -> str:
    """The prefix with what a Redis pattern would take for a wildcard escaped."""
    return "".join(f"\\{letter}" if letter in "*?[]\\^-" else letter for letter in prefix)
