"""Many connections of one command, subscribed to one channel, that account for what they hear."""

import re
import threading
import time
from array import array
from collections.abc import Mapping
from urllib.parse import quote

import orjson

from fizz_gevent.application import Application
from fizz_gevent.client.address import ServerAddress
from fizz_gevent.client.connect import unreachable
from fizz_gevent.client.table import plain
from fizz_gevent.client.websocket import ClientWebSocket, Closed
from fizz_gevent.errors import CommandError

_TOKEN = re.compile(r"bench:(\d+):(\d+):(\d+):")
"""Publisher, number, and microseconds, in an event's data."""

_PONG = orjson.dumps({"event": "pusher:pong", "data": {}})
_AT_ONCE = 32
_ANSWERS_WITHIN = 10.0


def event_data(publisher: int, number: int, size: int) -> str:
    """The data of an event that a crowd can account for."""
    return f"bench:{publisher}:{number}:{time.monotonic_ns() // 1000}:".ljust(size, "x")


class Crowd:
    """Connects, subscribes, and then reads until it is dismissed.

    Its threads are greenlets in the ``fizz`` command, and nothing here needs to be locked: what
    they share is changed in single steps.

    Attributes:
        handshakes: Seconds from each connection's beginning to its subscription.
        deliveries: Events that came.
        repeated: Events with a number that had been there, or came too late.
        latencies: Seconds from publishing an event to each delivery.
    """

    def __init__(
        self,
        address: ServerAddress,
        application: Application,
        channel: str,
        *,
        headers: Mapping[str, str],
    ) -> None:
        self._address = address
        self._headers = headers
        key = quote(application.key, safe="")
        self._target = f"/app/{key}?protocol=7&client=fizz-bench"
        message = {"event": "pusher:subscribe", "data": {"channel": channel}}
        self._subscribe = orjson.dumps(message)
        self._websockets: list[ClientWebSocket] = []
        self._readers: list[threading.Thread] = []
        self._is_dismissed = False
        self._errors: list[Exception] = []
        self.handshakes: list[float] = []
        self.deliveries = 0
        self.repeated = 0
        self.latencies = array("f")

    def __len__(self) -> int:
        return len(self._websockets)

    def gather(self, count: int) -> None:
        """Let so many come, some at a time, and return when all are subscribed.

        Raises:
            CommandError: One cannot get in.
        """
        ahead = iter(range(count))

        def let_in() -> None:
            for _ in ahead:
                if self._errors:
                    return
                try:
                    self._enter()
                except CommandError as error:
                    self._errors.append(error)

        threads = [threading.Thread(target=let_in, daemon=True) for _ in range(_AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.check()
        for websocket in self._websockets:
            reader = threading.Thread(target=self._read, args=(websocket,), daemon=True)
            self._readers.append(reader)
            reader.start()

    def check(self) -> None:
        """Raise CommandError if one of them was sent away."""
        if self._errors:
            raise self._errors[0]

    def dismiss(self) -> None:
        """Close all of them."""
        self._is_dismissed = True
        for websocket in self._websockets:
            websocket.close()
        for reader in self._readers:
            reader.join(1.0)

    def _enter(self) -> None:
        began = time.monotonic()
        websocket = ClientWebSocket.connect(self._address, self._target, self._headers)
        self._websockets.append(websocket)
        websocket.wait_at_most(_ANSWERS_WITHIN)
        try:
            self._await(websocket, "pusher:connection_established")
            websocket.send_text(self._subscribe)
            self._await(websocket, "pusher_internal:subscription_succeeded")
        except Closed as end:
            text = f"{self._address.url} sends a client away: {plain(str(end))}"
            raise CommandError(text) from None
        except TimeoutError:
            raise unreachable(self._address, "a client gets no answer in time") from None
        self.handshakes.append(time.monotonic() - began)

    def _await(self, websocket: ClientWebSocket, event: str) -> None:
        while True:
            text = websocket.receive()
            if event in text:
                return
            if '"pusher:error"' in text or "subscription_error" in text:
                raise CommandError(f"{self._address.url} refuses a client: {plain(text[:200])}")

    def _read(self, websocket: ClientWebSocket) -> None:
        numbers: dict[str, int] = {}
        while not self._is_dismissed:
            try:
                text = websocket.receive()
            except TimeoutError:
                continue
            except (Closed, OSError, ValueError) as end:
                if not self._is_dismissed:
                    text = f"{self._address.url} ends a connection: {plain(str(end))}"
                    self._errors.append(CommandError(text))
                return
            token = _TOKEN.search(text)
            if token is None:
                if '"pusher:ping"' in text:
                    websocket.send_text(_PONG)
                continue
            publisher, number = token[1], int(token[2])
            last = numbers.get(publisher, 0)
            if number > last:
                numbers[publisher] = number
            else:
                self.repeated += 1
            self.deliveries += 1
            self.latencies.append(time.monotonic() - int(token[3]) / 1e6)
