"""How much memory the bodies of requests take that are still on their way."""

from fizz_gevent.transport.deadlines import Expiring

_LIMIT_BYTES = 1 << 26
"""Of all sockets together. A back end's request is here for a moment; that of somebody who lets it
drip, or stops in the middle, until its time is over."""


class Unfinished:
    """Bodies of which a part has come. Where they grow too many, the oldest are given up."""

    def __init__(self, limit_bytes: int = _LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._sizes: dict[Expiring, int] = {}  # in the order in which they began
        self.size_bytes = 0

    def add(self, owner: Expiring, size: int) -> None:
        """So many more bytes of a body have come. Never yields."""
        self._sizes[owner] = self._sizes.get(owner, 0) + size
        self.size_bytes += size
        while self.size_bytes > self._limit_bytes and len(self._sizes) > 1:
            oldest = next(iter(self._sizes))
            self.remove(oldest)
            oldest.expire()

    def remove(self, owner: Expiring) -> None:
        """A body is complete, or given up."""
        self.size_bytes -= self._sizes.pop(owner, 0)
