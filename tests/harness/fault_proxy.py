"""A TCP proxy between a node and its Redis, whose link a test cuts or lets fall silent."""

import contextlib
import selectors
import socket
import threading

from tests.harness.websocket import Address, open_socket


class FaultProxy:
    """Forwards bytes both ways, in a thread of the test process, until the test has it fail.

    Attributes:
        port: Where it listens on loopback.
    """

    def __init__(self, target: Address) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._lock = threading.Lock()
        self._is_cut = False
        self._is_silent = False
        self._is_closed = False
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """Reset every connection, and each new one at once, until ``resume``."""
        with self._lock:
            self._is_cut = True
            for each in list(self._pairs):
                self._drop(each)

    def silence(self) -> None:
        """Keep connections open and forward nothing any more: a blackhole, until ``resume``."""
        with self._lock:
            self._is_silent = True

    def resume(self) -> None:
        """Be a good link again. What was swallowed is gone with the connections it was on."""
        with self._lock:
            if self._is_silent:
                for each in list(self._pairs):
                    self._drop(each)
            self._is_cut = self._is_silent = False

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
        self._thread.join(5)

    def _run(self) -> None:
        while not self._is_closed:
            for key, _ in self._selector.select(0.05):
                with self._lock:
                    if key.data is None:
                        self._accept()
                    elif key.data in self._pairs:
                        self._forward(key.data)
        with self._lock:
            for each in list(self._pairs):
                self._drop(each)
            self._listener.close()
            self._selector.close()

    def _accept(self) -> None:
        try:
            near, _ = self._listener.accept()
        except OSError:
            return
        if self._is_cut:
            near.close()
            return
        try:
            far = open_socket(self._target)
        except OSError:
            near.close()
            return
        for each, other in ((near, far), (far, near)):
            each.settimeout(5)
            self._pairs[each] = other
            self._selector.register(each, selectors.EVENT_READ, each)

    def _forward(self, source: socket.socket) -> None:
        try:
            data = source.recv(65536)
            if not data:
                self._drop(source)
            elif not self._is_silent:
                self._pairs[source].sendall(data)
        except OSError:
            self._drop(source)

    def _drop(self, source: socket.socket) -> None:
        for each in (source, self._pairs.get(source)):
            if each is not None and self._pairs.pop(each, None) is not None:
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(each)
                each.close()
