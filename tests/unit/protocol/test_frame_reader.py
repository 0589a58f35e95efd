"""What the server reads, however it is cut. RFC 6455 §5."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.protocol.frames import BINARY, CLOSE, PING, PONG, TEXT, FrameReader
from tests.harness.websocket import encode_frame

LIMIT = 65536
Messages = list[tuple[int, bytes]]


def read(*pieces: bytes, limit: int = LIMIT) -> tuple[Messages, int | None]:
    """Feed a new reader; return what came out and the code of the violation."""
    reader = FrameReader()
    messages = [message for piece in pieces for message in reader.feed(piece, limit)]
    return messages, None if reader.failed is None else int(reader.failed.code)


def single(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 128, 65534, 65535, 65536])
def test_one_message_of_any_size(opcode: int, size: int) -> None:
    payload = bytes(97 + index % 26 for index in range(size))
    assert read(encode_frame(opcode, payload)) == ([(opcode, payload)], None)


@pytest.mark.parametrize("size", [0, 1, 3, 125, 126, 300])
def test_a_message_that_dribbles_in(size: int) -> None:
    payload = ("é€\U0001f600x" * 80).encode()[:size].decode(errors="ignore").encode()
    assert read(*single(encode_frame(TEXT, payload))) == ([(TEXT, payload)], None)


@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\x00\x00\x00"])
def test_any_mask(mask: bytes) -> None:
    frame = encode_frame(TEXT, b"hello", mask=mask)
    assert read(frame) == read(*single(frame)) == ([(TEXT, b"hello")], None)


def test_several_frames_in_one_piece_come_out_in_order() -> None:
    data = (
        encode_frame(TEXT, b"a")
        + encode_frame(PING, b"p")
        + encode_frame(BINARY, b"\xff")
        + encode_frame(PONG)
        + encode_frame(TEXT, b"b" * 200)
    )
    expected = [(TEXT, b"a"), (PING, b"p"), (BINARY, b"\xff"), (PONG, b""), (TEXT, b"b" * 200)]
    assert read(data) == (expected, None)
    assert read(*single(data)) == (expected, None)


def test_control_frames_come_out_between_fragments() -> None:
    data = (
        encode_frame(TEXT, b"one ", fin=False)
        + encode_frame(PING, b"?")
        + encode_frame(0, b"two ", fin=False)
        + encode_frame(PONG, b"!")
        + encode_frame(0, b"three")
    )
    expected = [(PING, b"?"), (PONG, b"!"), (TEXT, b"one two three")]
    assert read(data) == (expected, None)
    assert read(*single(data)) == (expected, None)


def test_a_character_may_be_cut_by_fragments() -> None:
    euro = "€".encode()
    data = encode_frame(TEXT, euro[:1], fin=False) + encode_frame(0, euro[1:2], fin=False)
    assert read(data, encode_frame(0, euro[2:])) == ([(TEXT, euro)], None)


def test_binary_fragments_are_not_text() -> None:
    data = encode_frame(BINARY, b"\xff", fin=False) + encode_frame(0, b"\xfe")
    assert read(data) == ([(BINARY, b"\xff\xfe")], None)


def test_a_text_in_one_piece_is_left_for_the_json_parser_to_judge() -> None:
    assert read(encode_frame(TEXT, b"\xff")) == ([(TEXT, b"\xff")], None)


@pytest.mark.parametrize(
    "text",
    [b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90", b"abc\xff", b"\xed\xa0", b"\xc0"],
)
def test_a_bad_byte_ends_the_stream_as_soon_as_it_is_there(text: bytes) -> None:
    """The rest of the message, which is far from complete, is not awaited (Autobahn 6.4)."""
    data = encode_frame(TEXT, text, length=1000)
    assert read(data) == ([], 1007)
    assert read(*single(data)) == ([], 1007)
    assert read(data[:-1]) == ([], None)  # it was the last byte


def test_what_comes_before_a_violation_still_counts() -> None:
    reader = FrameReader()
    data = encode_frame(TEXT, b"a") + encode_frame(PING) + encode_frame(TEXT, b"b", rsv=4)
    assert reader.feed(data, LIMIT) == [(TEXT, b"a"), (PING, b"")]
    assert reader.failed is not None
    assert reader.failed.code is CloseCode.PROTOCOL_ERROR
    assert reader.failed.reason


def test_nothing_is_read_after_a_violation() -> None:
    reader = FrameReader()
    reader.feed(encode_frame(3), LIMIT)
    failed = reader.failed
    assert reader.feed(encode_frame(TEXT, b"hello"), LIMIT) == []
    assert reader.feed(encode_frame(TEXT, b"x", mask=None), LIMIT) == []
    assert reader.failed is failed is not None


def test_nothing_is_read_after_a_close_frame() -> None:
    reader = FrameReader()
    close = encode_frame(CLOSE, b"\x03\xe8")
    assert reader.feed(close + encode_frame(TEXT, b"late"), LIMIT) == [(CLOSE, b"\x03\xe8")]
    assert reader.feed(encode_frame(TEXT, b"later"), LIMIT) == []
    assert reader.feed(encode_frame(TEXT, b"bad", mask=None), LIMIT) == []
    assert reader.failed is None


def test_a_close_frame_within_a_fragmented_message() -> None:
    data = encode_frame(TEXT, b"a", fin=False) + encode_frame(CLOSE)
    assert read(data) == ([(CLOSE, b"")], None)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("limit", [0, 1, 10, 125, 126, 200, 65536, 70000])
def test_the_limit_is_the_callers(opcode: int, limit: int) -> None:
    """Protocol: §2, a frame larger than the inbound limit closes 1009."""
    assert read(encode_frame(opcode, b"x" * limit), limit=limit)[1] is None
    too_big = encode_frame(opcode, b"x" * (limit + 1))
    assert read(too_big, limit=limit) == ([], 1009)
    assert read(*single(too_big[:20]), limit=limit) == ([], 1009)  # the header is enough


def test_a_limit_below_that_of_control_frames_leaves_them_alone() -> None:
    assert read(encode_frame(PING, b"x" * 125), limit=10) == ([(PING, b"x" * 125)], None)


def test_fragments_are_limited_together() -> None:
    fragments = [encode_frame(TEXT, b"x" * 50, fin=False), encode_frame(0, b"x" * 50)]
    assert read(*fragments, limit=100)[1] is None
    assert read(*fragments, limit=99) == ([], 1009)
    # The next message starts from nothing.
    assert read(*fragments, *fragments, limit=100) == ([(TEXT, b"x" * 100)] * 2, None)


def test_a_hundred_thousand_fragments_cost_their_bytes_and_no_more() -> None:
    count = 50_000
    data = b"".join(
        [
            encode_frame(TEXT, b"x", fin=False),
            encode_frame(0, b"y", fin=False) * count,
            encode_frame(0, b"", fin=False) * count,
            encode_frame(0, b"z"),
        ]
    )
    expected = [(TEXT, b"x" + b"y" * count + b"z")]
    assert read(data) == (expected, None)
    reader = FrameReader()
    messages: Messages = []
    for start in range(0, len(data), 4093):
        messages += reader.feed(data[start : start + 4093], LIMIT)
    assert (messages, reader.failed) == (expected, None)


def test_a_reader_holds_nothing_between_messages() -> None:
    reader, fresh = FrameReader(), FrameReader()
    data = encode_frame(TEXT, b"a" * 500, fin=False) + encode_frame(0, b"b" * 500)
    assert [message for piece in single(data) for message in reader.feed(piece, LIMIT)]
    for name in FrameReader.__slots__:
        assert getattr(reader, name) == getattr(fresh, name)
    assert not hasattr(reader, "__dict__")


@dataclass
class Stream:
    """A valid stream of frames, and what it says."""

    data: bytes
    messages: Messages


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    masks = st.binary(min_size=4, max_size=4)
    stream = Stream(b"", [])

    def send(opcode: int, payload: bytes, *, fin: bool = True) -> None:
        stream.data += encode_frame(opcode, payload, fin=fin, mask=draw(masks))

    def maybe_control() -> None:
        opcode = draw(st.sampled_from([None, None, PING, PONG]))
        if opcode is not None:
            payload = draw(st.binary(max_size=125))
            send(opcode, payload)
            stream.messages.append((opcode, payload))

    for _ in range(draw(st.integers(0, 4))):
        maybe_control()
        is_text = draw(st.booleans())
        size = draw(st.sampled_from([5, 5, 130, 300]))
        payload = (
            draw(st.text(max_size=size)).encode() if is_text else draw(st.binary(max_size=size))
        )
        cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=4)))
        parts = [
            payload[start:end] for start, end in zip([0, *cuts], [*cuts, len(payload)], strict=True)
        ]
        opcode = TEXT if is_text else BINARY
        for index, part in enumerate(parts):
            send(0 if index else opcode, part, fin=index == len(parts) - 1)
            if index < len(parts) - 1:
                maybe_control()
        stream.messages.append((opcode, payload))
    return stream


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted(cut % (len(data) + 1) for cut in cuts)
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@given(streams(), st.lists(st.integers(0, 10_000), max_size=8))
def test_how_a_stream_is_cut_changes_nothing(stream: Stream, cuts: list[int]) -> None:
    expected = (stream.messages, None)
    assert read(stream.data) == expected
    assert read(*pieces(stream.data, cuts)) == expected
    assert read(*single(stream.data)) == expected


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_noise_ends_the_stream_and_raises_nothing(noise: list[bytes]) -> None:
    messages, code = read(*noise)
    assert code in (None, 1002, 1007, 1009)
    assert all(opcode in (TEXT, BINARY, CLOSE, PING, PONG) for opcode, _ in messages)


@given(streams(), st.integers(0, 10_000), st.integers(0, 255), st.lists(st.integers(0, 10_000)))
def test_one_wrong_byte_is_seen_alike_however_the_stream_is_cut(
    stream: Stream, place: int, byte: int, cuts: list[int]
) -> None:
    """But for a text that comes whole, which is not checked here and comes out as it is."""
    data = bytearray(stream.data or b"\0")
    data[place % len(data)] = byte
    whole_messages, whole_code = read(bytes(data))
    cut_messages, cut_code = read(*pieces(bytes(data), cuts))
    if cut_code == 1007 and whole_code != 1007:
        bad = whole_messages[len(cut_messages)]
        assert bad[0] == TEXT
        with pytest.raises(UnicodeDecodeError):
            bad[1].decode()
    elif whole_code == 1007 or whole_code == cut_code:
        assert cut_messages == whole_messages[: len(cut_messages)]
    else:
        pytest.fail(f"{whole_code} in one piece, {cut_code} in several")
