"""How a server stops: kindly, completely, and at once where it is asked twice.

Protocol: §4.3, 4200; §12.10; §15 DRAINING.
"""

import os
import signal
import socket
from typing import Any

import pytest

from tests.conftest import Start
from tests.harness.certificates import Certificate
from tests.harness.eventually import eventually
from tests.harness.http_socket import HttpSocket, request
from tests.harness.narrow import narrow_client
from tests.harness.pusher_client import Closed
from tests.harness.server import FizzServer
from tests.harness.signing import App, compact
from tests.harness.websocket import CLOSE, PING, PONG, TEXT, close_payload

APP = App()
EVENTS = f"/apps/{APP.app_id}/events"
UP, READY = request("GET", "/up"), request("GET", "/ready")
GOODBYE = (4200, "Generic reconnect immediately")


def start(fizz: Start, **settings: Any) -> FizzServer:
    """A server that gives up waiting only long after a test has."""
    return fizz(
        apps=[APP.settings(ping_interval=3600)],
        server={"drain_seconds": 20, "close_timeout": 60, **settings},
    )


def tell(server: FizzServer, number: signal.Signals = signal.SIGTERM) -> None:
    os.kill(server.pid, number)


def expect_stopped(server: FizzServer, *, within: float = 10.0) -> None:
    assert server.wait(within=within) == 0
    server.stop()  # which looks for tracebacks


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_clients_are_told_to_come_back_and_the_server_ends(
    fizz: Start, number: signal.Signals
) -> None:
    """Protocol: §4.3, 4200."""
    server = start(fizz)
    clients = [server.client() for _ in range(10)]
    clients[0].subscribe("presence-hall", user_id="ann")
    tell(server, number)
    for client in clients:
        assert client.expect_close() == GOODBYE
    expect_stopped(server)
    with pytest.raises(ConnectionRefusedError):
        HttpSocket.open(server.address)


def test_over_tls_too(fizz: Start, certificate: Certificate) -> None:
    files = {"cert": str(certificate.cert), "key": str(certificate.key)}
    server = fizz(
        apps=[APP.settings()],
        server={"options": {"tls": files}, "close_timeout": 60},
        tls=certificate.client_context(),
    )
    with server.client() as client, HttpSocket.open(server.address, tls=server.tls) as http:
        assert http.ask(UP).status == 200
        tell(server)
        http.expect_end()
        assert client.expect_close() == GOODBYE
    expect_stopped(server)


def test_idle_connections_are_closed_and_what_has_begun_is_answered(fizz: Start) -> None:
    """Protocol: §12.9 "while draining", §12.10."""
    server = start(fizz)
    idle, silent, asking, publishing = (HttpSocket.open(server.address) for _ in range(4))
    assert idle.ask(UP).status == 200
    for begun in (asking, publishing):
        assert begun.ask(READY).json == {"ready": True}
    body = compact({"name": "drop", "channels": ["ocean"], "data": "late"}).encode()
    target = f"{EVENTS}?{APP.signed_query('POST', EVENTS, body=body)}"
    post = request("POST", target, f"Content-Length: {len(body)}", body=body)
    asking.send_raw(READY[:-1])
    publishing.send_raw(post[:-1])
    with server.client() as client:
        client.subscribe("ocean")
        tell(server)
        idle.expect_end()
        silent.expect_end()
        assert client.expect_close() == GOODBYE
    answer = asking.ask(READY[-1:] + UP)
    assert (answer.status, answer.json) == (503, {"ready": False, "reason": "draining"})
    assert answer.headers["connection"] == "close"
    asking.expect_end()  # the request behind it is somebody else's to answer
    assert server.process is not None
    assert server.process.poll() is None  # it waits for the last request
    answer = publishing.ask(post[-1:])
    assert (answer.status, answer.json) == (200, {})
    assert answer.headers["connection"] == "close"
    publishing.expect_end()
    expect_stopped(server)
    for http in (idle, silent, asking, publishing):
        http.socket.close()


