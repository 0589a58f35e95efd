"""Publishing: signed requests of the HTTP API, without anybody who listens."""

import time

from benchmarks.load.loop import Loop
from benchmarks.load.mode import Mode, Task
from benchmarks.load.sockets import Caller
from benchmarks.load.wire import data_of, event_body


class Publish(Mode):
    """Options: ``callers`` connections, each with one request of ``batch`` events on its way; with
    ``fresh`` a connection for each request.
    """

    def __init__(self, task: Task, loop: Loop) -> None:
        super().__init__(task, loop)
        self.batch = task.number("batch", 1)
        self.size = task.number("size", 100)
        self._number = 0
        self._callers = [
            Caller(
                loop,
                self.target,
                is_kept_alive=not task.number("fresh"),
                on_answer=self._answered,
            )
            for _ in range(task.share("callers"))
        ]

    def start(self) -> None:
        for caller in self._callers:
            self._publish(caller)

    def _publish(self, caller: Caller) -> None:
        moment = time.monotonic()
        events = []
        for _ in range(self.batch):
            self._number += 1
            events.append(("bench-0", data_of(0, 0, self._number, moment=moment, size=self.size)))
        caller.call(self.signer.post(*event_body(events)))

    def _answered(self, caller: Caller, seconds: float) -> None:
        self.counts["requests"] += 1
        self.counts["events"] += self.batch
        self.latencies.add(seconds)
        self._publish(caller)
