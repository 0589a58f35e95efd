"""How often something may happen."""

from collections.abc import Callable
from typing import Protocol


class Bucket(Protocol):
    """What limits a rate, alone or together with other processes."""

    rate: float

    def take(self, now: float, count: int = 1) -> bool:
        """Use up ``count`` tokens; False, and none used, where there are too few."""

    def seconds_until(self, count: int = 1) -> float:
        """How long until ``count`` tokens are there, from the last ``take`` on."""


MakeBucket = Callable[[str, float, float], Bucket]
"""Makes the bucket of a name, for a rate, full at a time."""


class TokenBucket:
    """Allows ``rate`` things a second, and as many at once after a quiet second.

    Protocol: §8, "Bucket".
    """

    __slots__ = ("_tokens", "_updated", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._tokens = float(rate)
        self._updated = now

    def take(self, now: float, count: int = 1) -> bool:
        """Use up ``count`` tokens; False, and none used, where there are too few.

        Args:
            now: Monotonic seconds.
        """
        tokens = min(self.rate, self._tokens + (now - self._updated) * self.rate)
        self._updated = now
        if tokens < count:
            self._tokens = tokens
            return False
        self._tokens = tokens - count
        return True

    def seconds_until(self, count: int = 1) -> float:
        """How long until ``count`` tokens are there, from the last ``take`` on."""
        return max(0.0, (min(count, self.rate) - self._tokens) / self.rate)


def own_bucket(name: str, rate: float, now: float) -> Bucket:
    """A bucket of this process alone."""
    return TokenBucket(rate, now)