def test_newcomers_who_wait_at_the_door_are_sent_elsewhere(fizz: Start) -> None:
    """Protocol: §15 DRAINING: a handshake that has begun ends with the code, not with a reset."""
    server = start(fizz)
    client = server.client()
    head = request(
        "GET",
        f"/app/{APP.key}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    late = [HttpSocket.open(server.address) for _ in range(5)]
    for http in late:
        http.send_raw(head[:-1])
    tell(server)
    assert client.expect_close() == GOODBYE
    for http in late:
        http.send_raw(head[-1:])
        assert http.read_head()[0] == 101
        assert http.recv_event()["data"] == {"code": 4200, "message": GOODBYE[1]}
        assert http.recv_close() == GOODBYE
        http.send_frame(CLOSE, close_payload(4200))
        http.expect_end()
        http.socket.close()
    expect_stopped(server)


def test_a_second_signal_stops_at_once(fizz: Start) -> None:
    """Nobody answers, so that one signal would take its time."""
    server = start(fizz)
    with server.client() as client, HttpSocket.open(server.address) as http:
        http.send_raw(UP[:-1])
        tell(server)
        assert client.websocket.recv_close() == GOODBYE
        assert server.process is not None
        assert server.process.poll() is None
        tell(server, signal.SIGINT)
        expect_stopped(server)


def test_those_who_never_answer_delay_the_end_and_do_not_prevent_it(fizz: Start) -> None:
    """A client that reads nothing, one that does not answer, a request that does not end."""
    server = start(fizz, drain_seconds=0, max_outbox_size=100_000_000)
    deaf = narrow_client(server)
    deaf.subscribe("flood")
    events = [{"channel": "flood", "name": "drop", "data": "x" * 9_000}] * 10
    for _ in range(100):
        assert server.api().post("/batch_events", {"batch": events}).status == 200
    with server.client() as mute, HttpSocket.open(server.address) as http:
        http.send_raw(UP[:-1])
        tell(server)
        assert mute.websocket.recv_close() == GOODBYE
        expect_stopped(server, within=25.0)
    deaf.websocket.abandon()


def test_hundreds_of_clients_are_not_sent_away_in_one_moment(fizz: Start) -> None:
    """Protocol: §4.3, 4200: spread, so that they do not all arrive elsewhere together."""
    server = start(fizz)
    clients = [server.client() for _ in range(600)]
    tell(server)

    def first_is_told() -> bool:
        return any(_has_something(client.websocket.socket) for client in clients)

    eventually(first_is_told)
    told = 0
    for client in clients:  # whoever has not been told yet is still served
        client.websocket.send_frame(PING, b"still here?")
    for client in clients:
        frame = client.websocket.recv_frame()
        if frame.opcode == PONG:
            frame = client.websocket.recv_frame()
        else:
            told += 1
        assert (frame.opcode, frame.close) == (CLOSE, GOODBYE)
        client.websocket.send_frame(CLOSE, frame.payload[:2])
    assert 0 < told < len(clients)
    for client in clients:
        client.websocket.expect_end()
        client.websocket.abandon()
    expect_stopped(server)


def _has_something(connected: socket.socket) -> bool:
    connected.setblocking(False)
    try:
        return connected.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return False


def test_events_of_the_last_moment_arrive_before_the_close_frame(fizz: Start) -> None:
    """Protocol: §4.3: what was accepted with 200 is not lost on those who are still there."""
    server = start(fizz)
    clients = [server.client() for _ in range(50)]
    for client in clients:
        client.subscribe("ocean")
    for number in range(20):
        server.api().trigger("ocean", "drop", str(number))
    tell(server)
    for client in clients:
        assert [client.expect("drop") for _ in range(20)] == list(range(20))
        with pytest.raises(Closed) as closed:
            client.next_event()
        assert (closed.value.code, closed.value.reason) == GOODBYE
        client.websocket.send_frame(TEXT, b'{"event":"pusher:ping","data":{}}')
        client.websocket.send_frame(CLOSE, close_payload(4200))
        client.websocket.expect_end()
        client.websocket.abandon()
    expect_stopped(server)
