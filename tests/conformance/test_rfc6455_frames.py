"""RFC 6455 over a real socket: every way to break its rules for frames, and what has to work.

Protocol: RFC 6455 §5-§8; §2 of ours for the limit of a message.
"""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Disconnected,
    RawWebSocket,
    close_payload,
    encode_frame,
)

LIMIT = 65_536
HELLO = "hé€𐍈".encode()  # characters of one, two, three and four bytes


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    """No time limit of its ends anything while these tests run."""
    app = App().settings(ping_interval=3600)
    return module_fizz(apps=[app], server={"close_timeout": 60})


@pytest.fixture(scope="module")
def bystander(server: FizzServer) -> Iterator[PusherClient]:
    """Somebody who must never notice what the others do."""
    with server.client() as client:
        yield client


@pytest.fixture
def websocket(server: FizzServer) -> Iterator[RawWebSocket]:
    with server.websocket() as opened:
        assert opened.recv_event()["event"] == "pusher:connection_established"
        yield opened


def subscribe(channel: str) -> bytes:
    message = {"event": "pusher:subscribe", "data": {"channel": channel}}
    return json.dumps(message, ensure_ascii=False).encode()


def expect_subscribed(websocket: RawWebSocket, channel: str) -> None:
    """Demand the answer to a subscription, which repeats the name: nothing got lost on the way."""
    event = websocket.recv_event()
    assert event["event"] == "pusher_internal:subscription_succeeded"
    assert event["channel"] == channel


def fragments(*pieces: bytes, opcode: int = TEXT) -> bytes:
    """One message in several frames."""
    last = len(pieces) - 1
    return b"".join(
        encode_frame(CONTINUATION if number else opcode, piece, fin=number == last)
        for number, piece in enumerate(pieces)
    )


START = encode_frame(TEXT, b"{", fin=False)
MESSAGE = subscribe("x")

