"""A folder in which each worker tells its figures to whoever of this user asks."""

import contextlib
import os
import secrets
import socket
import tempfile
import time
from pathlib import Path

from fizz_gevent.errors import StartError
from fizz_gevent.metrics.figures import Figures

_LONGEST_PATH = 90
"""Bytes of the folder, so that the address of a socket in it fits into what systems allow."""
_RECEIVE_BYTES = 65536


def make_folder(run_directory: str | None) -> Path:
    """A folder that nobody else may enter; the caller removes it.

    Raises:
        StartError: There is no place for one.
    """
    for parent in (run_directory, None, "/tmp"):
        try:
            folder = Path(tempfile.mkdtemp(prefix="fizz-metrics-", dir=parent)).absolute()
        except OSError:
            continue
        if len(os.fsencode(folder)) <= _LONGEST_PATH:
            return folder
        folder.rmdir()
    raise StartError("no folder for the workers' metrics can be made")


def listen(folder: Path) -> socket.socket:
    """Open the socket on which this process tells its figures.

    Raises:
        OSError: The folder is gone.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(folder / f"{os.getpid()}-{secrets.token_hex(4)}"))
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def gather(folder: Path, seconds: float) -> tuple[dict[str, Figures], set[str]]:
    """Ask every process that tells its figures here. May yield.

    Args:
        seconds: When patience with all of them together ends.

    Returns:
        What was answered, and the names of those that live and have not answered.
    """
    until = time.monotonic() + seconds
    asked: dict[str, socket.socket] = {}
    answers: dict[str, Figures] = {}
    silent = set()
    with contextlib.ExitStack() as stack:
        # All are asked before any is listened to, so that they work at the same time.
        for path in sorted(folder.iterdir()):
            connection = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            connection.settimeout(_left(until))
            try:
                connection.connect(str(path))
            except ConnectionRefusedError:
                _clear_away(path)
                continue
            except OSError:
                silent.add(path.name)
                continue
            asked[path.name] = connection
        for name, connection in asked.items():
            try:
                answers[name] = Figures.decode(_receive(connection, until))
            except (OSError, ValueError):
                silent.add(name)  # if it has ended, the next one who asks is refused
    return answers, silent


def _clear_away(path: Path) -> None:
    """Remove the socket of a process that has ended; one that lives is about to listen."""
    try:
        os.kill(int(path.name.partition("-")[0]), 0)
    except ProcessLookupError:
        path.unlink(missing_ok=True)
    except OSError:
        pass


def _receive(connection: socket.socket, until: float) -> bytes:
    """All that the other side says; it closes the connection behind it."""
    pieces: list[bytes] = []
    while True:
        connection.settimeout(_left(until))
        piece = connection.recv(_RECEIVE_BYTES)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def _left(until: float) -> float:
    return max(0.001, until - time.monotonic())
