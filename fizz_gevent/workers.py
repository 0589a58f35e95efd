"""Several processes behind one port: a small parent that accepts nobody itself.

It keeps the listening socket, which every worker inherits, so that no client is lost when a worker
ends; it replaces workers that die, passes signals on, and has the last word on the exit code.
"""

import contextlib
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from fizz_gevent import control_room, metrics_listener
from fizz_gevent.banner import banner
from fizz_gevent.cluster.private_redis import PrivateRedis
from fizz_gevent.config import Config, RedisConfig
from fizz_gevent.control import Answers
from fizz_gevent.crew import Crew
from fizz_gevent.elders import GRACE_SECONDS, Elders, adopted_redis
from fizz_gevent.errors import CommandError, ConfigError, StartError
from fizz_gevent.heritage import Heritage, hear_signals
from fizz_gevent.logs import announce
from fizz_gevent.metrics.meeting_place import make_folder
from fizz_gevent.metrics_listener import of_workers
from fizz_gevent.open_files import Capacity
from fizz_gevent.operations import Operations
from fizz_gevent.transport.address import forget, listen

_log = logging.getLogger(__name__)
_STATUS_WITHIN = 2.0


def run(
    config: Config,
    *,
    load: Callable[[], Config],
    debug: bool = False,
    notices: Sequence[str] = (),
    heritage: Heritage | None = None,
) -> int:
    """Serve with several workers until a signal ends it; the exit code.

    Args:
        load: Reads the configuration again, for SIGHUP.
        heritage: What the program before this one in the process has left.

    Raises:
        ConfigError: The workers cannot use the configuration.
        StartError: The socket cannot be opened, Redis is missing, a worker does not start.
    """
    with contextlib.ExitStack() as stack:
        parent = Parent(config, load, debug, heritage, stack)
        if parent.bring_up():
            if heritage is None:
                announce(parent.banner())
            for notice in notices:
                _log.warning(notice)
            parent.mind()
        parent.stop()
    return 0


class Parent:
    """This process, where it has workers.

    Args:
        stack: Takes what has to be undone at the end.
    """

    def __init__(
        self,
        config: Config,
        listener: socket.socket,
        *,
        private_redis: PrivateRedis | None,
        debug: bool,
        metrics_folder: Path | None = None,
    ) -> None:
        self._config = config
        self._name = secrets.token_hex(8)
        self._listener = listener
        self._private_redis = private_redis
        self._debug = debug
        self._metrics_folder = metrics_folder
        count = config.server.workers
        self._counts = open_memory(size_for(count))
        self._rates = open_memory(SIZE)
        self._addresses = open_memory(places_size_for(count))
        sow(self._addresses)
        self._balance = Balance(self._counts, 0)
        self._places = SharedPlaces(self._addresses, 0)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._ready: set[int] = set()
        self._lifelines: dict[int, socket.socket] = {}
        self._may_go = Event()
        self._stopping = Event()
        self._began: list[AsyncResult[FizzError | None]] = [AsyncResult() for _ in range(count)]
        self._keepers: list[gevent.Greenlet[..., None]] = []

    def start(self) -> None:
        """Begin to start every worker, and to replace each one that dies."""
        self._keepers = [gevent.spawn(self._keep, index) for index in range(len(self._began))]

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

    def reload(self, config: Config) -> None:
        """Give every worker, and each one to come, a new configuration. Yields.

        Raises:
            ConfigError: The certificate cannot be used; nothing has changed.
        """
        config = _of_a_worker(config, self._private_redis)
        waiting = waiting_for_restart(self._config, config)
        config = merged(self._config, config)
        if config.server.tls.cert is not None:
            load_context(config.server.tls)  # better that this fails here than in each worker
        self._config = config
        for lifeline in list(self._lifelines.values()):
            with contextlib.suppress(OSError):
                send_configuration(lifeline, self._config)
        if waiting:
            _log.warning("only a restart brings into effect: %s", ", ".join(waiting))

    def pass_on(self, number: signal.Signals) -> None:
        """Give a signal to the workers that can deal with it."""
        if number == signal.SIGUSR1:
            self._debug = not self._debug
        for index in self._ready:
            self._processes[index].send_signal(number)

    def stop(self) -> None:
        """Let every worker send its clients away and end; the listener is closed here. Yields."""
        # Before the workers close theirs: who comes now is refused at once instead of left waiting.
        self._listener.close()
        self._tell_all_to_stop()
        seconds = self._config.server.drain_seconds + _GRACE_SECONDS
        gevent.joinall(self._keepers, timeout=seconds)
        left = sorted(self._processes)
        if left:
            _log.warning("workers %s do not end within %g s; they are killed", left, seconds)

    def end(self) -> None:
        """End what is left of the workers at once. Yields."""
        self._tell_all_to_stop()
        for process in list(self._processes.values()):
            process.kill()
        gevent.joinall(self._keepers)
        self._balance.close()
        self._places.close()
        for fd in (self._counts, self._rates, self._addresses):
            os.close(fd)

    def _tell_all_to_stop(self) -> None:
        self._stopping.set()
        self._may_go.set()
        for process in list(self._processes.values()):
            process.terminate()

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
        ours, theirs = gevent_socket.socketpair()
        with ours:
            with theirs:
                process = self._processes[index] = self._launch(theirs)
            if self._stopping.is_set():  # it was not there yet to be told
                process.terminate()
            config = self._config
            report = self._introduce(index, ours)
            if report is None:
                process.kill()
            elif report.code is None:
                self._ready.add(index)
                self._began[index].set(None)
                self._may_go.wait()
                with contextlib.suppress(OSError):
                    let_go(ours)
                    if self._config is not config:  # reloaded since then
                        send_configuration(ours, self._config)
                self._lifelines[index] = ours
            code = process.wait()
            self._ready.discard(index)
            self._lifelines.pop(index, None)
            del self._processes[index]
        name = f"worker {index} (process {process.pid})"
        if report is None:
            return StartError(f"{name} ended with {described(code)} before it was ready")
        if report.code is None:
            return StartError(f"{name} ended with {described(code)}")
        return (ConfigError if report.code == _MISUSED else StartError)(report.message)

    def _introduce(self, index: int, lifeline: socket.socket) -> Report | None:
        """Hand a new worker what it needs; its report, None where it makes none."""
        inheritance = Inheritance(
            index=index,
            crew=self._name,
            config=self._config,
            debug=self._debug,
            listener=self._listener.fileno(),
            balance=self._counts,
            rates=self._rates,
            places=self._addresses,
            private_redis=None if self._private_redis is None else self._private_redis.folder,
            metrics_folder=self._metrics_folder,
        )
        with contextlib.suppress(OSError, gevent.Timeout), gevent.Timeout(_READY_WITHIN):
            hand_over(lifeline, inheritance)
            return hear(lifeline)
        return None

    def _launch(self, lifeline: socket.socket) -> subprocess.Popen[bytes]:
        shared = (self._counts, self._rates, self._addresses)
        files = (lifeline.fileno(), self._listener.fileno(), *shared)
        return subprocess.Popen(
            # the same interpreter with the same options and words as this process
            [sys.executable, *sys.orig_argv[1:]],
            env={**os.environ, VARIABLE: str(lifeline.fileno())},
            stdin=subprocess.DEVNULL,
            pass_fds=files,
            preexec_fn=_be_deaf,
        )


