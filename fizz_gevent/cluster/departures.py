"""Users who have signed out a moment ago, and count as online a little longer."""

import math
from collections.abc import Container, Iterable

from fizz_gevent.ports import Clock
from fizz_gevent.protocol.users import OFFLINE_AFTER


class Departures:
    """When users left of whom this node knows that nothing is left. Never yields.

    What is over is forgotten with the next call, so there are never more than a few seconds' worth.

    Protocol: §9.3.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[tuple[str, str], float] = {}
        """In the order of leaving, which is that of the ends too."""

    def left(self, app_id: str, user_id: str) -> None:
        """The last signed-in connection of a user is gone."""
        now = self._clean()
        self._until.pop((app_id, user_id), None)
        self._until[app_id, user_id] = now + OFFLINE_AFTER

    def returned(self, app_id: str, user_id: str) -> None:
        """A user has signed in."""
        self._clean()
        self._until.pop((app_id, user_id), None)

    def online(
        self, app_id: str, user_ids: Iterable[str], signed_in: Container[tuple[str, str]]
    ) -> dict[str, float]:
        """What ``Registry.online`` answers where ``signed_in`` is all there is to know."""
        now = self._clean()
        found: dict[str, float] = {}
        for user_id in user_ids:
            if (app_id, user_id) in signed_in:
                found[user_id] = math.inf
            elif (app_id, user_id) in self._until:
                found[user_id] = self._until[app_id, user_id] - now
        return found

    def _clean(self) -> float:
        now = self._clock.monotonic()
        while self._until:
            key = next(iter(self._until))
            if self._until[key] > now:
                break
            del self._until[key]
        return now
