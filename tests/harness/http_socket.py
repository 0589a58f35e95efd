"""HTTP by hand: requests as bytes, answers as they come over the wire."""

import contextlib
import socket
import ssl
from typing import Self

from tests.harness.http_api import Answer
from tests.harness.websocket import WITHIN, Address, RawWebSocket, open_socket


class HttpSocket(RawWebSocket):
    """A connection on which a test says what it likes; every wait is bounded."""

    @classmethod
    def open(
        cls, address: Address, *, tls: ssl.SSLContext | None = None, within: float = WITHIN
    ) -> Self:
        """Connect, and say nothing yet."""
        return cls(open_socket(address, tls=tls, within=within))

    def read_answer(self, *, has_body: bool = True) -> Answer:
        """Read one response; one without a ``Content-Length`` has no body here.

        Args:
            has_body: False for the answer to ``HEAD``, whose length is another one's.
        """
        status, headers = self.read_head()
        length = int(headers.get("content-length", "0")) if has_body else 0
        return Answer(status, headers, self._read(length))

    def finish(self) -> None:
        """Say that nothing more will be sent, unless the server has gone already."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def is_at_end(self) -> bool:
        """Whether the server has closed the connection, and all of it is read. May wait."""
        if not self._buffer:
            with contextlib.suppress(ConnectionResetError):
                self._buffer = self.socket.recv(65536)
        return not self._buffer

    def begins_with(self, start: bytes) -> bool:
        """Whether what comes next begins so; nothing is taken. May wait."""
        while len(self._buffer) < len(start) and start.startswith(self._buffer):
            self._fill()
        return self._buffer.startswith(start)

    def ask(self, data: bytes, *, has_body: bool = True) -> Answer:
        """Send a whole request and read the answer."""
        self.send_raw(data)
        return self.read_answer(has_body=has_body)


def request(
    method: str, target: str, *headers: str, body: bytes = b"", version: str = "1.1"
) -> bytes:
    """Return a request's bytes: its ``Host``, these header lines, and nothing of its own accord."""
    lines = [f"{method} {target} HTTP/{version}", "Host: localhost", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body
