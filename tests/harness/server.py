"""A real Fizz in a process of its own."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.harness import processes
from tests.harness.eventually import eventually
from tests.harness.http_api import HttpApi
from tests.harness.pusher_client import WORKERS, PusherClient
from tests.harness.signing import App
from tests.harness.websocket import Address, RawWebSocket, websocket_target

ROOT = Path(__file__).resolve().parent.parent.parent
STARTS_WITHIN = 20.0
STOPS_WITHIN = 25.0
"""Seconds in which a server has promised to be gone after SIGTERM."""

PYTHON = (sys.executable, "-P", "-W", "error", "-m", "fizz_gevent")
"""Warnings are errors in the server too: a new Python's first complaint is a failed test."""

_SUMMARY = re.compile(r" warning (clients|messages|requests) were (refused|cut off|held back): ")

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV", "PYTHONDEVMODE")


class ServerFailed(Exception):
    """The server ended where it should have run, or would not end."""


def free_port() -> int:
    """Return a port that nothing uses now. Somebody else may take it before the caller does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environ(**others: str) -> dict[str, str]:
    """Return an environment in which no setting of the developer's shell reaches Fizz."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name.startswith("COVERAGE_")
    }
    return kept | others


class FizzServer:
    """``python -m fizz_gevent start`` with a configuration file of its own.

    Args:
        folder: An empty folder for the configuration, the run directory and the logs; the server's
            current one.
        apps: Entries of ``apps.apps``; by default the one of ``App()``.
        server: Keys of ``servers.fizz``, added to host, port and run directory.
        config: Further top-level keys, or the whole text of the file.
        environ: Variables beside a clean environment.
        options: Further words of the command line.
        command: In place of ``python -W error -m fizz_gevent``.
        tls: With it, everything here connects over TLS.
        in_own_group: Make it the leader of a process group, as a shell's job is.
    """

    def __init__(
        self,
        folder: Path,
        *,
        apps: Sequence[Mapping[str, Any]] | None = None,
        server: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | str | None = None,
        environ: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        command: Sequence[str] | None = None,
        tls: ssl.SSLContext | None = None,
        in_own_group: bool = False,
    ) -> None:
        self.folder = folder
        self.apps = [App().settings()] if apps is None else [dict(app) for app in apps]
        self.settings: dict[str, Any] = {"host": "127.0.0.1", **(server or {})}
        self.settings.setdefault("run_directory", str(folder / "run"))
        if WORKERS is not None:
            self.settings.setdefault("workers", int(WORKERS))
        self.config = config
        # Started away from the checkout, whose own etc/fizz.yaml would be read too.
        self.environ = clean_environ(**{"PYTHONPATH": str(ROOT), **(environ or {})})
        self.options = list(options)
        self.command = list(command or PYTHON)
        self.process: subprocess.Popen[bytes] | None = None
        self.port = int(self.settings.get("port", 0))
        self.tls = tls
        self.in_own_group = in_own_group
        self._family: list[int] = []

    @property
    def app(self) -> App:
        """The credentials of the first application."""
        return self.credentials(0)

    def credentials(self, index: int) -> App:
        entry = self.apps[index]
        return App(str(entry["app_id"]), entry["key"], entry["secret"])

    @property
    def address(self) -> Address:
        """Where the server listens, for ``open_socket``."""
        host = str(self.settings["host"])
        if host.startswith("unix:"):
            return host.removeprefix("unix:")
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), self.port

    @property
    def prefix(self) -> str:
        return str(self.settings.get("path", "")).rstrip("/")

    @property
    def stdout(self) -> str:
        return self._log("stdout")

    @property
    def stderr(self) -> str:
        return self._log("stderr")

    @property
    def faults(self) -> str:
        """What it said on stderr, but for its summaries, once a minute, of whom it refused."""
        lines = self.stderr.splitlines(keepends=True)
        return "".join(line for line in lines if not _SUMMARY.search(line))

    def _log(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def pid(self) -> int:
        assert self.process is not None, "not started"
        return self.process.pid

    def start(self) -> None:
        """Start and wait until ``/up`` answers; try another port if one was snatched away."""
        (self.folder / "run").mkdir(parents=True, exist_ok=True)
        chosen = bool(self.settings.get("port"))
        for attempt in range(5):
            if not chosen:
                self.port = free_port()
            self.launch()
            try:
                eventually(self.is_up, within=STARTS_WITHIN, what="the server answers /up")
                self._family = processes.children(self.pid)
                return
            except ServerFailed:
                taken = "in use" in self.stderr.lower()
                if chosen or attempt == 4 or not taken:
                    raise
            except AssertionError as error:
                self.kill()
                raise ServerFailed(f"{error}\n{self.logs()}") from None

    def launch(self) -> None:
        """Start the process and return at once, for tests that expect it to refuse to run."""
        path = self.folder / "fizz.yaml"
        path.write_text(self._config_text())
        command = [*self.command, "start", f"--config={path}", *self.options]
        with (self.folder / "stdout").open("wb") as out, (self.folder / "stderr").open("wb") as err:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                process_group=0 if self.in_own_group else None,
            )

    def _config_text(self) -> str:
        if isinstance(self.config, str):
            return self.config
        servers = {"fizz": {**self.settings, "port": self.port}}
        whole = {"servers": servers, "apps": {"apps": self.apps}, **(self.config or {})}
        return json.dumps(whole, indent=2)  # which is YAML too

    def is_up(self) -> bool:
        """Tell whether ``/up`` answers 200.

        Raises:
            ServerFailed: The process has ended.
        """
        assert self.process is not None, "not started"
        if self.process.poll() is not None:
            raise ServerFailed(f"exit {self.process.returncode} at start\n{self.logs()}")
        try:
            return self.api().request("GET", "/up", query="").status == 200
        except OSError:
            return False

    def wait(self, *, within: float = STOPS_WITHIN) -> int:
        """Wait until the process and its workers have ended; return its exit code."""
        assert self.process is not None, "not started"
        try:
            code = self.process.wait(within)
            eventually(
                lambda: not any(map(processes.is_running, self._family)),
                within=STOPS_WITHIN,
                what="workers have ended",
            )
            return code
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFailed(f"still there after {within} s\n{self.logs()}") from None

    def stop(
        self, number: signal.Signals = signal.SIGTERM, *, code: int = 0, clean: bool = True
    ) -> None:
        """Ask it to stop; assert its exit code and that it complained of no bug.

        Args:
            clean: Assert that neither a traceback nor a warning of Python was printed.
        """
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
        found = self.wait()
        assert found == code, f"exit {found}, not {code}\n{self.logs()}"
        if clean:
            assert "Traceback" not in self.stderr, self.logs()

    def kill(self) -> None:
        """End it without asking."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.wait()

    def logs(self) -> str:
        return f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"

    def websocket(
        self,
        target: str | None = None,
        *,
        params: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        app: App | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> RawWebSocket:
        """Open a plain WebSocket at ``/app/KEY`` (or at ``target``); nothing is read from it."""
        key = (app or self.app).key
        where = target or websocket_target(key, prefix=self.prefix, params=params)
        return RawWebSocket.connect(self.address, where, headers=headers, tls=self.tls)

    def client(self, app: App | None = None, **how: Any) -> PusherClient:
        """Connect a Pusher client and wait for its socket id; keywords as in ``websocket``."""
        app = app or self.app
        return PusherClient(self.websocket(app=app, **how), app)

    def api(self, app: App | None = None) -> HttpApi:
        """Return the back end of an application, by default of the first."""
        credentials = app or (self.app if self.apps else App())
        return HttpApi(self.address, credentials, prefix=self.prefix, tls=self.tls)
