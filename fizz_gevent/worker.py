"""One worker, from its own side: what it inherits, and what it and its parent say to each other.

A worker is a fresh interpreter that runs the words of its parent's command line. A variable of the
environment names a socket that it inherited; over it come the configuration and the numbers of the
other inherited files, so that no secret ever stands where other users could read it. That socket
is its lifeline too: where it ends, the parent is dead.
"""

import contextlib
import json
import os
import pickle
import shutil
import socket
from collections.abc import Callable, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path

import gevent
from gevent import socket as gevent_socket

from fizz_gevent.cluster import private_redis
from fizz_gevent.config import Config
from fizz_gevent.errors import ConfigError, StartError
from fizz_gevent.lifeline import (
    CONFIGURATION,
    GO,
    INHERITANCE,
    NUMBER,
    QUESTION,
    REPLY,
    REPORT,
    RETIRE,
    Lifeline,
)
from fizz_gevent.transport.balance import Balance
from fizz_gevent.transport.shared_places import SharedPlaces
from fizz_gevent.transport.shared_rates import SharedRates

VARIABLE = "_FIZZ_WORKER"
"""Not of the form ``FIZZ_*``: it is nothing that an operator could set."""


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What a parent hands over to one worker.

    Attributes:
        index: Counts from 0.
        crew: A name of the workers that were started together; after a restart it is another.
        config: With ``scaling`` on, since each worker is a node.
        debug: Show the stream.
        listener: The file of the listening socket.
        balance: The file of the counts that the workers share.
        rates: The file of the rates that they share.
        places: The file of the addresses that they count together.
        private_redis: The folder of the parent's own Redis, if it has one.
        metrics_folder: Where to tell figures, if anybody wants to know them.
    """

    index: int
    crew: str
    config: Config
    debug: bool
    listener: int
    balance: int
    rates: int
    places: int
    private_redis: Path | None
    metrics_folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker says once: it is ready, or why it cannot be.

    Attributes:
        code: The exit code it ends with; None where it is ready.
    """

    code: int | None = None
    message: str = ""


class Worker:
    """This process, where a parent started it.

    Attributes:
        listener: The listening socket that all workers share.
        balance: The counts that they share.
        rates: The rates that they share.
        places: The addresses that they count together.
    """

    def __init__(self, lifeline: Lifeline) -> None:
        self._lifeline = lifeline
        kind, body = lifeline.receive()
        if kind != INHERITANCE:
            raise ValueError("a parent says something else first")
        self._inheritance: Inheritance = pickle.loads(body)
        self.config = self._inheritance.config
        self.index = self._inheritance.index
        self.debug = self._inheritance.debug
        self.metrics_folder = self._inheritance.metrics_folder
        self.listener: socket.socket = gevent_socket.socket(fileno=self._inheritance.listener)
        self.listener.setblocking(False)
        self.balance = Balance(
            self._inheritance.balance, self.index, self.config.server.max_connections
        )
        os.close(self._inheritance.balance)
        self.rates = SharedRates(self._inheritance.rates)
        self.places = SharedPlaces(self._inheritance.places, self.index)
        os.close(self._inheritance.places)

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> "Worker | None":
        """The worker that this process is; None where it is none.

        Raises:
            ConfigError: The variable was not set by a parent.
            StartError: The parent is gone.
        """
        text = environ.pop(VARIABLE, None)
        if text is None:
            return None
        try:
            return cls(Lifeline(gevent_socket.socket(fileno=int(text))))
        except ConnectionAbortedError:
            raise StartError("the parent of this worker is gone") from None
        except (OSError, ValueError):
            raise ConfigError("this variable is Fizz's own", where=VARIABLE) from None

    def report_failure(self, code: int, message: str) -> None:
        """Leave it to the parent to say why this process ends."""
        self._report(Report(code, message))

    def report_ready(self) -> bool:
        """Wait until all workers may accept clients; False where that is not to be. Yields."""
        self._report(Report())
        try:
            return self._lifeline.receive()[0] == GO
        except OSError:
            return False

    def obey(
        self,
        *,
        reload: Callable[[Config], object],
        reply: Callable[[bytes], bytes],
        retire: Callable[[], None],
    ) -> None:
        """Do what the parent says until it is dead. Yields.

        Args:
            reload: Uses another configuration.
            reply: Answers a line of the control socket.
            retire: Called when others have taken this worker's place.
        """

        def answer(number: bytes, line: bytes) -> None:
            with contextlib.suppress(OSError):
                self._lifeline.send(REPLY, number + reply(line))

        with contextlib.suppress(OSError):
            while True:
                kind, body = self._lifeline.receive()
                if kind == CONFIGURATION:
                    reload(pickle.loads(body))
                elif kind == QUESTION:
                    gevent.spawn(answer, body[: NUMBER.size], body[NUMBER.size :])
                elif kind == RETIRE:
                    retire()

    @property
    def family(self) -> str:
        """A name that this worker shares with those alone in whose place it was started."""
        return f"{self._inheritance.crew}-{self.index}"

    @property
    def has_private_redis(self) -> bool:
        """The Redis that the workers share ends with their parent."""
        return self._inheritance.private_redis is not None

    def clean_up(self) -> None:
        """Do what a dead parent can do no more, when this worker has finished. Yields."""
        if self._inheritance.private_redis is not None:
            private_redis.clean_up(self._inheritance.private_redis)
        if self.metrics_folder is not None:
            shutil.rmtree(self.metrics_folder, ignore_errors=True)

    def close(self) -> None:
        """Let go of what was inherited."""
        self.listener.close()
        self._lifeline.close()

    def _report(self, report: Report) -> None:
        with contextlib.suppress(OSError):  # where nobody is left to hear it
            self._lifeline.send(REPORT, json.dumps(asdict(report)).encode())
