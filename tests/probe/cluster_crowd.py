"""Clients as pusher-js is, spread over nodes that fail: they come back, and judge all they see.

One thread with one selector serves them all; what a test does to them it does from its own.
"""

import contextlib
import json
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.harness.signing import App, compact
from tests.harness.websocket import CLOSE, PING, PONG, TEXT, encode_frame, websocket_target
from tests.probe.crowd import split

_NO_MASK = bytes(4)
_BACK_OFF = 1.0
"""Seconds pusher-js waits before it comes back, but after a code from 4200 to 4299."""


@dataclass
class Stream:
    """Numbered events of one publisher on one channel.

    Attributes:
        begun: How many were begun to be published; the numbers count from 0.
        doubtful: Numbers of which it is not known whether they were published at all.
    """

    begun: int = 0
    doubtful: set[int] = field(default_factory=set)


Streams = dict[tuple[str, str], Stream]
"""By publisher and channel."""


class Subscription:
    """What one connection sees of one channel, from its confirmation on."""

    def __init__(self, client: "Client", channel: str, presence: Any) -> None:
        self.client = client
        self.channel = channel
        self.confirmed_at = time.strftime("%X")
        self.members: set[str] | None = None
        self.removals: dict[str, float] = {}
        """When each user was taken out, monotonic seconds."""
        if presence is not None:
            self.members = set(presence["ids"])
            if len(presence["ids"]) != presence["count"] or set(presence["hash"]) != self.members:
                self.complain(f"odd roster {presence}")
        self.started = {
            publisher: stream.begun
            for (publisher, name), stream in client.crowd.streams.items()
            if name == channel
        }
        self.seen: dict[str, int] = {}

    def complain(self, what: str) -> None:
        self.client.crowd.complaints.append(
            f"{time.strftime('%X')} {self.client.name} at {self.client.address[1]},"
            f" {self.channel}, confirmed {self.confirmed_at}: {what}"
        )

    def event(self, publisher: str, number: int) -> None:
        """A numbered event: the next one of its publisher, or something is wrong."""
        stream = self.client.crowd.streams[publisher, self.channel]
        last = self.seen.get(publisher)
        if last is None:
            missing = range(self.started.get(publisher, 0), number)
            last = -1
        elif number <= last:
            self.complain(f"{publisher}:{number} after {last}")
            return
        else:
            missing = range(last + 1, number)
        for each in missing:
            if each not in stream.doubtful:
                self.complain(f"{publisher}:{each} is missing between {last} and {number}")
        self.seen[publisher] = number

    def added(self, user_id: str) -> None:
        if self.members is None or user_id in self.members:
            self.complain(f"{user_id} added twice")
        else:
            self.members.add(user_id)

    def removed(self, user_id: str) -> None:
        if self.members is None or user_id not in self.members:
            self.complain(f"{user_id} removed though absent")
        else:
            self.members.remove(user_id)
            self.removals[user_id] = time.monotonic()

    def unseen(self) -> list[str]:
        """Events that should have come by now."""
        found = []
        for (publisher, name), stream in self.client.crowd.streams.items():
            if name == self.channel:
                first = self.started.get(publisher, 0)
                last = self.seen.get(publisher, first - 1)
                late = [n for n in range(last + 1, stream.begun) if n not in stream.doubtful]
                if late:
                    found.append(f"{self.client.name} {name} {publisher}:{late[:5]} after {last}")
        return found


