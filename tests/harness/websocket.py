"""A WebSocket client that can also break every rule of RFC 6455."""

import base64
import hashlib
import json
import os
import select
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
WITHIN = 10.0

Address = tuple[str, int] | str
"""Host and port, or the path of a Unix socket."""


class HandshakeRefused(Exception):
    """The server answered the upgrade with something other than 101."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__(f"{status} {headers} {body[:200]!r}")
        self.status = status
        self.headers = headers
        self.body = body


class Disconnected(Exception):
    """The server ended the connection where a frame was awaited."""


@dataclass(frozen=True)
class Frame:
    """One frame as it came over the wire."""

    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0
    masked: bool = False

    @property
    def text(self) -> str:
        return self.payload.decode()

    @property
    def close(self) -> tuple[int | None, str]:
        """Code and reason of a close frame; ``(None, "")`` where it has no body."""
        if not self.payload:
            return None, ""
        return int.from_bytes(self.payload[:2], "big"), self.payload[2:].decode()


def encode_frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = b"\x37\xfa\x21\x3d",
    length: int | None = None,
    length_bytes: int | None = None,
) -> bytes:
    """Return one frame as a client sends it, or as it must not.

    Args:
        rsv: The three reserved bits, as a number from 0 to 7.
        mask: ``None`` sends the payload unmasked.
        length: What the header claims; by default the truth.
        length_bytes: 0, 2 or 8 extra bytes for the length; by default as few as will do.
    """
    claimed = len(payload) if length is None else length
    if length_bytes is None:
        length_bytes = 0 if claimed < 126 else 2 if claimed < 65536 else 8
    short = {0: claimed, 2: 126, 8: 127}[length_bytes]
    head = bytes([(0x80 if fin else 0) | (rsv << 4) | opcode, (0x80 if mask else 0) | short])
    head += claimed.to_bytes(length_bytes, "big") if length_bytes else b""
    if mask is None:
        return head + payload
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return head + mask + masked.to_bytes(len(payload), "big")


def close_payload(code: int, reason: str | bytes = "") -> bytes:
    return code.to_bytes(2, "big") + (reason.encode() if isinstance(reason, str) else reason)


def open_socket(
    address: Address, *, tls: ssl.SSLContext | None = None, within: float = WITHIN
) -> socket.socket:
    """Connect to a TCP or Unix address, over TLS where a context is given."""
    is_unix = isinstance(address, str)
    if is_unix:
        plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    else:
        plain = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    try:
        plain.settimeout(within)
        plain.connect(address)
        if not is_unix:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is None:
            return plain
        return tls.wrap_socket(plain, server_hostname="localhost" if is_unix else address[0])
    except BaseException:
        plain.close()
        raise


class RawWebSocket:
    """A client that does nothing by itself: no pong, no close answer, no reassembly.

    Every wait is bounded by ``within`` seconds and fails with ``TimeoutError``.
    """

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.headers: dict[str, str] = {}
        self._buffer = b""

    @classmethod
    def connect(
        cls,
        address: Address,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        within: float = WITHIN,
    ) -> Self:
        """Open a connection and shake hands.

        Raises:
            HandshakeRefused: The answer was not 101.
        """
        client = cls(open_socket(address, tls=tls, within=within))
        try:
            client.handshake(target, headers=headers, host=_host(address))
        except BaseException:
            client.socket.close()
            raise
        return client

    def handshake(
        self, target: str, *, host: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Ask for the upgrade and check the answer, its ``Sec-WebSocket-Accept`` too."""
        key = base64.b64encode(os.urandom(16)).decode()
        fields = {
            "Host": host,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
            **(headers or {}),
        }
        lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        self.send_raw("\r\n".join([*lines, "", ""]).encode())
        status, self.headers = self.read_head()
        if status != 101:
            length = int(self.headers.get("content-length", "0"))
            raise HandshakeRefused(status, self.headers, self._read(length))
        digest = hashlib.sha1((fields["Sec-WebSocket-Key"] + _ACCEPT_SUFFIX).encode()).digest()
        assert self.headers.get("sec-websocket-accept") == base64.b64encode(digest).decode()
        assert self.headers.get("upgrade", "").lower() == "websocket"

    def read_head(self) -> tuple[int, dict[str, str]]:
        """Read one response head: the status, and the headers by lower-case name."""
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = (line.split(":", 1) for line in lines)
        return int(first.split()[1]), {name.strip().lower(): text.strip() for name, text in fields}

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def send_frame(self, opcode: int, payload: bytes = b"", **how: Any) -> None:
        """Send one frame; the keywords are those of ``encode_frame``."""
        self.send_raw(encode_frame(opcode, payload, **how))

    def send_text(self, text: str | bytes) -> None:
        self.send_frame(TEXT, text.encode() if isinstance(text, str) else text)

    def send_event(self, event: str, data: Any = None, **others: Any) -> None:
        """Send one Pusher event, its ``data`` as the JSON value it is, left out where ``None``."""
        message = {"event": event, **({} if data is None else {"data": data}), **others}
        self.send_text(json.dumps(message))

    def recv_frame(self, *, within: float = WITHIN) -> Frame:
        """Return the next frame of any kind.

        Raises:
            Disconnected: The connection ended instead.
        """
        self.socket.settimeout(within)
        first, second = self._read(2)
        length = second & 0x7F
        if length >= 126:
            length = int.from_bytes(self._read(2 if length == 126 else 8), "big")
        masked = bool(second & 0x80)
        return Frame(
            opcode=first & 0x0F,
            payload=self._read(length + (4 if masked else 0)),
            fin=bool(first & 0x80),
            rsv=(first >> 4) & 0x7,
            masked=masked,
        )

    def is_readable(self, *, within: float) -> bool:
        """Tell whether something comes within so many seconds, or has come; nothing is read."""
        if self._buffer or (isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()):
            return True
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(within * 1000))

    def recv_text(self, *, within: float = WITHIN) -> str:
        """Return the next frame, which has to be a whole text frame."""
        frame = self.recv_frame(within=within)
        assert (frame.opcode, frame.fin, frame.rsv, frame.masked) == (TEXT, True, 0, False), frame
        return frame.text

    def recv_event(self, *, within: float = WITHIN) -> dict[str, Any]:
        """Return the next frame as a Pusher event, exactly as sent: ``data`` is not decoded."""
        event = json.loads(self.recv_text(within=within))
        assert isinstance(event, dict), event
        return event

    def recv_close(self, *, within: float = WITHIN) -> tuple[int | None, str]:
        """Skip to the close frame; return its code and reason. It is not answered."""
        while True:
            frame = self.recv_frame(within=within)
            if frame.opcode == CLOSE:
                return frame.close

    def expect_end(self, *, within: float = WITHIN) -> None:
        """Wait until the server has closed the socket; nothing may come before."""
        self.socket.settimeout(within)
        try:
            rest = self._buffer + self.socket.recv(65536)
        except ConnectionResetError:
            rest = self._buffer
        assert rest == b"", f"bytes where the end was awaited: {rest[:200]!r}"

    def close(self, code: int | None = 1000, reason: str = "") -> tuple[int | None, str]:
        """Shake hands on the end, as a good client does; return what the server answered."""
        self.send_frame(CLOSE, b"" if code is None else close_payload(code, reason))
        answer = self.recv_close()
        self.expect_end()
        self.socket.close()
        return answer

    def abandon(self) -> None:
        """Go without a word, as a client does that loses its network and its process."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._fill()
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def _fill(self) -> None:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError as error:
            raise Disconnected("reset by the server") from error
        if not data:
            raise Disconnected(f"end of stream, with {self._buffer[:100]!r} unread")
        self._buffer += data


def _host(address: Address) -> str:
    if isinstance(address, str):
        return "localhost"
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def websocket_target(
    key: str, *, prefix: str = "", params: Mapping[str, str] | Sequence[tuple[str, str]] = ()
) -> str:
    """Return ``/app/KEY?...`` with the parameters that pusher-js sends, or with those given."""
    pairs = list(params.items()) if isinstance(params, Mapping) else list(params)
    query = pairs or [("protocol", "7"), ("client", "js"), ("version", "8.6.0"), ("flash", "false")]
    return f"{prefix}/app/{key}?" + "&".join(f"{name}={value}" for name, value in query)
