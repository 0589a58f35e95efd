"""Runs a server in this process, alone or as one of several workers, until a signal ends it."""

import contextlib
import logging
import signal
from collections.abc import Callable, Sequence

import gevent
from gevent.event import Event

from fizz_gevent import control_room, metrics_listener
from fizz_gevent.banner import banner
from fizz_gevent.config import Config
from fizz_gevent.elders import GRACE_SECONDS, Elders, adopted_redis
from fizz_gevent.heritage import Heritage, hear_signals, hold_signals
from fizz_gevent.logs import announce
from fizz_gevent.metrics_listener import FiguresTeller, of_this_process
from fizz_gevent.open_files import Capacity
from fizz_gevent.operations import Operations
from fizz_gevent.reload import reload_from
from fizz_gevent.server import Server
from fizz_gevent.transport.address import forget
from fizz_gevent.worker import Worker

_log = logging.getLogger(__name__)


def run(
    config: Config,
    *,
    load: Callable[[], Config],
    debug: bool = False,
    notices: Sequence[str] = (),
    heritage: Heritage | None = None,
) -> int:
    """Serve until a signal ends it; the exit code. At a restart, another program follows here.

    Args:
        load: Reads the configuration again, for SIGHUP.
        heritage: What the program before this one in the process has left.

    Raises:
        ConfigError: A certificate or Redis cannot be used.
        StartError: The socket cannot be opened.
    """
    capacity = Capacity.of_this_machine(config.server.max_connections)
    server = Server(config, capacity, heritage=heritage)
    metrics = metrics_listener.opened(
        config.server.metrics, of_this_process(server.figures.read), heritage
    )
    server.show_stream(debug)
    asked, hurried, woken = Event(), Event(), Event()

    def ask_to_stop() -> None:
        if asked.is_set():
            hurried.set()
        asked.set()
        woken.set()

    operations = Operations(
        config,
        server.address,
        load=load,
        use=server.reload,
        status=server.status,
        on_restart=woken.set,
        is_taking_over=heritage is not None,
    )
    gevent.signal_handler(signal.SIGTERM, ask_to_stop)
    gevent.signal_handler(signal.SIGINT, ask_to_stop)
    gevent.signal_handler(signal.SIGHUP, operations.reload)
    _take_other_signals(server)
    elders = Elders(heritage, config.server.drain_seconds + GRACE_SECONDS)
    elders.redis = adopted_redis(heritage, config.server.run_directory)
    if heritage is not None:
        hear_signals()
        server.inherit(heritage)
    server.join()
    with (
        contextlib.closing(elders),
        control_room.opened(config, server.address, server.answers, heritage) as room,
    ):
        operations.answer(server.answers)
        server.start()
        if heritage is None:
            announce(banner(config, server.address, capacity))
        else:
            operations.restarted(heritage)
            elders.retire()
        for notice in notices:
            _log.warning(notice)
        woken.wait()
        if room is not None and operations.attempt is not None:
            hold_signals()
            if not asked.is_set():
                following = operations.heritage()
                following.is_debug = server.is_showing_stream
                room.hand_down(following)
                elders.hand_down(following)
                if metrics is not None:
                    metrics.hand_down(following)
                server.retire(following)
                following.hand_down()
            hear_signals()
        forget(config.server.host)  # now: at the end the name may be another server's
        _log.info("stopping: clients are sent away")

        def stop() -> None:
            old_workers = elders.stopping()
            server.stop()
            old_workers.join()

        stopping = gevent.spawn(stop)
        stopping.link(lambda _: hurried.set())
        hurried.wait()
    return 0


def run_worker(worker: Worker) -> int:
    """Serve as one of several until the parent wants no more, or is dead; the exit code.

    Raises:
        ConfigError: A certificate or Redis cannot be used.
    """
    # What all workers may take together is shared out by ``balance``.
    server = Server(worker.config, Capacity.of_this_machine(None), worker)
    server.show_stream(worker.debug)
    asked, orphaned, retired = Event(), Event(), Event()
    # A second SIGTERM hurries nobody: one to the whole group comes from the parent once more, and
    # a parent that is in a hurry kills.
    gevent.signal_handler(signal.SIGTERM, asked.set)
    _take_other_signals(server)
    if worker.metrics_folder is not None:
        FiguresTeller(worker.metrics_folder, server.figures.read).start()
    server.join()
    if not worker.report_ready():
        return 0
    server.start()

    def retire() -> None:
        retired.set()
        asked.set()

    def mind_the_parent() -> None:
        worker.obey(
            reload=lambda config: reload_from(lambda: config, server.reload),
            reply=server.answers.reply,
            retire=retire,
        )
        orphaned.set()
        asked.set()

    gevent.spawn(mind_the_parent)
    asked.wait()
    server.stop(others_serve=retired.is_set())
    if orphaned.is_set():
        worker.clean_up()
    return 0


def _take_other_signals(server: Server) -> None:
    gevent.signal_handler(signal.SIGUSR1, lambda: server.show_stream(not server.is_showing_stream))
