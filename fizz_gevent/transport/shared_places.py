"""WebSockets by address, counted by all workers of this server in memory that all of them see.

Addresses are many and come and go, so each is counted in one cell in each of a few rows, and its
count is what stands in the least of them: too much only where others share every one of its cells.
Each worker writes cells of its own, so nobody waits for anybody, and what a dead worker has counted
is taken back by emptying them.
"""

import hashlib
import mmap
import os

_ROWS = 4
_CELLS = 1 << 15
"""In each row: with 10,000 addresses, one in a hundred has a neighbour in all of its cells."""
_SEED_BYTES = 16
_HEAD_BYTES = 64
_CELL_BYTES = 4
_PLANE = _ROWS * _CELLS


def size_for(count: int) -> int:
    """Bytes of memory for so many workers, of which only the touched pages exist."""
    return _HEAD_BYTES + count * _PLANE * _CELL_BYTES


def sow(fd: int) -> None:
    """Make new memory ready: nobody outside can know which addresses are neighbours in it."""
    os.pwrite(fd, os.urandom(_SEED_BYTES), 0)


class SharedPlaces:
    """One worker's view of them. Nothing here yields, locks or fails.

    Args:
        fd: A file of the right size, all 0 but for what ``sow`` has put there; it may be closed
            afterwards.
        index: The worker whose cells this one writes.
    """

    def __init__(self, fd: int, index: int) -> None:
        self._map = mmap.mmap(fd, 0)
        self._seed = self._map[:_SEED_BYTES]
        self._whole = memoryview(self._map)
        self._cells = self._whole[_HEAD_BYTES:].cast("i")
        self._own = index * _PLANE

    def close(self) -> None:
        """Let go of the memory."""
        self._cells.release()
        self._whole.release()
        self._map.close()

    def add(self, address: str, change: int) -> None:
        """This worker has one more from there, or one less."""
        cells, own = self._cells, self._own
        for place in self._places(address):
            cells[own + place] += change

    def count(self, address: str) -> int:
        """How many all workers have from there; perhaps a few too many, never too few."""
        cells = self._cells
        return min(sum(cells[place::_PLANE]) for place in self._places(address))

    def forget(self, index: int) -> None:
        """Take back what a worker has counted that has died."""
        start = _HEAD_BYTES + index * _PLANE * _CELL_BYTES
        self._whole[start : start + _PLANE * _CELL_BYTES] = bytes(_PLANE * _CELL_BYTES)

    def _places(self, address: str) -> list[int]:
        digest = hashlib.blake2b(address.encode(), digest_size=_ROWS * 4, key=self._seed).digest()
        return [
            row * _CELLS + int.from_bytes(digest[row * 4 : row * 4 + 4], "big") % _CELLS
            for row in range(_ROWS)
        ]
