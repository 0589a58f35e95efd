"""The sockets of the generator: a WebSocket client and a client of the HTTP API."""

import itertools
import json
import socket
import time
from collections.abc import Callable
from typing import Any

from benchmarks.load.loop import Loop
from benchmarks.load.wire import Target, close_frame, pong_frame, split, text_frame

_RECEIVE_SIZE = 32768  # more would be mapped and unmapped for each call, at ten times the price
_CONNECT_WITHIN = 20.0
_BIND_ADDRESS_NO_PORT = getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24)
_PONG = text_frame(b'{"event":"pusher:pong","data":{}}')
_sources = itertools.cycle([f"127.0.0.{number}" for number in range(2, 12)])


class Trouble(Exception):
    """The server did what no server may; the measurement is worth nothing."""


def connect(target: Target) -> socket.socket:
    """Open a connection; on loopback from one address after the other.

    A closed connection keeps its port for a minute, and one address has only 28,000 of them.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in target.host else socket.AF_INET)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if target.host.startswith("127.") and hasattr(socket, "SO_REUSEPORT"):
        try:
            sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
            sock.bind((next(_sources), 0))
        except OSError:
            pass  # only Linux has all of 127.0.0.0/8
    sock.settimeout(_CONNECT_WITHIN)
    sock.connect((target.host, target.port))
    sock.setblocking(False)
    return sock


class Client:
    """One WebSocket connection.

    Args:
        request: The upgrade request.
        on_open: Called once the server has given the connection its socket id.
        on_message: Called with each text message after that.

    Attributes:
        take: Gets the bytes that come; a mode that reads a lot sets its own.
        began: When the connection was begun, monotonic.
        is_open: Whether neither side has ended it.
    """

    __slots__ = (
        *("_fd", "_loop", "_receive", "_sock", "began", "index", "is_open", "is_leaving"),
        *("on_close", "on_message", "on_open", "rest", "send", "socket_id", "state", "take"),
    )

    def __init__(
        self,
        loop: Loop,
        target: Target,
        request: bytes,
        *,
        index: int,
        on_open: Callable[["Client"], None],
        on_message: Callable[["Client", bytes], None],
        on_close: Callable[["Client"], None] | None = None,
    ) -> None:
        self.began = time.monotonic()
        self.index = index
        self.on_open = on_open
        self.on_message = on_message
        self.on_close = on_close
        self.socket_id = ""
        self.rest = b""
        self.state: Any = None
        self.is_open = True
        self.is_leaving = False
        self.take: Callable[[bytes], None] = self._handshake
        self._loop = loop
        self._sock = connect(target)
        self._fd = self._sock.fileno()
        self._receive = self._sock.recv
        self.send = self._sock.sendall  # what clients say is little and always fits
        loop.add(self._fd, self._read)
        self.send(request)

    def _read(self) -> None:
        try:
            data = self._receive(_RECEIVE_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.take(data)
        else:
            self._ended()

    def _ended(self) -> None:
        self.close()
        if self.on_close is not None:
            self.on_close(self)
        if not self.is_leaving:
            raise Trouble("the server closed a connection")

    def _handshake(self, data: bytes) -> None:
        self.rest += data
        head, blank, frames = self.rest.partition(b"\r\n\r\n")
        if blank:
            if b" 101 " not in head[:16]:
                raise Trouble(f"no upgrade: {head[:80]!r}")
            self.rest = b""
            self.take = self.messages
            if frames:
                self.messages(frames)

    def messages(self, data: bytes) -> None:
        """Take frames one by one: the way for all that is not hot."""
        frames, self.rest = split(self.rest + data if self.rest else data)
        for opcode, payload in frames:
            if opcode == 1:
                if self.socket_id:
                    self.on_message(self, payload)
                else:
                    self._established(payload)
            else:
                self.control(opcode, payload)

    def _established(self, payload: bytes) -> None:
        message = json.loads(payload)
        if message.get("event") != "pusher:connection_established":
            raise Trouble(f"not established: {payload[:200]!r}")
        data = message["data"]
        self.socket_id = str((json.loads(data) if isinstance(data, str) else data)["socket_id"])
        self.on_open(self)

    def control(self, opcode: int, payload: bytes) -> None:
        """Answer what a server may send at any time."""
        if opcode == 9:
            self.send(pong_frame(payload))
        elif opcode == 8 and not self.is_leaving:
            raise Trouble(f"the server closes a connection: {payload[:80]!r}")

    def other(self, payload: bytes) -> None:
        """Take a message that is none of the mode's own.

        Raises:
            Trouble: It is an error.
        """
        if b'"pusher:ping"' in payload:
            self.send(_PONG)
        elif b'"pusher:error"' in payload or b"subscription_error" in payload:
            raise Trouble(f"the server refuses: {payload[:200]!r}")

    def leave(self) -> None:
        """Say goodbye; ``on_close`` is called when the server has answered."""
        self.is_leaving = True
        self.send(close_frame())

    def close(self) -> None:
        """Drop the connection."""
        if self.is_open:
            self.is_open = False
            self._loop.remove(self._fd)
            self._sock.close()


class Caller:
    """One connection to the HTTP API, opened again whenever the server has closed it.

    Args:
        is_kept_alive: False asks for a connection of its own for each request.
        on_answer: Called with the seconds that the answer took.
    """

    def __init__(
        self,
        loop: Loop,
        target: Target,
        *,
        is_kept_alive: bool = True,
        on_answer: Callable[["Caller", float], None],
    ) -> None:
        self.is_busy = False
        self.state: Any = None
        self._loop = loop
        self._target = target
        self._is_kept_alive = is_kept_alive
        self._on_answer = on_answer
        self._sock: socket.socket | None = None
        self._fd = -1
        self._began = 0.0
        self._rest = b""
        self._request = b""
        self._is_fresh = True

    def call(self, request: bytes) -> None:
        """Send a request; one at a time."""
        self.is_busy = True
        self._began = time.monotonic()
        if not self._is_kept_alive and b"\r\nConnection:" not in request:
            request = request.replace(b"\r\nHost:", b"\r\nConnection: close\r\nHost:", 1)
        self._request = request
        self._is_fresh = self._sock is None
        if self._sock is None:
            self._sock = connect(self._target)
            self._fd = self._sock.fileno()
            self._loop.add(self._fd, self._read)
        try:
            self._sock.sendall(request)
        except ConnectionError:
            self._again()

    def _again(self) -> None:
        """Ask anew what a connection was asked that the server had just given up."""
        self.close()
        if self._is_fresh or self._rest:
            raise Trouble("the server closed a connection instead of answering")
        began = self._began
        self.call(self._request)
        self._began = began

    def _read(self) -> None:
        assert self._sock is not None
        try:
            data = self._sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            if self.is_busy:
                self._again()
            else:
                self.close()
            return
        if self._rest:
            data = self._rest + data
        head, blank, body = data.partition(b"\r\n\r\n")
        if not blank or len(body) < _length(head):
            self._rest = data
            return
        self._rest = b""
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
            raise Trouble(f"an event was refused: {head[:40]!r} {body[:200]!r}")
        if not self._is_kept_alive or b"onnection: close" in head:
            self.close()
        self.is_busy = False
        self._on_answer(self, time.monotonic() - self._began)

    def close(self) -> None:
        if self._sock is not None:
            self._loop.remove(self._fd)
            self._sock.close()
            self._sock = None


def _length(head: bytes) -> int:
    """The length of a body; servers that answer in chunks are read up to what has come."""
    at = head.lower().find(b"\r\ncontent-length:")
    return int(head[at + 17 :].partition(b"\r\n")[0]) if at >= 0 else 0
