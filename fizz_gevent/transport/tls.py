"""TLS as bytes: encrypted in memory, so that plain sockets and TLS share one path."""

import contextlib
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _socket import socket as Socket

_RECORD_BYTES = 65536


class TlsSocket:
    """Looks like a non-blocking socket to whoever reads and writes it.

    ``recv`` gives everything that can be decrypted, so nothing readable stays hidden from a
    watcher on the file descriptor. ``send`` may keep ciphertext back that the socket did not take;
    ``unsent`` tells, and the next ``send``, be it of nothing, goes on with it.
    """

    __slots__ = ("_incoming", "_outgoing", "_socket", "_tls", "unsent")

    def __init__(self, socket: "Socket", context: ssl.SSLContext) -> None:
        self._socket = socket
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.unsent = b""

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
        if not pieces:
            data = self._socket.recv(size)
            if not data:
                return b""
            self._incoming.write(data)
            pieces = self._decrypt()
        if pieces:
            return b"".join(pieces)
        raise BlockingIOError

    def send(self, data: bytes, /) -> int:
        """Encrypt and send; how much of ``data`` has been taken.

        Raises:
            BlockingIOError: The socket is full; nothing was taken.
        """
        self._push()
        if self.unsent:
            raise BlockingIOError
        taken = data[:_RECORD_BYTES]
        if taken:
            self._tls.write(taken)
            self._push()
        return len(taken)

    def close(self) -> None:
        """Say goodbye where that is possible without waiting, and close the socket."""
        # The peer has not said its own goodbye, which nobody waits for.
        with contextlib.suppress(OSError, ValueError):
            self._tls.unwrap()
        with contextlib.suppress(OSError):
            self._push()
        self._socket.close()

    def shutdown(self, how: int, /) -> None:
        """Shut down the socket below."""
        self._socket.shutdown(how)

    def fileno(self) -> int:
        """The file descriptor to watch."""
        return self._socket.fileno()

    def _decrypt(self) -> list[bytes]:
        pieces = []
        try:
            while piece := self._tls.read(_RECORD_BYTES):
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            pass  # the end; the socket will say so too
        if self._outgoing.pending:
            self._push()  # an answer TLS itself gives, such as to a key update
        return pieces

    def _push(self) -> None:
        if self._outgoing.pending:
            self.unsent += self._outgoing.read()
        if self.unsent:
            try:
                sent = self._socket.send(self.unsent)
            except BlockingIOError:
                return
            self.unsent = self.unsent[sent:]
