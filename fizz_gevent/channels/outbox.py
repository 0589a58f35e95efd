"""What waits to be written to one client."""

from collections.abc import Iterable
from typing import Protocol

_REFUSED = -2
"""The limit of an outbox that had to refuse a frame, until its owner cuts it."""


class Owner(Protocol):
    """Whoever holds the socket behind an outbox."""

    def end(self, code: int, reason: str) -> None:
        """Close with this code, after what is queued; idempotent, never yields."""


class Flusher(Protocol):
    """The one writer, as the rooms inside see it."""

    dirty: list["Outbox"]
    """Outboxes that hold something and that nobody is about to send yet."""

    overflowing: list["Outbox"]
    """Outboxes that had to refuse a frame; their clients are closed next."""

    gathering: list["Gathers"]
    """Who holds back frames until the end of this turn of the loop."""

    has_spread: bool
    """Something was broadcast since all lists were empty."""

    def schedule(self) -> None:
        """See to it that the three lists are worked off in this turn of the loop."""


class Gathers(Protocol):
    """Holds back frames for a while."""

    def spread(self) -> None:
        """Put all that is held back into outboxes. Never yields."""


class Outbox:
    """Frames waiting for one client, in order, bounded in bytes.

    The first frame has a place of its own, because most of the time there is only one: then
    nothing is allocated for this subscriber, and all subscribers hold the same ``bytes``.

    Attributes:
        first: What goes out first: a frame, or what is left of a half-sent one. None: all is sent.
        rest: Frames behind ``first``.
        size_bytes: What waits, ``first`` included.
        limit_bytes: Most that may wait; below 0 once nothing more is taken.
        owner: Holds the socket; the flusher writes through it.
    """

    __slots__ = ("first", "flusher", "limit_bytes", "owner", "rest", "size_bytes")

    def __init__(self, flusher: Flusher, limit_bytes: int, owner: Owner) -> None:
        self.first: bytes | None = None
        self.rest: list[bytes] | None = None
        self.size_bytes = 0
        self.limit_bytes = limit_bytes
        self.flusher = flusher
        self.owner = owner

    def put(self, frame: bytes) -> bool:
        """Queue one frame; False where it no longer fits, and the client will be closed.

        Never yields and never writes; the flusher is told.
        """
        size_bytes = self.size_bytes + len(frame)
        if size_bytes > self.limit_bytes:
            self._refuse()
            return False
        self.size_bytes = size_bytes
        if self.first is None:
            self.first = frame
            flusher = self.flusher
            flusher.dirty.append(self)
            flusher.schedule()
        elif self.rest is None:
            self.rest = [frame]
        else:
            self.rest.append(frame)
        return True

    def finish(self, frame: bytes) -> None:
        """Queue the last frame, a close frame; from now on nothing is taken."""
        if self.limit_bytes == _REFUSED:  # in this very turn
            self.cut(frame)
        elif self.limit_bytes >= 0:
            self.limit_bytes = self.size_bytes + len(frame)
            self.put(frame)
            self.limit_bytes = -1

    def discard(self) -> None:
        """Forget all that waits and take nothing more: the client is gone."""
        self.first = self.rest = None
        self.size_bytes = 0
        self.limit_bytes = -1

    def cut(self, frame: bytes) -> None:
        """Queue the last frame in place of all that stands behind ``first``.

        ``first`` stays, for a part of it may have gone out already.
        """
        if self.first is None:
            self.first = frame
        else:
            self.rest = [frame]
        self.size_bytes = len(self.waiting())
        self.limit_bytes = -1

    def waiting(self) -> bytes:
        """All that waits as one piece of bytes, to be sent in one system call."""
        first, rest = self.first, self.rest
        if rest is None:
            return first or b""
        return b"".join((first or b"", *rest))

    def sent(self, data: bytes, count: int) -> None:
        """Note that the first ``count`` bytes of ``data``, which ``waiting`` gave, have gone."""
        self.rest = None
        if count == len(data):
            self.first = None
            self.size_bytes = 0
        else:
            self.first = data[count:]
            self.size_bytes = len(data) - count

    def _refuse(self) -> None:
        if self.limit_bytes >= 0:
            self.limit_bytes = _REFUSED
            self.flusher.overflowing.append(self)
            self.flusher.schedule()


def spread(frame: bytes, outboxes: Iterable[Outbox], flusher: Flusher) -> None:
    """Queue one frame, or several in one piece, in many outboxes.

    The same as ``put`` on each, written out: with thousands of subscribers the method call is
    the larger part of what is spent here per subscriber. Never yields.
    """
    length = len(frame)
    dirty = flusher.dirty.append
    for outbox in outboxes:
        size_bytes = outbox.size_bytes + length
        if size_bytes > outbox.limit_bytes:
            outbox._refuse()
            continue
        outbox.size_bytes = size_bytes
        if outbox.first is None:
            outbox.first = frame
            dirty(outbox)
        elif outbox.rest is None:
            outbox.rest = [frame]
        else:
            outbox.rest.append(frame)
    flusher.has_spread = True
    flusher.schedule()
