"""Where Prometheus asks, and where a worker is asked by its parent."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from socket import socket as Socket
from typing import Any

from gevent.lock import BoundedSemaphore
from gevent.pywsgi import WSGIServer
from gevent.server import StreamServer

from fizz_gevent.config import MetricsConfig
from fizz_gevent.metrics import meeting_place
from fizz_gevent.metrics.endpoint import create_application
from fizz_gevent.metrics.figures import Figures
from fizz_gevent.metrics.totals import Totals
from fizz_gevent.transport.address import listen

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

    def __init__(self, config: MetricsConfig, gather: Callable[[], Figures]) -> None:
        application = create_application(gather)
        super().__init__(listen(config.host, config.port), application, log=None, error_log=None)

    def handle(self, client_socket: Any, address: Any) -> None:
        """Serve one connection, and let it hang for a while at most."""
        client_socket.settimeout(_IDLE_SECONDS)
        with contextlib.suppress(OSError):
            super().handle(client_socket, address)


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
