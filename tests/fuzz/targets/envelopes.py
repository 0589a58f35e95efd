"""What nodes say over the bus, and what waits for back ends in Redis: ours, or refused as not."""

from collections.abc import Iterator

from fizz_gevent.protocol import envelope
from fizz_gevent.protocol.deliveries import Delivery

MAX_SIZE = 512
DICTIONARY = (b"E 1 ", b"P 0 1 + 2\n", b"U + ", b"C ", b"M 1 ", b" - ", b" c\n", b"-1", b"1_0")


def seeds() -> Iterator[bytes]:
    """One of each kind."""
    event = envelope.event_body("node", 7, "1.2", b'{"event":"x"}', is_cached=True)
    yield b"\x00E 12 " + event
    yield b"\x00E 12 " + envelope.event_body("node", 7, None, b"")
    yield b'\x00P 3 4 + 2\nid{"name":"x"}'
    yield b"\x00P 3 4 - 2\nid"
    yield b"\x00U + 1001\nann"
    yield b"\x00C 12\n"
    yield b"\x00M 12 abc\n"
    yield b"\x01" + Delivery("d", "1001", "0 http://x", "l", 1, "key", "s", 1, b"{}").encoded()
    yield b"\x02\x03abc\x00\x07\x01\x05hello"


def run(data: bytes) -> None:
    """Read a message, or write one and read it again."""
    match data[:1]:
        case b"\x01":
            _deliver(data[1:])
        case b"\x02":
            _write(data[1:])
        case _:
            try:
                envelope.parse(data[1:])
            except envelope.EnvelopeError as refusal:
                assert len(str(refusal)) < 300


def _deliver(data: bytes) -> None:
    try:
        delivery = Delivery.decoded(data)
    except ValueError:
        return
    assert Delivery.decoded(delivery.encoded()) == delivery


def _write(data: bytes) -> None:
    socket_id = None if data[:1] < b"\x80" else "12.34"
    counter = int.from_bytes(data[1:9], "big")
    is_cached = data[9:10] > b"\x7f"
    body = envelope.event_body("node", counter, socket_id, data[10:], is_cached=is_cached)
    expected = envelope.EventEnvelope(5, "node", counter, socket_id, data[10:], is_cached)
    assert envelope.parse(b"E 5 " + body) == expected
