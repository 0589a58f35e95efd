"""What a parent and one of its workers say to each other, over a pair of sockets.

Whole messages: a letter that says what it is, its length, its bytes. Parents send ``INHERITANCE``
first, and then what they please; a worker sends one ``REPORT``, and a ``REPLY`` for each
``QUESTION``. The pair is called a lifeline because its end tells either of them that the other is
dead.
"""

import contextlib
import socket
import struct

from gevent.lock import BoundedSemaphore

_HEAD = struct.Struct("!cI")
NUMBER = struct.Struct("!I")
"""Stands before a question and its reply."""

INHERITANCE, GO, CONFIGURATION, QUESTION, RETIRE = b"i", b"g", b"c", b"q", b"r"
"""From a parent: all that a worker begins with (pickled), that it may accept clients, a new
configuration (pickled), a numbered line of the control socket, that others have taken its place."""
REPORT, REPLY = b"p", b"a"
"""From a worker: that it is ready or why it cannot be, a numbered reply."""

_LONGEST = 64 * 1024 * 1024


class Lifeline:
    """One end. Several greenlets may send, one receives."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = BoundedSemaphore(1)

    def fileno(self) -> int:
        """The number of the file."""
        return self._socket.fileno()

    def send(self, kind: bytes, body: bytes = b"") -> None:
        """Send one message. Yields.

        Raises:
            OSError: The other side is gone.
        """
        with self._sending:
            self._socket.sendall(_HEAD.pack(kind, len(body)) + body)

    def receive(self) -> tuple[bytes, bytes]:
        """The next message: what it is, and its bytes. Yields.

        Raises:
            OSError: The other side is gone, or says what is no message.
        """
        kind, length = _HEAD.unpack(self._receive(_HEAD.size))
        if length > _LONGEST:
            raise ConnectionAbortedError("this is no message")
        return kind, self._receive(length)

    def close(self) -> None:
        """Let go of it."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def _receive(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                raise ConnectionAbortedError("the other end of the lifeline is gone")
            data += more
        return bytes(data)
