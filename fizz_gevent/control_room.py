"""Opens the control socket of a running server, where there is a place for one."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from fizz_gevent.banner import Address
from fizz_gevent.config import Config
from fizz_gevent.control import Answers, ControlSocket
from fizz_gevent.errors import StartError
from fizz_gevent.heritage import Heritage
from fizz_gevent.run_files import Place, RunFiles, name_of

_log = logging.getLogger(__name__)


class ControlRoom:
    """The control socket and the files beside it, which a restart hands down."""

    def __init__(self, files: RunFiles, answers: Answers) -> None:
        self._files = files
        self._socket = ControlSocket(files, answers)
        self._socket.start()

    def hand_down(self, heritage: Heritage) -> None:
        """Answer no more; who asks waits for the program to come."""
        self._socket.stop_accepting()
        place = self._files.place
        heritage.place = [str(place.directory), place.name]
        heritage.lock, heritage.control = self._files.lock_file, self._files.listener.fileno()

    def resume(self) -> None:
        """Answer again: no other program has come."""
        self._socket.start_accepting()

    def close(self) -> None:
        """Answer nobody any more, and remove the files."""
        self._socket.stop(timeout=0)
        self._files.release()


@contextlib.contextmanager
def opened(
    config: Config, address: Address, answers: Answers, heritage: Heritage | None = None
) -> Iterator[ControlRoom | None]:
    """Have questions answered until the server ends; clients are served without that too.

    Args:
        address: What was bound, with the port that the system chose where it was 0.
    """
    try:
        files = _files(place_of(config, address), heritage)
    except StartError as error:
        _log.warning("status, reload and restart cannot find this server: %s", error)
        yield None
        return
    room = ControlRoom(files, answers)
    try:
        yield room
    finally:
        room.close()


def place_of(config: Config, address: Address) -> Place:
    """Where the files of a server are that listens on this address."""
    directory = config.server.run_directory
    assert directory is not None, "load has chosen one"
    port = config.server.port if isinstance(address, str) else address[1]
    return Place(Path(directory).absolute(), name_of(config.server.host, port))


def _files(place: Place, heritage: Heritage | None) -> RunFiles:
    if heritage is None or heritage.lock is None or heritage.control is None:
        return RunFiles.take(place)
    directory, name = heritage.place
    inherited = RunFiles.inherit(Place(Path(directory), name), heritage.lock, heritage.control)
    if inherited.place == place:
        return inherited
    inherited.release()  # the new configuration has another directory
    return RunFiles.take(place)
