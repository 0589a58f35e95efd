"""WebSocket frames: bytes into messages, messages into bytes.

Strict about what comes in, as the Autobahn test suite is: a violation is remembered with the code
to close with, and nothing after it is read. Too big a message is refused from its header alone.

Protocol: RFC 6455 §5, §7.4; text messages of clients are §2.
"""

from codecs import utf_8_decode
from typing import Final

from fizz_gevent.errors import FrameError
from fizz_gevent.protocol.close_codes import CloseCode

TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

_MAX_CONTROL_SIZE: Final = 125
# A pair of integers this long stays in the processor's nearer caches. A multiple of 4.
_UNMASK_SIZE: Final = 16384
_SHORT_TEXT = tuple(bytes((0x80 | TEXT, size)) for size in range(126))


def text_frame(payload: bytes) -> bytes:
    """Frame one text message of the server, unmasked and in one piece."""
    size = len(payload)
    if size < 126:
        return _SHORT_TEXT[size] + payload
    if size < 65536:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), payload)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), payload)


def payload_of(frame: bytes) -> bytes:
    """The payload of a frame made by ``text_frame``, for what carries no frames."""
    size = frame[1]
    if size < 126:
        return frame[2:]
    return frame[4:] if size == 126 else frame[10:]


def messages_in(data: bytes) -> list[bytes]:
    """The payloads of the text frames in what a server sends, for those who watch the stream.

    Args:
        data: Whole frames, perhaps behind the head of an HTTP response.
    """
    payloads = []
    position = data.find(b"\r\n\r\n") + 4 if data.startswith(b"HTTP/") else 0
    while position + 2 <= len(data):
        opcode, size = data[position] & 0x0F, data[position + 1]
        position += 2
        if size > 125:
            field = 2 if size == 126 else 8
            size = int.from_bytes(data[position : position + field], "big")
            position += field
        if opcode == TEXT:
            payloads.append(data[position : position + size])
        position += size
    return payloads


def close_frame(code: int | None, reason: str = "") -> bytes:
    """Say goodbye.

    Args:
        code: ``None`` says nothing about why.
        reason: Cut to the 123 bytes of UTF-8 that fit, at a character.
    """
    if code is None:
        return b"\x88\x00"
    text = reason.encode()
    if len(text) > _MAX_CONTROL_SIZE - 2:
        text = text[: _MAX_CONTROL_SIZE - 2].decode(errors="ignore").encode()
    return b"\x88%c%b%b" % (2 + len(text), code.to_bytes(2, "big"), text)


def ping_frame(data: bytes = b"") -> bytes:
    """Ask the peer for a pong with these, at most 125, bytes."""
    return b"\x89%c%b" % (len(data), data)


def pong_frame(data: bytes = b"") -> bytes:
    """Answer a ping with its own bytes."""
    return b"\x8a%c%b" % (len(data), data)


def parse_close(payload: bytes) -> tuple[int | None, str]:
    """Read what a peer says in its close frame: a code, if any, and a reason.

    Raises:
        FrameError: The payload is one byte, the code may not be sent, the reason is not UTF-8.

    Protocol: RFC 6455 §5.5.1, §7.4. 1012-1014 are registered since.
    """
    if not payload:
        return None, ""
    if len(payload) == 1:
        raise FrameError(CloseCode.PROTOCOL_ERROR, "Close code of one byte")
    code = int.from_bytes(payload[:2], "big")
    if not (1000 <= code <= 1014 or 3000 <= code <= 4999) or code in (1004, 1005, 1006):
        raise FrameError(CloseCode.PROTOCOL_ERROR, "Invalid close code")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError:
        raise FrameError(CloseCode.INVALID_PAYLOAD, "Close reason is not UTF-8") from None


def code_to_echo(payload: bytes) -> int | None:
    """The code to answer a peer's close frame with: its own, or why that one was bad."""
    try:
        return parse_close(payload)[0]
    except FrameError as violation:
        return violation.code


