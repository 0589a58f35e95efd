"""Where the truth may be kept: every suite here runs against each of these.

A backend that needs a server of its own is one more entry, and a marker on it.
"""

import contextlib
import time
from collections.abc import Callable, Iterator

from fizz_gevent.cluster.memory import MemoryEventCache, MemoryRegistry
from fizz_gevent.ports import EventCache, Registry, Timer
from tests.contract.redis_backend import redis_cache, redis_registry


class RealTime:
    """The machine's time, for caches whose events have to grow old."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        raise AssertionError("no registry and no cache asks to be called")


@contextlib.contextmanager
def memory_registry(prefix: str) -> Iterator[Registry]:
    """The prefix keeps tests apart where they share a server; here each has its own memory."""
    yield MemoryRegistry(RealTime())


@contextlib.contextmanager
def memory_cache(prefix: str) -> Iterator[EventCache]:
    yield MemoryEventCache(RealTime())


Opened = Callable[[str], contextlib.AbstractContextManager[Registry]]
OpenedCache = Callable[[str], contextlib.AbstractContextManager[EventCache]]

REGISTRIES: dict[str, Opened] = {
    "memory": memory_registry,
    "redis": redis_registry(1),
    "redis of two nodes": redis_registry(2),
}
CACHES: dict[str, OpenedCache] = {
    "memory": memory_cache,
    "redis": redis_cache(1),
    "redis of two nodes": redis_cache(2),
}
"""One registry and one cache a test, of each backend in turn."""
