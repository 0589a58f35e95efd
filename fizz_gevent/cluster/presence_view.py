"""Who is in a presence channel, as the clients of this node have been told."""

from collections.abc import Container, Mapping
from dataclasses import dataclass

from fizz_gevent.protocol.envelope import Transition
from fizz_gevent.protocol.members import Member


@dataclass(frozen=True, slots=True)
class Change:
    """What the clients here have not been told yet."""

    added: tuple[Member, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


NO_CHANGE = Change()


class PresenceView:
    """One channel's members, and how far in the row of transitions this knowledge reaches.

    Whatever happens, a lost link, a transition that comes twice or late, a Redis that forgot
    everything: clients are told the difference between what they know and what is so, once.
    Pure; never yields.

    Attributes:
        infos: ``user_id`` to ``user_info``.
        latest: The number of the transition up to which this is known.
        heard: The number of the newest transition that came, taken over or not.
    """

    __slots__ = ("_provisional", "_unconfirmed", "heard", "infos", "latest")

    def __init__(self) -> None:
        self.infos: dict[str, bytes] = {}
        self.latest = -1
        self.heard = -1
        self._provisional: set[str] = set()
        self._unconfirmed: set[str] | None = None

    def merge(self, latest: int, roster: Mapping[str, bytes], held: Container[str]) -> Change:
        """Take over a whole roster, if it is not older than what is known.

        Args:
            held: Users who are here on this node: never gone, though Redis may have to hear of
                them first.
        """
        if latest < self.latest:
            return NO_CHANGE
        self.latest = latest
        added = tuple(
            Member(user_id, info) for user_id, info in roster.items() if user_id not in self.infos
        )
        gone = [user_id for user_id in self.infos if user_id not in roster and user_id not in held]
        if self._unconfirmed is not None:
            # Other nodes may not have said yet whom they hold.
            self._unconfirmed.update(gone)
            gone = []
        for user_id in gone:
            del self.infos[user_id]
        self.infos.update(roster)
        self._provisional.difference_update(roster)
        if self._unconfirmed is not None:
            self._unconfirmed.difference_update(roster)
        return Change(added, tuple(gone))

    def apply(self, transition: Transition, held: Container[str]) -> Change | None:
        """Take over one transition; None where one before it is missing, so a roster is needed.

        Args:
            held: As for ``merge``.
        """
        if transition.latest <= self.latest:
            return NO_CHANGE
        self.heard = max(self.heard, transition.latest)
        if transition.previous != self.latest and not (
            # An empty channel has no row to follow on; whatever comes first begins one.
            transition.previous == 0 and not self.infos
        ):
            return None
        self.latest = transition.latest
        user_id, info = transition.user_id, transition.user_info
        self._provisional.discard(user_id)
        if info is None:
            if user_id in held:
                return NO_CHANGE  # this node was given up for dead, and will say who is here
            if self._unconfirmed is not None:
                self._unconfirmed.discard(user_id)
            is_gone = self.infos.pop(user_id, None) is not None
            return Change(removed=(user_id,)) if is_gone else NO_CHANGE
        if self._unconfirmed is not None:
            self._unconfirmed.discard(user_id)
        is_known = user_id in self.infos
        self.infos[user_id] = info
        return NO_CHANGE if is_known else Change(added=(Member(user_id, info),))

    def add_alone(self, member: Member) -> Change:
        """Take in a member without Redis; it is this node's own until Redis has heard of it."""
        is_known = member.user_id in self.infos
        self.infos[member.user_id] = member.user_info
        if is_known:
            return NO_CHANGE
        self._provisional.add(member.user_id)
        return Change(added=(member,))

    def remove_alone(self, user_id: str) -> Change:
        """Let a member go without Redis.

        Only one that nobody but this node has: of another it is not known whether it is elsewhere
        too, so it stays until Redis tells.
        """
        if user_id not in self._provisional:
            return NO_CHANGE
        self._provisional.discard(user_id)
        del self.infos[user_id]
        return Change(removed=(user_id,))

    def restart(self) -> None:
        """Redis has lost its data: number from the beginning, and believe in no absence for now."""
        self.latest = self.heard = -1
        if self._unconfirmed is None:
            self._unconfirmed = set()

    def settle(self) -> bool:
        """Every node has had the time to say whom it holds: absences count again.

        Returns:
            Whether somebody was missing, so that a roster should be fetched.
        """
        missing, self._unconfirmed = self._unconfirmed, None
        return bool(missing)
