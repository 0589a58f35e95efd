"""One node of real rooms, all in memory: no socket, and time and turns in the test's hands."""

import contextlib
import json
from collections.abc import Sequence
from typing import Any

from fizz_gevent.application import Application
from fizz_gevent.channels.connection import Connection
from fizz_gevent.channels.outbox import Outbox
from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.channels.tables import Tables
from fizz_gevent.cluster.memory import MemoryBus, MemoryEventCache, MemoryRegistry
from fizz_gevent.errors import FrameError
from fizz_gevent.ports import Bus, EventCache, Registry
from fizz_gevent.protocol import frames
from fizz_gevent.protocol.triggers import Event
from fizz_gevent.service.directory import Directory
from fizz_gevent.service.janitor import Janitor
from fizz_gevent.service.publisher import Publisher
from fizz_gevent.service.session import Sessions
from fizz_gevent.service.subscription_counts import SubscriptionCounts
from fizz_gevent.service.subscriptions import Subscriptions
from fizz_gevent.service.users import Users
from fizz_gevent.service.watchlists import Watchlists
from fizz_gevent.webhooks.memory_backlog import MemoryBacklog
from fizz_gevent.webhooks.sink import BacklogSink
from tests.harness.signing import App, compact
from tests.unit.clockwork import HandClock, HandFlusher

APP = App("1001", "fizz-key", "fizz-secret")


def application(app: App = APP, **settings: Any) -> Application:
    return Application(app.app_id, app.key, app.secret, **settings)


class Client:
    """Both ends of a connection: what the transport does here, and what the client hears there.

    Attributes:
        closed: Code and reason of the close frame, once the server has ended the connection.
        received: Bytes that went over the wire and that no test has looked at yet.
        is_reading: Set to False by a test, the "socket" takes nothing.
    """

    def __init__(
        self, node: "Node", app: App, socket_id: str, protocol: int, limit_bytes: int
    ) -> None:
        table = node.table(app)
        self.node = node
        self.app = app
        self.outbox = Outbox(node.flusher, limit_bytes, self)
        self.connection = Connection(
            socket_id, table, self.outbox, protocol, node.clock.monotonic()
        )
        self.closed: tuple[int, str] | None = None
        self.received = b""
        self.is_reading = True

    @property
    def socket_id(self) -> str:
        return self.connection.socket_id

    # What the transport does.

    def take(self, data: bytes) -> int:
        if not self.is_reading:
            return 0
        self.received += data
        return len(data)

    def end(self, code: int, reason: str) -> None:
        if self.connection.is_open:
            self._close(code, reason)
            self.outbox.finish(frames.close_frame(code, reason))

    def overflowed(self) -> None:
        if self.connection.is_open:
            self._close(4100, "Over capacity")
            self.outbox.cut(frames.close_frame(4100, "Over capacity"))

    def _close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        self.connection.is_open = False
        self.node.ending.append(self)

    def vanish(self) -> None:
        """End without a word; the server notices at the end of the turn."""
        if self.connection.is_open:
            self.connection.is_open = False
            self.outbox.discard()
            self.node.ending.append(self)

    # What the client says. The answers of these are what the client has heard since it last asked.

    def send(self, payload: bytes) -> list[dict[str, Any]]:
        """Let the server handle one message, as the read loop does."""
        assert self.connection.is_open, "the read loop hands on nothing after the end"
        self.connection.last_heard = self.node.clock.monotonic()
        try:
            self.node.sessions.received(self.connection, payload)
        except FrameError as error:
            self.end(error.code, error.reason)
        except Exception:
            self.node.sessions.failed(self.connection)
        return self.heard()

    def say(self, event: str, data: Any = None, **others: Any) -> list[dict[str, Any]]:
        message = {"event": event, **others, **({} if data is None else {"data": data})}
        return self.send(compact(message).encode())

    def subscribe(
        self,
        channel: str,
        user_id: str | int | None = None,
        user_info: Any = None,
        *,
        auth: str | None = None,
        channel_data: str | None = None,
    ) -> list[dict[str, Any]]:
        """Subscribe as pusher-js does, signed unless ``auth`` says otherwise."""
        if user_id is not None:
            member = {"user_id": user_id}
            channel_data = compact(
                member if user_info is None else member | {"user_info": user_info}
            )
        if auth is None:
            auth = ""
            if channel.startswith(("private-", "presence-")):
                auth = self.app.channel_auth(self.socket_id, channel, channel_data)
        data = {"auth": auth, "channel": channel}
        if channel_data is not None:
            data["channel_data"] = channel_data
        return self.say("pusher:subscribe", data)

    def unsubscribe(self, channel: str) -> list[dict[str, Any]]:
        return self.say("pusher:unsubscribe", {"channel": channel})

    def sign_in(
        self, user_id: Any, *, auth: str | None = None, **fields: Any
    ) -> list[dict[str, Any]]:
        user_data = compact({"id": user_id, **fields})
        if auth is None:
            auth = self.app.user_auth(self.socket_id, user_data)
        return self.say("pusher:signin", {"auth": auth, "user_data": user_data})

    def heard(self) -> list[dict[str, Any]]:
        """Every event that has come since the last look, ``data`` decoded where it is a string."""
        return [_event(payload) for opcode, payload in self.frames() if opcode == frames.TEXT]

    def names(self) -> list[str]:
        """The same, only what the events are called."""
        return [event["event"] for event in self.heard()]

    def frames(self) -> list[tuple[int, bytes]]:
        """Every frame that has come since the last look: opcode and payload."""
        self.node.turn()
        data, self.received = self.received, b""
        return split(data)


