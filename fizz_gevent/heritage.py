"""What a program leaves to the one that takes its place in the same process, at a restart.

The process keeps its pid, its children and the files that are named here; everything else is the
new program's own. What is handed down stands in a file that has no name, whose number a variable
of the environment tells: no secret is where other users could read it.
"""

import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, MutableMapping
from dataclasses import asdict, dataclass, field, fields
from typing import NoReturn

import gevent
from gevent import socket as gevent_socket

from fizz_gevent.errors import ConfigError, StartError

VARIABLE = "_FIZZ_HERITAGE"
"""Not of the form ``FIZZ_*``: it is nothing that an operator could set."""

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
"""Those that end a program which does not know better yet; they wait until it does."""

_DEALS_WITH_SIGNALS_SECONDS = 0.01
"""For the loop to notice them, and for their handlers to run."""


@dataclass(slots=True, kw_only=True)
class Heritage:
    """Everything that outlives the program.

    A version of Fizz may be followed by another: a field that is missing has its default, and one
    that is unknown is passed over.

    Attributes:
        attempt: Which restart this is, to whoever has asked for it.
        began: When it was accepted; seconds of the machine's monotonic clock.
        seed: Of the configuration, in hexadecimal digits.
        listener: The listening socket, with who waits in it.
        credentials: Id, key and secret that were made up; none where some are configured.
        is_debug: Whether the stream is shown.
        place: Directory and name of the files in the run directory.
        lock: The locked pid file.
        control: The control socket.
        metrics: The metrics' listening socket, its host and its port.
        metrics_folder: Where workers tell their figures.
        redis: Folder and pid of the private Redis.
        elders: Pid and lifeline of each worker that goes on serving until others do.
        visitors: Connections on which a request may still come.
        webhooks: What was not sent yet, as ``MemoryBacklog.packed`` has it.
    """

    attempt: str
    began: float
    seed: str
    listener: int = -1
    credentials: list[str] = field(default_factory=list)
    is_debug: bool = False
    place: list[str] = field(default_factory=list)
    lock: int | None = None
    control: int | None = None
    metrics: list[int | str] = field(default_factory=list)
    metrics_folder: str | None = None
    redis: list[int | str] = field(default_factory=list)
    elders: list[list[int]] = field(default_factory=list)
    visitors: list[int] = field(default_factory=list)
    webhooks: list[list[float | int | str | None]] = field(default_factory=list)

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> "Heritage | None":
        """What was handed down to this program; None where it is the first.

        Raises:
            ConfigError: The variable was not set by a program like this.
        """
        text = environ.pop(VARIABLE, None)
        if text is None:
            return None
        try:
            with os.fdopen(int(text), "rb") as file:
                handed_down = json.loads(file.read())
            names = {each.name for each in fields(cls)}
            known = {name: value for name, value in handed_down.items() if name in names}
            heritage = cls(**known)
            for number in heritage.files():
                os.set_inheritable(number, False)
        except (OSError, ValueError, TypeError, AttributeError):
            raise ConfigError("this variable is Fizz's own", where=VARIABLE) from None
        return heritage

    def files(self) -> Iterator[int]:
        """Every open file that is handed down."""
        yield self.listener
        yield from filter(None, (self.lock, self.control))
        if self.metrics:
            yield int(self.metrics[0])
        yield from (lifeline for _, lifeline in self.elders)
        yield from self.visitors

    def open_listener(self) -> gevent_socket.socket:
        """The listening socket, for this program."""
        return _listening(self.listener)

    def open_metrics_listener(self, host: str, port: int) -> gevent_socket.socket | None:
        """The one of the metrics, where it is still wanted at this address; else it is closed."""
        if not self.metrics:
            return None
        if self.metrics[1:] != [host, port]:
            self.close_metrics()
            return None
        return _listening(int(self.metrics[0]))

    def close_metrics(self) -> None:
        """Serve the metrics no more where they were served."""
        if self.metrics:
            os.close(int(self.metrics[0]))
            self.metrics = []

    def close_visitors(self) -> None:
        """Let go of connections that this program cannot serve."""
        for number in self.visitors:
            os.close(number)
        self.visitors = []

    def hand_down(self) -> NoReturn:
        """Become the program that these words start now. Never yields.

        Signals have to be held by then: that program would not hear what this one was told.

        Raises:
            StartError: There is no such program any more; everything is as it was before.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(tempfile.TemporaryFile(prefix="fizz-heritage-"))
            file.write(json.dumps(asdict(self)).encode())
            file.flush()
            file.seek(0)
            for number in (file.fileno(), *self.files()):
                os.set_inheritable(number, True)
                stack.callback(os.set_inheritable, number, False)
            stack.callback(hear_signals)
            environ = {**os.environ, VARIABLE: str(file.fileno())}
            try:
                os.execve(sys.executable, command(), environ)
            except OSError as error:
                raise StartError(f"{sys.executable}: {error.strerror}") from None


def command() -> list[str]:
    """The words that started this process, with the interpreter that they led to."""
    return [sys.executable, *sys.orig_argv[1:]]


def hold_signals() -> None:
    """Leave what comes from now on to the program to come, and deal with what has come. Yields."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    gevent.sleep(_DEALS_WITH_SIGNALS_SECONDS)


def hear_signals() -> None:
    """Take what has come since the program before this one handed down, and all that comes."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _listening(number: int) -> gevent_socket.socket:
    listener = gevent_socket.socket(fileno=number)
    listener.setblocking(False)
    return listener
