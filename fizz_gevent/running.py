"""Runs a server in this process, alone or as one of several workers, until a signal ends it."""

import logging
import signal
from collections.abc import Callable, Sequence

import gevent
from gevent.event import Event

from fizz_gevent import control_room
from fizz_gevent.banner import banner
from fizz_gevent.config import Config
from fizz_gevent.metrics_listener import FiguresTeller, MetricsListener, of_this_process
from fizz_gevent.open_files import Capacity
from fizz_gevent.reload import reload_from
from fizz_gevent.server import Server
from fizz_gevent.transport.address import forget
from fizz_gevent.worker import Worker

_log = logging.getLogger(__name__)


def run(
    config: Config, *, load: Callable[[], Config], debug: bool = False, notices: Sequence[str] = ()
) -> int:
    """Serve until a signal ends it; the exit code.

    Args:
        load: Reads the configuration again, for SIGHUP.

    Raises:
        ConfigError: A certificate or Redis cannot be used.
        StartError: The socket cannot be opened.
    """
    capacity = Capacity.of_this_machine(config.server.max_connections)
    server = Server(config, capacity)
    if config.server.metrics.enabled:
        MetricsListener(config.server.metrics, of_this_process(server.figures.read)).start()
    server.show_stream(debug)
    asked, hurried = Event(), Event()

    def ask_to_stop() -> None:
        if asked.is_set():
            hurried.set()
        asked.set()

    gevent.signal_handler(signal.SIGTERM, ask_to_stop)
    gevent.signal_handler(signal.SIGINT, ask_to_stop)
    gevent.signal_handler(signal.SIGHUP, reload_from, load, server.reload)
    _take_other_signals(server)
    server.join()
    with control_room.opened(config, server.address, server.answers):
        server.start()
        print(banner(config, server.address, capacity), end="", flush=True)
        for notice in notices:
            _log.warning(notice)
        asked.wait()
        forget(config.server.host)  # now: at the end the name may be another server's
        _log.info("stopping: clients are sent away")
        stopping = gevent.spawn(server.stop)
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
    asked, orphaned = Event(), Event()
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

    def mind_the_parent() -> None:
        for config in worker.new_configurations():
            reload_from(lambda: config, server.reload)  # noqa: B023  # called at once
        orphaned.set()
        asked.set()

    gevent.spawn(mind_the_parent)
    asked.wait()
    server.stop()
    if orphaned.is_set():
        worker.clean_up()
    return 0


def _take_other_signals(server: Server) -> None:
    gevent.signal_handler(signal.SIGUSR1, lambda: server.show_stream(not server.is_showing_stream))
