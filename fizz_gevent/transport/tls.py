"""TLS as bytes: encrypted in memory, so that plain sockets and TLS share one path."""

import contextlib
import ssl
from socket import SHUT_WR
from typing import TYPE_CHECKING

from fizz_gevent.transport.shortage import OUT_OF_MEMORY

if TYPE_CHECKING:
    from _socket import socket as Socket

_RECORD_BYTES = 65536


class TlsSocket:
    """Looks like a non-blocking socket to whoever reads and writes it.

    ``recv`` gives everything that can be decrypted, so nothing readable stays hidden from a
    watcher on the file descriptor. ``send`` says of the last byte that it was not taken for as
    long as the socket has not taken all of the ciphertext; so whoever sends comes again with that
    byte, and nothing stays behind that nobody waits for.
    """

    __slots__ = ("_incoming", "_is_over", "_outgoing", "_owed", "_socket", "_tls", "_unsent")

    def __init__(self, socket: "Socket", context: ssl.SSLContext) -> None:
        self._socket = socket
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._unsent = b""
        self._owed = 0  # bytes encrypted already and said not to be taken
        self._is_over = False

    def handshake(self) -> None:
        """Go on with the handshake as far as the bytes that have come allow.

        Raises:
            BlockingIOError: More has to come, or the socket is full.
            ssl.SSLError: The peer speaks something else, or refuses.
            ConnectionError: The peer is gone.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._push()
                data = self._socket.recv(_RECORD_BYTES)
                if not data:
                    raise ConnectionResetError("the peer left during the TLS handshake") from None
                self._incoming.write(data)
            except ssl.SSLError:
                self._push()  # the alert tells the peer why
                raise
            else:
                self._push()
                return

    def recv(self, size: int, /) -> bytes:
        """All that can be read now; empty at the end.

        Raises:
            BlockingIOError: Nothing yet.
        """
        pieces = self._decrypt()
        if not pieces and not self._is_over:
            data = self._socket.recv(size)
            if not data:
                return b""
            self._incoming.write(data)
            pieces = self._decrypt()
        if pieces:
            return b"".join(pieces)
        if self._is_over:
            return b""
        raise BlockingIOError

    def send(self, data: bytes, /) -> int:
        """Encrypt and send; how much of ``data`` has been taken.

        Args:
            data: Begins with what the last call did not take.

        Raises:
            BlockingIOError: The socket is full; nothing was taken.
        """
        self._push()
        if self._unsent:
            raise BlockingIOError
        if not data:
            return 0
        count = min(len(data), self._owed + _RECORD_BYTES)
        if count > self._owed:
            self._tls.write(data[self._owed : count])
            try:
                self._push()
            except OSError as error:
                if error.errno not in OUT_OF_MEMORY:
                    raise  # else the next call says so: what is encrypted has been taken
        self._owed = 1 if self._unsent else 0
        return count - self._owed

    def close(self) -> None:
        """Say goodbye where that is possible without waiting, and close the socket."""
        self._say_goodbye()
        self._socket.close()

    def shutdown(self, how: int, /) -> None:
        """Shut down the socket below; where only writing ends, TLS ends it properly."""
        if how == SHUT_WR:
            self._say_goodbye()
        self._socket.shutdown(how)

    def fileno(self) -> int:
        """The file descriptor to watch."""
        return self._socket.fileno()

    def _say_goodbye(self) -> None:
        # The peer has perhaps not said its own, which nobody waits for.
        with contextlib.suppress(OSError, ValueError):
            self._tls.unwrap()
        with contextlib.suppress(OSError):
            self._push()

    def _decrypt(self) -> list[bytes]:
        pieces = []
        try:
            while piece := self._tls.read(_RECORD_BYTES):
                pieces.append(piece)
            self._is_over = True  # the peer's goodbye; its socket may stay open for ours
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._is_over = True  # the same, after our own
        if self._outgoing.pending:
            self._push()  # an answer TLS itself gives, such as to a key update
        return pieces

    def _push(self) -> None:
        if self._outgoing.pending:
            self._unsent += self._outgoing.read()
        if self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except BlockingIOError:
                return
            self._unsent = self._unsent[sent:]
