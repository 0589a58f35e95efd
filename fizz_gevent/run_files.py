"""What a running server leaves in its run directory: who it is, and where it can be asked.

``fizz-PORT.pid`` holds the process id, ``fizz-PORT.sock`` is the control socket. The pid file is
locked as long as the server lives, however it ends, so nobody has to guess whether a number in a
file still means the process that wrote it.
"""

import contextlib
import fcntl
import os
import socket
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fizz_gevent.config import Config
from fizz_gevent.errors import StartError

_BACKLOG = 128
_LONGEST_PATH = 100
"""Bytes that surely fit into the address of a Unix socket."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of one server are, or would be."""

    directory: Path
    name: str

    @property
    def pid_file(self) -> Path:
        return self.directory / f"{self.name}.pid"

    @property
    def socket(self) -> Path:
        return self.directory / f"{self.name}.sock"


def name_of(host: str, port: int) -> str:
    """What the files of a server at this address are called, without their endings."""
    if host.startswith("unix:"):
        return f"fizz-{Path(host.removeprefix('unix:')).name}"
    return f"fizz-{port}"


def places(config: Config, environ: Mapping[str, str]) -> list[Place]:
    """Where the files of the configured server may be, the likeliest first.

    Where no directory is configured, the one that a server chooses depends on its user and its
    environment, which may be others than those of whoever looks for it.
    """
    server = config.server
    name = name_of(server.host, server.port)
    directories = [server.run_directory]
    if f"servers.{config.name}.run_directory" not in config.origins:
        directories += ["/run/fizz", environ.get("XDG_RUNTIME_DIR"), environ.get("TMPDIR")]
        with contextlib.suppress(FileNotFoundError):  # nothing can be written here
            directories.append(tempfile.gettempdir())
        directories.append("/tmp")
    return [Place(Path(path).absolute(), name) for path in dict.fromkeys(filter(None, directories))]


class RunFiles:
    """The files of this server, taken until it ends.

    Attributes:
        listener: The control socket, which only this user may connect to.
    """

    def __init__(self, place: Place, lock: int, listener: socket.socket) -> None:
        self.place = place
        self.listener = listener
        self._lock = lock

    @property
    def lock_file(self) -> int:
        """The open file that keeps others away; to be inherited by whoever takes over."""
        return self._lock

    @classmethod
    def take(cls, place: Place) -> "RunFiles":
        """Make the files; those of a dead server are replaced.

        Raises:
            StartError: Another server has them, or they cannot be made.
        """
        try:
            os.makedirs(place.directory, mode=0o700, exist_ok=True)
            lock = _take_lock(place)
        except OSError as error:
            raise StartError(f"{error.filename or place.pid_file}: {error.strerror}") from None
        if lock is None:
            raise StartError(f"another running server has {place.pid_file}")
        return cls._of(place, lock)

    @classmethod
    def inherit(cls, place: Place, lock: int, listener: int) -> "RunFiles":
        """Go on with the files of the program that this process was before."""
        os.set_inheritable(lock, False)
        return cls(place, lock, socket.socket(fileno=listener))

    @classmethod
    def _of(cls, place: Place, lock: int) -> "RunFiles":
        try:
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
            return cls(place, lock, _listen(place.socket))
        except OSError as error:
            os.unlink(place.pid_file)
            os.close(lock)
            raise StartError(f"{place.socket}: {error.strerror or error}") from None

    def release(self) -> None:
        """Remove the files."""
        self.listener.close()
        for path in (self.place.socket, self.place.pid_file):
            with contextlib.suppress(OSError):
                path.unlink()
        os.close(self._lock)


def connected(path: Path) -> socket.socket:
    """A connection to a control socket.

    Raises:
        OSError: Nobody listens there, or not for this user.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(path) as short:
            connection.connect(short)
    except BaseException:
        connection.close()
        raise
    return connection


def _take_lock(place: Place) -> int | None:
    """The locked pid file; None where another server has it."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(place.pid_file, flags, 0o600)
        try:
            is_ours = _lock(file)
            # A server that ended in this moment may have removed the file that was opened here.
            found = os.stat(place.pid_file) if is_ours else None
        except FileNotFoundError:
            os.close(file)
            continue
        except BaseException:
            os.close(file)
            raise
        if found is None:
            os.close(file)
            return None
        if found.st_ino == os.fstat(file).st_ino:
            return file
        os.close(file)


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _listen(path: Path) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError("a file that is no socket stands there")
        path.unlink()  # whoever made it is dead: the lock is ours
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)  # there is no moment in which others might connect
    try:
        with _short(path) as short:
            listener.bind(short)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(mask)
    return listener


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A way to a socket that fits into an address, which has room for some hundred bytes only."""
    if len(os.fsencode(path)) <= _LONGEST_PATH or not os.path.isdir("/proc/self/fd"):
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
