"""The workers of one server: started together, replaced one by one where they die or hang."""

import json
import logging
import os
import secrets
import signal
import socket
import time
from pathlib import Path
from typing import Any

import gevent
from gevent.event import AsyncResult, Event

from fizz_gevent.certificates import load_context
from fizz_gevent.child import Child
from fizz_gevent.cluster.private_redis import described
from fizz_gevent.config import Config
from fizz_gevent.elders import GRACE_SECONDS
from fizz_gevent.errors import CommandError, ConfigError, FizzError, StartError
from fizz_gevent.hanging import Hanging
from fizz_gevent.heritage import Heritage
from fizz_gevent.reload import merged, waiting_for_restart
from fizz_gevent.transport.balance import Balance, open_memory, size_for
from fizz_gevent.transport.shared_places import SharedPlaces, sow
from fizz_gevent.transport.shared_places import size_for as places_size_for
from fizz_gevent.transport.shared_rates import SIZE
from fizz_gevent.worker import Inheritance, Report

_log = logging.getLogger(__name__)
_STABLE_SECONDS = 10.0
"""A worker that lived for so long was no false start."""
_LONGEST_BACK_OFF = 10.0
_DUMPS_WITHIN = 5.0
_MISUSED = 2


class Crew:
    """The workers of one server.

    Args:
        config: As each worker gets it.
        listener: The socket that they accept from.
        redis_folder: Of the Redis that was started for them.
        debug: Whether they show the stream.
        metrics_folder: Where they tell their figures, if anybody wants to know them.
    """

    def __init__(
        self,
        config: Config,
        listener: socket.socket,
        *,
        redis_folder: Path | None,
        debug: bool,
        metrics_folder: Path | None = None,
    ) -> None:
        self._config = config
        self._name = secrets.token_hex(8)
        self._listener = listener
        self._redis_folder = redis_folder
        self.debug = debug
        self._metrics_folder = metrics_folder
        count = config.server.workers
        self._counts = open_memory(size_for(count))
        self._rates = open_memory(SIZE)
        self._addresses = open_memory(places_size_for(count))
        sow(self._addresses)
        self._balance = Balance(self._counts, 0)
        self._places = SharedPlaces(self._addresses, 0)
        self._children: dict[int, Child] = {}
        self._may_go = Event()
        self._stopping = Event()
        self._began: list[AsyncResult[FizzError | None]] = [AsyncResult() for _ in range(count)]
        self._keepers: list[gevent.Greenlet[..., None]] = []
        self._watch: gevent.Greenlet[..., None] | None = None

    def start(self) -> None:
        """Begin to start every worker, and to replace each one that dies or hangs."""
        self._keepers = [gevent.spawn(self._keep, index) for index in range(len(self._began))]
        self._watch = gevent.spawn(self._watch_for_ever)

    def wait_until_ready(self) -> FizzError | None:
        """Return when every worker has what it needs; none accepts clients yet. Yields.

        Returns:
            Why the first of them cannot work that cannot.
        """
        for began in gevent.iwait(self._began):
            error = began.get()
            if error is not None:
                return error
        return None

    def go(self) -> None:
        """Let all workers accept clients."""
        self._may_go.set()

    def reload(self, config: Config) -> list[str]:
        """Give every worker, and each one to come, a new configuration. Yields.

        Returns:
            The keys whose new values wait for a restart.

        Raises:
            ConfigError: The certificate cannot be used; nothing has changed.
        """
        waiting = waiting_for_restart(self._config, config)
        config = merged(self._config, config)
        if config.server.tls.cert is not None:
            load_context(config.server.tls)  # better that this fails here than in each worker
        self._config = config
        for child in self._serving():
            child.give(config)
        if waiting:
            _log.warning("only a restart brings into effect: %s", ", ".join(waiting))
        return waiting

    def show_stream(self) -> None:
        """Begin or end to print every frame and request, in all workers."""
        self.debug = not self.debug
        for child in list(self._children.values()):
            if child.is_ready:
                child.signal(signal.SIGUSR1)

    def ask_one(self, line: bytes) -> bytes:
        """The reply of a worker that is ready to a line of the control socket. Yields.

        Raises:
            CommandError: There is none, or it makes none.
        """
        serving = self._serving()
        if not serving:
            raise CommandError("no worker is ready")
        return serving[0].ask(line)

    def ask_all(
        self, question: str, arguments: dict[str, Any] | None = None, *, seconds: float
    ) -> dict[int, Any]:
        """The answers to a question of all ready workers that give one. Yields."""
        asked = {"question": question, "arguments": arguments or {}}
        line = json.dumps(asked).encode() + b"\n"
        answers: dict[int, Any] = {}

        def ask(child: Child) -> None:
            try:
                answers[child.index] = json.loads(child.ask(line, seconds))["answer"]
            except (CommandError, ValueError, LookupError, TypeError):
                return

        gevent.joinall([gevent.spawn(ask, child) for child in self._serving()])
        return answers

    def pids(self) -> dict[int, int]:
        """The process of each worker that is there, by its index."""
        return {index: child.pid for index, child in sorted(self._children.items())}

    def serving(self) -> list[int]:
        """The indexes of those that accept clients."""
        return [child.index for child in self._serving()]

    def hand_down(self, heritage: Heritage) -> None:
        """Leave the workers to the program to come, for which they serve until others do."""
        for child in self._children.values():
            heritage.elders.append([child.pid, child.lifeline_file])

    def stop(self) -> None:
        """Let every worker send its clients away and end; the listener is closed here. Yields."""
        # Before the workers close theirs: who comes now is refused at once instead of left waiting.
        self._listener.close()
        self._tell_all_to_stop()
        seconds = self._config.server.drain_seconds + GRACE_SECONDS
        gevent.joinall(self._keepers, timeout=seconds)
        left = sorted(self._children)
        if left:
            _log.warning("workers %s do not end within %g s; they are killed", left, seconds)

    def end(self) -> None:
        """End what is left of the workers at once. Yields."""
        self._tell_all_to_stop()
        for child in list(self._children.values()):
            child.signal(signal.SIGKILL)
        gevent.joinall(self._keepers)
        if self._watch is not None:
            self._watch.kill()
        self._balance.close()
        self._places.close()
        for fd in (self._counts, self._rates, self._addresses):
            os.close(fd)

    def _serving(self) -> list[Child]:
        return [child for _, child in sorted(self._children.items()) if child.is_serving]

    def _tell_all_to_stop(self) -> None:
        self._stopping.set()
        self._may_go.set()
        for child in list(self._children.values()):
            child.signal(signal.SIGTERM)

    def _keep(self, index: int) -> None:
        """See to it that there is a worker with this index."""
        pause = 0.0
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                why = self._run_one(index)
            except OSError as error:
                why = StartError(f"worker {index} cannot be started: {error.strerror}")
            self._balance.forget(index)
            self._places.forget(index)
            if self._stopping.is_set():
                return
            if not self._began[index].ready():
                self._began[index].set(why)
                return
            if time.monotonic() - started >= _STABLE_SECONDS:
                pause = 0.0
            _log.warning("%s; another one takes its place", why)
            self._stopping.wait(pause)
            pause = min(_LONGEST_BACK_OFF, 2 * pause or 0.1)

    def _run_one(self, index: int) -> FizzError:
        """Run a worker from its start to its end; answers why it ended."""
        shared = (self._counts, self._rates, self._addresses)
        child = self._children[index] = Child(index, (self._listener.fileno(), *shared))
        if self._stopping.is_set():  # it was not there yet to be told
            child.signal(signal.SIGTERM)
        config = self._config
        report = child.introduce(self._inheritance(index))
        if report is None:
            child.signal(signal.SIGKILL)
        elif report.code is None:
            self._began[index].set(None)
            self._may_go.wait()
            child.let_go()
            if self._config is not config:  # reloaded since then
                child.give(self._config)
        code = child.wait()
        del self._children[index]
        return _why(child, report, code)

    def _inheritance(self, index: int) -> Inheritance:
        return Inheritance(
            index=index,
            crew=self._name,
            config=self._config,
            debug=self.debug,
            listener=self._listener.fileno(),
            balance=self._counts,
            rates=self._rates,
            places=self._addresses,
            private_redis=self._redis_folder,
            metrics_folder=self._metrics_folder,
        )

    def _watch_for_ever(self) -> None:
        """End workers that hang; the keepers see to the rest."""
        hanging = Hanging()
        while True:
            gevent.sleep(hanging.LOOK_SECONDS)
            beats = self._balance.beats()
            children = {child.pid: beats[child.index] for child in self._serving()}
            for pid in hanging.look(time.monotonic(), children):
                _log.error(
                    "worker process %d has not moved for %g s; it is ended", pid, hanging.LIMIT
                )
                gevent.spawn(self._end_hung, pid)

    def _end_hung(self, pid: int) -> None:
        for number in (signal.SIGABRT, signal.SIGKILL):  # the first one shows where it hangs
            child = next((each for each in self._children.values() if each.pid == pid), None)
            if child is None:
                return
            child.signal(number)
            gevent.sleep(_DUMPS_WITHIN)


def _why(child: Child, report: Report | None, code: int) -> FizzError:
    """Why a worker has ended, from what it said and its return code."""
    name = f"worker {child.index} (process {child.pid})"
    if report is None:
        return StartError(f"{name} ended with {described(code)} before it was ready")
    if report.code is None:
        return StartError(f"{name} ended with {described(code)}")
    return (ConfigError if report.code == _MISUSED else StartError)(report.message)
