"""The implementations that each suite runs against: a new one is a new parameter here."""

import time
from collections.abc import Callable

import pytest

from fizz_gevent.cluster.memory import MemoryEventCache, MemoryRegistry
from fizz_gevent.ports import EventCache, Registry, Timer


class RealClock:
    """The machine's time, for caches whose events have to grow old."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        raise AssertionError("no cache asks to be called")


@pytest.fixture(params=["memory"])
def registry() -> Registry:
    return MemoryRegistry()


@pytest.fixture(params=["memory"])
def cache() -> EventCache:
    return MemoryEventCache(RealClock())
