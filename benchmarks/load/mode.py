"""What every mode is: it gets ready, runs between two moments, and says what it counted."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.load.histogram import Histogram
from benchmarks.load.loop import Loop
from benchmarks.load.sockets import Client, Trouble
from benchmarks.load.wire import Signer, Target, subscribe, upgrade

_READY_WITHIN = 120.0
_IN_FLIGHT = 64
"""Handshakes at a time: a crowd that comes back, but not all of it in one moment."""


@dataclass(frozen=True)
class Task:
    """What one process of the generator has to do.

    Attributes:
        index: Which of the processes this is.
        of: How many there are.
    """

    mode: str
    target: Target
    options: dict[str, Any]
    index: int = 0
    of: int = 1

    def number(self, name: str, default: int = 0) -> int:
        return int(self.options.get(name, default))

    def share(self, name: str) -> int:
        """This process's part of a number that all of them make up; at least one."""
        whole = self.number(name)
        return max(1, whole // self.of + (self.index < whole % self.of))


class Mode:
    """Base of all modes: counts, latencies, and the loop between two moments.

    Attributes:
        counts: What was done since the start; :meth:`run` returns the difference.
    """

    def __init__(self, task: Task, loop: Loop) -> None:
        self.task = task
        self.loop = loop
        self.target = task.target
        self.signer = Signer(task.target)
        self.counts: Counter[str] = Counter()
        self.latencies = Histogram()

    def prepare(self) -> None:
        """Do what does not count."""

    def start(self) -> None:
        """Send the first of everything."""

    def tick(self, now: float) -> None:
        """Called after each turn of the loop."""

    def finish(self) -> dict[str, Any]:
        """Wait for what is on its way; return what belongs to the result beside the counts."""
        return {}

    def run(self, begin: float, end: float) -> dict[str, Any]:
        """Work until ``end``; count from ``begin`` on."""
        self.start()
        self._work(begin)
        before, cpu = Counter(self.counts), time.process_time()
        self.latencies = Histogram()
        self._work(end)
        after, cpu = Counter(self.counts), time.process_time() - cpu
        latencies = self.latencies
        after.subtract(before)
        return {
            "counts": dict(after),
            "seconds": end - begin,
            "load_cpu": cpu / (end - begin),
            "latencies": dict(latencies.counts),
            **self.finish(),
        }

    def _work(self, until: float) -> None:
        turn, tick = self.loop.turn, self.tick
        while (left := until - time.monotonic()) > 0:
            turn(min(left, 0.005))
            tick(time.monotonic())


class Crowd:
    """Clients that come in, so many at a time, and subscribe.

    Args:
        channels: The channels of the client with this index.
        on_message: Gets what comes once a client is ready.
        on_ready: Called with each client when all of its channels are confirmed.

    Attributes:
        clients: Those that are ready.
    """

    def __init__(
        self,
        mode: Mode,
        *,
        channels: Callable[[int], Sequence[str]] = lambda index: (),
        on_message: Callable[[Client, bytes], None] = lambda client, payload: client.other(payload),
        on_ready: Callable[[Client], None] = lambda client: None,
    ) -> None:
        self.clients: list[Client] = []
        self._mode = mode
        self._request = upgrade(mode.target)
        self._channels = channels
        self._on_message = on_message
        self._on_ready = on_ready
        self._coming = 0
        self._ahead: list[int] = []

    def invite(self, indexes: Sequence[int]) -> None:
        """Let these clients come, and return when they are all ready.

        Raises:
            Trouble: They do not get in.
        """
        wanted = len(self.clients) + len(indexes)
        self._ahead = list(reversed(indexes))
        self._next()
        if not self._mode.loop.until(lambda: len(self.clients) == wanted, within=_READY_WITHIN):
            raise Trouble(f"{len(self.clients)} of {wanted} clients got ready")

    def _next(self) -> None:
        while self._ahead and self._coming < _IN_FLIGHT:
            self._coming += 1
            Client(
                self._mode.loop,
                self._mode.target,
                self._request,
                index=self._ahead.pop(),
                on_open=self._opened,
                on_message=self._confirmed,
            )

    def _opened(self, client: Client) -> None:
        channels = self._channels(client.index)
        client.state = len(channels)
        if channels:
            signer, socket_id = self._mode.signer, client.socket_id
            client.send(b"".join(subscribe(name, signer, socket_id) for name in channels))
        else:
            self._ready(client)

    def _confirmed(self, client: Client, payload: bytes) -> None:
        if b"subscription_succeeded" in payload:
            client.state -= 1
            if client.state == 0:
                self._ready(client)
        else:
            client.other(payload)

    def _ready(self, client: Client) -> None:
        self._mode.latencies.add(time.monotonic() - client.began)
        client.on_message = self._on_message
        self.clients.append(client)
        self._coming -= 1
        self._on_ready(client)
        self._next()
