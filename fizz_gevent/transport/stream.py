"""A socket for as long as HTTP is spoken on it: a greenlet may wait for it."""

import ssl
from typing import TYPE_CHECKING

import gevent

from fizz_gevent.transport.shortage import OUT_OF_MEMORY, PAUSE_SECONDS
from fizz_gevent.transport.tls import TlsSocket

if TYPE_CHECKING:
    from _socket import socket as Socket

_READ, _WRITE = 1, 2
_READS_WITHOUT_WAITING = 2
"""A peer that sends faster than it is served finds others served in between."""


def next_turn() -> None:
    """Go on when the loop has looked at all its sockets, and others have had what came there."""
    hub = gevent.get_hub()
    turn = hub.loop.timer(0)  # a callback would come before that
    try:
        hub.wait(turn)
    finally:
        turn.close()


class Stream:
    """Reads and writes a non-blocking socket; the calling greenlet waits where it has to.

    Attributes:
        socket: The socket below, to be handed on after an upgrade.
    """

    __slots__ = ("_reading", "_streak", "socket")

    def __init__(self, socket: "Socket | TlsSocket") -> None:
        self.socket = socket
        self._reading: gevent._types._Watcher | None = None
        self._streak = 0  # reads since the last wait

    def recv(self, size: int) -> bytes:
        """What has come, empty at the end; waits for it.

        Raises:
            OSError: The peer is gone.
        """
        self._streak += 1
        if self._streak > _READS_WITHOUT_WAITING:
            self.breathe()
        while True:
            try:
                return self.socket.recv(size)
            except BlockingIOError:
                pass
            self._streak = 0
            hub = gevent.get_hub()
            if self._reading is None:
                self._reading = hub.loop.io(self.socket.fileno(), _READ)
            hub.wait(self._reading)

    def sendall(self, data: bytes) -> None:
        """Send everything; waits while the socket is full.

        Raises:
            OSError: The peer is gone.
        """
        while data:
            try:
                count = self.socket.send(data)
            except BlockingIOError:
                self._wait(_WRITE)
            except OSError as error:
                if error.errno not in OUT_OF_MEMORY:
                    raise
                gevent.sleep(PAUSE_SECONDS)
            else:
                data = data[count:]

    def handshake(self, context: ssl.SSLContext) -> None:
        """Put TLS over the socket.

        Raises:
            OSError: The peer is gone, or speaks no TLS that we do (``ssl.SSLError``).
        """
        assert not isinstance(self.socket, TlsSocket)
        self.socket = TlsSocket(self.socket, context)
        while True:
            try:
                self.socket.handshake()
                return
            except BlockingIOError:
                self._wait(_READ)

    def breathe(self) -> None:
        """Let everybody else have a turn, in the middle of something long."""
        self._streak = 0
        next_turn()

    def release(self) -> None:
        """Let go of the socket without closing it."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _wait(self, events: int) -> None:
        hub = gevent.get_hub()
        watcher = hub.loop.io(self.socket.fileno(), events)
        try:
            hub.wait(watcher)
        finally:
            watcher.close()