VIOLATIONS: dict[str, tuple[bytes, int]] = {
    # §5.1: a client masks.
    "unmasked text": (encode_frame(TEXT, MESSAGE, mask=None), 1002),
    "unmasked empty text": (encode_frame(TEXT, mask=None), 1002),
    "unmasked binary": (encode_frame(BINARY, b"x", mask=None), 1002),
    "unmasked ping": (encode_frame(PING, b"x", mask=None), 1002),
    "unmasked close": (encode_frame(CLOSE, close_payload(1000), mask=None), 1002),
    "unmasked continuation": (START + encode_frame(CONTINUATION, b"}", mask=None), 1002),
    # §5.2: bits and opcodes that mean nothing yet.
    "RSV1 on text": (encode_frame(TEXT, MESSAGE, rsv=4), 1002),
    "RSV2 on text": (encode_frame(TEXT, MESSAGE, rsv=2), 1002),
    "RSV3 on text": (encode_frame(TEXT, MESSAGE, rsv=1), 1002),
    "RSV1 on a continuation": (START + encode_frame(CONTINUATION, b"}", rsv=4), 1002),
    "RSV2 on a ping": (encode_frame(PING, rsv=2), 1002),
    "all RSV on a close": (encode_frame(CLOSE, rsv=7), 1002),
    **{
        f"reserved opcode {opcode:#x}": (encode_frame(opcode, b"x"), 1002)
        for opcode in (*range(0x3, 0x8), *range(0xB, 0x10))
    },
    "reserved opcode within fragments": (START + encode_frame(0x3, b"}"), 1002),
    # §5.5: control frames are short and whole.
    "fragmented ping": (encode_frame(PING, b"x", fin=False), 1002),
    "fragmented pong": (encode_frame(PONG, b"x", fin=False), 1002),
    "fragmented close": (encode_frame(CLOSE, close_payload(1000), fin=False), 1002),
    "ping of 126": (encode_frame(PING, b"x" * 126), 1002),
    "pong of 126": (encode_frame(PONG, b"x" * 126), 1002),
    "close of 126": (encode_frame(CLOSE, close_payload(1000, "x" * 124)), 1002),
    "ping of 65,536, its header only": (encode_frame(PING, length=65_536), 1002),
    # §5.4: fragments.
    "continuation of nothing": (encode_frame(CONTINUATION, MESSAGE), 1002),
    "unfinished continuation of nothing": (encode_frame(CONTINUATION, b"{", fin=False), 1002),
    "continuation behind a whole message": (
        encode_frame(BINARY) + encode_frame(CONTINUATION, b"x"),
        1002,
    ),
    "continuation behind a fragmented message": (
        fragments(b"a", b"b", opcode=BINARY) + encode_frame(CONTINUATION, b"c"),
        1002,
    ),
    "text within fragments": (START + encode_frame(TEXT, MESSAGE), 1002),
    "unfinished text within fragments": (START + encode_frame(TEXT, b"{", fin=False), 1002),
    "binary within fragments": (START + encode_frame(BINARY, b"x"), 1002),
    # §5.2: the shortest form of a length, and none beyond 63 bits.
    "5 in 16 bits": (encode_frame(TEXT, b"hello", length_bytes=2), 1002),
    "125 in 16 bits": (encode_frame(TEXT, b"x" * 125, length_bytes=2), 1002),
    "5 in 64 bits": (encode_frame(TEXT, b"hello", length_bytes=8), 1002),
    "65,535 in 64 bits": (encode_frame(BINARY, length=65_535, length_bytes=8), 1002),
    "5 in 16 bits on a ping": (encode_frame(PING, b"hello", length_bytes=2), 1002),
    "the highest bit of a length": (encode_frame(TEXT, length=1 << 63), 1002),
    # §8.1: text is UTF-8, and what is not ends the connection as soon as that is certain.
    "text that is not UTF-8": (encode_frame(TEXT, b'{"event":"\xff"}'), 1007),
    "text that ends within a character": (encode_frame(TEXT, HELLO[:-1]), 1007),
    "a surrogate": (encode_frame(TEXT, b'"\xed\xa0\x80"'), 1007),
    "an overlong form": (encode_frame(TEXT, b'"\xc0\xaf"'), 1007),
    "beyond U+10FFFF": (encode_frame(TEXT, b'"\xf4\x90\x80\x80"'), 1007),
    "not UTF-8 in a first fragment": (encode_frame(TEXT, b"{\xfe", fin=False), 1007),
    "not UTF-8 where two fragments meet": (
        encode_frame(TEXT, b"\xe2\x82", fin=False) + encode_frame(CONTINUATION, b"a", fin=False),
        1007,
    ),
    "fragments that end within a character": (fragments(HELLO[:4], HELLO[4:-1]), 1007),
    "fragments that end with an empty one within a character": (fragments(HELLO[:-1], b""), 1007),
    "not UTF-8 in the part of a frame that has come": (
        encode_frame(TEXT, b"ab\xff", length=1000),
        1007,
    ),
    "a surrogate of which two bytes have come": (
        encode_frame(TEXT, b"ab\xed\xa0", fin=False),
        1007,
    ),
    # §5.5.1, §7.4: what a close frame may say.
    "close of one byte": (encode_frame(CLOSE, b"\x03"), 1002),
    **{
        f"close code {code}": (encode_frame(CLOSE, close_payload(code)), 1002)
        for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)
    },
    "close reason that is not UTF-8": (encode_frame(CLOSE, close_payload(1000, b"\xff")), 1007),
    "close reason cut within a character": (
        encode_frame(CLOSE, close_payload(1000, HELLO[:-1])),
        1007,
    ),
    # §7.4.1: too big is known from the header; not a byte of the payload comes.
    "a text one byte too big": (encode_frame(TEXT, length=LIMIT + 1), 1009),
    "a binary one byte too big": (encode_frame(BINARY, length=LIMIT + 1), 1009),
    "a text of four exbibytes": (encode_frame(TEXT, length=1 << 62), 1009),
    "fragments too big together": (
        encode_frame(BINARY, b"x" * 40_000, fin=False) + encode_frame(CONTINUATION, length=40_000),
        1009,
    ),
    "the last of a thousand fragments too big": (
        encode_frame(BINARY, b"x" * 65, fin=False)
        + encode_frame(CONTINUATION, b"x" * 65, fin=False) * 1000
        + encode_frame(CONTINUATION, length=LIMIT - 65_065 + 1),
        1009,
    ),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_ends_the_connection_with_its_code(
    websocket: RawWebSocket, bystander: PusherClient, name: str
) -> None:
    """Protocol: RFC 6455 §7.1.7. Nothing of the peer's is waited for, not even a close frame."""
    data, code = VIOLATIONS[name]
    websocket.send_raw(data)
    frame = websocket.recv_frame()
    while frame.opcode == TEXT:  # the answer to what was right about it, in front
        frame = websocket.recv_frame()
    assert (frame.opcode, frame.fin, frame.rsv, frame.masked) == (CLOSE, True, 0, False)
    assert frame.close[0] == code
    websocket.expect_end()
    bystander.ping()


def test_what_comes_before_a_violation_is_dealt_with_and_nothing_after(
    websocket: RawWebSocket,
) -> None:
    """Protocol: RFC 6455 §7.1.7."""
    websocket.send_raw(
        encode_frame(TEXT, subscribe("before"))
        + encode_frame(0x3)
        + encode_frame(TEXT, subscribe("after"))
        + encode_frame(PING, b"after")
    )
    expect_subscribed(websocket, "before")
    assert websocket.recv_frame().close[0] == 1002
    websocket.expect_end()


def test_the_code_arrives_although_the_peer_is_still_sending(websocket: RawWebSocket) -> None:
    """Protocol: §2, 1009; RFC 6455 §7.1.1: what is closed at once may take the last words along."""
    websocket.send_frame(BINARY, b"x" * 1_000_000)
    assert websocket.recv_frame().close[0] == 1009
    websocket.send_raw(b"x" * 100_000)
    websocket.expect_end()


