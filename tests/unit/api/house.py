"""The real rooms behind the API, furnished for a test: all memory, no socket, a clock in hand."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from werkzeug.test import TestResponse

from fizz_gevent.api.dispatch import FizzFlask
from fizz_gevent.api.flask_app import create_app
from fizz_gevent.application import Application
from fizz_gevent.channels.connection import Connection
from fizz_gevent.channels.outbox import Gathers, Outbox
from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.channels.tables import Tables
from fizz_gevent.cluster.memory import MemoryBus, MemoryEventCache, MemoryRegistry
from fizz_gevent.protocol.messages import SignIn, Subscribe
from fizz_gevent.service.back_ends import BackEnds
from fizz_gevent.service.directory import Directory
from fizz_gevent.service.publisher import Publisher
from fizz_gevent.service.readiness import Readiness
from fizz_gevent.service.subscription_counts import SubscriptionCounts
from fizz_gevent.service.subscriptions import Subscriptions
from fizz_gevent.service.users import Users
from fizz_gevent.service.watchlists import Watchlists
from tests.harness.signing import App, compact

NOW = 1700000000
EXAMPLE = App("1001", "fizz-key", "fizz-secret")
"""The credentials of all computed values in the protocol document."""


class HandClock:
    """Time that moves when a test says so."""

    def __init__(self) -> None:
        self.time = float(NOW)

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def later(self, seconds: float, callback: Callable[[], object]) -> "_Never":
        return _Never()


class _Never:
    def cancel(self) -> None:
        """Nothing was going to happen."""


class PatientFlusher:
    """Sends nothing: what was queued stays in the outboxes for the test to read."""

    def __init__(self) -> None:
        self.dirty: list[Outbox] = []
        self.overflowing: list[Outbox] = []
        self.gathering: list[Gathers] = []

    def schedule(self) -> None:
        """There is no loop whose turn could end."""


class Client:
    """The client's end of a connection that has no socket."""

    def __init__(self, socket_id: str, house: "House", table: ChannelTable) -> None:
        self.house = house
        self.closed: tuple[int, str] | None = None
        outbox = Outbox(house.flusher, 1 << 20, self)
        self.connection = Connection(socket_id, table, outbox, 7, house.clock.monotonic())
        table.connections[socket_id] = self.connection
        assert house.registry.connect(table.application.app_id, socket_id, None)

    def end(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def subscribe(self, channel: str, user_id: str | None = None) -> None:
        """Enter a channel, as the member ``user_id`` where that is given."""
        data = None if user_id is None else compact({"user_id": user_id})
        socket_id = self.connection.socket_id
        auth = self.house.app.channel_auth(socket_id, channel, data)
        self.house.subscriptions.subscribe(self.connection, Subscribe(channel, auth, data))

    def sign_in(self, user_id: str) -> None:
        data = compact({"id": user_id})
        auth = self.house.app.user_auth(self.connection.socket_id, data)
        self.house.users.sign_in(self.connection, SignIn(auth, data))

    def events(self) -> list[dict[str, Any]]:
        """Whatever waits for this client, taken out."""
        self.connection.table.gathering.spread()
        data = self.connection.outbox.waiting()
        self.connection.outbox.sent(data, len(data))
        return [json.loads(payload) for payload in _payloads(data)]


def _payloads(frames: bytes) -> Iterator[bytes]:
    """The payloads of unmasked frames, all short or with two bytes of length."""
    while frames:
        length, start = frames[1], 2
        if length == 126:
            length, start = int.from_bytes(frames[2:4], "big"), 4
        assert length < 65536
        yield frames[start : start + length]
        frames = frames[start + length :]


class House:
    """One node with its HTTP API."""

    def __init__(
        self,
        *,
        apps: Sequence[Application] | None = None,
        prefix: str = "",
        max_request_size: int = 1 << 20,
        registry: MemoryRegistry | None = None,
        **settings: Any,
    ) -> None:
        self.app = EXAMPLE
        if apps is None:
            apps = [Application(EXAMPLE.app_id, EXAMPLE.key, EXAMPLE.secret, **settings)]
        self.prefix = prefix
        self.clock = HandClock()
        self.flusher = PatientFlusher()
        self.registry = registry or MemoryRegistry(self.clock)
        self.cache = MemoryEventCache(self.clock)
        self.readiness = Readiness()
        self.tables = Tables(apps, self.flusher)
        counts = SubscriptionCounts(self.registry, MemoryBus(), self.clock)
        self.subscriptions = Subscriptions(self.registry, self.cache, counts, self.clock)
        self.users = Users(
            self.registry, Watchlists(self.registry, self.clock), MemoryBus(), self.clock
        )
        self.flask: FizzFlask = create_app(
            back_ends=BackEnds(self.tables, self.clock, prefix),
            publisher=Publisher(self.cache, MemoryBus(), self.clock),
            directory=Directory(self.registry, self.cache),
            users_service=self.users,
            readiness=self.readiness,
            prefix=prefix,
            max_request_size=max_request_size,
        )
        self._clients = 0

    def client(self, app: App = EXAMPLE) -> Client:
        """One more connected client."""
        table = self.tables.by_id(app.app_id)
        assert table is not None
        self._clients += 1
        return Client(f"1.{self._clients}", self, table)

    def request(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> TestResponse:
        """Send exactly this; nothing is signed or added."""
        environ = {"RAW_URI": target, "REQUEST_URI": target}
        return self.flask.test_client().open(
            target, method=method, data=body, headers=headers, environ_overrides=environ
        )

    def signed(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        body: bytes = b"",
        *,
        app: App = EXAMPLE,
    ) -> TestResponse:
        """Send a request as an SDK signs it, now."""
        timestamp = int(self.clock.now())
        query = app.signed_query(method, path, params, body, timestamp=timestamp)
        return self.request(method, f"{self.prefix}{path}?{query}", body)

    def get(self, path: str, **params: str) -> TestResponse:
        """``GET`` something below the example application."""
        return self.signed("GET", f"/apps/1001{path}", params)

    def post(self, path: str, value: Any) -> TestResponse:
        """``POST`` JSON, or bytes as they are, below the example application."""
        body = value if isinstance(value, bytes) else compact(value).encode()
        return self.signed("POST", f"/apps/1001{path}", None, body)


def error_of(response: TestResponse) -> tuple[int, str]:
    """Status and text of an error, after a check of its documented form. Protocol: §12.2."""
    assert response.mimetype == "application/json"
    assert response.headers["Content-Type"] == "application/json"
    value = json.loads(response.data)
    assert set(value) == {"error", "code"}
    assert value["code"] == response.status_code
    assert response.data == json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return response.status_code, value["error"]
