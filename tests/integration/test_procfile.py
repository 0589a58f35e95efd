"""The line of ``Procfile`` as a platform runs it: by a shell, with ``$PORT`` in the environment."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.eventually import eventually
from tests.harness.samples import adapted
from tests.harness.server import ROOT, STOPS_WITHIN, FizzServer, clean_environ, free_port
from tests.harness.signing import App

APP = App("2001", "platform-key", "platform-secret")
CREDENTIALS = {
    "FIZZ_APP_ID": APP.app_id,
    "FIZZ_APP_KEY": APP.key,
    "FIZZ_APP_SECRET": APP.secret,
}


def command_of(process: str) -> str:
    """Return what the Procfile says for one kind of process."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    entries = dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    return entries[process]


@pytest.fixture
def platform(tmp_path: Path) -> Iterator["Platform"]:
    platform = Platform(tmp_path)
    try:
        yield platform
    finally:
        platform.kill()


class Platform:
    """Runs the Procfile's web process from the checkout, as Heroku and its like do."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.process: subprocess.Popen[str] | None = None
        self.server = FizzServer(folder, apps=[APP.settings()], server={"port": self.port})

    def start(self, command: str, **variables: str) -> "subprocess.Popen[str]":
        self.process = subprocess.Popen(
            ["sh", "-c", command],
            cwd=ROOT,
            env={
                **clean_environ(PORT=str(self.port), **variables),
                # So that bin/fizz finds the interpreter of the tests, which needs no .venv.
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self.process

    def is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.process.communicate()
        try:
            return self.server.api().request("GET", "/up", query="").status == 200
        except OSError:
            return False

    def kill(self) -> None:
        if self.process is not None:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)  # its own group, see start
            self.process.communicate()


def test_the_web_process_listens_where_the_platform_says(platform: Platform) -> None:
    # Tests listen on loopback only; the next one shows that the address is as the Procfile says.
    command = adapted(command_of("web"), {"--host=0.0.0.0": "--host=127.0.0.1"})
    process = platform.start(command, **CREDENTIALS)
    eventually(platform.is_up, within=20, what="it answers on $PORT")
    client = platform.server.client()
    client.subscribe("orders")
    platform.server.api().trigger("orders", "x", "y")
    assert client.expect("x", "orders") == "y"
    # Platforms signal every process of the group, the shell too where there is one.
    os.killpg(process.pid, signal.SIGTERM)
    assert client.expect_close() == (4200, "Generic reconnect immediately")
    out, _ = process.communicate(timeout=STOPS_WITHIN)
    assert process.returncode in (0, -signal.SIGTERM)
    assert f"127.0.0.1:{platform.port}" in out


def test_a_platform_without_credentials_is_told_to_set_them(platform: Platform) -> None:
    """The checkout's own application is known to everybody, and 0.0.0.0 is not loopback."""
    process = platform.start(command_of("web"))
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "FIZZ_APP_ID" in errors
    assert "0.0.0.0" in errors
