"""Time and the turns of the event loop, moved by the hands of a test."""

import heapq
import itertools
from collections.abc import Callable
from typing import Protocol, cast

from fizz_gevent.channels.outbox import Gathers, Outbox

UNIX_START = 1700000000.0
MONOTONIC_START = 5000.0
"""Apart from each other, so that whoever reads the wrong clock is found out."""


class HandTimer:
    """A call that happens when a test moves the clock far enough."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class HandClock:
    """Time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self._order = itertools.count()
        self._timers: list[tuple[float, int, HandTimer]] = []

    def now(self) -> float:
        return UNIX_START + self.elapsed

    def monotonic(self) -> float:
        return MONOTONIC_START + self.elapsed

    def later(self, seconds: float, callback: Callable[[], object]) -> HandTimer:
        timer = HandTimer(callback)
        heapq.heappush(self._timers, (self.elapsed + seconds, next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Move on, and make each call that falls due at its own time."""
        until = self.elapsed + seconds
        while self._timers and self._timers[0][0] <= until:
            self.elapsed, _, timer = heapq.heappop(self._timers)
            if timer.callback is not None:
                callback, timer.callback = timer.callback, None
                callback()
        self.elapsed = until

    @property
    def pending(self) -> int:
        """How many calls are still to come."""
        return sum(timer.callback is not None for _, _, timer in self._timers)


class Receiver(Protocol):
    """Holds an outbox whose bytes the flusher takes."""

    def take(self, data: bytes) -> int:
        """Take in what was sent; return how many bytes of it."""

    def overflowed(self) -> None:
        """Close, for the outbox had to refuse a frame."""


class HandFlusher:
    """Works off its lists when a test ends the turn, in the order of the real one."""

    def __init__(self) -> None:
        self.dirty: list[Outbox] = []
        self.overflowing: list[Outbox] = []
        self.gathering: list[Gathers] = []
        self.is_scheduled = False

    def schedule(self) -> None:
        self.is_scheduled = True

    def turn(self) -> None:
        """End this turn of the loop."""
        assert self.is_scheduled or not (self.dirty or self.overflowing or self.gathering), (
            "something waits, and nobody has asked for a flush"
        )
        self.is_scheduled = False
        for gathering in self.gathering:
            gathering.spread()
        self.gathering.clear()
        batch = self.dirty[:]
        self.dirty.clear()
        for outbox in batch:
            if outbox.first is not None:
                data = outbox.waiting()
                outbox.sent(data, cast("Receiver", outbox.owner).take(data))
        overflowing = self.overflowing[:]
        self.overflowing.clear()
        for outbox in overflowing:
            cast("Receiver", outbox.owner).overflowed()
