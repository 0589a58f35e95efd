"""Who has something to read: a thin loop over epoll, or over what the system has in its place."""

import select
import selectors
import time
from collections.abc import Callable

Reader = Callable[[], None]


class Loop:
    """Calls the reader of each socket that has data, level-triggered.

    ``selectors`` costs a microsecond more for each event, which is a third of what reading a frame
    costs; so epoll is used as it is where there is one.
    """

    def __init__(self) -> None:
        self._readers: dict[int, Reader] = {}
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self._selector = None if self._epoll else selectors.DefaultSelector()

    def add(self, fd: int, reader: Reader) -> None:
        self._readers[fd] = reader
        if self._epoll is not None:
            self._epoll.register(fd, select.EPOLLIN)
        elif self._selector is not None:
            self._selector.register(fd, selectors.EVENT_READ)

    def remove(self, fd: int) -> None:
        """Forget a socket; call it before the socket is closed."""
        if self._readers.pop(fd, None) is not None:
            if self._epoll is not None:
                self._epoll.unregister(fd)
            elif self._selector is not None:
                self._selector.unregister(fd)

    def turn(self, timeout: float) -> int:
        """Wait for data, at most so many seconds, and read it; return from how many sockets."""
        if self._epoll is not None:
            ready = [fd for fd, _ in self._epoll.poll(timeout, 256)]
        else:
            assert self._selector is not None
            ready = [key.fd for key, _ in self._selector.select(timeout)]
        readers = self._readers
        for fd in ready:
            reader = readers.get(fd)  # one read before may have closed this one
            if reader is not None:
                reader()
        return len(ready)

    def until(self, is_done: Callable[[], bool], *, within: float) -> bool:
        """Turn until something is so; False where it took too long."""
        deadline = time.monotonic() + within
        while not is_done():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.turn(min(left, 0.1))
        return True
