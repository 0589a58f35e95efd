"""Pings and pongs in both directions, and the end of clients that do not answer."""

import threading
from collections.abc import Callable

import pytest

from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

OPEN = App("1001", "open-key", "open-secret")
QUICK = App("1002", "quick-key", "quick-secret")
PATIENT = App("1003", "patient-key", "patient-secret")

NOT_RECEIVED = (4201, "Pong reply not received")


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(
        apps=[
            OPEN.settings(),
            QUICK.settings(ping_interval=0.5, pong_timeout=1),
            PATIENT.settings(ping_interval=2, pong_timeout=60),
        ]
    )


def expect_probe(client: PusherClient) -> None:
    """Demand a ping frame as the very next thing; it is not answered."""
    frame = client.websocket.recv_frame()
    assert (frame.opcode, frame.payload) == (PING, b""), frame


@pytest.mark.parametrize("payload", [b"", b"a", bytes(range(125))])
def test_a_ping_frame_is_answered_with_the_same_bytes(server: FizzServer, payload: bytes) -> None:
    """Protocol: §3, WebSocket ping frames."""
    with server.client(OPEN) as client:
        client.websocket.send_frame(PING, payload)
        frame = client.websocket.recv_frame()
        assert (frame.opcode, frame.payload, frame.masked) == (PONG, payload, False)


def test_a_ping_frame_within_a_message_is_answered_at_once(server: FizzServer) -> None:
    """Protocol: §3, WebSocket ping frames."""
    with server.client(OPEN) as client:
        client.websocket.send_frame(TEXT, b'{"event":', fin=False)
        client.websocket.send_frame(PING, b"now")
        assert client.websocket.recv_frame().opcode == PONG
        client.websocket.send_frame(CONTINUATION, b'"pusher:ping"}')
        assert client.expect("pusher:pong") == {}


def test_a_pong_frame_nobody_asked_for_is_taken_in_silence(server: FizzServer) -> None:
    """Protocol: §3."""
    with server.client(OPEN) as client:
        client.websocket.send_frame(PONG, b"unasked")
        client.expect_nothing()


def test_silent_clients_are_asked_by_ping_frame_subscribed_or_not(server: FizzServer) -> None:
    """Protocol: §3 "Fizz"; §14 "server probe"; §15 PROBED."""
    with server.client(QUICK) as subscribed, server.client(QUICK) as bare:
        subscribed.subscribe("orders")
        for client in (subscribed, bare):
            expect_probe(client)
            client.websocket.send_frame(PONG)
        for client in (subscribed, bare):
            expect_probe(client)  # the answer was enough to be asked again, not closed


def test_who_does_not_answer_is_closed(server: FizzServer) -> None:
    """Protocol: §3 "Fizz"; §4.3, 4201."""
    bare, public, presence = (server.client(QUICK) for _ in range(3))
    public.subscribe("orders")
    presence.subscribe("presence-room", user_id="ann")
    for client in (bare, public, presence):
        expect_probe(client)
    for client in (bare, public, presence):
        frame = client.websocket.recv_frame()
        assert (frame.opcode, frame.close) == (CLOSE, NOT_RECEIVED)
        client.websocket.send_frame(CLOSE, frame.payload[:2])
        client.websocket.expect_end()
        client.websocket.abandon()


ANSWERS = [
    (PONG, b""),
    (PONG, b"other bytes than were sent"),
    (PING, b""),
    (TEXT, b'{"event":"pusher:pong","data":{}}'),
    (TEXT, b'{"event":"ignored"}'),
    (TEXT, b"garbage"),
    (BINARY, b""),
]


def test_any_frame_is_an_answer(server: FizzServer) -> None:
    """Protocol: §3, "no inbound frame of any kind"; §15 PROBED, any frame."""
    clients = [server.client(QUICK) for _ in ANSWERS]
    for client, (opcode, payload) in zip(clients, ANSWERS, strict=True):
        expect_probe(client)
        client.websocket.send_frame(opcode, payload)
    for client in clients:
        # Up to the next probe; where the answer did not count, a close frame stands here.
        while (frame := client.websocket.recv_frame()).opcode != PING:
            assert frame.opcode != CLOSE
        client.websocket.abandon()


def test_what_the_server_sends_is_no_sign_of_life(server: FizzServer) -> None:
    """Protocol: §3, "A client on a busy channel never sends anything by itself"."""
    with server.client(QUICK) as client:
        client.subscribe("busy")
        is_over = threading.Event()

        def publish() -> None:
            api = server.api(QUICK)
            while not is_over.wait(0.05):
                api.trigger("busy", "tick")

        publisher = threading.Thread(target=publish)
        publisher.start()
        try:
            while client.websocket.recv_frame().opcode != PING:
                pass
            assert client.websocket.recv_close() == NOT_RECEIVED
        finally:
            is_over.set()
            publisher.join()


def test_who_talks_is_not_asked(server: FizzServer) -> None:
    """Protocol: §3 "Fizz": after an interval *of silence*."""
    with server.client(PATIENT) as talking, server.client(PATIENT) as silent:
        while True:
            try:
                frame = silent.websocket.recv_frame(within=0.05)
            except TimeoutError:
                talking.websocket.send_frame(PING, b"I")
                answer = talking.websocket.recv_frame()
                assert (answer.opcode, answer.payload) == (PONG, b"I")
            else:
                assert frame.opcode == PING
                break
        talking.expect_nothing()


def test_a_client_that_is_gone_without_a_word_leaves_its_channels(server: FizzServer) -> None:
    """Protocol: §3; §6.4 "On close the server unsubscribes everything"; §15 CLOSED."""
    with server.client(QUICK) as lost, server.client(QUICK) as witness:
        witness.subscribe("presence-gone", user_id="bob")
        lost.subscribe("presence-gone", user_id="ann")
        assert witness.wait_for("pusher_internal:member_added") == {
            "user_id": "ann",
            "user_info": {},
        }
        # Nothing is read from ``lost`` and nothing sent, as if its network were gone.
        assert witness.wait_for("pusher_internal:member_removed") == {"user_id": "ann"}
