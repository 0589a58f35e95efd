"""A client's end of a WebSocket, over a pair of sockets."""

import socket
from collections.abc import Iterator

import pytest

from fizz_gevent.client.websocket import ClientWebSocket, Closed
from fizz_gevent.protocol.frames import (
    CLOSE,
    PONG,
    TEXT,
    FrameReader,
    close_frame,
    ping_frame,
    text_frame,
)

Ends = tuple[ClientWebSocket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5)
        theirs.settimeout(5)
        yield ClientWebSocket(ours), theirs


def heard(server: socket.socket) -> list[tuple[int, bytes]]:
    """What the server makes of what the client sent; its own reader demands masks."""
    reader = FrameReader()
    messages = reader.feed(server.recv(65536), 65536)
    assert reader.failed is None
    return messages


def test_what_is_sent_is_masked_and_whole(ends: Ends) -> None:
    """Protocol: RFC 6455 §5.1."""
    client, server = ends
    for size in (0, 1, 125, 126, 1000):
        client.send_text(b"x" * size)
        assert heard(server) == [(TEXT, b"x" * size)]


def test_a_big_message_is_sent_with_a_long_length(ends: Ends) -> None:
    client, server = ends
    client.send_text(b"x" * 70_000)
    assert server.recv(10)[1:] == b"\xff" + (70_000).to_bytes(8, "big")


class Drip:
    """A socket that yields what was sent in pieces of one size."""

    def __init__(self, data: bytes, size: int) -> None:
        self._pieces = [data[at : at + size] for at in range(0, len(data), size)]

    def recv(self, _: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_frames_are_read_however_the_network_cuts_them(size: int) -> None:
    texts = ["a", "ü" * 80, "y" * 70_000, "z"][: 2 if size == 1 else 4]
    frames = b"".join(text_frame(text.encode()) for text in texts)
    client = ClientWebSocket(Drip(frames, size))  # type: ignore[arg-type]
    assert [client.receive() for _ in texts] == texts


def test_fragments_are_joined_and_pings_between_them_answered(ends: Ends) -> None:
    """Protocol: RFC 6455 §5.4, §5.5.2; here §3."""
    client, server = ends
    server.sendall(b"\x01\x02ab" + ping_frame(b"hi") + b"\x00\x01c" + b"\x80\x01d")
    assert client.receive() == "abcd"
    assert heard(server) == [(PONG, b"hi")]


def test_a_binary_message_is_not_part_of_the_protocol(ends: Ends) -> None:
    """Protocol: §2."""
    client, server = ends
    server.sendall(b"\x82\x01x" + text_frame(b"y"))
    assert client.receive() == "y"


def test_a_close_frame_is_answered_and_told(ends: Ends) -> None:
    client, server = ends
    server.sendall(close_frame(4200, "Generic reconnect immediately"))
    with pytest.raises(Closed) as end:
        client.receive()
    assert (end.value.code, end.value.reason) == (4200, "Generic reconnect immediately")
    assert heard(server) == [(CLOSE, (4200).to_bytes(2, "big"))]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the connection broke"),
        (b"\x81\x05ab", "the connection broke"),
        (b"\x88\x00", "closed by the server"),
        (b"\x81\x81mask!", "masks its frames"),
        (b"\x81\x7f" + (1 << 40).to_bytes(8, "big"), "too big"),
    ],
)
def test_an_end_without_a_code(ends: Ends, data: bytes, reason: str) -> None:
    client, server = ends
    server.sendall(data)
    server.shutdown(socket.SHUT_WR)
    with pytest.raises(Closed, match=reason) as end:
        client.receive()
    assert end.value.code is None


def test_waiting_in_vain_loses_nothing(ends: Ends) -> None:
    client, server = ends
    frame = text_frame(b"hello")
    client.wait_at_most(0.01)
    server.sendall(frame[:4])
    with pytest.raises(TimeoutError):
        client.receive()
    client.wait_at_most(5)
    server.sendall(frame[4:])
    assert client.receive() == "hello"


def test_goodbye_is_said_and_never_fails(ends: Ends) -> None:
    client, server = ends
    client.close()
    assert heard(server) == [(CLOSE, (1000).to_bytes(2, "big"))]
    client.close()
    with pytest.raises(Closed):
        client.send_text(b"x")
