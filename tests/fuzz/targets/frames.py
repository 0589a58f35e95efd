"""Frames of a client, cut anywhere, against a reader that is slow and plain.

Protocol: RFC 6455 §5, §7.4, §8.1.
"""

from collections.abc import Iterator

from fizz_gevent.protocol.frames import TEXT, FrameReader, text_frame
from tests.fuzz.corpora import CORPORA, frames_of
from tests.fuzz.source import Source, pieces
from tests.harness.websocket import encode_frame

MAX_SIZE = 4096
DICTIONARY = (b"\x81\x80", b"\x01\xfe", b"\x80\xff", b"\x88\x82", b"\x89\xfd", b"\xed\xa0", b"\xf4")
_LIMITS = (0, 1, 125, 126, 300, 65536)
Messages = list[tuple[int, bytes]]


def seeds() -> Iterator[bytes]:
    """The hostile streams that were thought of, whole and in two pieces."""
    for path in sorted((CORPORA / "frames").iterdir()):
        stream = frames_of(path)[2]
        if len(stream) < MAX_SIZE:
            yield b"\x05\x00\x00" + stream
            yield b"\x05\x01\x00\x03\x00" + stream
    yield b"\x03\x02\x00\x09\x00\x20\x01" + bytes(range(40))


def run(data: bytes) -> None:
    """Feed a stream; nothing but what the plain reader says may come out of it."""
    source = Source(data)
    limit = source.choice(_LIMITS)
    cuts = source.cuts()
    stream = _built(source) if source.whole(0, 1) else source.rest()
    found = _read(pieces(stream, cuts), limit)
    assert found == _plainly(stream, limit)
    for _, payload in found[0]:
        assert text_frame(payload).endswith(payload)


def _read(received: list[bytes], limit: int) -> tuple[Messages, int | None]:
    """Read as a connection does, whose session judges a text that came in one piece."""
    reader = FrameReader()
    messages: Messages = []
    for piece in received:
        for opcode, payload in reader.feed(piece, limit):
            if opcode == TEXT and not _is_utf8(payload):
                return messages, 1007
            messages.append((opcode, payload))
        held = len(reader._tail) + (len(reader._message.body) if reader._message else 0)
        assert held <= limit + 14 + 125, f"{held} bytes held"
    return messages, None if reader.failed is None else int(reader.failed.code)


def _built(source: Source) -> bytes:
    """Frames that are nearly right, for depth."""
    stream = b""
    while source:
        first = source.whole(0, 255)
        stream += encode_frame(
            first & 0x0F if first & 0x10 else first & 0x03,
            source.chunk(200),
            fin=bool(first & 0x80),
            rsv=source.whole(0, 7) if first & 0x60 == 0x60 else 0,
            mask=source.take(4).ljust(4, b"\0"),
        )
    return stream


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _may_become_utf8(text: bytes) -> bool:
    """Whether some ending would make it UTF-8, found by trying."""
    for size in range(4):
        head, tail = text[: len(text) - size], text[len(text) - size :]
        if len(tail) == size and _is_utf8(head):
            return not tail or any(
                _is_utf8(tail + bytes((one, *rest)))
                for one in (0x80, 0x90, 0xA0, 0xBF)
                for rest in ((), (0x80,), (0x80, 0x80))
            )
    return False


def _plainly(stream: bytes, limit: int) -> tuple[Messages, int | None]:
    """Read a stream from the first byte on, one frame after the other."""
    messages: Messages = []
    kind, text = 0, b""
    at = 0
    while len(stream) >= at + 2:
        first, second = stream[at : at + 2]
        opcode, is_final = first & 0x0F, first >= 0x80
        is_control = opcode >= 8
        known = opcode in ((8, 9, 10) if is_control else (0,) if kind else (1, 2))
        too_long = is_control and (not is_final or second & 0x7F > 125)
        if first & 0x70 or second < 0x80 or not known or too_long:
            return messages, 1002
        length = second & 0x7F
        field = {126: 2, 127: 8}.get(length, 0)
        if field:
            if len(stream) < at + 2 + field:
                break
            length = int.from_bytes(stream[at + 2 : at + 2 + field], "big")
            if length < (126 if field == 2 else 65536) or length >= 2**63:
                return messages, 1002
        if not is_control and len(text) + length > limit:
            return messages, 1009
        start = at + 2 + field + 4
        mask = stream[start - 4 : start]
        masked = stream[start : start + length]
        clear = bytes(byte ^ mask[index % 4] for index, byte in enumerate(masked))
        is_whole = len(stream) >= start + length
        at = start + length
        if is_control:
            if not is_whole:
                break
            if opcode == 8:
                return _closed(messages, clear)
            messages.append((opcode, clear))
            continue
        if len(stream) < start:
            break
        kind, text = kind or opcode, text + clear
        is_done = is_final and is_whole
        if kind == 1 and not (_is_utf8(text) if is_done else _may_become_utf8(text)):
            return messages, 1007
        if is_done:
            messages.append((kind, text))
            kind, text = 0, b""
        if not is_whole:
            break
    return messages, None


def _closed(messages: Messages, payload: bytes) -> tuple[Messages, int | None]:
    code = int.from_bytes(payload[:2], "big")
    allowed = {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)}
    if payload and (len(payload) == 1 or code not in allowed):
        return messages, 1002
    if not _is_utf8(payload[2:]):
        return messages, 1007
    return [*messages, (8, payload)], None
