"""Fizz under a real supervisord that runs ``etc/supervisor.conf``, with other folders."""

import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.eventually import eventually
from tests.harness.programs import find
from tests.harness.samples import adapted, sample
from tests.harness.server import STOPS_WITHIN, FizzServer, clean_environ, free_port
from tests.harness.websocket import Disconnected

pytestmark = pytest.mark.needs_supervisor

CONFIG = "supervisor.conf"


class Supervisor:
    """A supervisord with one program, Fizz.

    Args:
        server: Never started itself; says where Fizz will be and with which application.
    """

    def __init__(self, folder: Path, server: FizzServer) -> None:
        self.folder = folder
        self.server = server
        self.path = folder / CONFIG
        self.process: subprocess.Popen[bytes] | None = None
        self.environ: dict[str, str] = {}

    def start(self, *, command: str | None = None) -> None:
        app = self.server.app
        python = f"{sys.executable} -P -W error -m fizz_gevent start"
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        files = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
        text = adapted(
            sample(CONFIG),
            {
                "minfds=65536": f"minfds={files}",
                "logfile=/var/log/supervisor/supervisord.log": f"logfile={self.folder}/log",
                "pidfile=/run/supervisord.pid": f"pidfile={self.folder}/pid",
                "file=/run/supervisor.sock": f"file={self.folder}/sock",
                "serverurl=unix:///run/supervisor.sock": f"serverurl=unix://{self.folder}/sock",
                "command=/opt/fizz/bin/fizz start": f"command={command or python}",
                "directory=/etc/fizz": f"directory={self.folder}",
                "user=fizz": "user=root" if os.geteuid() == 0 else "",
                "/var/log/supervisor/fizz.out.log": f"{self.folder}/fizz.out.log",
                "/var/log/supervisor/fizz.log": f"{self.folder}/fizz.log",
            },
        )
        self.path.write_text(text)
        self.environ = clean_environ(
            PYTHONPATH=self.server.environ["PYTHONPATH"],
            FIZZ_RUN_DIRECTORY=str(self.folder / "run"),
            FIZZ_SERVER_PORT=str(self.server.port),
            FIZZ_APP_ID=app.app_id,
            FIZZ_APP_KEY=app.key,
            FIZZ_APP_SECRET=app.secret,
        )
        self.process = subprocess.Popen(
            [str(find("supervisord")), "--nodaemon", "-c", str(self.path)],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        """Stop everything; assert that nobody had to be killed."""
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(STOPS_WITHIN + 10) == 0, self.log()

    def control(self, *words: str) -> str:
        """What ``supervisorctl`` says."""
        command = [str(find("supervisorctl")), "-c", str(self.path), *words]
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        ).stdout

    def fizz(self, *words: str) -> tuple[int, str]:
        """What Fizz itself says, asked with the environment that the program has; its exit code."""
        command = [sys.executable, "-P", "-W", "error", "-m", "fizz_gevent", *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=90
        )
        return done.returncode, done.stdout + done.stderr

    def trust(self) -> None:
        """Wait until it is called RUNNING: what ends before that counts as a failed start."""
        eventually(lambda: "RUNNING" in self.control("status", "fizz"), what="it is RUNNING")

    @property
    def pid(self) -> int:
        return int(self.control("pid", "fizz"))

    def log(self) -> str:
        return "\n".join(
            path.read_text(errors="replace") for path in sorted(self.folder.glob("*log"))
        )


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """A supervisord that was not started yet; what it started is gone after the test."""
    folder = tmp_path / "supervisor"
    folder.mkdir()
    supervisor = Supervisor(folder, FizzServer(tmp_path, server={"port": free_port()}))
    yield supervisor
    supervisor.stop()


@pytest.fixture
def running(supervisor: Supervisor) -> Supervisor:
    supervisor.start()
    eventually(is_up(supervisor.server), within=20, what="Fizz answers")
    return supervisor


def is_up(server: FizzServer) -> Callable[[], bool]:
    def answers() -> bool:
        try:
            return server.api().request("GET", "/up", query="").status == 200
        except OSError:
            return False

    return answers


