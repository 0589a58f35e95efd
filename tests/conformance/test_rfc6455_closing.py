"""RFC 6455's closing handshake over a real socket, begun by either side.

Protocol: RFC 6455 §5.5.1, §7; §4.3 and §15 of ours.
"""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.harness.eventually import eventually
from tests.harness.narrow import narrow_client
from tests.harness.server import FizzServer
from tests.harness.websocket import (
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    RawWebSocket,
    close_payload,
    encode_frame,
)

TERMINATED = (4009, "Connection terminated by the application")


@pytest.fixture(scope="module")
def patient(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    """A server whose time limit is longer than any test waits."""
    return module_fizz(server={"close_timeout": 60})


@pytest.fixture(scope="module")
def hasty(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    """A server that waits for next to nothing, but for much in an outbox."""
    return module_fizz(server={"close_timeout": 0.2, "max_outbox_size": 100_000_000})


@pytest.fixture
def websocket(patient: FizzServer) -> Iterator[RawWebSocket]:
    with patient.websocket() as opened:
        opened.recv_event()
        yield opened


def terminate(server: FizzServer, user_id: str) -> None:
    assert server.api().post(f"/users/{user_id}/terminate_connections", {}).status == 200


def connection_count(server: FizzServer) -> int:
    count = server.api().get("/connections").json["connections"]
    assert isinstance(count, int)
    return count


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4200, 4999]
)
def test_a_close_frame_is_answered_with_its_code(websocket: RawWebSocket, code: int) -> None:
    """Protocol: RFC 6455 §5.5.1, §7.4."""
    assert websocket.close(code, "gone fishing") == (code, "")


@pytest.mark.parametrize("reason", ["", "x" * 123, "€" * 41])
def test_a_reason_may_be_as_long_as_fits(websocket: RawWebSocket, reason: str) -> None:
    """Protocol: RFC 6455 §5.5.1: 125 bytes with the code."""
    assert websocket.close(1000, reason) == (1000, "")


def test_a_close_frame_without_a_code_is_answered_without_one(websocket: RawWebSocket) -> None:
    """Protocol: RFC 6455 §5.5.1, §7.4.1: 1005 is never on the wire."""
    assert websocket.close(None) == (None, "")


def test_nothing_behind_a_close_frame_is_read(websocket: RawWebSocket) -> None:
    """Protocol: RFC 6455 §5.5.1, §1.4."""
    message = json.dumps({"event": "pusher:ping", "data": {}}).encode()
    websocket.send_raw(
        encode_frame(CLOSE, close_payload(1000))
        + encode_frame(TEXT, message)
        + encode_frame(PING, b"x")
        + encode_frame(0x3)
        + encode_frame(CLOSE, close_payload(3000))
    )
    assert websocket.recv_frame().close == (1000, "")
    websocket.expect_end()


def test_a_close_frame_between_fragments_ends_the_connection(websocket: RawWebSocket) -> None:
    """Protocol: RFC 6455 §5.4, §5.5.1."""
    websocket.send_frame(TEXT, b"{", fin=False)
    websocket.send_frame(CLOSE, close_payload(1001))
    websocket.send_frame(CONTINUATION, b"}")
    assert websocket.recv_frame().close == (1001, "")
    websocket.expect_end()


def test_answers_in_front_of_a_close_frame_are_sent(websocket: RawWebSocket) -> None:
    """Protocol: RFC 6455 §5.5.1: what was asked before is answered before."""
    message = json.dumps({"event": "pusher:ping", "data": {}}).encode()
    websocket.send_raw(encode_frame(TEXT, message) * 3 + encode_frame(CLOSE, close_payload(1000)))
    assert [websocket.recv_event()["event"] for _ in range(3)] == ["pusher:pong"] * 3
    assert websocket.recv_frame().close == (1000, "")
    websocket.expect_end()


def test_a_closed_client_is_forgotten(patient: FizzServer) -> None:
    """Protocol: §15 CLOSED."""
    client = patient.client()
    client.subscribe("presence-hall", user_id="ann")
    before = connection_count(patient)
    client.close()
    eventually(lambda: connection_count(patient) == before - 1)
    assert patient.api().get("/channels").json == {"channels": {}}


def test_the_server_closes_the_socket_once_its_close_frame_is_answered(
    patient: FizzServer,
) -> None:
    """Protocol: RFC 6455 §7.1.1: the server is the first to close the socket."""
    client = patient.client()
    client.signin("ann")
    terminate(patient, "ann")
    assert client.websocket.recv_close() == TERMINATED
    client.websocket.send_frame(CLOSE, close_payload(4009))
    client.websocket.expect_end()
    client.websocket.abandon()


def test_both_sides_may_begin_at_once(patient: FizzServer) -> None:
    """Protocol: RFC 6455 §7.1.3, §5.5.1: one close frame each, and that is all."""
    client = patient.client()
    client.signin("bob")
    client.websocket.send_frame(CLOSE, close_payload(1000))
    terminate(patient, "bob")
    assert client.websocket.recv_close() in [TERMINATED, (1000, "")]
    client.websocket.expect_end()
    client.websocket.abandon()


def test_frames_of_a_client_that_is_being_closed_are_ignored(patient: FizzServer) -> None:
    """Protocol: RFC 6455 §7.1.7, §15 CLOSING: even a broken frame brings no second close frame."""
    client = patient.client()
    client.signin("carol")
    terminate(patient, "carol")
    assert client.websocket.recv_close() == TERMINATED
    client.websocket.send_frame(PING, b"x")
    client.send("pusher:ping", {})
    client.websocket.send_frame(0x3)
    client.websocket.expect_end()
    client.websocket.abandon()


def test_a_peer_that_never_answers_is_cut_off(hasty: FizzServer) -> None:
    """Protocol: §4.3, "wait at most 5 s"; RFC 6455 §7.1.1."""
    client = hasty.client()
    client.signin("dave")
    terminate(hasty, "dave")
    assert client.websocket.recv_close() == TERMINATED
    client.websocket.expect_end()
    client.websocket.abandon()


def test_a_peer_that_goes_on_sending_is_cut_off_too(hasty: FizzServer) -> None:
    """Protocol: §4.3: the limit is on the whole wait, not on each silence."""
    client = hasty.client()
    client.signin("erin")
    terminate(hasty, "erin")
    assert client.websocket.recv_close() == TERMINATED

    def is_cut_off() -> bool:
        try:
            client.websocket.send_frame(PING, b"I am still here")
        except OSError:
            return True
        return False

    eventually(is_cut_off)
    client.websocket.abandon()


def test_a_peer_that_says_goodbye_and_reads_nothing_is_cut_off(hasty: FizzServer) -> None:
    """Protocol: §15 CLOSING: the limit holds the other way round, while the rest is being sent."""
    client = narrow_client(hasty)
    client.subscribe("flood")
    event = {"channel": "flood", "name": "drop", "data": "x" * 10_000}
    for _ in range(100):  # ten megabytes, more than the kernel takes for one socket
        assert hasty.api().post("/batch_events", {"batch": [event] * 10}).status == 200
    before = connection_count(hasty)
    client.websocket.send_frame(CLOSE, close_payload(1000))
    eventually(lambda: connection_count(hasty) == before - 1)

    def is_cut_off() -> bool:
        try:
            client.websocket.send_frame(PING)
        except OSError:
            return True
        return False

    eventually(is_cut_off)
    client.websocket.abandon()
