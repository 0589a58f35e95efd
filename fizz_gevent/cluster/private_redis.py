"""A Redis of our own, for the workers of one server where no other is configured.

It listens on a Unix socket in a folder that only this user may enter, keeps nothing on disk, and
ends with the process that started it, however that ends.
"""

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import gevent
from gevent import socket

from fizz_gevent.cluster.adopted_process import AdoptedProcess
from fizz_gevent.errors import StartError

_log = logging.getLogger(__name__)
_PROGRAMS = ("redis-server", "valkey-server")
_STARTS_WITHIN = 10.0
_STOPS_WITHIN = 3.0
_POLL_SECONDS = 0.02
_LONGEST_PATH = 100
"""Bytes that surely fit into the address of a Unix socket."""
_STABLE_SECONDS = 10.0
_LONGEST_BACK_OFF = 5.0
_PREFIX = "fizz-redis-"
_LEFT_BEHIND_SECONDS = 60.0

_LAUNCHER = """\
import ctypes, os, signal, sys
libc = ctypes.CDLL(None)
if hasattr(libc, "prctl"):
    libc.prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Asks Linux to end this process together with its parent, and becomes the server."""


class PrivateRedis:
    """Starts, restarts and stops one ``redis-server``. Its methods yield."""

    def __init__(self, run_directory: str | None) -> None:
        self._run_directory = run_directory
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | AdoptedProcess | None = None
        self._keeper: gevent.Greenlet[..., None] | None = None
        self._is_needed = True

    @property
    def folder(self) -> Path:
        """Holds its socket, from ``start`` to ``stop``."""
        assert self._folder is not None, "not started"
        return self._folder

    @property
    def url(self) -> str:
        """How to reach it, also after a restart."""
        return f"unix://{quote(str(_socket_in(self.folder)))}"

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            StartError: It is not installed, or does not run.
        """
        program = find_program()
        self._folder = _make_folder(self._run_directory)
        try:
            process = self._launch(program)
            self._wait_until_up(process)
        except BaseException:
            self.stop()
            raise
        self._keeper = gevent.spawn(self._keep, program, process)

    def adopt(self, folder: Path, pid: int) -> None:
        """Go on with the one that the program before this one in the process has started."""
        self._folder = folder
        self._process = AdoptedProcess(pid)
        self._keeper = gevent.spawn(self._keep, find_program(), self._process)

    def let_end(self) -> None:
        """Start it no more where it ends: the server stops, and so may all of its group. Never
        yields.
        """
        self._is_needed = False

    def stop(self) -> None:
        """End it and remove its folder."""
        if self._keeper is not None:
            self._keeper.kill()
        process = self._process
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _launch(self, program: str) -> subprocess.Popen[bytes]:
        if not self.folder.exists():  # somebody who cleans up was quicker than a restart
            self.folder.mkdir(mode=0o700)
        command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), program]
        settings = {
            "port": "0",
            "unixsocket": str(_socket_in(self.folder)),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "dir": str(self.folder),
            "logfile": str(self.folder / "log"),
            "loglevel": "warning",
        }
        for name, value in settings.items():
            command += [f"--{name}", value]
        self._process = subprocess.Popen(
            command,
            env={"LC_ALL": "C"},  # what Fizz was told in secret is no business of Redis
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Redis ends at a SIGINT, and Ctrl+C reaches the whole group of the terminal.
            start_new_session=True,
        )
        return self._process

    def _wait_until_up(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + _STARTS_WITHIN
        while not _answers(self.folder):
            if process.poll() is not None:
                how = f"ended with {described(process.returncode)}"
                raise StartError(f"the private redis-server {how}: {self._last_words()}")
            if time.monotonic() > until:
                raise StartError(f"the private redis-server does not answer: {self._last_words()}")
            gevent.sleep(_POLL_SECONDS)

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self.folder / "log").read_text(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "no word")
        return "no word"

    def _keep(self, program: str, process: "subprocess.Popen[bytes] | AdoptedProcess") -> None:
        """Start it again whenever it ends; the workers tell it anew what they hold."""
        pause = 0.0
        while True:
            started = time.monotonic()
            code = process.wait()
            if time.monotonic() - started >= _STABLE_SECONDS:
                pause = 0.0
            gevent.sleep(_POLL_SECONDS)  # a signal to all reaches the parent in this moment too
            if not self._is_needed:
                return
            _log.warning(
                "the private redis-server ended with %s; it is started again", described(code)
            )
            gevent.sleep(pause)
            pause = min(_LONGEST_BACK_OFF, 2 * pause or 0.1)
            process = self._launch(program)


def find_program() -> str:
    """Where the server is.

    Raises:
        StartError: It is not installed.
    """
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        raise StartError(
            "several workers need Redis to talk to each other, and redis-server is not"
            " installed: apt install redis-server, dnf install valkey or brew install redis;"
            " or configure scaling with a Redis elsewhere, or workers: 1"
        )
    return program


def clean_up(folder: Path) -> None:
    """End what runs in the folder of a private Redis whose parent is dead, and remove it.

    For systems where it does not end by itself.
    """
    with contextlib.suppress(OSError), _connected(folder) as connection:
        connection.sendall(b"SHUTDOWN NOSAVE\r\n")
        connection.recv(1)
    shutil.rmtree(folder, ignore_errors=True)


def described(code: int) -> str:
    """How a process ended, from its return code."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _make_folder(run_directory: str | None) -> Path:
    """A folder that nobody else may enter, with a path short enough for a socket in it."""
    for parent in (run_directory, None, "/tmp"):
        try:
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)).absolute()
        except OSError:
            continue
        _remove_left_behind(folder.parent)
        if len(os.fsencode(_socket_in(folder))) <= _LONGEST_PATH:
            return folder
        folder.rmdir()
    raise StartError("no folder for the socket of the private redis-server can be made")


def _remove_left_behind(parent: Path) -> None:
    """Remove the folders of servers that were killed together with all who could have done it."""
    oldest = time.time() - _LEFT_BEHIND_SECONDS
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            found = folder.stat()
            is_ours = found.st_uid == os.getuid() and found.st_mtime < oldest
            if is_ours:
                _connected(folder).close()
        except (ConnectionRefusedError, FileNotFoundError):
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass  # it cannot be told whether anybody is there


def _socket_in(folder: Path) -> Path:
    return folder / "socket"


def _connected(folder: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(1.0)
    try:
        connection.connect(str(_socket_in(folder)))
    except BaseException:
        connection.close()
        raise
    return connection


def _answers(folder: Path) -> bool:
    try:
        with _connected(folder) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
