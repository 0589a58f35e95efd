"""A configuration is read again at SIGHUP, and no client that may stay is let go."""

import contextlib
import json
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.certificates import make_certificate
from tests.harness.eventually import eventually
from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.signing import App

Start = Callable[..., FizzServer]
Connect = Callable[[FizzServer, int], PusherClient]

APPS = [App(str(number), f"key-{number}", f"secret-{number}") for number in range(5)]


def entry(number: int, **settings: Any) -> dict[str, Any]:
    app = APPS[number]
    return {"app_id": app.app_id, "key": app.key, "secret": app.secret, **settings}


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connects a client of an application, and closes it after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda server, number: stack.enter_context(server.client(APPS[number]))


def rewrite(server: FizzServer, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the file of a running server, and tell it."""
    path = server.folder / "fizz.yaml"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)


def wait_for(server: FizzServer, words: str, times: int = 1) -> None:
    eventually(lambda: server.stderr.count(words) >= times, within=10, what=f"the log says {words}")


@pytest.mark.parametrize(
    "workers", [1, pytest.param(2, marks=pytest.mark.needs_redis)], ids=["alone", "workers"]
)
def test_applications_come_go_and_change_and_other_clients_stay(
    fizz: Start, connect: Connect, workers: int
) -> None:
    server = fizz(
        apps=[entry(1, max_channel_name_length=10), entry(2), entry(3)],
        server={"workers": workers},
    )
    staying = [connect(server, 1) for _ in range(20)]
    removed, disabled = connect(server, 2), connect(server, 3)

    def change(config: dict[str, Any]) -> None:
        config["apps"]["apps"] = [
            entry(1, max_channel_name_length=20),
            entry(3, enabled=False),
            entry(4),
        ]

    rewrite(server, change)
    # Protocol: §4.3, 4001 for an application that is gone, 4003 for one that was disabled
    assert removed.expect_close() == (4001, "Application does not exist")
    assert disabled.expect_close() == (4003, "Application disabled")
    wait_for(server, "the configuration is reloaded", workers)
    for client in staying:
        client.subscribe("a" * 15)
    connect(server, 4).subscribe("orders")
    assert server.api(APPS[2]).get("/channels").status == 404


def test_a_broken_file_changes_nothing_and_says_why(fizz: Start, connect: Connect) -> None:
    server = fizz(apps=[entry(1)])
    client = connect(server, 1)
    rewrite(server, lambda config: config["apps"]["apps"][0].update(max_event_sise=5))
    wait_for(server, "the configuration stays as it was")
    assert "unknown key 'max_event_sise'" in server.stderr
    client.ping()
    connect(server, 1).ping()


def test_what_needs_a_restart_is_named(fizz: Start, connect: Connect) -> None:
    server = fizz(apps=[entry(1)])
    rewrite(server, lambda config: config["servers"]["fizz"].update(path="/other"))
    wait_for(server, "only a restart brings into effect: servers.fizz.path")
    connect(server, 1).ping()


def test_a_new_certificate_is_shown_to_who_comes_next(
    fizz: Start, connect: Connect, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    old, new = make_certificate(first), make_certificate(second)
    tls = {"cert": str(old.cert), "key": str(old.key)}
    server = fizz(apps=[entry(1)], server={"options": {"tls": tls}}, tls=old.client_context())
    client = connect(server, 1)

    def change(config: dict[str, Any]) -> None:
        config["servers"]["fizz"]["options"]["tls"] = {"cert": str(new.cert), "key": str(new.key)}

    rewrite(server, change)
    wait_for(server, "the configuration is reloaded")
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain,
        new.client_context().wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        assert connection.version() is not None
    with (
        pytest.raises(ssl.SSLCertVerificationError),
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain,
    ):
        old.client_context().wrap_socket(plain, server_hostname="localhost")
    client.ping()
