"""Who is where, decided in Redis; from what this node knows while Redis is away."""

import contextlib
from collections.abc import Callable
from typing import Any

import gevent

from fizz_gevent.cluster.census import Census
from fizz_gevent.cluster.commands import Commands
from fizz_gevent.cluster.membership import Membership
from fizz_gevent.cluster.presence_view import PresenceView
from fizz_gevent.cluster.redis_listener import RedisListener
from fizz_gevent.cluster.rosters import Place
from fizz_gevent.errors import ClusterUnavailable
from fizz_gevent.ports import Clock, Inbox
from fizz_gevent.protocol.envelope import Transition
from fizz_gevent.protocol.members import Joined, Left, Member
from fizz_gevent.protocol.names import kind_of
from fizz_gevent.protocol.users import OFFLINE_AFTER

_SYNC_SLICE = 200


class RedisRegistry(Census):
    """The registry of a cluster: transitions are decided by scripts, each exactly once.

    What this node holds is kept here too and told to Redis as absolute counts, so after any
    trouble the same words, said again, put everything right. Presence transitions come back over
    the bus to every node, this one included, and the view of each channel makes of them what the
    clients here have yet to hear; so ``Joined`` and ``Left`` say nothing of first and last.

    Attributes:
        news_of: What a script shall note for back ends of an application where a channel (its
            name) or a member changes, see ``hold_subscription.lua``; empty for nothing.
        on_news: Called when a script may have noted something. Never yields.
    """

    def __init__(
        self, commands: Commands, membership: Membership, listener: RedisListener, clock: Clock
    ) -> None:
        super().__init__(commands, membership.prefix, clock)
        self._membership = membership
        self._listener = listener
        self._inbox: Inbox
        self.presence_members = self._held.presence_members
        self._signed_in_alone: set[tuple[str, str]] = set()
        self.news_of: Callable[[str, str], str] = lambda app_id, channel: ""
        self.on_news: Callable[[], None] = lambda: None
        self._came_alone: set[tuple[Place, str | None]] = set()
        self._is_known_already = False
        self._is_out_of_step = False

    @property
    def is_partial(self) -> bool:
        return super().is_partial or not self._membership.is_up

    def start(self, inbox: Inbox) -> None:
        """Begin to tell the clients here of members who come and go. Never yields."""
        self._inbox = self._rosters.inbox = inbox

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
        # Told again without this one: another connection's word may have counted it meanwhile.
        self.disconnect(app_id, socket_id)
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
        if member is not None:
            self._rosters.of(place)  # a transition may overtake the answer
        with contextlib.suppress(ClusterUnavailable):  # heard when the link is back
            self._listener.watch(app_id, channel)
        try:
            answer = self._hold_subscription(app_id, channel, member, max_members)
        except ClusterUnavailable:
            return self._join_alone(place, member, max_members)
        if answer[0] == 0:
            self._refuse(place, member)
            return None
        total, turned = int(answer[1]), bool(answer[2])
        self._listener.note_start(app_id, channel, int(answer[4]))
        if member is None:
            return Joined(total, is_first=turned)
        view = self._merge(place, answer)
        self._rosters.tell(place, view.add_alone(member))  # where the view is ahead, and without
        return Joined(total, is_first=turned, roster=view.infos)

    def update(self, app_id: str, channel: str, socket_id: str, member: Member) -> Joined:
        self._held.update(app_id, channel, member)
        place = (app_id, channel)
        try:
            answer = self._hold_subscription(app_id, channel, member, None)
        except ClusterUnavailable:
            view = self._rosters.of(place)
            self._rosters.tell(place, view.add_alone(member))
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
            self._rosters.forget(place)
        try:
            member = None if user_id is None else Member(user_id, b"")
            answer = self._hold_subscription(app_id, channel, member, None)
        except ClusterUnavailable:
            is_still_here = user_id is None or self._held.member(app_id, channel, user_id)[0]
            if count and not is_still_here and user_id is not None:
                self._rosters.tell(place, self._rosters.of(place).remove_alone(user_id))
            return Left(count, count == 0)
        if member is not None and self._rosters.known(place) is not None:
            self._merge(place, answer)
        return Left(int(answer[1]), is_last=bool(answer[2]))

    def _hold_subscription(
        self,
        app_id: str,
        channel: str,
        member: Member | None,
        max_members: int | None,
        news: str | None = None,
    ) -> Any:
        news = self.news_of(app_id, channel) if news is None else news
        arguments: list[bytes | str | int] = [app_id, channel, self._held.count(app_id, channel)]
        if member is not None:
            held, info = self._held.member(app_id, channel, member.user_id)
            limit = "" if max_members is None else max_members
            arguments += [member.user_id, held, info, limit]
        answer = self._hold("hold_subscription", *arguments, news)
        if news and (answer[2] or answer[3]):
            self.on_news()
        return answer

    def _join_alone(
        self, place: Place, member: Member | None, max_members: int | None
    ) -> Joined | None:
        """Enter a subscription while Redis is away; it is told of it on return."""
        self._is_out_of_step = True
        self._listener.note_start(*place, 0)  # a later one here must not be taken for the first
        count = self._held.count(*place)
        if count == 1:
            self._came_alone.add((place, None))
        if member is None:
            return Joined(count, is_first=count == 1)
        view = self._rosters.of(place)
        is_full = max_members is not None and len(view.infos) >= max_members
        if is_full and member.user_id not in view.infos:
            self._give_back(place, member)
            return None
        if self._held.member(*place, member.user_id)[0] == 1:
            self._came_alone.add((place, member.user_id))
        self._rosters.tell(place, view.add_alone(member))
        return Joined(count, is_first=count == 1, roster=view.infos)

    def _refuse(self, place: Place, member: Member | None) -> None:
        """Take back what was counted for a subscription to a full channel."""
        self._give_back(place, member)
        # Told again without it: another subscription's word may have counted it meanwhile.
        gone = None if member is None else Member(member.user_id, b"")
        with contextlib.suppress(ClusterUnavailable):
            answer = self._hold_subscription(*place, gone, None)
            if gone is not None and self._rosters.known(place) is not None:
                self._merge(place, answer)

    def _give_back(self, place: Place, member: Member | None) -> None:
        app_id, channel = place
        self._held.remove(app_id, channel, None if member is None else member.user_id)
        if not self._held.count(app_id, channel):
            self._listener.unwatch(app_id, channel)
            self._rosters.forget(place)

    # Presence

    def transition(self, app_id: str, channel: str, transition: Transition) -> None:
        """A member came or went, as the bus tells. Never yields."""
        self._rosters.transition((app_id, channel), transition)

    def _merge(self, place: Place, answer: Any) -> PresenceView:
        return self._rosters.merge(place, int(answer[5]), answer[6:])

    def refresh(self) -> None:
        """Get every roster, and have counts told: changes may have been missed. Yields.

        Raises:
            ClusterUnavailable: Redis went away again.
        """
        self._rosters.refresh()
        for app_id, channel in self._held.subscriptions:
            self._tell_count(app_id, channel)

    def begin_again(self) -> None:
        """Redis has lost its data, and every node will tell what it holds. Never yields."""
        self._is_known_already = True  # back ends were told of who is here, before
        self._rosters.begin_again(self._membership.lease_seconds)

    # Users

    def sign_in(self, app_id: str, user_id: str, socket_id: str) -> bool:
        count = self._held.change_user(app_id, user_id, 1)
        self._departures.returned(app_id, user_id)
        if self._hold_user(app_id, user_id, count):
            return False  # the bus tells every node, this one too
        if count == 1:
            self._signed_in_alone.add((app_id, user_id))
        return count == 1

    def sign_out(self, app_id: str, user_id: str, socket_id: str) -> bool:
        count = self._held.change_user(app_id, user_id, -1)
        if not count:
            self._departures.left(app_id, user_id)
        if self._hold_user(app_id, user_id, count) or count:
            return False
        # Of somebody who was there before Redis went it is not known whether they are elsewhere.
        is_known = (app_id, user_id) in self._signed_in_alone
        self._signed_in_alone.discard((app_id, user_id))
        return is_known

    def _hold_user(self, app_id: str, user_id: str, count: int) -> bool:
        """Tell Redis; False where it is away."""
        try:
            self._tell_user(app_id, user_id, count)
        except ClusterUnavailable:
            return False
        return True

    def _tell_user(self, app_id: str, user_id: str, count: int) -> None:
        self._hold("hold_user", app_id, user_id, count, int(OFFLINE_AFTER * 1000))

    # Coming and going of Redis

    def synchronise(self) -> None:
        """Tell Redis all that this node holds, and take back what it only believes. Yields.

        Raises:
            ClusterUnavailable: Redis went away again.
        """
        self._is_out_of_step = False
        believed = self._membership.holdings()
        connections = believed["c"] | set(self._held.connections)
        for app_id in connections:
            self._hold("hold_connections", app_id, self._held.connections.get(app_id, 0), "")
        users = {tuple(field.split(" ", 1)) for field in believed["u"]} | set(self._held.users)
        for app_id, user_id in users:
            self._tell_user(app_id, user_id, self._held.users.get((app_id, user_id), 0))
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
        self._signed_in_alone.clear()
        self._came_alone.clear()
        self._is_known_already = False

    def _synchronise_one(self, app_id: str, channel: str, user_id: str | None) -> None:
        member = None if user_id is None else Member(user_id, b"")
        news = self.news_of(app_id, channel)
        if news and self._is_known_already:
            is_new = ((app_id, channel), None) in self._came_alone
            is_new_member = ((app_id, channel), user_id) in self._came_alone
            news = f"{'s' * is_new}{'m' * is_new_member} {news.partition(' ')[2]}"
        answer = self._hold_subscription(app_id, channel, member, None, news)
        if member is None:
            self._tell_count(app_id, channel)
        elif self._rosters.known((app_id, channel)) is not None:
            self._merge((app_id, channel), answer)

    def _tell_count(self, app_id: str, channel: str) -> None:
        """Have every node tell its subscribers how many there are. Never yields."""
        if kind_of(channel).has_count_events and self._inbox.wants_counts(app_id):
            self._commands.begin_script("tell_count", app_id, channel)

    @property
    def is_out_of_step(self) -> bool:
        """Redis has refused to be told something, and should be told everything again."""
        return self._is_out_of_step

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
