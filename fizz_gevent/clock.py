"""The clock of the running server."""

import time
from collections.abc import Callable

import gevent

from fizz_gevent.ports import Timer


class SystemClock:
    """The machine's time, and gevent's timers."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    def later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back in a greenlet of its own. Never yields."""
        return _GeventTimer(gevent.spawn_later(seconds, callback))


class _GeventTimer:
    __slots__ = ("_greenlet",)

    def __init__(self, greenlet: "gevent.Greenlet[[], object]") -> None:
        self._greenlet = greenlet

    def cancel(self) -> None:
        """Let it not happen. Never yields."""
        self._greenlet.kill(block=False)
