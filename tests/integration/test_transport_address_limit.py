"""One address gets no more than its share, and everybody else gets theirs.

Protocol: §4.3, 4100.
"""

import json
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.conftest import Start
from tests.harness.eventually import eventually
from tests.harness.http_socket import request
from tests.harness.scrape import Scrape
from tests.harness.server import FizzServer, free_port
from tests.harness.sources import socket_from, websocket_from
from tests.harness.websocket import CLOSE, Disconnected, RawWebSocket, close_payload

HOME, NEIGHBOUR, PROXY = "127.0.0.2", "127.0.0.3", "127.0.0.4"
TOO_MANY = "Too many connections from this address"
UP = request("GET", "/up")

Limited = Callable[..., FizzServer]


@pytest.fixture
def limited(fizz: Start) -> Limited:
    """Starts a server with a limit of 3 for an address, and with metrics."""

    def start(**settings: Any) -> FizzServer:
        metrics = {"enabled": True, "port": free_port()}
        return fizz(server={"max_connections_per_address": 3, "metrics": metrics, **settings})

    return start


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def is_let_in(websocket: RawWebSocket) -> bool:
    """Whether a client may stay; one that may not is told so, and behaves."""
    event = websocket.recv_event()
    if event["event"] == "pusher:connection_established":
        return True
    assert event["data"] == {"code": 4100, "message": TOO_MANY}
    assert websocket.recv_close() == (4100, TOO_MANY)
    websocket.send_frame(CLOSE, close_payload(4100))
    websocket.expect_end()
    return False


def refusals(server: FizzServer, reason: str) -> float:
    return Scrape.of(server.settings["metrics"]["port"])("fizz_refusals_total", reason=reason)


def test_one_address_gets_its_share_and_others_theirs(limited: Limited, opened: ExitStack) -> None:
    server = limited()

    def come(source: str) -> bool:
        return is_let_in(opened.enter_context(websocket_from(server, source)))

    assert [come(HOME) for _ in range(5)] == [True, True, True, False, False]
    assert come(NEIGHBOUR)
    assert refusals(server, "address_limit") == 2
    who = f"most often {re.escape(HOME)}, [12] times"
    line = rf"clients were refused: address_limit [12] \({who}\)"
    eventually(lambda: re.search(line, server.stderr) is not None, what="the log names the address")
    opened.close()
    eventually(lambda: come(HOME), what="there is room again")


def test_what_a_stranger_says_of_itself_does_not_count(limited: Limited, opened: ExitStack) -> None:
    server = limited()
    came = [
        is_let_in(
            opened.enter_context(
                websocket_from(server, HOME, headers={"X-Forwarded-For": f"198.51.100.{number}"})
            )
        )
        for number in range(4)
    ]
    assert came == [True, True, True, False]


def test_behind_a_proxy_it_is_the_clients_address_that_counts(
    limited: Limited, opened: ExitStack
) -> None:
    server = limited(trusted_proxies=[PROXY])

    def come(forwarded: str | None) -> bool:
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        return is_let_in(opened.enter_context(websocket_from(server, PROXY, headers=headers)))

    assert [come("198.51.100.1") for _ in range(4)] == [True, True, True, False]
    assert not come("203.0.113.1, ::ffff:198.51.100.1"), "the last that the proxy has seen"
    assert not come("198.51.100.1:4711"), "with the port, as some proxies tell it"
    assert come("198.51.100.2")
    assert [come(f"2001:db8::{number}") for number in range(1, 5)] == [True, True, True, False]
    assert come("2001:db8:0:1::1"), "another network"
    assert all(come(None) for _ in range(6)), "nobody knows whose these are"
    assert is_let_in(opened.enter_context(websocket_from(server, HOME)))