class Node:
    """All rooms that no socket is needed for.

    Attributes:
        ending: Clients whose connection is to be closed when the turn ends.
    """

    def __init__(
        self,
        *applications: Application,
        registry: Registry | None = None,
        cache: EventCache | None = None,
        bus: Bus | None = None,
        **settings: Any,
    ) -> None:
        self.clock = HandClock()
        self.flusher = HandFlusher()
        self.registry = registry or MemoryRegistry(self.clock)
        self.cache = cache or MemoryEventCache(self.clock)
        bus = bus or MemoryBus()
        self.tables = Tables(applications or [application(**settings)], self.flusher)
        self.backlog = MemoryBacklog(self.clock, self.tables.application)
        sink = BacklogSink(self.backlog)
        if isinstance(self.registry, MemoryRegistry):
            self.registry.on_turned, self.registry.on_moved = (
                self.backlog.turned,
                self.backlog.moved,
            )
        self.counts = SubscriptionCounts(self.registry, bus, self.clock, sink)
        self.watchlists = Watchlists(self.registry, self.clock)
        self.subscriptions = Subscriptions(self.registry, self.cache, self.counts, self.clock, sink)
        self.users = Users(self.registry, self.watchlists, bus, self.clock)
        self.publisher = Publisher(self.cache, bus, self.clock, sink)
        self.directory = Directory(self.registry, self.cache)
        self.janitor = Janitor(self.tables, self.clock)
        self.sessions = Sessions(
            self.registry, self.subscriptions, self.users, self.publisher, self.clock
        )
        self.ending: list[Client] = []
        self._clients = 0

    def table(self, app: App = APP) -> ChannelTable:
        table = self.tables.by_id(app.app_id)
        assert table is not None
        return table

    def client(self, app: App = APP, *, protocol: int = 7, limit_bytes: int = 1 << 20) -> Client:
        """One more client that was admitted and has read its greeting."""
        client = self.newcomer(app, protocol=protocol, limit_bytes=limit_bytes)
        assert client.names() == ["pusher:connection_established"]
        return client

    def newcomer(self, app: App = APP, *, protocol: int = 7, limit_bytes: int = 1 << 20) -> Client:
        """The same, with the greeting still unread."""
        self._clients += 1
        client = Client(self, app, f"{self._clients}.{self._clients + 7}", protocol, limit_bytes)
        limit = client.connection.table.application.max_connections
        assert self.registry.connect(app.app_id, client.socket_id, limit)
        self.sessions.opened(client.connection)
        return client

    def turn(self) -> None:
        """End a turn of the loop: flush, and see to connections that have ended."""
        self.flusher.turn()
        while self.ending:
            ended, self.ending = self.ending, []
            for client in ended:
                self.sessions.closed(client.connection)
            self.flusher.turn()

    def publish(
        self,
        channels: str | Sequence[str],
        name: str = "news",
        data: str = "{}",
        *,
        socket_id: str | None = None,
        app: App = APP,
    ) -> None:
        """Publish as a back end does."""
        names = (channels,) if isinstance(channels, str) else tuple(channels)
        event = Event(name, names, data, socket_id, ())
        self.publisher.publish(self.table(app), [event])

    def webhooks(self) -> list[tuple[str, dict[str, Any]]]:
        """What back ends were told since the last look: target and body of each request."""
        found = []
        self.turn()
        self.backlog.advance()
        while batch := self.backlog.take({}, 100, 100):
            for taken in batch:
                found.append((taken.delivery.target, json.loads(taken.delivery.body)))
                self.backlog.done(taken)
        return found

    def told(self) -> list[dict[str, Any]]:
        """The same, only the events, in order."""
        return [event for _, body in self.webhooks() for event in body["events"]]

    def assert_nothing_is_left(self) -> None:
        """Nobody is here any more, and nobody is remembered."""
        self.turn()
        for table in self.tables:
            app_id = table.application.app_id
            assert table.connections == {}
            assert table.channels == {}
            assert table.users == {}
            assert table.watchers == {}
            assert self.registry.connections(app_id) == 0
            assert self.registry.channels(app_id, "") == {}


