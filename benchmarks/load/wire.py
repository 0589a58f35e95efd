"""What the generator says: requests, frames and signatures, ready to be sent."""

import hashlib
import hmac
import json
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

TOKEN = re.compile(rb"bench:(\d{2}:\d{6}):(\d{9}):(\d{15}):")
"""What every event's data begins with: publisher and channel, number, microseconds."""

_MASK = os.urandom(4)
_MASKS = {size: _MASK * ((size + 3) // 4) for size in range(512)}


@dataclass(frozen=True)
class Target:
    """A server under load and the credentials of one of its applications."""

    host: str
    port: int
    prefix: str = ""
    app_id: str = "1"
    key: str = "bench-key"
    secret: str = field(default="bench-secret", repr=False)

    @classmethod
    def of_url(cls, url: str, *, app_id: str, key: str, secret: str) -> "Target":
        """Raises ValueError for what is no ``http://host[:port][/prefix]``."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "ws") or not parts.hostname:
            raise ValueError(f"{url!r} is not of the form http://host:port")
        prefix = parts.path.rstrip("/")
        return cls(parts.hostname, parts.port or 80, prefix, app_id, key, secret)


def upgrade(target: Target) -> bytes:
    """The request that opens a WebSocket."""
    path = f"{target.prefix}/app/{target.key}?protocol=7&client=bench&version=1.0.0"
    return (
        f"GET {path} HTTP/1.1\r\nHost: {target.host}:{target.port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def text_frame(payload: bytes) -> bytes:
    """A masked text frame, as clients send them."""
    return _frame(0x81, payload)


def pong_frame(payload: bytes) -> bytes:
    return _frame(0x8A, payload)


def close_frame() -> bytes:
    return _frame(0x88, b"\x03\xe8")


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    head = (
        b"%c%c" % (first, 0x80 | size)
        if size < 126
        else b"%c\xfe%c%c" % (first, *divmod(size, 256))
    )
    mask = _MASKS.get(size) or _MASK * ((size + 3) // 4)
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(mask[:size], "big")
    return b"%b%b%b" % (head, _MASK, masked.to_bytes(size, "big"))


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole frames that a server sent, as opcode and payload, and what is left of the data."""
    frames: list[tuple[int, bytes]] = []
    at, end = 0, len(data)
    while end - at >= 2:
        size, begin = data[at + 1], at + 2
        if size > 125:
            begin += 2 if size == 126 else 8
            if begin > end:
                break
            size = int.from_bytes(data[at + 2 : begin], "big")
        if begin + size > end:
            break
        frames.append((data[at] & 0x0F, data[begin : begin + size]))
        at = begin + size
    return frames, data[at:]


class Signer:
    """Signs what an application's back end sends, with the HMAC's key digested once."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._keyed = hmac.new(target.secret.encode(), digestmod="sha256")

    def sign(self, text: bytes) -> str:
        digest = self._keyed.copy()
        digest.update(text)
        return digest.hexdigest()

    def subscription(self, socket_id: str, channel: str, channel_data: str | None = None) -> str:
        """The ``auth`` of a subscription to a private or presence channel."""
        parts = [socket_id, channel] if channel_data is None else [socket_id, channel, channel_data]
        return f"{self._target.key}:{self.sign(':'.join(parts).encode())}"

    def post(self, resource: str, body: bytes) -> bytes:
        """A signed request of the HTTP API, with ``resource`` as in ``events``."""
        target = self._target
        path = f"/apps/{target.app_id}/{resource}"
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        query = (
            f"auth_key={target.key}&auth_timestamp={int(time.time())}&auth_version=1.0"
            f"&body_md5={md5}"
        )
        signature = self.sign(f"POST\n{path}\n{query}".encode())
        head = (
            f"POST {target.prefix}{path}?{query}&auth_signature={signature} HTTP/1.1\r\n"
            f"Host: {target.host}:{target.port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def subscribe(channel: str, signer: Signer, socket_id: str, member: str | None = None) -> bytes:
    """The frame that subscribes, signed where the channel asks for it."""
    data = {"channel": channel}
    if member is not None:
        data["channel_data"] = json.dumps({"user_id": member})
    if channel.startswith(("private-", "presence-")):
        data["auth"] = signer.subscription(socket_id, channel, data.get("channel_data"))
    return text_frame(json.dumps({"event": "pusher:subscribe", "data": data}).encode())


def data_of(publisher: int, channel: int, number: int, *, moment: float, size: int) -> str:
    """An event's data: the token that :data:`TOKEN` finds, filled up to a size.

    Args:
        moment: When it was due, monotonic; one clock for all processes of a machine.
    """
    token = f"bench:{publisher:02d}:{channel:06d}:{number:09d}:{int(moment * 1e6):015d}:"
    return token.ljust(size, "x")


def event_body(events: Sequence[tuple[str, str]]) -> tuple[str, bytes]:
    """Resource and body that publish events, each a channel and its data; several are a batch."""
    bodies = [
        f'{{"name":"bench","channel":"{channel}","data":"{data}"}}' for channel, data in events
    ]
    if len(bodies) == 1:
        return "events", bodies[0].encode()
    return "batch_events", f'{{"batch":[{",".join(bodies)}]}}'.encode()