def test_it_starts_with_room_for_clients_and_says_so(running: Supervisor) -> None:
    (files,) = re.findall(r"minfds=(\d+)", running.path.read_text())
    limits = Path(f"/proc/{running.pid}/limits").read_text()
    (soft,) = re.findall(r"Max open files\s+(\d+)", limits)
    assert int(soft) >= int(files)
    banner = eventually(lambda: (running.folder / "fizz.out.log").read_text())
    assert f"127.0.0.1:{running.server.port}" in banner
    with running.server.client() as client:
        client.subscribe("orders")
        running.server.api().trigger("orders", "x", "y")
        assert client.expect("x", "orders") == "y"


def test_a_killed_server_comes_back(running: Supervisor) -> None:
    running.trust()
    with running.server.client() as client:
        killed = running.pid
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(Disconnected):
            client.next_event()
    eventually(is_up(running.server), within=20, what="it is up again")
    assert running.pid != killed
    assert "exited: fizz (terminated by SIGKILL; not expected)" in running.log()
    with running.server.client() as again:
        again.ping()


def test_a_server_that_was_asked_to_stop_by_somebody_else_comes_back(running: Supervisor) -> None:
    running.trust()
    stopped = running.pid
    os.kill(stopped, signal.SIGTERM)
    eventually(lambda: "exited: fizz (exit status 0" in running.log(), within=STOPS_WITHIN)
    eventually(is_up(running.server), within=20, what="it is up again")
    assert running.pid != stopped


def test_a_restart_keeps_the_process_that_supervisor_knows(running: Supervisor) -> None:
    """Protocol: §4.3, 4200."""
    running.trust()
    pid = running.pid
    with running.server.client() as client:
        code, said = running.fizz("restart")
        assert (code, said.partition(" in ")[0]) == (0, "restarted"), said
        assert client.expect_close()[0] == 4200
    assert running.pid == pid
    assert "RUNNING" in running.control("status", "fizz")
    with running.server.client() as client:
        client.ping()
    assert "exited: fizz" not in running.log()


def test_stopping_sends_clients_away_and_needs_no_kill(running: Supervisor) -> None:
    """Protocol: §4.3, 4200."""
    clients = [running.server.client() for _ in range(3)]
    waiting = subprocess.Popen(
        [str(find("supervisorctl")), "-c", str(running.path), "stop", "fizz"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    for client in clients:
        assert client.expect_close() == (4200, "Generic reconnect immediately")
    said, _ = waiting.communicate(timeout=STOPS_WITHIN + 10)
    assert "fizz: stopped" in said
    assert "stopped: fizz (exit status 0)" in running.log()
    assert "SIGKILL" not in running.log()
    assert "STOPPED" in running.control("status", "fizz")


def test_a_client_that_never_answers_does_not_outlast_the_wait(running: Supervisor) -> None:
    """Protocol: §4.3, the peer's close frame is waited for 5 s at most."""
    silent = running.server.websocket()
    assert "fizz: stopped" in running.control("stop", "fizz")
    assert "stopped: fizz (exit status 0)" in running.log()
    assert silent.recv_close()[0] == 4200
    silent.abandon()


def test_a_mistake_in_the_configuration_is_not_tried_for_ever(supervisor: Supervisor) -> None:
    python = f"{sys.executable} -P -W error -m fizz_gevent"
    supervisor.start(command=f"{python} start --config={supervisor.folder}/missing.yaml")
    eventually(lambda: "FATAL" in supervisor.control("status", "fizz"), within=30)
    log = supervisor.log()
    # The start, and startretries more; again so many where it took so long to see the mistake that
    # Supervisor had believed it to be running.
    assert log.count("exit status 2") >= 4
    assert "missing.yaml" in log


def test_the_wait_is_longer_than_fizz_may_take() -> None:
    (wait,) = re.findall(r"^stopwaitsecs=(\d+)$", sample(CONFIG), re.MULTILINE)
    assert int(wait) > STOPS_WITHIN
