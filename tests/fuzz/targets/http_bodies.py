"""Bodies of HTTP requests, cut anywhere, against the grammar read word by word.

Protocol: RFC 9112 §6, §7.1.
"""

import re
from collections.abc import Iterator

from fizz_gevent.transport.body import BodyReader, IncompleteBody
from fizz_gevent.transport.request import BadRequest
from tests.fuzz.source import Source, pieces

MAX_SIZE = 3000
DICTIONARY = (b"\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b";a=b", b"X: y\r\n", b"ffffffffffffffff")
_LIMIT = 500
_SIZE = re.compile(rb"[0-9a-fA-F]+")
_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_CONTROLS = frozenset((*range(9), *range(10, 32), 127))


def seeds() -> Iterator[bytes]:
    """Chunks with all that may stand beside them, and a plain body."""
    for wire in (
        b"5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n",
        b'5 ;a="b";c\r\nhello\r\n000A\r\n0123456789\r\n0;x\r\nA: 1\r\nB:\r\n\r\n',
        b"1f4\r\n" + b"x" * 500 + b"\r\n0\r\n\r\n",
        b"1f5\r\n" + b"x" * 501 + b"\r\n0\r\n\r\n",
    ):
        yield b"\x00\x00" + wire
        yield b"\x02\x00\x03\x00\x09\x00" + wire
    yield b"\x00\x03hello, world"


def run(data: bytes) -> None:
    """Take a body; what comes out is what the grammar says, and so is what is left."""
    source = Source(data)
    cuts = source.cuts()
    length = source.whole(0, 255) or None
    wire = source.rest()
    waiting = pieces(wire, cuts)
    reader = BodyReader(b"", lambda: waiting.pop(0) if waiting else b"", _LIMIT)
    try:
        body = reader.read(length)
    except BadRequest as refusal:
        assert length is None
        assert refusal.status[:3] in ("400", "413", "431")
        assert _chunked(wire) is None, "refused, and is in order"
        return
    except IncompleteBody:
        found = _chunked(wire) if length is None else None
        assert found is None if length is None else len(wire) < length
        return
    rest = reader.rest + b"".join(waiting)
    if length is None:
        assert (body, rest) == _chunked(wire)
    else:
        assert (body, rest) == (wire[:length], wire[length:])


def _chunked(wire: bytes) -> tuple[bytes, bytes] | None:
    """The body and what follows it; None where it is none, or not whole, or too large."""
    body = b""
    while True:
        line, end, wire = wire.partition(b"\r\n")
        size, *extensions = line.split(b";")
        digits = size.rstrip(b" \t") if extensions else size
        if not end or not _SIZE.fullmatch(digits) or len(digits) > 16 or set(line) & _CONTROLS:
            return None
        length = int(digits, 16)
        if len(body) + length > _LIMIT or len(line) > 1024:
            return None
        if not length:
            break
        if wire[length : length + 2] != b"\r\n":
            return None
        body, wire = body + wire[:length], wire[length + 2 :]
    while True:
        line, end, wire = wire.partition(b"\r\n")
        if not end:
            return None
        if not line:
            return body, wire
        name, colon, value = line.partition(b":")
        if not colon or not name or not set(name) <= _TOKEN or set(value) & _CONTROLS:
            return None
