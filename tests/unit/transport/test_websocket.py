"""Ends that meet each other: a WebSocket on one end of a socket pair, and the test on the other.

The event loop is a real one. What happens to messages is told by a script, so that it can wait and
fail in the middle.
"""

import socket
from collections.abc import Callable, Iterator
from typing import cast

import gevent
import pytest
from gevent.event import Event

from fizz_gevent.application import Application
from fizz_gevent.channels.connection import Connection
from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.protocol import frames
from fizz_gevent.service.session import Sessions
from fizz_gevent.transport.flusher import Flusher
from fizz_gevent.transport.readers import Readers
from fizz_gevent.transport.websocket import WebSocket, Wiring
from tests.harness.websocket import BINARY, CLOSE, PING, TEXT, close_payload, encode_frame
from tests.unit.clockwork import HandClock

LIMIT = 100_000
CLOSE_TIMEOUT = 5.0
OVER_CAPACITY = frames.close_frame(4100, "Over capacity")


class Script:
    """Stands where the conversations of clients are."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.closed_count = 0
        self.failed_count = 0
        self.on_message: Callable[[bytes], object] = lambda payload: None
        self.on_closed: Callable[[], object] = lambda: None

    def received(self, connection: Connection, payload: bytes) -> None:
        self.heard.append(payload)
        self.on_message(payload)

    def failed(self, connection: Connection) -> None:
        self.failed_count += 1

    def closed(self, connection: Connection) -> None:
        if connection.table.connections.pop(connection.socket_id, None) is not None:
            self.closed_count += 1
            self.on_closed()


class House:
    """One WebSocket with all it needs, and its peer."""

    def __init__(self) -> None:
        self.script = Script()
        self.clock = HandClock()
        self.flusher = Flusher()
        self.closed_sockets = 0
        self.wiring = Wiring(
            cast(Sessions, self.script),
            self.flusher,
            Readers(),
            self.clock,
            LIMIT,
            CLOSE_TIMEOUT,
            self._socket_closed,
        )
        self.table = ChannelTable(Application("1", "key", "secret"), self.flusher)
        self.peer, self.websocket = self.connect("1.1")
        self.connection, self.outbox = self.websocket.connection, self.websocket.outbox

    def connect(self, socket_id: str) -> tuple[socket.socket, WebSocket]:
        ours, peer = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for each in (ours, peer):
            each.setblocking(False)
        websocket = WebSocket(ours, self.wiring, self.table, socket_id, 7)
        self.table.connections[socket_id] = websocket.connection
        return peer, websocket

    def _socket_closed(self, place: object) -> None:
        self.closed_sockets += 1

    def turn(self, count: int = 10) -> None:
        """Let the loop look at its sockets some times."""
        for _ in range(count):
            gevent.sleep(0)
            gevent.get_hub().loop.update_now()
            gevent.sleep(0.0001)

    def read(self) -> bytes:
        """Whatever has come to the peer, up to the end or to where nothing more comes."""
        data = b""
        for _ in range(1000):
            self.turn(1)
            try:
                piece = self.peer.recv(65536)
            except BlockingIOError:
                break
            if not piece:
                break
            data += piece
        return data

    def fill(self) -> int:
        """Send until the socket is full and something waits; return how many frames."""
        count = 0
        while self.outbox.size_bytes == 0:
            self.outbox.put(frames.text_frame(b"x" * 500))
            self.turn(1)
            count += 1
        return count

    def is_over(self) -> bool:
        """The socket is closed, the session too, and nothing keeps either."""
        return (self.closed_sockets, self.script.closed_count) == (1, 1) and not self.wiring.closing


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.turn()
    made.websocket.abort()
    made.peer.close()
    made.turn()
    assert made.script.closed_count <= 1
    assert not made.wiring.closing


def text(payload: bytes) -> bytes:
    return encode_frame(TEXT, payload)


GOODBYE = encode_frame(CLOSE, close_payload(1000))


def test_messages_come_in_order_and_a_close_frame_is_answered(house: House) -> None:
    house.peer.send(text(b"one") + encode_frame(PING, b"p") + text(b"two") + GOODBYE + text(b"x"))
    assert house.read() == frames.pong_frame(b"p") + frames.close_frame(1000)
    assert house.script.heard == [b"one", b"two"]
    assert house.is_over()


def test_a_peer_that_goes_is_over(house: House) -> None:
    house.peer.send(text(b"one"))
    house.peer.close()
    house.turn()
    assert house.script.heard == [b"one"]
    assert house.is_over()


def test_an_end_from_inside_waits_for_the_peers_word(house: House) -> None:
    house.websocket.end(4200, "go")
    house.websocket.end(4009, "a second time")
    house.turn()
    assert (house.script.closed_count, house.closed_sockets) == (1, 0)
    assert not house.outbox.put(b"nothing more")
    house.peer.send(text(b"late") + GOODBYE)
    assert house.read() == frames.close_frame(4200, "go")
    assert house.script.heard == []
    assert house.is_over()


def test_the_wait_has_a_limit(house: House) -> None:
    house.websocket.end(4200, "go")
    house.turn()
    house.clock.advance(CLOSE_TIMEOUT - 0.1)
    house.wiring.sweep()
    assert house.closed_sockets == 0
    house.clock.advance(0.2)
    house.wiring.sweep()
    house.turn()
    assert house.is_over()


def test_after_a_broken_frame_only_the_end_of_the_stream_is_waited_for(house: House) -> None:
    """RFC 6455 §7.1.7."""
    house.peer.send(text(b"one") + encode_frame(0x3) + GOODBYE)
    assert house.read()[2:4] == (1002).to_bytes(2, "big")
    assert house.peer.recv(1) == b""
    assert house.closed_sockets == 0
    house.peer.send(b"what is this" * 100)
    house.turn()
    assert house.closed_sockets == 0
    house.peer.shutdown(socket.SHUT_WR)
    house.turn()
    assert house.script.heard == [b"one"]
    assert house.is_over()


def test_a_client_that_reads_too_slowly_is_cut_behind_what_is_half_sent(house: House) -> None:
    """Protocol: §15, slow consumers."""
    house.fill()
    for _ in range(300):
        house.outbox.put(frames.text_frame(b"x" * 500))
    house.turn()
    assert house.script.closed_count == 1
    data = house.read()
    whole, rest = divmod(len(data) - len(OVER_CAPACITY), len(frames.text_frame(b"x" * 500)))
    assert data == frames.text_frame(b"x" * 500) * whole + OVER_CAPACITY
    assert rest == 0
    house.turn()
    assert house.is_over()


def test_a_frame_larger_than_the_outbox_is_told_about_at_once(house: House) -> None:
    assert not house.outbox.put(frames.text_frame(b"x" * LIMIT))
    assert house.read() == OVER_CAPACITY
    house.turn()
    assert house.is_over()


def test_an_overflow_of_one_who_has_gone_brings_nothing_back(house: House) -> None:
    """Both are found out in the same turn of the loop."""
    house.fill()
    house.peer.close()
    house.outbox.put(frames.text_frame(b"x" * 500))
    house.outbox.put(frames.text_frame(b"x" * LIMIT))
    house.turn()
    assert house.is_over()


@pytest.mark.parametrize("how", ["end", "overflowed", "lost", "abort"])
def test_every_end_after_the_end_does_nothing(house: House, how: str) -> None:
    house.websocket.lost()
    house.turn()
    assert house.is_over()
    if how == "end":
        house.websocket.end(4200, "go")
    else:
        getattr(house.websocket, how)()
    house.turn()
    assert house.is_over()
    assert house.outbox.first is None


@pytest.mark.parametrize("behind", [GOODBYE, encode_frame(0x3), text(b"two"), encode_frame(BINARY)])
def test_a_client_lost_while_its_message_is_dealt_with_stays_lost(
    house: House, behind: bytes
) -> None:
    """What stands behind that message, in the same packet, is no reason to begin again."""
    house.script.on_message = lambda payload: house.websocket.lost()
    house.peer.send(text(b"one") + behind)
    house.turn()
    assert house.script.heard == [b"one"]
    assert house.is_over()


def test_what_comes_while_a_message_waits_comes_after_it(house: House) -> None:
    """Another connection is served meanwhile."""
    gate = Event()
    house.script.on_message = lambda payload: gate.wait() if payload == b"slow" else None
    house.peer.send(text(b"slow"))
    house.turn()
    house.peer.send(text(b"behind"))
    other, websocket = house.connect("2.2")
    other.send(text(b"other"))
    house.turn()
    assert house.script.heard == [b"slow", b"other"]
    gate.set()
    house.turn()
    assert house.script.heard == [b"slow", b"other", b"behind"]
    websocket.abort()
    other.close()


@pytest.mark.parametrize("how", ["end", "lost", "peer"])
def test_an_end_while_a_message_waits_closes_the_session_once_it_is_done(
    house: House, how: str
) -> None:
    gate = Event()
    house.script.on_message = lambda payload: gate.wait()
    house.peer.send(text(b"slow"))
    house.turn()
    if how == "end":
        house.websocket.end(4200, "go")
        house.peer.send(GOODBYE)
    elif how == "lost":
        house.websocket.lost()
    else:
        house.peer.close()
    house.turn()
    assert house.script.closed_count == 0  # not under the feet of the message
    gate.set()
    house.turn()
    assert house.is_over()


def test_a_session_that_takes_its_time_to_close_is_closed_once(house: House) -> None:
    gate = Event()
    house.script.on_closed = gate.wait
    house.websocket.end(4200, "go")
    house.turn()
    house.peer.send(GOODBYE)
    house.websocket.lost()
    house.turn()
    gate.set()
    house.turn()
    assert house.is_over()


def test_a_fault_in_closing_costs_nobody_else_anything(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("a bug")

    house.script.on_closed = fail
    other, websocket = house.connect("2.2")
    house.peer.send(GOODBYE)
    house.turn()
    other.send(text(b"other"))
    house.turn()
    assert "in the read loop: a connection is closed" in caplog.text
    assert house.script.heard == [b"other"]
    assert (house.closed_sockets, house.script.closed_count) == (1, 1)
    websocket.abort()
    other.close()


def test_a_fault_of_ours_is_the_sessions_to_tell(house: House) -> None:
    house.script.on_message = lambda payload: [][0] if payload == b"bad" else None
    house.peer.send(text(b"bad") + text(b"good"))
    house.turn()
    assert house.script.failed_count == 1
    assert house.script.heard == [b"bad", b"good"]


def test_bytes_behind_the_handshake_are_read_first(house: House) -> None:
    house.peer.send(text(b"two"))
    house.wiring.readers.read(house.websocket, text(b"one"))
    house.turn()
    assert house.script.heard == [b"one", b"two"]