def _be_deaf() -> None:
    """Let a worker ignore what would end it before it knows better, and Ctrl+C for ever: the
    terminal sends that to the whole group, and the parent alone decides.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def run(
    config: Config, *, load: Callable[[], Config], debug: bool = False, notices: Sequence[str] = ()
) -> int:
    """Serve with several workers until a signal ends it; the exit code.

    Args:
        load: Reads the configuration again, for SIGHUP.

    Raises:
        ConfigError: The workers cannot use the configuration.
        StartError: The socket cannot be opened, Redis is missing, a worker does not start.
    """
    capacity = Capacity.of_this_machine(None)
    server = config.server
    began, asked, hurried = Event(), Event(), Event()
    redis = None if server.scaling.enabled else PrivateRedis(server.run_directory)

    def ask_to_stop() -> None:
        if redis is not None:
            redis.let_end()
        if asked.is_set():
            hurried.set()
        asked.set()
        began.set()

    gevent.signal_handler(signal.SIGTERM, ask_to_stop)
    gevent.signal_handler(signal.SIGINT, ask_to_stop)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(listen(server.host, server.port))
        leaving = stack.enter_context(contextlib.ExitStack())
        leaving.callback(forget, server.host)
        address = listener.getsockname()
        metrics_folder = None
        if server.metrics.enabled:
            metrics_folder = make_folder(server.run_directory)
            stack.callback(shutil.rmtree, metrics_folder, ignore_errors=True)
            MetricsListener(server.metrics, of_workers(metrics_folder)).start()
        if redis is not None:
            redis.start()
            stack.callback(redis.stop)
        crew = Crew(
            _of_a_worker(config, redis),
            listener,
            private_redis=redis,
            debug=debug,
            metrics_folder=metrics_folder,
        )
        stack.callback(crew.end)
        gevent.signal_handler(signal.SIGUSR1, crew.pass_on, signal.SIGUSR1)
        gevent.signal_handler(signal.SIGHUP, reload_from, load, crew.reload)
        crew.start()
        waiting = gevent.spawn(crew.wait_until_ready)
        waiting.link(lambda _: began.set())
        began.wait()
        if not asked.is_set():
            error = waiting.get()
            if error is not None:
                raise error
            together = capacity.together(server.workers, server.max_connections)
            print(banner(config, address, together), end="", flush=True)
            for notice in notices:
                _log.warning(notice)
            crew.go()
            asked.wait()
        leaving.close()  # now and never again: at the end the name may be another server's
        _log.info("stopping: clients are sent away")
        stopping = gevent.spawn(crew.stop)
        stopping.link(lambda _: hurried.set())
        hurried.wait()
        stopping.kill()
    return 0


def _of_a_worker(config: Config, redis: PrivateRedis | None) -> Config:
    """The configuration of one of several: a node among nodes."""
    if redis is None or config.server.scaling.enabled:
        return config
    scaling = replace(config.server.scaling, enabled=True, server=RedisConfig(url=redis.url))
    return replace(config, server=replace(config.server, scaling=scaling))
