"""Clients that come and go: connections a second, memory of those that stay, presence churn."""

import time
from typing import Any

from benchmarks.load.histogram import Histogram
from benchmarks.load.loop import Loop
from benchmarks.load.mode import Crowd, Mode, Task
from benchmarks.load.sockets import Client
from benchmarks.load.wire import subscribe, text_frame, upgrade

_WARM_UP = 200


class Connect(Mode):
    """Options: ``n`` clients that come, 64 at a time, and stay; with ``subscribed`` to a channel.

    Its time is not given but found: from the first handshake to the last one.
    """

    def prepare(self) -> None:
        crowd = self._crowd()
        crowd.invite(range(_WARM_UP))
        for client in crowd.clients:
            client.leave()
        self.loop.until(lambda: not any(client.is_open for client in crowd.clients), within=10)
        for client in crowd.clients:
            client.close()

    def _crowd(self) -> Crowd:
        if self.task.number("subscribed"):
            return Crowd(self, channels=lambda index: [f"bench-{index}"])
        return Crowd(self)

    def run(self, begin: float, end: float) -> dict[str, Any]:
        self.latencies = Histogram()
        self._stay = self._crowd()
        time.sleep(max(0.0, begin - time.monotonic()))
        cpu, count = time.process_time(), self.task.share("n")
        self._stay.invite(
            range(self.task.index, self.task.index + count * self.task.of, self.task.of)
        )
        seconds = time.monotonic() - begin
        return {
            "counts": {"connections": count},
            "seconds": seconds,
            "load_cpu": (time.process_time() - cpu) / seconds,
            "latencies": dict(self.latencies.counts),
        }


class Churn(Mode):
    """Options: ``n`` sessions at a time: connect, join a presence channel of about ten members,
    leave it, close; the next one comes when the server has closed too.
    """

    def __init__(self, task: Task, loop: Loop) -> None:
        super().__init__(task, loop)
        self._request = upgrade(self.target)
        self._sessions = 0
        self._rooms = max(1, task.share("n") // 10)

    def start(self) -> None:
        for _ in range(self.task.share("n")):
            self._come()

    def _come(self) -> None:
        self._sessions += 1
        Client(
            self.loop,
            self.target,
            self._request,
            index=self._sessions,
            on_open=self._join,
            on_message=self._heard,
            on_close=self._gone,
        )

    def _channel(self, client: Client) -> str:
        return f"presence-bench-{self.task.index}-{client.index % self._rooms}"

    def _join(self, client: Client) -> None:
        member = f"{self.task.index}-{client.index}"
        client.send(subscribe(self._channel(client), self.signer, client.socket_id, member))

    def _heard(self, client: Client, payload: bytes) -> None:
        if b"subscription_succeeded" in payload:
            name = self._channel(client).encode()
            leave = b'{"event":"pusher:unsubscribe","data":{"channel":"%b"}}' % name
            client.send(text_frame(leave))
            client.leave()
        elif b'"pusher' in payload and b"pusher_internal" not in payload:
            client.other(payload)

    def _gone(self, client: Client) -> None:
        if client.is_leaving:
            self.counts["sessions"] += 1
            self.latencies.add(time.monotonic() - client.began)
            self._come()
