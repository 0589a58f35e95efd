"""A WebSocket as a client has it: masks what it sends, answers pings, and waits for messages."""

import base64
import hashlib
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from fizz_gevent.client.address import ServerAddress
from fizz_gevent.client.connect import Unreachable, open_socket, unreachable
from fizz_gevent.errors import CommandError
from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.protocol.frames import CLOSE, PING, PONG, TEXT, unmask

_ACCEPT_SUFFIX: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MAX_HEAD_SIZE: Final = 65536
_MAX_MESSAGE_SIZE: Final = 64 * 1024 * 1024  # a roster of ten thousand members is not too big
_CONTINUATION: Final = 0x0


class Closed(Exception):
    """The connection has ended.

    Args:
        code: As the server's close frame has it; None where the connection just broke.
    """

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(reason if code is None else f"{code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class ClientWebSocket:
    """One connection; text messages come out of ``receive``."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._buffer = bytearray()
        self._message = bytearray()

    @classmethod
    def connect(
        cls, address: ServerAddress, target: str, headers: Mapping[str, str] | None = None
    ) -> "ClientWebSocket":
        """Connect and shake hands.

        Args:
            target: Path and query, behind the server's prefix.

        Raises:
            Unreachable: Nobody answers, or what stands between does not get through.
            CommandError: The answer is a refusal.
        """
        opened = cls(open_socket(address))
        try:
            opened._shake_hands(address, target, headers or {})
        except TimeoutError:
            opened.abandon()
            raise unreachable(address, "no answer to the WebSocket handshake in time") from None
        except (OSError, Closed) as error:
            opened.abandon()
            hint = "" if address.is_secure else "; does it want TLS there (FIZZ_SCHEME=https)?"
            raise unreachable(address, f"the handshake broke off ({error}){hint}") from None
        except BaseException:
            opened.abandon()
            raise
        return opened

    def wait_at_most(self, seconds: float) -> None:
        """Let ``receive`` give up when nothing at all has come for so long."""
        self._socket.settimeout(seconds)

    def receive(self) -> str:
        """The next text message.

        Raises:
            Closed: The connection ended instead.
            TimeoutError: Nothing came; asking again goes on where this left off.
        """
        while True:
            frame = self._frame()
            if frame is None:
                self._fill()
                continue
            opcode, is_final, payload = frame
            if opcode == PING:
                self._send(PONG, payload)
            elif opcode == CLOSE:
                self._leave(payload)
            elif opcode in (TEXT, _CONTINUATION):
                self._message += payload
                if len(self._message) > _MAX_MESSAGE_SIZE:
                    raise Closed(None, "a message is too big")
                if is_final:
                    text = self._message.decode(errors="replace")
                    self._message.clear()
                    return text

    def send_text(self, payload: bytes) -> None:
        """Send one message.

        Raises:
            Closed: The connection is gone.
        """
        self._send(TEXT, payload)

    def close(self) -> None:
        """Say goodbye and go; never raises."""
        with suppress(Closed, OSError):
            self._socket.settimeout(1.0)
            self._send(CLOSE, CloseCode.NORMAL.to_bytes(2, "big"))
        self.abandon()

    def abandon(self) -> None:
        """Go without a word."""
        self._socket.close()

    def _leave(self, payload: bytes) -> None:
        """Answer a close frame and raise what it says."""
        code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else None
        with suppress(Closed):  # a server may not wait for the answer
            self._send(CLOSE, payload[:2])
        raise Closed(code, payload[2:].decode(errors="replace") or "closed by the server")

    def _shake_hands(self, address: ServerAddress, target: str, headers: Mapping[str, str]) -> None:
        key = base64.b64encode(os.urandom(16))
        fields = {
            "Host": address.host_header,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key.decode(),
            "Sec-WebSocket-Version": "13",
            **headers,
        }
        lines = [f"GET {address.prefix}{target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _MAX_HEAD_SIZE:
                raise unreachable(address, "the answer to the WebSocket handshake has no end")
            self._fill()
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer[:] = rest
        status, *fields_in = head.decode("latin-1").split("\r\n")
        words = status.split(" ", 2)
        if not words[0].startswith("HTTP/") or len(words) < 2:
            raise unreachable(address, "no proper HTTP came back; is it TLS there (FIZZ_SCHEME)?")
        if words[1] != "101":
            answer = " ".join(words[1:])
            where = f"{address.url}{target.partition('?')[0]}"
            kind = Unreachable if words[1] in ("429", "500", "502", "503", "504") else CommandError
            raise kind(f"{where} answers {answer!r} in place of a WebSocket")
        found = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in fields_in)
        }
        accept = base64.b64encode(hashlib.sha1(key + _ACCEPT_SUFFIX).digest()).decode()
        if found.get("sec-websocket-accept") != accept:
            raise CommandError(f"{address.url} answers the WebSocket handshake wrongly")

    def _frame(self) -> tuple[int, bool, bytes] | None:
        """Opcode, whether it is the last of its message, payload; None where more must come."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1] & 0x7F, 2
        if buffer[1] & 0x80:
            raise Closed(None, "the server masks its frames")
        if size > 125:
            start = 4 if size == 126 else 10
            if len(buffer) < start:
                return None
            size = int.from_bytes(buffer[2:start], "big")
            if size > _MAX_MESSAGE_SIZE:
                raise Closed(None, "a message is too big")
        if len(buffer) < start + size:
            return None
        opcode, is_final = buffer[0] & 0x0F, buffer[0] >= 0x80
        payload = bytes(buffer[start : start + size])
        del buffer[: start + size]
        return opcode, is_final, payload

    def _fill(self) -> None:
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed(None, error.strerror or str(error)) from None
        if not data:
            raise Closed(None, "the connection broke")
        self._buffer += data

    def _send(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        head = bytes((0x80 | opcode,))
        if size < 126:
            head += bytes((0x80 | size,))
        elif size < 65536:
            head += b"\xfe" + size.to_bytes(2, "big")
        else:
            head += b"\xff" + size.to_bytes(8, "big")
        mask = os.urandom(4)
        try:
            self._socket.sendall(head + mask + unmask(mask, payload))
        except OSError as error:
            raise Closed(None, error.strerror or str(error)) from None
