"""How an established connection is ended by the server."""

import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.eventually import eventually
from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.websocket import CLOSE, RawWebSocket, websocket_target

OPEN = App("1001", "open-key", "open-secret")
GUARDED = App("1002", "guarded-key", "guarded-secret")

TERMINATED = (4009, "Connection terminated by the application")
TOO_LATE = (4009, "Connection not authorized within timeout")


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(
        apps=[OPEN.settings(), GUARDED.settings(authorization_timeout=1)],
        server={"close_timeout": 0.5, "max_outbox_size": 200_000},
    )


def terminate(server: FizzServer, app: App, user_id: str) -> None:
    answer = server.api(app).post(f"/users/{user_id}/terminate_connections", {})
    assert (answer.status, answer.json) == (200, {})


def error_event(code: int, message: str) -> dict[str, Any]:
    return {"event": "pusher:error", "data": {"code": code, "message": message}}


@pytest.mark.parametrize(("protocol", "has_event"), [("5", True), ("6", False), ("7", False)])
def test_only_protocol_5_gets_an_event_beside_the_close_frame(
    server: FizzServer, protocol: str, has_event: bool
) -> None:
    """Protocol: §1.2, §4.3 "how an error that closes is sent": after establishment."""
    client = server.client(OPEN, params={"protocol": protocol})
    client.signin("ann")
    terminate(server, OPEN, "ann")
    if has_event:
        assert client.websocket.recv_event() == error_event(*TERMINATED)
    frame = client.websocket.recv_frame()
    assert (frame.opcode, frame.close) == (CLOSE, TERMINATED)
    client.websocket.send_frame(CLOSE, frame.payload[:2])
    client.websocket.expect_end()
    client.websocket.abandon()


def test_the_rest_of_the_queue_goes_before_the_close_frame(server: FizzServer) -> None:
    """Protocol: §4.3, §15."""
    client = server.client(OPEN)
    client.signin("bob")
    client.subscribe("orders")
    api = server.api(OPEN)
    for number in range(20):
        api.trigger("orders", "counted", str(number))
    terminate(server, OPEN, "bob")
    assert [client.expect("counted", "orders") for _ in range(20)] == list(range(20))
    assert client.expect_close() == TERMINATED


def test_nothing_is_processed_once_the_close_frame_is_sent(server: FizzServer) -> None:
    """Protocol: §15 CLOSING: only a close frame is accepted, nothing is sent."""
    client = server.client(OPEN)
    client.signin("carol")
    with server.client(OPEN) as other:
        other.subscribe("presence-late", user_id="other")
        terminate(server, OPEN, "carol")
        client.request_subscription("presence-late", user_id="carol")
        assert client.websocket.recv_frame().opcode == CLOSE
        client.request_subscription("presence-late", user_id="carol")
        client.send("pusher:ping", {})
        client.websocket.send_frame(CLOSE, (4009).to_bytes(2, "big"))
        client.websocket.expect_end()
        client.websocket.abandon()
        other.expect_nothing()


def test_a_peer_that_does_not_answer_the_close_frame_is_cut_off(server: FizzServer) -> None:
    """Protocol: §4.3, "wait at most 5 s for the peer's close frame"; §15 CLOSING."""
    client = server.client(OPEN)
    client.signin("dave")
    terminate(server, OPEN, "dave")
    assert client.websocket.recv_close() == TERMINATED
    client.websocket.expect_end()
    client.websocket.abandon()
    refused = server.websocket(app=App(key="nobody"))
    assert refused.recv_close()[0] == 4001
    refused.expect_end()
    refused.abandon()


def authorize_by_signin(client: PusherClient) -> None:
    client.signin("ann")


def authorize_by_private(client: PusherClient) -> None:
    client.subscribe("private-orders")


def authorize_by_presence(client: PusherClient) -> None:
    client.subscribe("presence-room", user_id="ann")


def authorize_and_leave(client: PusherClient) -> None:
    client.subscribe("private-encrypted-orders")
    client.unsubscribe("private-encrypted-orders")


def test_unauthorized_connections_are_closed_in_time_and_others_are_not(
    server: FizzServer,
) -> None:
    """Protocol: §4.3 "Authorized connections"; §15, the auth deadline."""
    authorized = []
    for authorize in (
        authorize_by_signin,
        authorize_by_private,
        authorize_by_presence,
        authorize_and_leave,
    ):
        client = server.client(GUARDED)
        authorize(client)
        authorized.append(client)
    with server.client(OPEN) as elsewhere:
        bare = server.client(GUARDED)
        public = server.client(GUARDED)
        public.subscribe("orders")
        refused = server.client(GUARDED)
        refused.request_subscription("private-orders", auth=f"{GUARDED.key}:bad")
        refused.request_signin("ann", auth=f"{GUARDED.key}:bad")
        old = server.client(GUARDED, params={"protocol": "5"})
        for client in (bare, public, refused):
            assert client.expect_close() == TOO_LATE
        assert old.expect("pusher:error") == {"code": 4009, "message": TOO_LATE[1]}
        assert old.expect_close() == TOO_LATE
        for client in authorized:  # all older than those that had to go
            client.ping()
            client.close()
        elsewhere.ping()


def test_draining_closes_everybody_with_4200(fizz: Callable[..., FizzServer]) -> None:
    """Protocol: §4.3, 4200; §15 DRAINING."""
    server = fizz(apps=[OPEN.settings()], server={"drain_seconds": 1})
    clients = [server.client() for _ in range(120)]  # more than are closed at once
    old = server.client(params={"protocol": "5"})
    server.process.send_signal(signal.SIGINT)  # type: ignore[union-attr]
    reason = (4200, "Generic reconnect immediately")
    assert old.expect("pusher:error") == {"code": reason[0], "message": reason[1]}
    assert {client.expect_close() for client in [*clients, old]} == {reason}
    assert server.wait() == 0


def test_a_client_that_does_not_read_is_closed_and_costs_the_others_nothing(
    server: FizzServer,
) -> None:
    """Protocol: §15, slow consumers; §4.3, 4100."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.settimeout(10)
    narrow.connect(server.address)
    raw = RawWebSocket(narrow)
    raw.handshake(websocket_target(OPEN.key), host="localhost")
    slow = PusherClient(raw, OPEN)
    slow.subscribe("flood")
    api = server.api(OPEN)
    data = "x" * 10_000
    batch = {"batch": [{"channel": "flood", "name": "drop", "data": data}] * 10}
    sent = 0
    with server.client(OPEN) as good:
        good.subscribe("flood")

        def is_alone() -> bool:
            nonlocal sent
            for _ in range(10):
                assert api.post("/batch_events", batch).status == 200
                sent += 10
                for _ in range(10):
                    assert good.expect("drop", "flood") == data
            count = api.get("/channels/flood", info="subscription_count").json
            return bool(count["subscription_count"] == 1)

        eventually(is_alone, what="the slow client has lost its subscription")
        good.expect_nothing()
    received = 0
    while (frame := slow.websocket.recv_frame()).opcode != CLOSE:
        received += 1
    assert frame.close == (4100, "Over capacity")
    assert received < sent
    slow.websocket.expect_end()
    slow.websocket.abandon()