def test_over_a_unix_socket_nobody_is_counted_but_whom_the_peer_names(
    limited: Limited, opened: ExitStack
) -> None:
    with TemporaryDirectory(prefix="fizz-") as folder:
        server = limited(host=f"unix:{Path(folder) / 'fizz.sock'}")
        assert all(is_let_in(opened.enter_context(server.websocket())) for _ in range(6))
        named = {"X-Forwarded-For": "198.51.100.1"}
        came = [is_let_in(opened.enter_context(server.websocket(headers=named))) for _ in range(4)]
        assert came == [True, True, True, False]


def test_sockets_that_say_nothing_are_counted_and_a_back_ends_are_not(
    limited: Limited, opened: ExitStack
) -> None:
    """A flood of them from one address ends at the door; nobody else notices."""
    server = limited(workers=1)  # each worker counts those for itself
    client = opened.enter_context(server.client())
    client.subscribe("ocean")
    silent = [opened.enter_context(socket_from(server, HOME)) for _ in range(3 + 32)]
    silent[0].send_raw(UP[:9])
    for _ in range(20):
        one_more = opened.enter_context(socket_from(server, HOME))
        one_more.expect_end()
    assert refusals(server, "address_sockets") == 20
    line = rf"address_sockets \d+ \(most often {re.escape(HOME)}, "
    eventually(lambda: re.search(line, server.stderr) is not None)
    neighbour = opened.enter_context(socket_from(server, NEIGHBOUR))
    assert neighbour.ask(UP).status == 200
    silent[0].send_raw(UP[9:])
    assert silent[0].read_answer().status == 200

    api = server.api()
    kept = []
    for number in range(3 + 32 + 10):  # more than a stranger may have
        connection = opened.enter_context(closing(api.connection()))
        body = json.dumps({"name": "drop", "channel": "ocean", "data": str(number)}).encode()
        answer = api.request("POST", f"{api.base}/events", body=body, connection=connection)
        assert answer.status == 200
        kept.append(connection)
    assert [client.expect("drop", "ocean") for _ in kept] == list(range(len(kept)))


def test_sockets_that_were_silent_are_forgotten_with_time(
    limited: Limited, opened: ExitStack
) -> None:
    server = limited(workers=1, request_head_timeout=0.3)
    for _ in range(3 + 32):
        opened.enter_context(socket_from(server, HOME))

    def is_served() -> bool:
        with socket_from(server, HOME) as http:
            try:
                return http.ask(UP).status == 200
            except (Disconnected, BrokenPipeError):
                return False

    eventually(is_served, within=5)


def test_a_reload_changes_the_limit_at_once(limited: Limited, opened: ExitStack) -> None:
    """Who is in is counted, whatever the limit was when it came, and stays in."""
    server = limited(max_connections_per_address=None)
    clients = [opened.enter_context(server.client()) for _ in range(5)]

    def limit_to(number: int | None) -> None:
        path = server.folder / "fizz.yaml"
        config = json.loads(path.read_text())
        config["servers"]["fizz"]["max_connections_per_address"] = number
        path.write_text(json.dumps(config))
        times = server.stderr.count("the configuration is reloaded") + int(
            server.settings.get("workers", 1)
        )
        assert server.process is not None
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: server.stderr.count("the configuration is reloaded") >= times)

    limit_to(5)
    assert "only a restart" not in server.stderr
    with server.websocket() as websocket:
        assert not is_let_in(websocket)
    limit_to(6)
    clients.append(opened.enter_context(server.client()))
    limit_to(1)
    with server.websocket() as websocket:
        assert not is_let_in(websocket)
    for client in clients:
        client.ping()
    limit_to(None)
    opened.enter_context(server.client())


@pytest.mark.needs_redis
def test_the_limit_is_of_all_workers_together(limited: Limited, opened: ExitStack) -> None:
    server = limited(workers=2, max_connections_per_address=8)
    came = [is_let_in(opened.enter_context(websocket_from(server, HOME))) for _ in range(8)]
    assert all(came)
    for _ in range(6):
        with websocket_from(server, HOME) as websocket:
            assert not is_let_in(websocket)
    assert is_let_in(opened.enter_context(websocket_from(server, NEIGHBOUR)))
    assert refusals(server, "address_limit") == 6
