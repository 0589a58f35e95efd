"""How many sockets each worker of this server has, in memory that all of them see."""

import mmap
import os
import tempfile
import time

_FIELDS = 8  # a line of the cache for each worker
_BEAT, _SOCKETS, _WEBSOCKETS = range(3)
"""What stands in a worker's slot, each in eight bytes of its own, which are written in one go."""

_ALIVE_MS = 1500
"""A worker that has said nothing for so long is waited for by nobody."""

BEAT_SECONDS = 0.5


def size_for(count: int) -> int:
    """Bytes of memory for so many workers."""
    return count * _FIELDS * 8


def open_memory(size: int) -> int:
    """Make memory to share; returns its file, which ends with the last process that holds it."""
    with tempfile.TemporaryFile(prefix="fizz-shared-") as file:
        file.truncate(size)
        return os.dup(file.fileno())


class Balance:
    """One worker's view of the counts. Nothing here yields, locks or fails.

    Every worker writes only to its own slot. Counts that another one reads may be a moment old.

    Args:
        fd: What ``open_memory`` made; it may be closed afterwards.
        index: The worker whose slot this one writes.
        limit: How many WebSockets all workers may have together; None = no limit.
    """

    def __init__(self, fd: int, index: int, limit: int | None = None) -> None:
        self._map = mmap.mmap(fd, 0)
        self._cells = memoryview(self._map).cast("q")
        self._own = index * _FIELDS
        self._limit = limit

    def close(self) -> None:
        """Let go of the memory."""
        self._cells.release()
        self._map.close()

    def show(self, sockets: int, websockets: int) -> None:
        """Say what this worker has open now."""
        cells, own = self._cells, self._own
        cells[own + _SOCKETS] = sockets
        cells[own + _WEBSOCKETS] = websockets

    def beat(self) -> None:
        """Say that this worker accepts clients; to be said again every ``BEAT_SECONDS``."""
        self._cells[self._own + _BEAT] = _now_ms()

    def rest(self) -> None:
        """Say that this worker accepts nobody for now."""
        self._cells[self._own + _BEAT] = 0

    def forget(self, index: int) -> None:
        """Empty the slot of a worker that has died."""
        start = index * _FIELDS
        for field in range(_FIELDS):
            self._cells[start + field] = 0

    def is_ahead(self) -> bool:
        """Whether this worker has clearly more sockets than another one that accepts clients."""
        cells, own = self._cells, self._own
        sockets = cells[own + _SOCKETS]
        if sockets < 2:
            return False
        oldest = _now_ms() - _ALIVE_MS
        for slot in range(0, len(cells), _FIELDS):
            if slot != own and cells[slot + _BEAT] > oldest:
                others = cells[slot + _SOCKETS]
                if sockets >= others + 2 + others // 32:
                    return True
        return False

    def has_room(self) -> bool:
        """Whether all WebSockets together, those of this worker as shown, are within the limit.

        Two workers that take the last place in the same moment may both be told no; more than
        the limit there never are, as each shows its own before it asks.
        """
        if self._limit is None:
            return True
        cells = self._cells
        total = sum(cells[slot + _WEBSOCKETS] for slot in range(0, len(cells), _FIELDS))
        return total <= self._limit

    def beats(self) -> list[int]:
        """What each worker has shown last of its loop, which changes as long as that runs."""
        cells = self._cells
        return [cells[slot + _BEAT] for slot in range(0, len(cells), _FIELDS)]

    def counts(self) -> list[tuple[int, int]]:
        """Sockets and WebSockets of each worker."""
        cells = self._cells
        return [
            (cells[slot + _SOCKETS], cells[slot + _WEBSOCKETS])
            for slot in range(0, len(cells), _FIELDS)
        ]


def _now_ms() -> int:
    # The monotonic clock is the machine's, so all workers read the same one.
    return int(time.monotonic() * 1000)
