"""Where Prometheus asks, and where a worker is asked by its parent."""

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from socket import socket as Socket
from typing import Any

from gevent.lock import BoundedSemaphore
from gevent.pywsgi import WSGIServer
from gevent.server import StreamServer

from fizz_gevent.config import MetricsConfig
from fizz_gevent.errors import StartError
from fizz_gevent.heritage import Heritage
from fizz_gevent.metrics import meeting_place
from fizz_gevent.metrics.endpoint import create_application
from fizz_gevent.metrics.figures import Figures
from fizz_gevent.metrics.totals import Totals
from fizz_gevent.transport.address import listen

_log = logging.getLogger(__name__)
_IDLE_SECONDS = 120.0
"""Above the minute between two scrapes of those who scrape seldom."""
_PATIENCE_SECONDS = 2.0
"""With all workers together; a scrape is given up after ten."""
_TELLING_SECONDS = 5.0


class MetricsListener(WSGIServer):
    """Answers ``/metrics`` and ``/usage`` on an address of its own.

    Raises:
        StartError: The address cannot be listened on.
    """

    def __init__(
        self,
        config: MetricsConfig,
        gather: Callable[[], Figures],
        heritage: Heritage | None = None,
    ) -> None:
        host, port = config.host, config.port
        inherited = None if heritage is None else heritage.open_metrics_listener(host, port)
        listener = inherited or listen(host, port)
        super().__init__(listener, create_application(gather), log=None, error_log=None)
        self._where: tuple[str, int] = host, port

    def hand_down(self, heritage: Heritage) -> None:
        """Answer no more; who asks waits for the program to come."""
        self.stop_accepting()
        heritage.metrics = [self.socket.fileno(), *self._where]

    def handle(self, client_socket: Any, address: Any) -> None:
        """Serve one connection, and let it hang for a while at most."""
        client_socket.settimeout(_IDLE_SECONDS)
        with contextlib.suppress(OSError):
            super().handle(client_socket, address)


def opened(
    config: MetricsConfig, gather: Callable[[], Figures], heritage: Heritage | None = None
) -> MetricsListener | None:
    """Answer from now on, where that is configured.

    Raises:
        StartError: The address cannot be listened on, where nothing was served before.
    """
    if not config.enabled:
        if heritage is not None:
            heritage.close_metrics()
        return None
    try:
        listener = MetricsListener(config, gather, heritage)
    except StartError as error:
        if heritage is None:
            raise
        # after a restart there is no way back, and clients matter more
        _log.error("metrics are not served: %s", error)
        return None
    listener.start()
    return listener


def of_this_process(read: Callable[[], Figures]) -> Callable[[], Figures]:
    """Figures of a server that is one process."""
    totals = Totals()
    return lambda: totals.sum({"": read()}, ())


def of_workers(folder: Path) -> Callable[[], Figures]:
    """Figures of all workers that tell theirs in a folder. Yields, when it is called."""
    totals = Totals()
    # An answer that is older than the sum's latest would look like the end of newer workers.
    one_at_a_time = BoundedSemaphore(1)

    def gather() -> Figures:
        with one_at_a_time:
            return totals.sum(*meeting_place.gather(folder, _PATIENCE_SECONDS))

    return gather


class FiguresTeller(StreamServer):
    """Tells a worker's figures to whoever connects to its socket in the folder.

    Raises:
        OSError: The folder is gone.
    """

    def __init__(self, folder: Path, read: Callable[[], Figures]) -> None:
        super().__init__(meeting_place.listen(folder))
        self._read = read

    def handle(self, connection: Socket, address: object) -> None:
        """Say all at once; the end of the connection is the end of the answer."""
        with contextlib.suppress(OSError), connection:
            connection.settimeout(_TELLING_SECONDS)
            connection.sendall(self._read().encode())
