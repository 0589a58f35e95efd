"""What cache channels remember, kept in Redis for all nodes."""

import contextlib
from typing import Any

import orjson

from fizz_gevent.cluster.commands import Commands
from fizz_gevent.errors import ClusterUnavailable
from fizz_gevent.ports import CachedEvent, Clock

_NOT_PLACED = 1 << 62
"""Stands for the position of an event that Redis has not seen yet: newer than all that it has."""


class RedisEventCache:
    """The cached event of each channel: Redis's, or a newer one that this node has seen.

    The script that publishes an event caches it too. What this node publishes, and what the bus
    brings, is noted here as well: a subscriber must not miss an event that passed by while its
    question was on the way, nor wait for a Redis that is away.
    """

    def __init__(self, commands: Commands, prefix: str, clock: Clock) -> None:
        self._commands = commands
        self._prefix = prefix
        self._clock = clock
        self._noted: dict[tuple[str, str], tuple[float, bytes, int]] = {}

    def put(self, app_id: str, channel: str, data: str, payload: bytes, ttl: float) -> None:
        """Note what is about to be published from here. Never yields."""
        self._note(app_id, channel, payload, _NOT_PLACED, ttl)

    def note(self, app_id: str, channel: str, payload: bytes, position: int, ttl: float) -> None:
        """Note an event that the bus has brought, or the place of one published from here.

        Args:
            position: 0 where it is not known: then whatever Redis has is newer.
        """
        noted = self._noted.get((app_id, channel))
        if noted is not None:
            if noted[2] == _NOT_PLACED and noted[1] != payload:
                return  # something newer is on its way from here
            if position < noted[2] < _NOT_PLACED:
                return
        self._note(app_id, channel, payload, position, ttl)

    def get(self, app_id: str, channel: str) -> CachedEvent | None:
        """The newest event that is known of; waits for Redis."""
        answer: Any = None
        key = f"{self._prefix}:x:{app_id}:{channel}"
        with contextlib.suppress(ClusterUnavailable):
            asked = self._commands.begin(("GET", key)), self._commands.begin(("PTTL", key))
            answer = [each.get() for each in asked]
        noted = self._noted.get((app_id, channel))
        now = self._clock.monotonic()
        if answer is not None and answer[0] is not None:
            head, _, payload = answer[0].partition(b"\n")
            position = int(head)
            if noted is None or noted[2] <= position:
                return _event(payload, max(0.0, int(answer[1]) / 1000), position)
        if noted is None or noted[0] <= now:
            return None
        if answer is not None and answer[0] is None and 0 < noted[2] < _NOT_PLACED:
            return None  # Redis has forgotten it in the meantime
        until, payload, position = noted
        return _event(payload, until - now, 0 if position == _NOT_PLACED else position)

    def renumber(self) -> None:
        """Redis has lost its data: whatever it learns from now on is newer. Never yields."""
        for key, (until, payload, position) in self._noted.items():
            if position != _NOT_PLACED:
                self._noted[key] = until, payload, 0

    def sweep(self) -> None:
        """Forget what is too old. Never yields."""
        now = self._clock.monotonic()
        for key in [key for key, (until, _, _) in self._noted.items() if until <= now]:
            del self._noted[key]

    def _note(self, app_id: str, channel: str, payload: bytes, position: int, ttl: float) -> None:
        self._noted[app_id, channel] = (self._clock.monotonic() + ttl, payload, position)


def _event(payload: bytes, ttl: float, position: int) -> CachedEvent:
    return CachedEvent(orjson.loads(payload)["data"], payload, ttl, position)
