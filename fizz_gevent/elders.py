"""The workers of the program before this one, which serve until those of this one do."""

import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path

import gevent
from gevent import socket as gevent_socket
from gevent.event import Event

from fizz_gevent.cluster.adopted_process import AdoptedProcess
from fizz_gevent.cluster.private_redis import PrivateRedis, described
from fizz_gevent.heritage import Heritage
from fizz_gevent.lifeline import RETIRE, Lifeline

GRACE_SECONDS = 10.0
"""Above what a worker itself takes at most beyond ``drain_seconds``."""
_log = logging.getLogger(__name__)


class Elders:
    """What is left of the workers that a restart has handed down, and of the Redis between them.

    Args:
        patience: How many seconds they have to end, once they were told to.
        on_change: Told where one of them has ended.

    Attributes:
        redis: Theirs, where this program uses none; it ends with the last of them.
    """

    def __init__(
        self,
        heritage: Heritage | None,
        patience: float,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.redis: PrivateRedis | None = None
        self._patience = patience
        self._on_change = on_change
        self._ended = Event()
        self._is_retiring = False
        self._running: dict[int, tuple[AdoptedProcess, Lifeline]] = {}
        for pid, file in heritage.elders if heritage is not None else ():
            lifeline = Lifeline(gevent_socket.socket(fileno=file))
            self._running[pid] = AdoptedProcess(pid), lifeline
            gevent.spawn(self._mind, pid)

    def __len__(self) -> int:
        return len(self._running)

    def pids(self) -> list[int]:
        """Those that run."""
        return list(self._running)

    def retire(self) -> None:
        """Let them go: others serve. Yields."""
        self._is_retiring = True
        if not self._running:
            self._end_redis()
        for pid, (process, lifeline) in list(self._running.items()):
            try:
                lifeline.send(RETIRE)
            except OSError:
                process.terminate()
            gevent.spawn(self._see_off, pid)

    def stopping(self) -> "gevent.Greenlet[[], None]":
        """Ask them to end, and wait for that."""
        return gevent.spawn(self._stop)

    def _stop(self) -> None:
        self._is_retiring = True
        for process, _ in list(self._running.values()):
            process.terminate()
        until = time.monotonic() + self._patience
        while self._running and time.monotonic() < until:
            self._ended.clear()
            self._ended.wait(until - time.monotonic())

    def close(self) -> None:
        """End what is left of them at once. Yields."""
        self._is_retiring = True
        for process, lifeline in list(self._running.values()):
            process.kill()
            process.wait()
            lifeline.close()
        self._running.clear()
        self._end_redis()

    def hand_down(self, heritage: Heritage) -> None:
        """Leave those that still run to the program to come."""
        for pid, (_, lifeline) in self._running.items():
            heritage.elders.append([pid, lifeline.fileno()])
        if self.redis is not None and self.redis.pid is not None:
            heritage.redis = [str(self.redis.folder), self.redis.pid]

    def _mind(self, pid: int) -> None:
        process, lifeline = self._running[pid]
        code = process.wait()
        if not self._is_retiring:
            _log.warning("old worker (process %d) ended with %s", pid, described(code))
        if self._running.pop(pid, None) is not None:
            lifeline.close()
        if not self._running:
            self._end_redis()
        self._ended.set()
        self._on_change()

    def _see_off(self, pid: int) -> None:
        gevent.sleep(self._patience)
        if pid in self._running:
            _log.warning("old worker (process %d) does not end; it is killed", pid)
            self._running[pid][0].send_signal(signal.SIGKILL)

    def _end_redis(self) -> None:
        redis, self.redis = self.redis, None
        if redis is not None:
            redis.stop()


def adopted_redis(heritage: Heritage | None, run_directory: str | None) -> PrivateRedis | None:
    """The Redis that a restart has handed down; None where there is none."""
    if heritage is None or not heritage.redis:
        return None
    folder, pid = heritage.redis
    redis = PrivateRedis(run_directory)
    redis.adopt(Path(str(folder)), int(pid))
    return redis
