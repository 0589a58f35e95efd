"""Opens the control socket of a running server, where there is a place for one."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from fizz_gevent.banner import Address
from fizz_gevent.config import Config
from fizz_gevent.control import Answers, ControlSocket
from fizz_gevent.errors import StartError
from fizz_gevent.run_files import Place, RunFiles, name_of

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def opened(config: Config, address: Address, answers: Answers) -> Iterator[RunFiles | None]:
    """Have questions answered until the server ends; clients are served without that too.

    Args:
        address: What was bound, with the port that the system chose where it was 0.
    """
    try:
        files = RunFiles.take(place_of(config, address))
    except StartError as error:
        _log.warning("status, reload and restart cannot find this server: %s", error)
        yield None
        return
    socket = ControlSocket(files, answers)
    socket.start()
    try:
        yield files
    finally:
        socket.stop(timeout=0)
        files.release()


def place_of(config: Config, address: Address) -> Place:
    """Where the files of a server are that listens on this address."""
    directory = config.server.run_directory
    assert directory is not None, "load has chosen one"
    port = config.server.port if isinstance(address, str) else address[1]
    return Place(Path(directory).absolute(), name_of(config.server.host, port))
