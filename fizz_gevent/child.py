"""One worker, as its parent sees it."""

import contextlib
import itertools
import json
import os
import pickle
import signal
import subprocess
import time
from collections.abc import Sequence

import gevent
from gevent import socket as gevent_socket
from gevent.event import AsyncResult

from fizz_gevent.config import Config
from fizz_gevent.errors import CommandError
from fizz_gevent.heritage import SIGNALS, command
from fizz_gevent.lifeline import (
    CONFIGURATION,
    GO,
    INHERITANCE,
    NUMBER,
    QUESTION,
    REPLY,
    REPORT,
    Lifeline,
)
from fizz_gevent.worker import VARIABLE, Inheritance, Report

_READY_WITHIN = 60.0
_ANSWERS_WITHIN = 50.0
_TAKES_WITHIN = 5.0
"""For a new configuration; a worker that hangs must not keep it from the others."""


class Child:
    """A process that was started to be a worker.

    Args:
        index: Which of the workers it is.
        files: Those that it inherits, beside its lifeline.

    Attributes:
        is_ready: It has all that it needs to accept clients.
        is_serving: It was told to.
        since: When it was started, monotonic seconds.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, index: int, files: Sequence[int]) -> None:
        self.index = index
        self.is_ready = self.is_serving = False
        self.since = time.monotonic()
        ours, theirs = gevent_socket.socketpair()
        self._lifeline = Lifeline(ours)
        self._numbers = itertools.count(1)
        self._asked: dict[int, AsyncResult[bytes]] = {}
        try:
            with theirs:
                self._process = subprocess.Popen(
                    # the same interpreter with the same options and words as this process
                    command(),
                    env={**_environ(), VARIABLE: str(theirs.fileno())},
                    stdin=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(), *files),
                    preexec_fn=_be_deaf,
                )
        except BaseException:
            self._lifeline.close()
            raise

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def lifeline_file(self) -> int:
        """The file whose end would tell the worker that nobody minds it."""
        return self._lifeline.fileno()

    def introduce(self, inheritance: Inheritance) -> Report | None:
        """Hand it what it needs; its report, None where it makes none. Yields."""
        with (
            contextlib.suppress(OSError, ValueError, TypeError, gevent.Timeout),
            gevent.Timeout(_READY_WITHIN),
        ):
            self._lifeline.send(INHERITANCE, pickle.dumps(inheritance))
            kind, body = self._lifeline.receive()
            if kind == REPORT:
                report = Report(**json.loads(body))
                self.is_ready = report.code is None
                return report
        return None

    def let_go(self) -> None:
        """Tell it to accept clients, and begin to hear what it says. Yields."""
        self._send(GO, b"")
        self.is_serving = True
        gevent.spawn(self._hear)

    def give(self, config: Config) -> None:
        """Have it use another configuration. Yields."""
        try:
            with contextlib.suppress(OSError), gevent.Timeout(_TAKES_WITHIN):
                self._lifeline.send(CONFIGURATION, pickle.dumps(config))
        except gevent.Timeout:
            # It hangs, and what was sent of the message cannot be taken back.
            self._process.kill()

    def ask(self, line: bytes, seconds: float = _ANSWERS_WITHIN) -> bytes:
        """Its reply to a line of the control socket. Yields.

        Raises:
            CommandError: It makes none.
        """
        number = next(self._numbers)
        waiting = self._asked[number] = AsyncResult()
        # By a greenlet of its own: giving up in the middle of a message would spoil all others.
        gevent.spawn(self._send, QUESTION, NUMBER.pack(number) + line)
        try:
            reply = waiting.get(timeout=seconds)
        except (OSError, gevent.Timeout):
            reply = None
        finally:
            del self._asked[number]
        if reply is None:
            raise CommandError(f"worker {self.index} does not answer")
        return reply

    def wait(self) -> int:
        """Wait until it has ended; its return code. Yields."""
        code = self._process.wait()
        self.is_ready = self.is_serving = False
        self._lifeline.close()
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        self._process.send_signal(number)

    def _send(self, kind: bytes, body: bytes) -> None:
        with contextlib.suppress(OSError):
            self._lifeline.send(kind, body)

    def _hear(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                kind, body = self._lifeline.receive()
                if kind == REPLY:
                    (number,) = NUMBER.unpack_from(body)
                    waiting = self._asked.get(number)
                    if waiting is not None:
                        waiting.set(body[NUMBER.size :])
        for waiting in self._asked.values():
            waiting.set_exception(ConnectionAbortedError("it has ended"))


def _be_deaf() -> None:
    """Let a worker ignore what would end it before it knows better, and Ctrl+C for ever: the
    terminal sends that to the whole group, and the parent alone decides.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _environ() -> dict[str, str]:
    """The environment without settings: a worker is handed the whole configuration, and what is
    secret in these would stand where more may read it than has to.
    """
    settings = ("FIZZ_", "REDIS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(settings)}
