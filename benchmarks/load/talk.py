"""Clients that talk: pings, and client events from one to another."""

import json
import re
import time

from benchmarks.load.loop import Loop
from benchmarks.load.mode import Crowd, Mode, Task
from benchmarks.load.sockets import Client, Trouble
from benchmarks.load.wire import text_frame

_PING = text_frame(b'{"event":"pusher:ping","data":{}}')
_NUMBER = re.compile(rb"bench:(\d+):")


class Pings(Mode):
    """Options: ``n`` clients, each with one ``pusher:ping`` on its way."""

    def prepare(self) -> None:
        self._crowd = Crowd(self, on_message=self._heard)
        self._crowd.invite(range(self.task.share("n")))

    def start(self) -> None:
        for client in self._crowd.clients:
            self._ping(client)

    def _ping(self, client: Client) -> None:
        client.state = time.monotonic()
        client.send(_PING)

    def _heard(self, client: Client, payload: bytes) -> None:
        if b'"pusher:pong"' in payload:
            self.counts["round trips"] += 1
            self.latencies.add(time.monotonic() - client.state)
            self._ping(client)
        else:
            client.other(payload)


class ClientEvents(Mode):
    """Options: ``pairs`` of clients, each pair on a private channel of its own.

    One says a number, the other says it back: that is a round trip, and two client events.
    """

    def __init__(self, task: Task, loop: Loop) -> None:
        super().__init__(task, loop)
        self._sent: dict[int, tuple[int, float]] = {}
        """The number that a pair is at, and since when."""

    def _channel(self, index: int) -> str:
        return f"private-bench-{self.task.index}-{index // 2}"

    def prepare(self) -> None:
        self._crowd = Crowd(
            self, channels=lambda index: [self._channel(index)], on_message=self._heard
        )
        self._crowd.invite(range(2 * self.task.share("pairs")))

    def start(self) -> None:
        for client in self._crowd.clients:
            if client.index % 2 == 0:
                self._say(client, 1)

    def _say(self, client: Client, number: int) -> None:
        if client.index % 2 == 0:
            self._sent[client.index] = (number, time.monotonic())
        message = {
            "event": "client-bench",
            "channel": self._channel(client.index),
            "data": f"bench:{number}:",
        }
        client.send(text_frame(json.dumps(message, separators=(",", ":")).encode()))

    def _heard(self, client: Client, payload: bytes) -> None:
        match = _NUMBER.search(payload)
        if match is None:
            client.other(payload)
            return
        number = int(match[1])
        if client.index % 2:
            self._say(client, number)
            return
        expected, sent = self._sent[client.index]
        if number != expected:
            raise Trouble(f"client event {number} came back where {expected} was awaited")
        self.counts["round trips"] += 1
        self.latencies.add(time.monotonic() - sent)
        self._say(client, number + 1)
