"""Rates that all workers of this server keep together, in memory that all of them see.

A back end keeps a connection open and so stays with one worker, or opens one for each request and
meets them all: a share of the rate for each worker would be wrong in one way or the other.
"""

import contextlib
import fcntl
import hashlib
import mmap
import os
from collections.abc import Iterator

from fizz_gevent.channels.rate_limit import Bucket, TokenBucket

_SLOTS = 8192
_FIELDS = 4
_NAME, _RATE, _TOKENS, _UPDATED = range(_FIELDS)
_LOCK_TRIES = 100

SIZE = _SLOTS * _FIELDS * 8
"""Bytes of memory, of which only the touched pages exist."""


class SharedRates:
    """One worker's view of them. Never yields.

    Args:
        fd: A file of ``SIZE`` bytes, all of them 0 at first; closed by ``close``.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._map = mmap.mmap(fd, SIZE)
        self._whole = memoryview(self._map)
        self._names = self._whole.cast("Q")
        self._numbers = self._whole.cast("d")

    def close(self) -> None:
        """Let go of the memory."""
        for view in (self._names, self._numbers, self._whole):
            view.release()
        self._map.close()
        os.close(self._fd)

    def bucket(self, name: str, rate: float, now: float) -> Bucket:
        """The bucket of this name, the same for every worker.

        Args:
            now: As for ``TokenBucket``; the monotonic clock is the machine's, so all workers read
                the same one.
        """
        digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
        number = int.from_bytes(digest, "big") or 1
        with self._locked():
            for step in range(_SLOTS):
                slot = (number + step) % _SLOTS * _FIELDS
                if self._names[slot + _NAME] in (0, number):
                    break
            else:
                return TokenBucket(rate, now)  # so many applications come and go on no server
            if self._names[slot + _NAME] == 0 or self._numbers[slot + _RATE] != rate:
                self._names[slot + _NAME] = number
                self._numbers[slot + _RATE] = rate
                self._numbers[slot + _TOKENS] = rate
                self._numbers[slot + _UPDATED] = now
        return _SharedBucket(self, slot, rate)

    def take(self, slot: int, rate: float, now: float, count: int) -> tuple[bool, float]:
        """Use up tokens if there are enough; whether there were, and how many there are now."""
        numbers = self._numbers
        with self._locked():
            updated = numbers[slot + _UPDATED]
            passed = max(0.0, now - updated)  # another worker may have looked at the clock later
            tokens = min(rate, numbers[slot + _TOKENS] + passed * rate)
            is_enough = tokens >= count
            if is_enough:
                tokens -= count
            numbers[slot + _TOKENS] = tokens
            numbers[slot + _UPDATED] = max(now, updated)
        return is_enough, tokens

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep the other workers out; not if one is stopped in there, which must stop nobody."""
        is_locked = False
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            is_locked = True
            break
        try:
            yield
        finally:
            if is_locked:
                fcntl.lockf(self._fd, fcntl.LOCK_UN)


class _SharedBucket:
    """A ``TokenBucket`` whose tokens are everybody's."""

    __slots__ = ("_rates", "_slot", "_tokens", "rate")

    def __init__(self, rates: SharedRates, slot: int, rate: float) -> None:
        self.rate = rate
        self._rates = rates
        self._slot = slot
        self._tokens = 0.0

    def take(self, now: float, count: int = 1) -> bool:
        is_enough, self._tokens = self._rates.take(self._slot, self.rate, now, count)
        return is_enough

    def seconds_until(self, count: int = 1) -> float:
        return max(0.0, (min(count, self.rate) - self._tokens) / self.rate)
