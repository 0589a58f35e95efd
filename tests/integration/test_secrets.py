"""What is secret stays where it was written: each secret is looked for wherever others may look."""

import base64
import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.conftest import Start
from tests.harness import processes
from tests.harness.console import Console
from tests.harness.eventually import eventually
from tests.harness.http_api import HttpApi
from tests.harness.pusher_client import Closed
from tests.harness.receiver import Receiver
from tests.harness.redis_server import RedisServer
from tests.harness.rig import Rig
from tests.harness.scrape import Scrape
from tests.harness.server import PYTHON, FizzServer, free_port
from tests.harness.signing import App

APP = App("1001", "the-key", "app-s3cret")
OLD = App("1001", "old-key", "old-s3cret")
REDIS, CONSOLE, HOOK, HEADER = "redis-s3cret", "console-s3cret", "hook-s3cret", "header-s3cret"
SECRETS = (APP.secret, OLD.secret, REDIS, CONSOLE, HOOK, HEADER)
FAULTS = (
    "fizz_gevent.protocol.signatures:hmac.compare_digest",
    "fizz_gevent.webhooks.http_client:PooledClient.post",
    "fizz_gevent.console.guard:Guard.check_password",
)


def secrets_in(text: str) -> list[str]:
    """Which of them stand in a text, as they are or in the Base64 of HTTP."""
    pair = base64.b64encode(f"me:{HOOK}".encode()).decode()
    return [each for each in (*SECRETS, pair, "s3cret") if each in text]


class Monitor:
    """Writes down all that Redis is told."""

    def __init__(self, redis: RedisServer) -> None:
        self.said = b""
        self._is_over = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(redis.socket))
        self._socket.settimeout(0.1)
        self._socket.sendall(f"AUTH {REDIS}\r\nMONITOR\r\n".encode())
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._is_over.is_set():
            with contextlib.suppress(TimeoutError):
                self.said += self._socket.recv(65536)

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()
        self._socket.close()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path, settings=("--requirepass", REDIS))
    server.start()
    yield server
    server.kill()


def settings(receiver: Receiver) -> dict[str, Any]:
    webhook = {
        "url": receiver.url.replace("://", f"://me:{HOOK}@") + f"?token={HOOK}",
        "headers": {"X-Token": HEADER},
    }
    previous = {"key": OLD.key, "secret": OLD.secret, "until": "2999-01-01T00:00:00Z"}
    return APP.settings(webhooks=[webhook], previous=previous)


def use(server: FizzServer) -> list[str]:
    """Everything that has to do with a secret, done well and badly; what was answered."""
    api, old = server.api(), server.api(OLD)
    stranger = HttpApi(server.address, App("1001", APP.key, "wrong"))
    answers = [each.get("/channels").body.decode() for each in (api, old, stranger)]
    with server.client() as client, server.client() as wrong:
        client.subscribe("private-talk")
        client.signin("ann")
        client.subscribe("presence-room", user_id="ann")
        wrong.request_subscription("private-talk", auth=f"{APP.key}:{'0' * 64}")
        answers += [wrong.next_event()["raw"] for _ in range(2)]
        wrong.request_signin("bob", auth=f"{APP.key}:{'0' * 64}")
        with contextlib.suppress(Closed):
            answers.append(wrong.next_event()["raw"])
        client.trigger("client-says", "private-talk", 1)
        api.trigger("private-talk", "news", 1)
        client.wait_for("news")
    return answers


@pytest.mark.needs_redis
def test_no_secret_stands_where_others_look(fizz: Start, redis: RedisServer) -> None:
    with TemporaryDirectory(prefix="fizz") as folder, Receiver() as receiver:
        rig = Rig(Path(folder), *FAULTS)
        metrics = {"enabled": True, "port": free_port()}
        where = {"host": "127.0.0.1", "port": redis.port, "password": REDIS}
        server = fizz(
            apps=[settings(receiver)],
            server={
                "workers": 1,
                "metrics": metrics,
                "console": {"username": "ann", "password": CONSOLE},
                "scaling": {"enabled": True, "server": where},
            },
            command=rig.command,
            options=["--debug"],
        )
        monitor = Monitor(redis)
        try:
            said = use(server)
            kind = "Content-Type: application/x-www-form-urlencoded"
            forms = [f"username=ann&password={each}".encode() for each in ("wrong", CONSOLE)]
            console = Console(server)
            entered = [console.ask("POST", "/login", kind, body=form) for form in forms]
            session = f"Cookie: {entered[1].headers['set-cookie'].partition(';')[0]}"
            for path in ("", "/api/setup", "/api/apps/1001/channels", "/static/app.js"):
                for headers in ((), (session,)):
                    said.append(console.ask("GET", path, *headers).body.decode())
            receiver.wait_for(2, "channel_occupied")
            with contextlib.ExitStack() as faults:
                for point in FAULTS:
                    faults.enter_context(rig.armed(point))
                said.append(server.api().get("/channels").body.decode())
                said.append(console.ask("POST", "/login", kind, body=forms[1]).body.decode())
                with server.client() as client:
                    client.subscribe("orders")
                    eventually(lambda: "while a webhook was sent" in server.stderr, within=20)
            assert server.stderr.count("Traceback") >= 3
            receiver.answer = lambda _: 500
            server.api().trigger("orders", "news", 1)
            said.append(Scrape.of(metrics["port"]).text)
            said.append(processes.command_line(server.pid))
            server.stop(clean=False)
        finally:
            monitor.close()
        with redis.client(password=REDIS) as admin:
            kept = [str(admin.dump(key)) for key in admin.scan_iter()]
        assert b"EVALSHA" in monitor.said
        assert secrets_in(monitor.said.decode(errors="replace")) == []
        assert secrets_in("\n".join(kept)) == []
        assert secrets_in("\n".join(said)) == []
        assert secrets_in(server.stdout) == []
        assert secrets_in(server.stderr) == []


def test_check_masks_what_is_secret(tmp_path: Path) -> None:
    with Receiver() as receiver:
        where = {"url": f"redis://:{REDIS}@127.0.0.1:1/0"}
        server = FizzServer(
            tmp_path,
            apps=[settings(receiver)],
            server={
                "scaling": {"enabled": True, "server": where},
                "console": {"password": CONSOLE},
            },
        )
        (tmp_path / "fizz.yaml").write_text(server._config_text())
        command = [*PYTHON, "check", f"--config={tmp_path / 'fizz.yaml'}"]
        checked = subprocess.run(
            command, env=server.environ, cwd=tmp_path, capture_output=True, text=True
        )
    assert APP.app_id in checked.stdout, checked
    assert secrets_in(checked.stdout + checked.stderr) == []


def test_workers_are_not_told_in_their_environment(fizz: Start) -> None:
    """Who sets secrets by variables has them in the parent's, and nowhere else."""
    variables = {"APP_ID": APP.app_id, "APP_KEY": APP.key, "APP_SECRET": APP.secret}
    environ = {f"FIZZ_{name}": value for name, value in variables.items()}
    environ["FIZZ_CONSOLE_PASSWORD"] = CONSOLE
    server = fizz(
        config={"apps": {}},
        server={"workers": 2},
        environ={**environ, "REDIS_PASSWORD": REDIS},
    )
    server.apps = [APP.settings()]
    assert server.api().get("/channels").status == 200
    family = processes.children(server.pid)
    assert len(family) >= 2
    for pid in family:
        own = (processes.PROC / str(pid) / "environ").read_bytes().decode()
        assert secrets_in(own) == []
        assert secrets_in(processes.command_line(pid)) == []
