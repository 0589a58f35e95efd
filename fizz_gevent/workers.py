"""Several processes behind one port: a small parent that accepts nobody itself.

It keeps the listening socket, which every worker inherits, so that no client is lost when a worker
ends; it has workers replaced that die, passes signals on, and has the last word on the exit code.
At a restart it becomes the new program, whose workers take over from the old ones, which serve
until then.
"""

import contextlib
import logging
import shutil
import signal
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
from fizz_gevent.heritage import Heritage, hear_signals, hold_signals
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
        load: Callable[[], Config],
        debug: bool,
        heritage: Heritage | None,
        stack: contextlib.ExitStack,
    ) -> None:
        server = config.server
        self._config = config
        self._capacity = Capacity.of_this_machine(None)
        self._debug = debug
        self._heritage = heritage
        self._asked, self._hurried, self._woken = Event(), Event(), Event()
        self._crew: Crew | None = None
        self._redis: PrivateRedis | None = None
        if heritage is None:
            listener = listen(server.host, server.port)
        else:
            listener = heritage.open_listener()
        self._listener = stack.enter_context(listener)
        self._leaving = stack.enter_context(contextlib.ExitStack())
        self._leaving.callback(forget, server.host)
        self._address = listener.getsockname()
        self._operations = Operations(
            config,
            self._address,
            load=load,
            use=self._reload,
            status=self._status,
            on_restart=self._woken.set,
            is_taking_over=heritage is not None,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, self._ask_to_stop)
        gevent.signal_handler(signal.SIGUSR1, self._show_stream)
        gevent.signal_handler(signal.SIGHUP, self._operations.reload)
        if heritage is not None:
            hear_signals()
            heritage.close_visitors()  # the workers cannot be given them
        self._redis = adopted_redis(heritage, server.run_directory)
        self._metrics_folder = self._find_metrics_folder(stack)
        self._metrics = metrics_listener.opened(
            server.metrics, of_workers(self._metrics_folder or Path()), heritage
        )
        patience = server.drain_seconds + GRACE_SECONDS
        self._elders = Elders(heritage, patience, on_change=self._woken.set)
        if server.scaling.enabled:
            self._elders.redis, self._redis = self._redis, None
        elif self._redis is None:
            self._redis = PrivateRedis(server.run_directory)
            self._redis.start()
        if self._redis is not None:
            stack.callback(self._redis.stop)
        stack.callback(self._elders.close)
        stack.callback(self._end_crew)
        answers = Answers()
        answers.otherwise = self._ask_a_worker
        self._operations.answer(answers)
        self._room = stack.enter_context(
            control_room.opened(config, self._address, answers, heritage)
        )

    def banner(self) -> str:
        """What to print once everything serves."""
        server = self._config.server
        together = self._capacity.together(server.workers, server.max_connections)
        return banner(self._config, self._address, together)

    def bring_up(self) -> bool:
        """Have workers serve; False where the server is asked to stop before they do. Yields.

        Where they take over from others they are tried again until they can.

        Raises:
            ConfigError: They cannot use the configuration, and there are no others.
            StartError: One of them cannot be started, and there are no others.
        """
        while True:
            self._woken.clear()
            crew = self._crew = self._make_crew()
            crew.start()
            waiting = gevent.spawn(crew.wait_until_ready)
            waiting.link(lambda _: self._woken.set())
            while not waiting.ready() and not self._asked.is_set():
                self._woken.wait()
                self._woken.clear()
            if self._asked.is_set():
                return False
            error = waiting.get()
            if error is None:
                break
            if self._heritage is None or not len(self._elders):
                raise error
            _log.error("new workers cannot start, and the old ones go on serving: %s", error)
            self._operations.restarted(self._heritage, str(error))
            self._end_crew()
            before = len(self._elders)
            while len(self._elders) == before and not self._asked.is_set():
                self._woken.wait()
                self._woken.clear()
                self._hand_down_if_asked()
            if self._asked.is_set():
                return False
        crew.go()
        if self._heritage is not None:
            self._operations.restarted(self._heritage)
            self._elders.retire()
        return True

    def mind(self) -> None:
        """Return when the server is asked to stop; a restart ends this program. Yields."""
        while not self._asked.is_set():
            self._hand_down_if_asked()
            self._woken.wait()
            self._woken.clear()

    def stop(self) -> None:
        """Have everything end kindly, or at once where it is asked for a second time. Yields."""
        self._leaving.close()  # now and never again: at the end the name may be another server's
        _log.info("stopping: clients are sent away")
        crew = [] if self._crew is None else [gevent.spawn(self._crew.stop)]
        stopping = gevent.spawn(gevent.joinall, [*crew, self._elders.stopping()])
        stopping.link(lambda _: self._hurried.set())
        self._hurried.wait()
        stopping.kill()

    def _make_crew(self) -> Crew:
        return Crew(
            self._of_a_worker(self._config),
            self._listener,
            redis_folder=None if self._redis is None else self._redis.folder,
            debug=self._debug,
            metrics_folder=self._metrics_folder,
        )

    def _end_crew(self) -> None:
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.end()

    def _of_a_worker(self, config: Config) -> Config:
        """The configuration of one of several: a node among nodes."""
        if self._redis is None or config.server.scaling.enabled:
            return config
        redis = RedisConfig(url=self._redis.url)
        scaling = replace(config.server.scaling, enabled=True, server=redis)
        return replace(config, server=replace(config.server, scaling=scaling))

    def _find_metrics_folder(self, stack: contextlib.ExitStack) -> Path | None:
        """Where workers tell their figures, those of the program before this one too."""
        left = None if self._heritage is None else self._heritage.metrics_folder
        folder = None if left is None else Path(left)
        if self._config.server.metrics.enabled and folder is None:
            folder = make_folder(self._config.server.run_directory)
        if folder is not None:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _ask_to_stop(self) -> None:
        if self._redis is not None:
            self._redis.let_end()
        if self._asked.is_set():
            self._hurried.set()
        self._asked.set()
        self._woken.set()

    def _show_stream(self) -> None:
        if self._crew is not None:
            self._crew.show_stream()
            self._debug = self._crew.debug

    def _reload(self, config: Config) -> list[str]:
        if self._crew is None:
            raise ConfigError("the workers of the last restart could not start; restart again")
        return self._crew.reload(self._of_a_worker(config))

    def _ask_a_worker(self, line: bytes) -> bytes:
        if self._crew is None:
            raise CommandError("no worker is ready")
        return self._crew.ask_one(line)

    def _status(self) -> dict[str, Any]:
        """What the workers say of themselves, and their sum. Yields."""
        crew = self._crew
        serving = [] if crew is None else crew.serving()
        answers = {} if crew is None else crew.ask_all("status", seconds=_STATUS_WITHIN)
        workers: list[dict[str, Any]] = []
        for index, pid in ({} if crew is None else crew.pids()).items():
            answer = answers.get(index)
            state = "serving"
            if index not in serving:
                state = "starting"
            elif answer is None:
                state = "silent"
            elif answer["is_draining"]:
                state = "leaving"
            connections = None if answer is None else answer["connections"]
            workers.append({"index": index, "pid": pid, "connections": connections, "state": state})
        workers += [
            {"index": "old", "pid": pid, "connections": None, "state": "leaving"}
            for pid in self._elders.pids()
        ]
        applications: dict[str, int] = {}
        for answer in answers.values():
            for app_id, count in answer["applications"].items():
                applications[app_id] = applications.get(app_id, 0) + count
        away = [answer["redis_seconds_away"] or 0.0 for answer in answers.values()]
        return {
            "connections": sum(answer["connections"] for answer in answers.values()),
            "applications": applications,
            "redis_seconds_away": max(away, default=None),
            "is_draining": self._asked.is_set(),
            "workers": workers,
        }

    def _hand_down_if_asked(self) -> None:
        """Become the new program, where a restart was accepted. Yields."""
        if self._operations.attempt is None or self._asked.is_set() or self._room is None:
            return
        hold_signals()
        if self._asked.is_set():
            hear_signals()
            return
        following = self._operations.heritage()
        following.is_debug = self._debug
        following.listener = self._listener.fileno()
        if self._metrics_folder is not None:
            following.metrics_folder = str(self._metrics_folder)
        if self._crew is not None:
            self._crew.hand_down(following)
        self._elders.hand_down(following)
        if self._redis is not None and self._redis.pid is not None:
            following.redis = [str(self._redis.folder), self._redis.pid]
        self._room.hand_down(following)
        if self._metrics is not None:
            self._metrics.hand_down(following)
        try:
            following.hand_down()
        except StartError as error:
            _log.error("there is no restart: %s", error)
            self._operations.restarted(following, str(error))
            self._room.resume()
            if self._metrics is not None:
                self._metrics.start_accepting()