@pytest.mark.parametrize("size", [0, 1, 125])
def test_a_ping_is_echoed(websocket: RawWebSocket, size: int) -> None:
    """Protocol: RFC 6455 §5.5.3, with bytes that are no text."""
    payload = bytes(255 - number for number in range(size))
    websocket.send_frame(PING, payload)
    frame = websocket.recv_frame()
    assert (frame.opcode, frame.payload, frame.masked) == (PONG, payload, False)


def test_every_ping_is_echoed_in_order(websocket: RawWebSocket) -> None:
    """Protocol: RFC 6455 §5.5.2."""
    payloads = [str(number).encode() for number in range(100)]
    websocket.send_raw(b"".join(encode_frame(PING, payload) for payload in payloads))
    assert [websocket.recv_frame().payload for _ in payloads] == payloads


def test_pongs_nobody_asked_for_are_ignored(websocket: RawWebSocket) -> None:
    """Protocol: RFC 6455 §5.5.3."""
    websocket.send_raw(encode_frame(PONG) + encode_frame(PONG, b"x" * 125))
    websocket.send_frame(TEXT, subscribe("still-here"))
    expect_subscribed(websocket, "still-here")


def test_control_frames_between_fragments(websocket: RawWebSocket) -> None:
    """Protocol: RFC 6455 §5.4: answered at once, and the message is whole all the same."""
    message = subscribe("interrupted")
    websocket.send_frame(TEXT, message[:10], fin=False)
    websocket.send_frame(PING, b"one")
    assert websocket.recv_frame().payload == b"one"
    websocket.send_frame(CONTINUATION, message[10:20], fin=False)
    websocket.send_frame(PONG, b"x")
    websocket.send_frame(PING, b"two")
    assert websocket.recv_frame().payload == b"two"
    websocket.send_frame(CONTINUATION, message[20:])
    expect_subscribed(websocket, "interrupted")


NAME = "channel-" + "x" * 150
WHOLE = subscribe(NAME)[:-1] + f',"pad":"{"é€𐍈" * 20}"}}'.encode()

WAYS: dict[str, list[bytes]] = {
    "one frame": [encode_frame(TEXT, WHOLE)],
    "a mask of zeros": [encode_frame(TEXT, WHOLE, mask=bytes(4))],
    "two fragments in one packet": [fragments(WHOLE[:100], WHOLE[100:])],
    "a fragment for each byte": [fragments(*(bytes([byte]) for byte in WHOLE))],
    "empty fragments around it": [fragments(b"", WHOLE[:9], b"", WHOLE[9:], b"")],
    "byte by byte": [bytes([byte]) for byte in encode_frame(TEXT, WHOLE)],
    "fragments byte by byte": [bytes([byte]) for byte in fragments(WHOLE[:301], WHOLE[301:])],
    "the header alone first": [
        encode_frame(TEXT, WHOLE)[:8],
        encode_frame(TEXT, WHOLE)[8:],
    ],
}


@pytest.mark.parametrize("way", WAYS)
def test_however_a_message_comes_it_is_understood(websocket: RawWebSocket, way: str) -> None:
    """Protocol: RFC 6455 §5.4, §6.2."""
    for piece in WAYS[way]:
        websocket.send_raw(piece)
    expect_subscribed(websocket, NAME)


def test_two_frames_cut_at_every_place(server: FizzServer) -> None:
    """Protocol: RFC 6455 §6.2."""
    data = encode_frame(TEXT, subscribe("a")) + encode_frame(PING, b"x")
    with server.websocket() as websocket:
        websocket.recv_event()
        for cut in range(1, len(data)):
            websocket.send_raw(data[:cut])
            websocket.send_raw(data[cut:])
            expect_subscribed(websocket, "a")
            assert websocket.recv_frame().opcode == PONG


def test_many_frames_in_one_packet(websocket: RawWebSocket) -> None:
    """Protocol: RFC 6455 §6.2."""
    names = [f"channel-{number}" for number in range(500)]
    websocket.send_raw(b"".join(encode_frame(TEXT, subscribe(name)) for name in names))
    for name in names:
        expect_subscribed(websocket, name)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_the_limit_itself_is_allowed(websocket: RawWebSocket, opcode: int) -> None:
    """Protocol: §2: 65,536 bytes, in one frame and in fragments."""
    for data in (
        encode_frame(opcode, b" " * LIMIT),
        fragments(b" " * 60_000, b" " * (LIMIT - 60_000), opcode=opcode),
    ):
        websocket.send_raw(data)
        assert websocket.recv_event()["data"]["message"] == "Invalid message format"


def test_a_peer_that_hangs_up_within_a_frame_is_forgotten(
    server: FizzServer, bystander: PusherClient
) -> None:
    """Protocol: RFC 6455 §7.1.5: 1006 for whoever asks, and no word to a peer that is gone."""
    websocket = server.websocket()
    websocket.recv_event()
    websocket.send_raw(encode_frame(TEXT, subscribe("x"))[:-3])
    websocket.socket.shutdown(1)
    with pytest.raises(Disconnected):
        websocket.recv_frame()
    websocket.abandon()
    bystander.ping()
