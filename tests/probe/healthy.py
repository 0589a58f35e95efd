"""Clients that behave, and how long an event takes to each of them."""

import json
import select
import time
from dataclasses import dataclass, field

from tests.harness.http_api import HttpApi
from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.websocket import PING, PONG

CHANNEL = "private-healthy"
WITHIN = 10.0
_POLL_MS = 1000.0


@dataclass
class Window:
    """What was seen for a while.

    Attributes:
        seconds: From the beginning of each publish to each client that got the event.
        events: How many were published.
    """

    seconds: list[float] = field(default_factory=list)
    events: int = 0

    def quantile(self, share: float) -> float:
        """Milliseconds."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Healthy:
    """Some clients in one channel, and a back end that publishes there, one event after the other.

    Every client has to get every event, once and in order.
    """

    def __init__(self, server: FizzServer, app: App, count: int = 20) -> None:
        self.clients: list[PusherClient] = [server.client(app) for _ in range(count)]
        for client in self.clients:
            client.subscribe(CHANNEL)
        self._by_file = {client.websocket.socket.fileno(): client for client in self.clients}
        self._poll = select.poll()
        for file in self._by_file:
            self._poll.register(file, select.POLLIN)
        self._api: HttpApi = server.api(app)
        self._connection = self._api.connection()
        self._number = 0

    def watch(self, seconds: float, *, pause: float = 0.004) -> Window:
        """Publish for so long.

        Args:
            pause: Between the last client's receipt and the next event.
        """
        window = Window()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._publish(window)
            time.sleep(pause)
        return window

    def _publish(self, window: Window) -> None:
        self._number += 1
        data = str(self._number)
        body = json.dumps({"name": "drop", "channel": CHANNEL, "data": data}).encode()
        path = f"{self._api.base}/events"
        query = self._api.app.signed_query("POST", path, None, body)
        began = time.monotonic()
        answer = self._api.request(
            "POST", path, body=body, query=query, connection=self._connection
        )
        assert answer.status == 200, answer
        waiting = set(self._by_file)
        while waiting:
            ready = self._poll.poll(_POLL_MS * WITHIN)
            assert ready, f"{len(waiting)} clients do not get event {data}"
            now = time.monotonic()
            for file, _ in ready:
                if self._got(self._by_file[file], data):
                    waiting.remove(file)
                    window.seconds.append(now - began)
        window.events += 1

    @staticmethod
    def _got(client: PusherClient, data: str) -> bool:
        """Read what has come; whether the event was among it, and nothing else."""
        websocket = client.websocket
        is_there = False
        while websocket.is_readable(within=0):
            frame = websocket.recv_frame(within=WITHIN)
            if frame.opcode == PING:
                websocket.send_frame(PONG, frame.payload)
                continue
            event = json.loads(frame.text)
            assert (event["event"], event["data"]) == ("drop", data), "in order, nothing lost"
            assert not is_there, "once"
            is_there = True
        return is_there

    def close(self) -> None:
        self._connection.close()
        for client in self.clients:
            client.websocket.abandon()
