"""A crowd of clients that come, subscribe and go in every way: one selector, plain sockets.

Fast rather than thorough: what each answer has to look like is tested elsewhere.
"""

import json
import selectors
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.harness.signing import App, compact
from tests.harness.websocket import CLOSE, TEXT, close_payload, encode_frame, websocket_target

_NO_MASK = bytes(4)  # a legal mask, and free of charge
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST
_SOURCES = 8
"""Loopback addresses to come from, so that no port has to be used twice in a minute."""

WAYS_OUT = (
    "close",  # close frame, wait for the server's and for the end of the stream
    "shut",  # half-close: end of stream from us, wait for the server's
    "leave",  # close the socket with a FIN, or with a RST where something is unread
    "reset",  # close the socket with a RST
    "hasty",  # a close frame, and gone before the answer
    "broken",  # half a frame, and gone
    "early",  # gone while the subscription is on its way
    "unread",  # gone before the handshake is answered
    "unsaid",  # gone in the middle of the request
)


@dataclass(frozen=True)
class Visit:
    """What one client does.

    Attributes:
        channels: What it subscribes to, one after the other.
        user_id: Who it is in presence channels.
        signs_in_as: Who it signs in as; nobody where empty.
    """

    way_out: str
    channels: tuple[str, ...] = ()
    user_id: str = ""
    signs_in_as: str = ""


