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
import struct
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from gevent import socket as gevent_socket

from fizz_gevent.cluster import private_redis
from fizz_gevent.config import Config
from fizz_gevent.errors import ConfigError, StartError
from fizz_gevent.transport.balance import Balance
from fizz_gevent.transport.shared_places import SharedPlaces
from fizz_gevent.transport.shared_rates import SharedRates

VARIABLE = "_FIZZ_WORKER"
"""Not of the form ``FIZZ_*``: it is nothing that an operator could set."""

_LENGTH = struct.Struct("!I")
_GO = b"!"


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What a parent hands over to one worker.

    Attributes:
        index: Counts from 0.
        crew: A name that no other parent has.
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


def hand_over(lifeline: socket.socket, inheritance: Inheritance) -> None:
    """Send all that a worker begins with. Yields."""
    pickled = pickle.dumps(inheritance)
    lifeline.sendall(_LENGTH.pack(len(pickled)) + pickled)


def send_configuration(lifeline: socket.socket, config: Config) -> None:
    """Send a worker that runs another configuration. Yields."""
    pickled = pickle.dumps(config)
    lifeline.sendall(_LENGTH.pack(len(pickled)) + pickled)


def let_go(lifeline: socket.socket) -> None:
    """Tell a worker that is ready to accept clients."""
    lifeline.sendall(_GO)


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker says once: it is ready, or why it cannot be.

    Attributes:
        code: The exit code it ends with; None where it is ready.
    """

    code: int | None = None
    message: str = ""


def hear(lifeline: socket.socket) -> Report | None:
    """A worker's report; None where it died before it could make one. Yields."""
    try:
        line = _receive_line(lifeline)
        return Report(**json.loads(line)) if line else None
    except (OSError, ValueError):
        return None


class Worker:
    """This process, where a parent started it.

    Attributes:
        listener: The listening socket that all workers share.
        balance: The counts that they share.
        rates: The rates that they share.
        places: The addresses that they count together.
    """

    def __init__(self, lifeline: socket.socket) -> None:
        self._lifeline = lifeline
        (length,) = _LENGTH.unpack(_receive(lifeline, _LENGTH.size))
        self._inheritance: Inheritance = pickle.loads(_receive(lifeline, length))
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
            return cls(gevent_socket.socket(fileno=int(text)))
        except ConnectionAbortedError as error:
            raise StartError(str(error)) from None
        except (OSError, ValueError, struct.error):
            raise ConfigError("this variable is Fizz's own", where=VARIABLE) from None

    def report_failure(self, code: int, message: str) -> None:
        """Leave it to the parent to say why this process ends."""
        self._report(Report(code, message))

    def report_ready(self) -> bool:
        """Wait until all workers may accept clients; False where the parent is gone. Yields."""
        self._report(Report())
        try:
            return self._lifeline.recv(1) == _GO
        except OSError:
            return False

    def new_configurations(self) -> Iterator[Config]:
        """Each configuration that the parent sends; ends when the parent is dead. Yields."""
        with contextlib.suppress(OSError):
            while True:
                (length,) = _LENGTH.unpack(_receive(self._lifeline, _LENGTH.size))
                yield pickle.loads(_receive(self._lifeline, length))

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
        fields = {"code": report.code, "message": report.message}
        with contextlib.suppress(OSError):  # where nobody is left to hear it
            self._lifeline.sendall(json.dumps(fields).encode() + b"\n")


def _receive(lifeline: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = lifeline.recv(size - len(data))
        if not more:
            raise ConnectionAbortedError("the parent of this worker is gone")
        data += more
    return data


def _receive_line(lifeline: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        more = lifeline.recv(4096)
        if not more:
            return b""
        data += more
    return data
