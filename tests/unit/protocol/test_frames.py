"""What the server writes, and close frames. RFC 6455 §5, §7.4."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fizz_gevent.errors import FrameError
from fizz_gevent.protocol import frames
from fizz_gevent.protocol.close_codes import CloseCode


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, "8100"),
        (1, "8101"),
        (125, "817d"),
        (126, "817e007e"),
        (65535, "817effff"),
        (65536, "817f0000000000010000"),
    ],
)
def test_a_text_frame_says_its_length_in_as_few_bytes_as_will_do(size: int, header: str) -> None:
    payload = b"x" * size
    frame = frames.text_frame(payload)
    assert frame == bytes.fromhex(header) + payload
    assert frames.payload_of(frame) == payload


@given(st.binary(max_size=300))
def test_the_payload_of_a_text_frame(payload: bytes) -> None:
    assert frames.payload_of(frames.text_frame(payload)) == payload


@given(
    st.lists(
        st.binary(max_size=300).map(frames.text_frame)
        | st.binary(max_size=125).map(frames.ping_frame)
        | st.text(max_size=200).map(lambda reason: frames.close_frame(1000, reason)),
        max_size=5,
    ),
    st.sampled_from([b"", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"]),
)
def test_the_messages_in_what_was_sent(sent: list[bytes], head: bytes) -> None:
    expected = [frames.payload_of(frame) for frame in sent if frame[0] == 0x81]
    assert frames.messages_in(head + b"".join(sent)) == expected


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_messages_of_any_size_are_found(size: int) -> None:
    payload = b"x" * size
    data = frames.text_frame(payload) + frames.text_frame(b"next")
    assert frames.messages_in(data) == [payload, b"next"]


@given(st.binary(min_size=4, max_size=4), st.binary(max_size=300))
def test_unmasking_is_xor_byte_by_byte(mask: bytes, data: bytes) -> None:
    expected = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
    assert frames.unmask(mask, data) == expected


@pytest.mark.parametrize("size", [16383, 16384, 16385, 32768, 65537])
def test_unmasking_in_steps_leaves_no_seam(size: int) -> None:
    mask, data = b"\x01\x02\x04\x08", bytes(index % 251 for index in range(size))
    expected = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
    assert frames.unmask(mask, data) == expected
    assert frames.unmask(mask, expected) == data


def test_control_frames() -> None:
    """Protocol: §3, WebSocket ping frames."""
    assert frames.ping_frame() == b"\x89\x00"
    assert frames.ping_frame(b"abc") == b"\x89\x03abc"
    assert frames.pong_frame() == b"\x8a\x00"
    assert frames.pong_frame(b"x" * 125) == b"\x8a\x7d" + b"x" * 125


def test_close_frames() -> None:
    assert frames.close_frame(None) == b"\x88\x00"
    assert frames.close_frame(1000) == b"\x88\x02\x03\xe8"
    assert frames.close_frame(CloseCode.RECONNECT, "Bye") == b"\x88\x05\x10\x68Bye"


@pytest.mark.parametrize(
    ("reason", "sent"),
    [
        ("x" * 123, b"x" * 123),
        ("x" * 124, b"x" * 123),
        ("x" * 122 + "é", b"x" * 122),
        ("x" * 121 + "é", b"x" * 121 + "é".encode()),
        ("x" * 120 + "\U0001f600", b"x" * 120),
        ("é" * 500, "é".encode() * 61),
    ],
)
def test_a_close_reason_is_cut_at_a_character(reason: str, sent: bytes) -> None:
    """Protocol: §4.3, a reason has at most 123 bytes of UTF-8."""
    frame = frames.close_frame(4001, reason)
    assert frame[1] == len(frame) - 2 <= 125
    assert frame[4:] == sent


VALID_CODES = [
    *(1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014),
    *(3000, 3999, 4000, 4999),
]
INVALID_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


@pytest.mark.parametrize("code", VALID_CODES)
def test_close_codes_that_a_peer_may_send(code: int) -> None:
    payload = code.to_bytes(2, "big") + "bÿe".encode()
    assert frames.parse_close(payload) == (code, "bÿe")
    assert frames.code_to_echo(payload) == code


@pytest.mark.parametrize("code", INVALID_CODES)
def test_close_codes_that_nobody_may_send(code: int) -> None:
    payload = code.to_bytes(2, "big")
    with pytest.raises(FrameError) as refusal:
        frames.parse_close(payload)
    assert refusal.value.code is CloseCode.PROTOCOL_ERROR
    assert frames.code_to_echo(payload) == 1002


def test_a_close_frame_may_say_nothing() -> None:
    assert frames.parse_close(b"") == (None, "")
    assert frames.code_to_echo(b"") is None


@pytest.mark.parametrize(
    ("payload", "code"), [(b"\x03", 1002), (b"\x03\xe8\xff", 1007), (b"\x03\xe8a\xe2\x82", 1007)]
)
def test_bad_close_payloads(payload: bytes, code: int) -> None:
    with pytest.raises(FrameError) as refusal:
        frames.parse_close(payload)
    assert refusal.value.code == code
    assert frames.code_to_echo(payload) == code


@given(st.binary(max_size=125))
def test_a_close_payload_is_read_or_refused(payload: bytes) -> None:
    try:
        code, reason = frames.parse_close(payload)
    except FrameError as violation:
        assert frames.code_to_echo(payload) == violation.code in (1002, 1007)
    else:
        assert (b"" if code is None else code.to_bytes(2, "big")) + reason.encode() == payload