def split(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take whole frames out of what has come: opcode and payload of each."""
    while len(buffer) >= 2:
        length, start = buffer[1] & 0x7F, 2
        if length >= 126:
            start = 4 if length == 126 else 10
            if len(buffer) < start:
                return
            length = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + length:
            return
        frame = buffer[0] & 0x0F, bytes(buffer[start : start + length])
        del buffer[: start + length]
        yield frame


class Client:
    """One socket up to its greeting, and what is sent over it."""

    def __init__(self, crowd: "Crowd", number: int) -> None:
        self.crowd = crowd
        self.app = crowd.app
        self.socket_id = ""
        self.buffer = bytearray()
        self.is_upgraded = False
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.bind((f"127.0.0.{1 + number % _SOURCES}", 0))
        self.socket.connect_ex(crowd.address)
        crowd.selector.register(self.socket, selectors.EVENT_WRITE, self)

    def connected(self) -> None:
        """The socket is open: ask for the upgrade."""
        self.crowd.selector.modify(self.socket, selectors.EVENT_READ, self)
        self.socket.send(self.crowd.request)

    def readable(self) -> None:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.done()
            self.ended()
            return
        self.buffer += data
        if not self.is_upgraded:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            assert self.buffer.startswith(b"HTTP/1.1 101 "), bytes(self.buffer[:200])
            del self.buffer[: end + 4]
            self.is_upgraded = True
        for opcode, payload in split(self.buffer):
            if opcode == TEXT:
                self.heard(json.loads(payload))
            if self.socket.fileno() < 0:
                return

    def heard(self, event: dict[str, Any]) -> None:
        if event["event"] == "pusher:connection_established":
            self.socket_id = json.loads(event["data"])["socket_id"]
            self.greeted()

    def greeted(self) -> None:
        raise NotImplementedError

    def ended(self) -> None:
        """The server has closed the socket, and so have we."""

    def send(self, opcode: int, payload: bytes) -> None:
        self.socket.send(encode_frame(opcode, payload, mask=_NO_MASK))

    def say(self, event: str, data: dict[str, str]) -> None:
        self.send(TEXT, compact({"event": event, "data": data}).encode())

    def subscribe(self, channel: str, user_id: str) -> None:
        data = {"auth": "", "channel": channel}
        if channel.startswith("presence-"):
            data["channel_data"] = compact({"user_id": user_id, "user_info": {"name": user_id}})
        if channel.startswith(("presence-", "private-")):
            data["auth"] = self.app.channel_auth(self.socket_id, channel, data.get("channel_data"))
        self.say("pusher:subscribe", data)

    def done(self) -> None:
        self.crowd.selector.unregister(self.socket)
        self.socket.close()


class Visitor(Client):
    """Comes, does what its visit says, and goes."""

    def __init__(self, crowd: "Crowd", number: int, visit: Visit) -> None:
        self.visit = visit
        self.waits_for = 0
        super().__init__(crowd, number)

    def connected(self) -> None:
        way_out = self.visit.way_out
        if way_out == "unsaid":
            self.socket.send(self.crowd.request[:60])
            self.go()
        else:
            super().connected()
            if way_out == "unread":
                self.go()

    def greeted(self) -> None:
        visit = self.visit
        if visit.signs_in_as:
            watchlist = [f"friend-of-{visit.signs_in_as}", "user-1"]
            user_data = compact({"id": visit.signs_in_as, "watchlist": watchlist})
            auth = self.app.user_auth(self.socket_id, user_data)
            self.say("pusher:signin", {"auth": auth, "user_data": user_data})
            self.waits_for += 1
        for channel in visit.channels:
            self.subscribe(channel, visit.user_id)
            self.waits_for += 1
        if self.waits_for == 0 or visit.way_out == "early":
            self.go()

    def heard(self, event: dict[str, Any]) -> None:
        super().heard(event)
        if event["event"] in ("pusher_internal:subscription_succeeded", "pusher:signin_success"):
            self.waits_for -= 1
            if self.waits_for == 0:
                self.crowd.subscribed += bool(self.visit.channels)
                self.go()
        else:
            assert event["event"] != "pusher:error", event

    def go(self) -> None:
        way_out = self.visit.way_out
        if way_out in ("close", "hasty"):
            self.send(CLOSE, close_payload(1000))
        elif way_out == "broken":
            self.socket.send(encode_frame(TEXT, b"x" * 300, mask=_NO_MASK)[:50])
        elif way_out == "shut":
            self.socket.shutdown(socket.SHUT_WR)
        elif way_out == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if way_out not in ("close", "shut"):  # these wait for the server
            self.done()
            self.ended()

    def ended(self) -> None:
        self.crowd.visited(self.visit)


class Witness(Client):
    """Stays in a presence channel and checks what it is told of the others.

    Attributes:
        members: Who is there, by what it was told.
        changes: How often somebody came or went.
    """

    def __init__(self, crowd: "Crowd", channel: str) -> None:
        self.channel = channel
        self.members: set[str] = set()
        self.changes = 0
        self.is_subscribed = False
        super().__init__(crowd, 0)

    def greeted(self) -> None:
        self.subscribe(self.channel, "witness")

    def heard(self, event: dict[str, Any]) -> None:
        super().heard(event)
        name = event["event"].removeprefix("pusher_internal:")
        if name == "subscription_succeeded":
            self.members = set(json.loads(event["data"])["presence"]["ids"])
            self.is_subscribed = True
        elif name == "member_added":
            user_id = json.loads(event["data"])["user_id"]
            assert user_id not in self.members, f"{user_id} was there already"
            self.members.add(user_id)
            self.changes += 1
        elif name == "member_removed":
            user_id = json.loads(event["data"])["user_id"]
            assert user_id in self.members, f"{user_id} was not there"
            self.members.remove(user_id)
            self.changes += 1
        else:
            assert name == "pusher:connection_established", event

    def ended(self) -> None:
        raise AssertionError("the witness was closed")


class Crowd:
    """Clients of one application, all in this thread.

    Attributes:
        counts: How many have gone, by the way they took.
        subscribed: How many of them were confirmed in every channel that they wanted.
    """

    def __init__(self, address: tuple[str, int], app: App) -> None:
        self.address = address
        self.app = app
        self.selector = selectors.DefaultSelector()
        self.counts: dict[str, int] = dict.fromkeys(WAYS_OUT, 0)
        self.subscribed = 0
        self._inside = 0
        self.request = (
            f"GET {websocket_target(app.key)} HTTP/1.1\r\nHost: localhost\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ).encode()

    def witness(self, channel: str, *, within: float) -> Witness:
        """Send somebody who stays, and wait until it is in."""
        witness = Witness(self, channel)
        deadline = time.monotonic() + within
        while not witness.is_subscribed:
            self._turn(deadline, "the witness is not in")
        return witness

    def send_through(self, visits: Iterator[Visit], *, at_once: int, within: float) -> None:
        """Let each of these come and go, so many at a time."""
        deadline = time.monotonic() + within
        number, is_over = 0, False
        while not is_over or self._inside:
            while not is_over and self._inside < at_once:
                visit = next(visits, None)
                if visit is None:
                    is_over = True
                else:
                    self._inside += 1
                    Visitor(self, number, visit)
                    number += 1
            self._turn(deadline, f"{self._inside} do not get out")

    def watch(self, seconds: float) -> None:
        """Let those who stay read what comes, for no longer than this."""
        self._select(seconds)

    def visited(self, visit: Visit) -> None:
        self.counts[visit.way_out] += 1
        self._inside -= 1

    def close(self) -> None:
        for key in list(self.selector.get_map().values()):
            key.data.done()
        self.selector.close()

    def _turn(self, deadline: float, what: str) -> None:
        self._select(max(0.0, deadline - time.monotonic()))
        assert time.monotonic() < deadline, what

    def _select(self, seconds: float) -> None:
        for key, events in self.selector.select(seconds):
            client: Client = key.data
            if events & selectors.EVENT_WRITE:
                error = client.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                assert error == 0, f"cannot connect: error {error}"
                client.connected()
            elif client.socket.fileno() >= 0:
                client.readable()
