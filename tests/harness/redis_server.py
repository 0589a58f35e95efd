"""A real Redis of a test's own: started, frozen, emptied, killed as the test likes."""

import contextlib
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis

from tests.harness.certificates import Certificate
from tests.harness.eventually import eventually
from tests.harness.programs import find, require

_HIGHEST_PORT = 55535
"""A Redis that is part of a cluster listens 10,000 above its port too."""


def _free_port() -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port <= _HIGHEST_PORT:
            return port


class RedisServer:
    """``redis-server`` on a port and a Unix socket of its own, keeping nothing on disk.

    Args:
        folder: For its socket and its log.
        certificate: With it, the port speaks TLS only.
        settings: Further lines of its configuration, as words of the command line.
    """

    def __init__(
        self,
        folder: Path,
        *,
        certificate: Certificate | None = None,
        settings: Sequence[str] = (),
    ) -> None:
        require("redis-server")
        self.folder = folder
        self.certificate = certificate
        self.settings = list(settings)
        self.port = _free_port()
        self.socket = folder / "redis.sock"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self.process is not None, "not started"
        return self.process.pid

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        program = find("redis-server")
        assert program is not None
        port = ["--port", str(self.port)]
        if self.certificate is not None:
            files = self.certificate
            port = ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            port += ["--tls-cert-file", str(files.cert), "--tls-key-file", str(files.key)]
        command = [str(program), *port, "--bind", "127.0.0.1", "--unixsocket", str(self.socket)]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.folder), *self.settings]
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        eventually(self.answers, what="Redis answers")

    def answers(self) -> bool:
        """Whether it takes connections; it may still refuse to talk."""
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "redis.log").read_text()
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            client.connect(str(self.socket))
            client.sendall(b"PING\r\n")
            return client.recv(64)[:1] in (b"+", b"-")
        return False

    def client(self, **how: Any) -> "redis.Redis":
        """Return a client of its Unix socket; keywords as ``redis.Redis`` has them."""
        return redis.Redis(unix_socket_path=str(self.socket), decode_responses=True, **how)

    def freeze(self) -> None:
        """Stop it in the middle: its sockets stay open and nothing answers."""
        self.process_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process_signal(signal.SIGCONT)

    def process_signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it, and with it all that it knew."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def restart(self) -> None:
        """Have another one, with nothing in it, in the same place."""
        self.kill()
        self.start()


class Sentinel:
    """``redis-sentinel``'s part, played by ``redis-server --sentinel``.

    Args:
        master: The port of the first master on loopback.
    """

    SERVICE = "fizz-master"

    def __init__(self, folder: Path, master: int) -> None:
        self.folder = folder
        self.port = _free_port()
        self._master = master
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        folder, name = self.folder, self.SERVICE
        path = folder / "sentinel.conf"
        path.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor {name} 127.0.0.1 {self._master} 1\n"
            f"sentinel down-after-milliseconds {name} 500\n"
            f"sentinel failover-timeout {name} 5000\n"
        )
        program = find("redis-server")
        assert program is not None
        with (folder / "sentinel.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(program), str(path), "--sentinel"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        eventually(lambda: self.ask("ping"), what="Sentinel answers")

    def ask(self, *command: str) -> Any:
        """Run one command; None while it does not listen yet."""
        with (
            contextlib.suppress(redis.ConnectionError),
            redis.Redis(port=self.port, decode_responses=True) as client,
        ):
            return client.execute_command(*command)
        return None

    @property
    def master_port(self) -> int:
        """Where the master is now, as Sentinel thinks."""
        return int(self.ask("sentinel", "get-master-addr-by-name", self.SERVICE)[1])

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
