"""A hostile client's end of a connection: it sends what it likes and waits for nothing."""

import contextlib
import socket
from dataclasses import dataclass

from tests.harness.signing import App, compact
from tests.harness.websocket import TEXT, encode_frame, websocket_target

HOSTILE = "127.0.0.66"
"""Where they come from."""

ORIGIN = "example.com"
"""The page from which one may connect."""

NO_MASK = bytes(4)


class Wire:
    """A non-blocking socket that takes what it can and never minds."""

    def __init__(self, target: "Target", greeting: bytes = b"") -> None:
        self._target = target
        self._greeting = greeting
        self.open()

    def open(self) -> None:
        self.received = b""
        self._unsent = self._greeting
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.bind((HOSTILE, 0))
        self.socket.connect_ex(self._target.address)

    def push(self, data: bytes = b"") -> bool:
        """Send this, or where something is unsent, that first; whether this was taken."""
        is_taken = not self._unsent
        if is_taken:
            self._unsent = data
        with contextlib.suppress(BlockingIOError):
            try:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            except (BrokenPipeError, ConnectionError):
                self.reopen()
        return is_taken

    def read(self) -> bytes:
        """Whatever has come; a socket that was closed is opened again."""
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return b""
        except ConnectionError:
            data = b""
        if not data:
            self.reopen()
        return data

    def reopen(self) -> None:
        self.close()
        self.open()

    def close(self) -> None:
        self.socket.close()


@dataclass(frozen=True)
class Target:
    """The server, and an application of it."""

    address: tuple[str, int]
    app: App

    def upgrade(self, *lines: str, key: str | None = None) -> bytes:
        """A request for a WebSocket, with these header lines in place of the right origin."""
        head = [
            f"GET {websocket_target(key or self.app.key)} HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            *(lines or (f"Origin: https://{ORIGIN}",)),
        ]
        return "\r\n".join((*head, "", "")).encode("latin-1")

    def post(self, body: bytes, query: str | None = None, path: str = "/events") -> bytes:
        """A signed request of a back end, or one with another query."""
        path = f"/apps/{self.app.app_id}{path}"
        if query is None:
            query = self.app.signed_query("POST", path, None, body)
        return (
            f"POST {path}?{query} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Length: {len(body)}\r\nContent-Type: application/json\r\n\r\n"
        ).encode() + body


def wires_of(target: Target, count: int, greeting: bytes = b"") -> list[Wire]:
    """So many sockets, on each of which this is said first."""
    return [Wire(target, greeting) for _ in range(count)]


def say(event: str, data: object) -> bytes:
    """A message, in a frame that is masked by nothing."""
    return encode_frame(TEXT, compact({"event": event, "data": data}).encode(), mask=NO_MASK)