def _event(payload: bytes) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(payload)
    data = event.get("data")
    if isinstance(data, str):
        with contextlib.suppress(ValueError):
            event["data"] = json.loads(data)
    return event


def split(data: bytes) -> list[tuple[int, bytes]]:
    """Take whole, unmasked, unfragmented frames apart: opcode and payload of each."""
    found = []
    while data:
        assert data[0] & 0xF0 == 0x80, data[:20]
        length, start = data[1], 2
        assert length < 128, "a server does not mask"
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(data[2:start], "big")
        payload = data[start : start + length]
        assert len(payload) == length
        found.append((data[0] & 0x0F, payload))
        data = data[start + length :]
    return found


def succeeded(channel: str, data: Any = None) -> dict[str, Any]:
    """The confirmation of a subscription, as ``heard`` shows it."""
    return _internal("subscription_succeeded", channel, data or {})


def roster(channel: str, **members: Any) -> dict[str, Any]:
    """The confirmation in a presence channel: user ids and infos in the order of coming."""
    presence = {"count": len(members), "ids": list(members), "hash": members}
    return _internal("subscription_succeeded", channel, {"presence": presence})


def added(channel: str, user_id: str, user_info: Any = None) -> dict[str, Any]:
    data = {"user_id": user_id, "user_info": user_info or {}}
    return _internal("member_added", channel, data)


def removed(channel: str, user_id: str) -> dict[str, Any]:
    return _internal("member_removed", channel, {"user_id": user_id})


def count(channel: str, number: int) -> dict[str, Any]:
    return _internal("subscription_count", channel, {"subscription_count": number})


def event(channel: str, name: str = "news", data: Any = None) -> dict[str, Any]:
    return {"event": name, "channel": channel, "data": {} if data is None else data}


def error(code: int | None, message: str) -> dict[str, Any]:
    return {"event": "pusher:error", "data": {"code": code, "message": message}}


def refusal(
    channel: str, message: str, type: str = "AuthError", status: int = 401, code: int | None = 4009
) -> list[dict[str, Any]]:
    """The two frames of a refused subscription. Protocol: §6.3."""
    data = {"type": type, "error": message, "status": status}
    return [
        {"event": "pusher:subscription_error", "channel": channel, "data": data},
        error(code, message),
    ]


def _internal(name: str, channel: str, data: Any) -> dict[str, Any]:
    return {"event": f"pusher_internal:{name}", "channel": channel, "data": data}
