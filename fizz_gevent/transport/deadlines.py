"""Time limits of HTTP connections, kept without a timer each."""

from typing import Protocol


class Expiring(Protocol):
    """Something that may not go on for ever."""

    deadline: float | None
    is_idle: bool

    def expire(self) -> None:
        """The deadline has passed. Must not yield."""


class Deadlines:
    """A set of things with a deadline, looked through once in a while.

    HTTP connections are few and short beside WebSockets, so looking at all of them twice a
    second costs less than starting and stopping a timer for each request.
    """

    def __init__(self) -> None:
        self._expiring: set[Expiring] = set()

    def __len__(self) -> int:
        return len(self._expiring)

    def add(self, expiring: Expiring) -> None:
        """Begin to look at it."""
        self._expiring.add(expiring)

    def discard(self, expiring: Expiring) -> None:
        """Look at it no more."""
        self._expiring.discard(expiring)

    def idle(self) -> list[Expiring]:
        """Those that may be given up at any moment."""
        return [expiring for expiring in self._expiring if expiring.is_idle]

    def sweep(self, now: float) -> None:
        """Expire whatever is past its deadline (monotonic seconds). Never yields."""
        for expiring in tuple(self._expiring):
            if expiring.deadline is not None and expiring.deadline <= now:
                expiring.deadline = None
                expiring.expire()

    def hurry(self) -> None:
        """Expire whatever is idle: the server stops, what has begun may end. Never yields."""
        for expiring in tuple(self._expiring):
            if expiring.is_idle:
                expiring.deadline = None
                expiring.expire()
