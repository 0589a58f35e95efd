"""Fan-out: publishers on one side, subscribers on the other, and every event accounted for."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.load.ledger import Ledger, Progress, Token
from benchmarks.load.loop import Loop
from benchmarks.load.mode import Crowd, Mode, Task
from benchmarks.load.sockets import Caller, Client
from benchmarks.load.wire import TOKEN, data_of, event_body, split

_DRAIN_WITHIN = 20.0
_QUIET = 0.5
"""Seconds of silence after which nothing more is expected by a process that has no publishers."""
_REMEMBERED = 2000


class FanOut(Mode):
    """Options: ``n`` subscribers, each of ``each`` out of ``channels``, and ``size`` bytes of data.

    ``publishers`` keep-alive connections send the next request, of ``batch`` events, when the last
    one is answered and no more than ``10000 / subscribers`` (2 to 64) of them are on their way to
    anybody; or ``rate`` requests a second, whatever happens.
    """

    def __init__(self, task: Task, loop: Loop) -> None:
        super().__init__(task, loop)
        self.channels = task.number("channels", 1)
        self.each = task.number("each", 1)
        self.batch = task.number("batch", 1)
        self.size = task.number("size", 100)
        self.rate = float(task.options.get("rate", 0))
        self.indexes = range(task.index, task.number("n"), task.of)
        self.fan = Counter(name for index in self.indexes for name in self._channels_of(index))
        """Subscribers in this process, by channel."""
        of_one = task.number("n") * self.each // self.channels
        self.window = max(2, min(64, 10000 // max(1, of_one))) * of_one * self.batch // task.of
        self.published = 0
        self.expected = 0
        self.ledgers: list[Ledger] = []
        self._start = Progress({})
        self._known: dict[frozenset[tuple[bytes, int]], Progress] = {}
        self._numbers: Counter[tuple[int, int]] = Counter()
        self._turns: Counter[int] = Counter()
        self._is_publishing = False
        self._due = 0.0
        self._callers: list[Caller] = []
        self._heard = (0, 0.0)
        """The last change of the number of deliveries that was noticed, and when."""

    def _channels_of(self, index: int) -> list[str]:
        first = index * self.each
        return [f"bench-{(first + place) % self.channels}" for place in range(self.each)]

    def prepare(self) -> None:
        crowd = Crowd(self, channels=self._channels_of, on_ready=self._listen)
        crowd.invite(self.indexes)
        if self.task.index == 0:
            for number in range(self.task.number("publishers", 2)):
                caller = Caller(self.loop, self.target, on_answer=self._answered)
                caller.state = number
                self._callers.append(caller)

    def _listen(self, client: Client) -> None:
        take: Callable[[Client, bytes], None] = self._take
        if self.each == 1:
            client.state = self._start
        else:
            client.state = Ledger()
            self.ledgers.append(client.state)
            take = self._take_closely
        client.take = partial(take, client)

    def start(self) -> None:
        self._is_publishing = True
        self._due = time.monotonic()

    def tick(self, now: float) -> None:
        if self.rate:
            while self._is_publishing and self._due <= now:
                caller = next((one for one in self._callers if not one.is_busy), None)
                if caller is None:
                    break  # it stays due, and the delay counts
                self._publish(caller, self._due)
                self._due += 1 / self.rate
        else:
            for caller in self._callers:
                if not caller.is_busy:
                    self._pump(caller)

    def _pump(self, caller: Caller) -> None:
        if self._is_publishing and self.expected - self.counts["deliveries"] < self.window:
            self._publish(caller, time.monotonic())

    def _answered(self, caller: Caller, seconds: float) -> None:
        self.counts["requests"] += 1
        if not self.rate:
            self._pump(caller)

    def _publish(self, caller: Caller, moment: float) -> None:
        publisher: int = caller.state
        # each publisher goes through all channels, beginning elsewhere
        offset = publisher * self.channels // len(self._callers)
        channel = (self._turns[publisher] + offset) % self.channels
        self._turns[publisher] += 1
        name = f"bench-{channel}"
        events = []
        for _ in range(self.batch):
            self._numbers[publisher, channel] += 1
            number = self._numbers[publisher, channel]
            data = data_of(publisher, channel, number, moment=moment, size=self.size)
            events.append((name, data))
        self.published += self.batch
        self.counts["events"] += self.batch
        self.expected += self.fan[name] * self.batch
        caller.call(self.signer.post(*event_body(events)))

    def _take(self, client: Client, data: bytes) -> None:
        progress: Progress = client.state
        if data == progress.memo and not client.rest:
            count = progress.count
            client.state = progress.after
            self.counts["deliveries"] += count
            self.latencies.add(time.monotonic() - progress.sent, count)
            return
        is_whole = not client.rest
        tokens = self._tokens(client, data)
        last = progress.advanced(tokens)
        if last is None:
            client.state = Ledger(dict(progress.last))
            self.ledgers.append(client.state)
            client.take = partial(self._take_closely, client)
            self._enter(client, tokens)
            return
        if not tokens:
            return
        after = self._state(last)
        if is_whole and not client.rest:
            progress.memo, progress.after = data, after
            progress.count, progress.sent = len(tokens), tokens[0][2]
        client.state = after
        self.counts["deliveries"] += len(tokens)
        self.latencies.add(time.monotonic() - tokens[0][2], len(tokens))

    def _state(self, last: dict[bytes, int]) -> Progress:
        if len(self._known) > _REMEMBERED:
            self._known.clear()  # who lags behind makes states of its own
        return self._known.setdefault(frozenset(last.items()), Progress(last))

    def _take_closely(self, client: Client, data: bytes) -> None:
        self._enter(client, self._tokens(client, data))

    def _enter(self, client: Client, tokens: list[Token]) -> None:
        ledger: Ledger = client.state
        now = time.monotonic()
        for key, number, sent in tokens:
            ledger.enter(key, number)
            self.latencies.add(now - sent)
        self.counts["deliveries"] += len(tokens)

    def _tokens(self, client: Client, data: bytes) -> list[Token]:
        frames, client.rest = split(client.rest + data if client.rest else data)
        tokens = []
        for opcode, payload in frames:
            match = TOKEN.search(payload) if opcode == 1 else None
            if match:
                tokens.append((match[1], int(match[2]), int(match[3]) / 1e6))
            elif opcode == 1:
                client.other(payload)
            else:
                client.control(opcode, payload)
        return tokens

    def _has_all(self) -> bool:
        if self._callers:
            is_busy = any(caller.is_busy for caller in self._callers)
            return not is_busy and self.counts["deliveries"] >= self.expected
        if self._heard[0] != self.counts["deliveries"]:
            self._heard = (self.counts["deliveries"], time.monotonic())
        return time.monotonic() - self._heard[1] > _QUIET

    def finish(self) -> dict[str, Any]:
        self._is_publishing = False
        self._heard = (0, time.monotonic())
        self.loop.until(self._has_all, within=_DRAIN_WITHIN)
        end = time.monotonic() + 0.1  # what comes twice would come now
        self.loop.until(lambda: time.monotonic() > end, within=1)
        duplicated = sum(ledger.duplicated for ledger in self.ledgers)
        return {
            "published": self.published,
            "arrived": self.counts["deliveries"] - duplicated,
            "duplicated": duplicated,
            "reordered": sum(ledger.reordered for ledger in self.ledgers),
        }
