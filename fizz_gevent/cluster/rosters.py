"""Who is in the presence channels of this node, and what its clients hear of it."""

from typing import Any

import gevent

from fizz_gevent.cluster.commands import Commands
from fizz_gevent.cluster.holdings import Holdings
from fizz_gevent.cluster.presence_view import Change, PresenceView
from fizz_gevent.errors import ClusterUnavailable
from fizz_gevent.ports import Inbox
from fizz_gevent.protocol.envelope import Transition

_SLICE = 200

Place = tuple[str, str]
"""An application's id and a channel's name."""


class Rosters:
    """A view of each presence channel that has a member here, kept by transitions and rosters.

    Transitions come over the bus, rosters in answers of scripts; the two overtake each other.

    Attributes:
        inbox: Hears what has changed for the clients here.
    """

    def __init__(self, commands: Commands, held: Holdings) -> None:
        self._commands = commands
        self._held = held
        self.inbox: Inbox
        self._views: dict[Place, PresenceView] = {}
        self._fetching: set[Place] = set()
        self._settling: gevent.Greenlet[..., None] | None = None

    def of(self, place: Place) -> PresenceView:
        """The view of a channel, which comes to be where it is new. Never yields."""
        view = self._views.get(place)
        if view is None:
            view = self._views[place] = PresenceView()
        return view

    def known(self, place: Place) -> PresenceView | None:
        """The view of a channel that somebody is in here. Never yields."""
        return self._views.get(place)

    def forget(self, place: Place) -> None:
        """Nobody here is in the channel any more, or has been told anything. Never yields."""
        self._views.pop(place, None)

    def merge(self, place: Place, latest: int, flat: Any) -> PresenceView:
        """Take over a roster that came with an answer. Never yields."""
        view = self.of(place)
        held = self._held.members.get(place, ())
        self.tell(place, view.merge(latest, roster_of(flat), held))
        return view

    def transition(self, place: Place, transition: Transition) -> None:
        """Take over what the bus tells of a member. Never yields."""
        view = self._views.get(place)
        if view is None:
            return
        change = view.apply(transition, self._held.members.get(place, ()))
        if change is None:
            self._fetch_soon(place)
        else:
            self.tell(place, change)

    def tell(self, place: Place, change: Change) -> None:
        """Let the clients here hear of a change. Never yields."""
        if change:
            self.inbox.members_changed(*place, change.added, change.removed)

    def refresh(self) -> None:
        """Get every roster: transitions may have been missed. Yields.

        Raises:
            ClusterUnavailable: Redis went away again.
        """
        places = list(self._views)
        for position in range(0, len(places), _SLICE):
            asked = [
                (place, self._commands.begin_script("roster", *place))
                for place in places[position : position + _SLICE]
            ]
            for place, answer in asked:
                self._take(place, answer.get())

    def begin_again(self, seconds: float) -> None:
        """Redis has lost its data; in so many seconds every node will have told its members.

        Never yields.
        """
        for view in self._views.values():
            view.restart()
        if self._settling is not None:
            self._settling.kill(block=False)
        self._settling = gevent.spawn_later(seconds, self._settle)

    def _settle(self) -> None:
        for place, view in list(self._views.items()):
            if view.settle():
                self._fetch_soon(place)

    def _take(self, place: Place, answer: Any) -> None:
        if place in self._views:
            self.merge(place, int(answer[0]), answer[1:])

    def _fetch_soon(self, place: Place) -> None:
        if place not in self._fetching:
            self._fetching.add(place)
            gevent.spawn(self._fetch, place)

    def _fetch(self, place: Place) -> None:
        """Get a roster because transitions are missing, and another if more came meanwhile."""
        try:
            while (view := self._views.get(place)) is not None:
                answer: Any = self._commands.script("roster", *place)
                self._take(place, answer)
                if int(answer[0]) == 0 or view.latest >= view.heard:
                    return
        except ClusterUnavailable:
            return  # the next synchronisation brings it
        finally:
            self._fetching.discard(place)


def roster_of(flat: Any) -> dict[str, bytes]:
    """The members in an answer of Redis: ``user_id`` to ``user_info``."""
    return {user_id.decode(): info for user_id, info in zip(flat[::2], flat[1::2], strict=True)}