def unmask(mask: bytes, data: bytes) -> bytes:
    """Apply a mask of four bytes; what masks also unmasks.

    One XOR of two long integers costs a seventh of a loop over 60 bytes, a fiftieth over 64 kB;
    four ``bytes.translate`` over strides draw level only there.
    """
    size = len(data)
    if size <= _UNMASK_SIZE:
        pattern = (mask * ((size + 3) // 4))[:size]
        number = int.from_bytes(data, "big") ^ int.from_bytes(pattern, "big")
        return number.to_bytes(size, "big")
    return b"".join(
        [unmask(mask, data[at : at + _UNMASK_SIZE]) for at in range(0, size, _UNMASK_SIZE)]
    )


class FrameReader:
    """Reads the frames of one client, however the network has cut them.

    Between messages it holds nothing. A message that comes in pieces is unmasked into one buffer
    as they arrive, and the UTF-8 of a text is checked with them: neither a byte at a time nor a
    hundred thousand fragments cost more than their bytes. A text that is one frame and comes in
    one piece is *not* checked: whoever parses its JSON finds out anyway.

    Attributes:
        failed: The violation that ended the stream. The caller looks after each ``feed``, when it
            has dealt with the messages, which all came before.
        has_more: What was fed holds more frames than were to be read at once; they are read when
            something, or nothing, is fed.
    """

    __slots__ = ("_between_messages", "_message", "_over", "_tail", "failed", "has_more")

    def __init__(self) -> None:
        self.failed: FrameError | None = None
        self.has_more = False
        self._between_messages = True
        self._tail = b""  # a header, or a control frame, of which more must come
        self._message: _Message | None = None
        self._over = False

    def feed(
        self, data: bytes, max_message_size: int, max_frames: int = -1
    ) -> list[tuple[int, bytes]]:
        """Take what was received; return the opcode and payload of what it completes, in order.

        Opcodes are ``TEXT``, ``BINARY``, ``CLOSE``, ``PING`` and ``PONG``. After a violation, and
        after a close frame (which is valid if it is returned), nothing more is read.

        Args:
            max_message_size: Bytes of a message's payload, all fragments together.
            max_frames: How many to read at once, for frames may be as small as six bytes; -1 is all
                that have come.
        """
        size = len(data)
        # What nearly always comes: exactly one whole masked text frame.
        if self._between_messages and size > 6 and data[0] == 0x81:
            if size < 132:
                if data[1] == size + 122 and size - 6 <= max_message_size:
                    return [(TEXT, unmask(data[2:6], data[6:]))]
            elif (
                data[1] == 0xFE
                and int.from_bytes(data[2:4], "big") == size - 8
                and 134 <= size <= max_message_size + 8
            ):
                return [(TEXT, unmask(data[4:8], data[8:]))]

        messages: list[tuple[int, bytes]] = []
        if not self._over:
            self.has_more = False
            try:
                self._read(self._tail + data, max_message_size, max_frames, messages)
            except FrameError as violation:
                self.fail(violation)
            self._between_messages = not (self._message or self._tail or self._over)
        return messages

    def fail(self, violation: FrameError) -> None:
        """Read nothing more, because of what whoever reads the messages found in one of them."""
        self.failed = violation
        self._between_messages = False
        self._end()

    def _end(self) -> None:
        self._over = True
        self.has_more = False
        self._message = None
        self._tail = b""

    def _read(
        self,
        data: bytes,
        max_message_size: int,
        max_frames: int,
        messages: list[tuple[int, bytes]],
    ) -> None:
        self._tail = b""
        position, size = 0, len(data)
        while position < size:
            message = self._message
            if message is None or not message.remaining:
                if max_frames == 0:
                    self.has_more = True
                    break
                max_frames -= 1
                # Two bytes say whether this frame may stand here, two or eight more how long it is.
                start = position + 6
                if start - 4 > size:
                    break
                first, second = data[position], data[position + 1]
                if message is not None or first != 0x81 or second < 0x80:
                    _check_header(first, second, is_continued=message is not None)
                length = second & 0x7F
                if length > 125:
                    start += 2 if length == 126 else 8
                    if start - 4 > size:
                        break
                    length = _long_length(data[position + 2 : start - 4])
                opcode = first & 0x0F
                if opcode < CLOSE:
                    collected = 0 if message is None else len(message.body)
                    if collected + length > max_message_size:
                        raise FrameError(CloseCode.MESSAGE_TOO_BIG, "Message too big")
                if start > size:
                    break
                mask = data[start - 4 : start]
                end = start + length
                if opcode >= CLOSE:
                    if end > size:
                        break
                    payload = unmask(mask, data[start:end])
                    if opcode == CLOSE:
                        parse_close(payload)
                        self._end()
                    messages.append((opcode, payload))
                    if opcode == CLOSE:
                        return
                    position = end
                    continue
                if message is None:
                    if first & 0x80 and end <= size:
                        messages.append((opcode, unmask(mask, data[start:end])))
                        position = end
                        continue
                    message = self._message = _Message(opcode)
                message.begin_frame(mask, length, is_final=first >= 0x80)
                position = start

            chunk = data[position : position + message.remaining]
            position += len(chunk)
            if message.add(chunk):
                messages.append((message.opcode, bytes(message.body)))
                self._message = None
        self._tail = data[position:]


def _check_header(first: int, second: int, *, is_continued: bool) -> None:
    """Refuse a frame that may not stand where it stands.

    Args:
        is_continued: A fragmented message is under way.
    """
    opcode = first & 0x0F
    violation = None
    if first & 0x70:
        violation = "Reserved bits are set"
    elif not second & 0x80:
        violation = "Frame is not masked"
    elif opcode >= CLOSE:
        if opcode > PONG:
            violation = "Reserved opcode"
        elif not first & 0x80:
            violation = "Fragmented control frame"
        elif second & 0x7F > _MAX_CONTROL_SIZE:
            violation = "Control frame too long"
    elif opcode > BINARY:
        violation = "Reserved opcode"
    elif opcode and is_continued:
        violation = "New message within a fragmented one"
    elif not opcode and not is_continued:
        violation = "Nothing to continue"
    if violation is not None:
        raise FrameError(CloseCode.PROTOCOL_ERROR, violation)


def _long_length(field: bytes) -> int:
    """Read a length of two or eight bytes, which must have needed them."""
    length = int.from_bytes(field, "big")
    if length < (126 if len(field) == 2 else 65536) or length >= 1 << 63:
        raise FrameError(CloseCode.PROTOCOL_ERROR, "Invalid length")
    return length


class _Message:
    """A message that comes in pieces: fragments, parts of a frame, or both.

    Attributes:
        opcode: ``TEXT`` or ``BINARY``.
        body: What has come of it, unmasked; in one buffer, so that small pieces cost nothing.
        remaining: Bytes of the current frame that are still to come.
    """

    __slots__ = ("_is_final", "_mask", "_undecoded", "body", "opcode", "remaining")

    def __init__(self, opcode: int) -> None:
        self.opcode = opcode
        self.body = bytearray()
        self.remaining = 0
        self._mask = b""
        self._is_final = False
        self._undecoded = b""  # the first bytes of a character that is not complete

    def begin_frame(self, mask: bytes, length: int, *, is_final: bool) -> None:
        """Expect the payload of one more frame."""
        self._mask = mask
        self._is_final = is_final
        self.remaining = length

    def add(self, chunk: bytes) -> bool:
        """Take a piece, still masked, of the current frame; tell whether it was the last one.

        Raises:
            FrameError: A text contains what is not UTF-8, or ends within a character.
        """
        clear = unmask(self._mask, chunk)
        self.body += clear
        self.remaining -= len(chunk)
        turn = len(chunk) & 3
        self._mask = self._mask[turn:] + self._mask[:turn]
        is_complete = self._is_final and not self.remaining
        if self.opcode == TEXT:
            self._undecoded = _undecoded(self._undecoded + clear, is_complete=is_complete)
        return is_complete


def _undecoded(text: bytes, *, is_complete: bool) -> bytes:
    """Check UTF-8; return what is left over, the first bytes of a character that is cut.

    Raises:
        FrameError: It is not UTF-8, or it is complete and something is left over.
    """
    try:
        _, decoded_size = utf_8_decode(text, "strict", is_complete)
    except UnicodeDecodeError:
        raise FrameError(CloseCode.INVALID_PAYLOAD, "Text is not UTF-8") from None
    rest = text[decoded_size:]
    # The decoder waits for the third byte of a surrogate, but two are enough to know.
    if rest[:1] == b"\xed" and rest[1:] >= b"\xa0":
        raise FrameError(CloseCode.INVALID_PAYLOAD, "Text is not UTF-8")
    return rest