class Client:
    """One page: a connection, and what it wants to be subscribed to on whichever connection."""

    def __init__(self, crowd: "Crowd", name: str, user_id: str) -> None:
        self.crowd = crowd
        self.name = name
        self.user_id = user_id
        self.wanted: set[str] = set()
        self.subscriptions: dict[str, Subscription] = {}
        self.socket: socket.socket | None = None
        self.socket_id = ""
        self.address: tuple[str, int] = ("", 0)
        self.returns_at: float | None = None
        self.losses = 0
        self.comes_back = True
        self.home: int | None = None
        self._buffer = bytearray()
        self._is_upgraded = False
        self._left: set[str] = set()
        """What it has left on this connection: of that something may be on its way still."""

    @property
    def is_settled(self) -> bool:
        """Connected and subscribed to just what it wants."""
        return bool(self.socket_id) and set(self.subscriptions) == self.wanted

    def connect(self) -> None:
        self.returns_at = None
        self.address = self.crowd.address_for(self)
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect_ex(self.address)
        self._buffer.clear()
        self._left.clear()
        self._is_upgraded = False
        self.crowd.selector.register(self.socket, selectors.EVENT_WRITE, self)

    def connected(self) -> None:
        assert self.socket is not None
        self.crowd.selector.modify(self.socket, selectors.EVENT_READ, self)
        host, port = self.address
        lines = [
            f"GET {websocket_target(self.crowd.app.key)} HTTP/1.1",
            f"Host: {host}:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        ]
        self._send("\r\n".join([*lines, "", ""]).encode())

    def readable(self) -> None:
        assert self.socket is not None
        try:
            data = self.socket.recv(262144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.lost(_BACK_OFF)
            return
        self._buffer += data
        if not self._is_upgraded:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            del self._buffer[: end + 4]
            self._is_upgraded = True
        for opcode, payload in split(self._buffer):
            if opcode == TEXT:
                self._heard(json.loads(payload))
            elif opcode == PING:
                self._send(encode_frame(PONG, payload, mask=_NO_MASK))
            elif opcode == CLOSE:
                code = int.from_bytes(payload[:2], "big")
                self.lost(0 if 4200 <= code < 4300 else _BACK_OFF)
                return

    def lost(self, back_off: float) -> None:
        """The connection is gone; another one will be made."""
        self.losses += 1
        self.leave()
        if self.comes_back:
            self.returns_at = time.monotonic() + back_off

    def leave(self) -> None:
        """Close the page."""
        self.returns_at = None
        self.socket_id = ""
        self.subscriptions.clear()
        if self.socket is not None:
            self.crowd.selector.unregister(self.socket)
            self.socket.close()
            self.socket = None

    def subscribe(self, channel: str) -> None:
        self.wanted.add(channel)
        if self.socket_id:
            self._request(channel)

    def unsubscribe(self, channel: str) -> None:
        """Only of what is confirmed, as pusher-js does."""
        self.wanted.discard(channel)
        self.subscriptions.pop(channel, None)
        self._left.add(channel)
        self._say("pusher:unsubscribe", {"channel": channel})

    def _request(self, channel: str) -> None:
        data: dict[str, str] = {"channel": channel, "auth": ""}
        if channel.startswith("presence-"):
            data["channel_data"] = compact({"user_id": self.user_id})
            data["auth"] = self.crowd.app.channel_auth(
                self.socket_id, channel, data["channel_data"]
            )
        self._say("pusher:subscribe", data)

    def _heard(self, event: dict[str, Any]) -> None:
        name, channel = event["event"], event.get("channel", "")
        data = json.loads(event["data"]) if isinstance(event["data"], str) else event["data"]
        if name == "pusher:connection_established":
            self.socket_id = data["socket_id"]
            for each in sorted(self.wanted):
                self._request(each)
            return
        if name == "pusher_internal:subscription_succeeded":
            if channel in self.wanted:
                self.subscriptions[channel] = Subscription(self, channel, data.get("presence"))
            return
        if name.startswith("pusher:"):
            if name not in ("pusher:pong", "pusher:ping"):
                self.crowd.complaints.append(f"{self.name}: {event}")
            return
        found = self.subscriptions.get(channel)
        if found is None:
            if channel in self.wanted and channel not in self._left:
                self.crowd.complaints.append(f"{self.name}: before the confirmation {event}")
        elif name == "pusher_internal:member_added":
            found.added(data["user_id"])
        elif name == "pusher_internal:member_removed":
            found.removed(data["user_id"])
        else:
            publisher, number = data
            found.event(publisher, number)
            self.crowd.delivered += 1

    def _say(self, event: str, data: Any) -> None:
        text = json.dumps({"event": event, "data": data}).encode()
        self._send(encode_frame(TEXT, text, mask=_NO_MASK))

    def _send(self, data: bytes) -> None:
        assert self.socket is not None
        with contextlib.suppress(OSError):  # the read that follows tells
            self.socket.sendall(data)


class Crowd:
    """All clients, and all that they have to complain of.

    Args:
        addresses: Where the nodes are; a client goes to its home while that takes it, else to any.
    """

    def __init__(self, app: App, addresses: list[tuple[str, int]], *, seed: int = 1) -> None:
        self.app = app
        self.addresses = addresses
        self.selector = selectors.DefaultSelector()
        self.clients: list[Client] = []
        self.streams: Streams = {}
        self.complaints: list[str] = []
        self.delivered = 0
        self.lock = threading.RLock()
        self._chance = random.Random(seed)
        self._is_over = False
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, name: str, user_id: str, home: int, *channels: str) -> Client:
        """Open one more page."""
        with self.lock:
            client = Client(self, name, user_id)
            client.home = home
            client.wanted.update(channels)
            self.clients.append(client)
            client.connect()
            return client

    def address_for(self, client: Client) -> tuple[str, int]:
        """Its home at first, then whatever a load balancer might choose."""
        if client.losses == 0 and client.home is not None:
            return self.addresses[client.home]
        return self._chance.choice(self.addresses)

    def do(self, action: Callable[[], Any]) -> Any:
        """Run something while nothing is received."""
        with self.lock:
            self.check()
            return action()

    def check(self) -> None:
        """Raise what has ended the thread, if something has."""
        if self._fault is not None:
            raise self._fault

    def members(self, channel: str) -> set[str]:
        """The truth: users with a subscribed connection."""
        with self.lock:
            return {each.user_id for each in self.clients if channel in each.subscriptions}

    def close(self) -> None:
        with self.lock:
            self._is_over = True
        self._thread.join(5)
        for client in self.clients:
            client.leave()
        self.selector.close()

    def _run(self) -> None:
        try:
            while not self._is_over:
                ready = self.selector.select(0.02)
                with self.lock:
                    for key, mask in ready:
                        client: Client = key.data
                        if client.socket is not key.fileobj:
                            continue
                        if mask & selectors.EVENT_WRITE:
                            client.connected()
                        else:
                            client.readable()
                    now = time.monotonic()
                    for client in self.clients:
                        if client.returns_at is not None and now >= client.returns_at:
                            client.connect()
        except BaseException as error:
            self._fault = error
