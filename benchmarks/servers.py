"""The servers under load: Fizz in some version, any other by its command, or one that runs."""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load.wire import Target

ROOT = Path(__file__).resolve().parent.parent
_STARTS_WITHIN = 60.0
_STOPS_WITHIN = 10.0


class ServerFailed(Exception):
    """It did not start."""


@dataclass(frozen=True)
class Cores:
    """Which cores the server has, and which the load; both empty where that cannot be said."""

    server: frozenset[int] = frozenset()
    load: frozenset[int] = frozenset()

    @classmethod
    def divide(cls, workers: int) -> "Cores":
        """Give the server a core for each worker, but leave at least one to the load."""
        if not hasattr(os, "sched_getaffinity"):
            return cls()
        mine = sorted(os.sched_getaffinity(0))
        if len(mine) < 2:
            return cls(frozenset(mine), frozenset(mine))
        count = min(workers, len(mine) - 1)
        return cls(frozenset(mine[:count]), frozenset(mine[count:]))


@dataclass(frozen=True)
class Server:
    """A server that can be measured.

    Attributes:
        command: With ``{port}``, ``{app_id}``, ``{key}`` and ``{secret}`` to be filled in; it is
            started afresh for each cell. None: it runs already, at ``url``.
        workers: How many processes it has.
        environ: Variables for it alone.
        folder: Where it is started; None is an empty folder.
    """

    name: str
    command: str | None = None
    url: str | None = None
    workers: int = 1
    app_id: str = "1001"
    key: str = "bench-key"
    secret: str = field(default="bench-secret", repr=False)
    environ: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None

    def check(self) -> None:
        """Raise ValueError for a command that cannot be filled in, or an address that is none."""
        if self.command is None:
            self.target(0)
            return
        try:
            self.filled_in(0)
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(f"{self.command!r} cannot be filled in: {error}") from None

    def filled_in(self, port: int) -> str:
        """The command with all it asks for."""
        assert self.command is not None
        return self.command.format(port=port, app_id=self.app_id, key=self.key, secret=self.secret)

    def target(self, port: int) -> Target:
        """Where it is: on a port of this machine if it is started here, else at its URL."""
        credentials = {"app_id": self.app_id, "key": self.key, "secret": self.secret}
        if self.command is None:
            return Target.of_url(self.url or "", **credentials)
        return Target("127.0.0.1", port, **credentials)


def fizz(name: str, *, workers: int = 1, root: Path = ROOT) -> Server:
    """The Fizz of a checkout, with default settings but for the limit on client events."""
    command = f"{shlex.quote(str(root / 'bin' / 'fizz'))} start --port={{port}} --workers={workers}"
    environ = {
        "FIZZ_APP_ID": "1001",
        "FIZZ_APP_KEY": "bench-key",
        "FIZZ_APP_SECRET": "bench-secret",
        "FIZZ_APP_MAX_CLIENT_EVENTS_PER_SECOND": "none",
        "FIZZ_DRAIN_SECONDS": "1",
    }
    return Server(name, command, workers=workers, environ=environ)


def nobody() -> Server:
    """A peer that does next to nothing, to see what the generator itself can do."""
    command = f"{shlex.quote(sys.executable)} -m benchmarks.null_server {{port}}"
    return Server("nothing", command, folder=ROOT)


@dataclass
class Running:
    """A server that can be connected to.

    Attributes:
        pid: None where somebody else has started it.
    """

    target: Target
    pid: int | None = None


@contextlib.contextmanager
def running(server: Server, cores: Cores) -> Iterator[Running]:
    """Start a server and stop it again, unless it runs already.

    Raises:
        ServerFailed: It ends, or does not listen.
    """
    if server.command is None:
        yield Running(server.target(0))
        return
    port = free_port()
    command = server.filled_in(port)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        log = Path(folder) / "log"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FIZZ_", "REDIS_"))
        }
        environ = {**kept, "PORT": str(port), "FIZZ_RUN_DIRECTORY": folder, **server.environ}
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                cwd=server.folder or folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            if cores.server:
                os.sched_setaffinity(process.pid, cores.server)
            if not _is_answering(port, process):
                said = log.read_text(errors="replace").split("\n")
                last = next((line for line in reversed(said) if line.strip()), "it says nothing")
                raise ServerFailed(f"{server.name} does not start: {last[:300]}")
            yield Running(server.target(port), process.pid)
        finally:
            _stop(process)


def free_port() -> int:
    """A port that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_answering(port: int, process: "subprocess.Popen[bytes]") -> bool:
    """Wait for an answer of any kind: a port may be open before anybody is there to accept."""
    deadline = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                probe.settimeout(_STARTS_WITHIN)
                probe.sendall(b"GET /up HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                if probe.recv(1):
                    return True
        except OSError:
            time.sleep(0.05)
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End a server, and then whatever its session still holds."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOPS_WITHIN)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
