"""The body of an HTTP/1 request, read whole within a limit.

Protocol: RFC 9112, 6 and 7.1.
"""

import re
from collections.abc import Callable

from fizz_gevent.transport.request import BadRequest

_MAX_CHUNK_LINE = 1024
_MAX_TRAILER_BYTES = 4096
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(;[^\x00-\x08\x0a-\x1f\x7f]*)?")


class IncompleteBody(Exception):
    """The peer left before all of it had come."""


class BodyReader:
    """Takes a body from a buffer, and more bytes from a source where the buffer has too few.

    Attributes:
        rest: What came behind the body: the beginning of the next request.
    """

    def __init__(self, buffered: bytes, receive: Callable[[], bytes], limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self.rest = buffered

    def read(self, content_length: int | None) -> bytes:
        """The whole body; None is chunked.

        Raises:
            BadRequest: It is malformed (400) or larger than the limit (413).
            IncompleteBody: The peer left.
        """
        if content_length is None:
            return self._read_chunked()
        if content_length > self._limit:
            raise self._too_large()
        return self._take(content_length)

    def _take(self, count: int) -> bytes:
        if len(self.rest) < count:
            pieces = [self.rest]
            missing = count - len(self.rest)
            while missing > 0:
                piece = self._more()
                pieces.append(piece)
                missing -= len(piece)
            self.rest = b"".join(pieces)
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def _read_chunked(self) -> bytes:
        pieces = []
        total = 0
        while True:
            match = _CHUNK_LINE.fullmatch(self._line(_MAX_CHUNK_LINE))
            if match is None:
                raise BadRequest("400 Bad Request", "a chunk's length is malformed")
            length = int(match.group(1), 16)
            total += length
            if total > self._limit:
                raise self._too_large()
            if length == 0:
                break
            pieces.append(self._take(length))
            if self._take(2) != b"\r\n":
                raise BadRequest("400 Bad Request", "a chunk is longer than it says")
        trailer = _MAX_TRAILER_BYTES
        while line := self._line(_MAX_TRAILER_BYTES):
            trailer -= len(line)  # trailers are read and mean nothing here
            if trailer <= 0:
                raise BadRequest("431 Request Header Fields Too Large", "the trailer is too long")
        return b"".join(pieces)

    def _line(self, limit: int) -> bytes:
        while (end := self.rest.find(b"\r\n")) < 0:
            if len(self.rest) > limit:
                raise BadRequest("400 Bad Request", "a line of a chunked body is too long")
            self.rest += self._more()
        if end > limit:
            raise BadRequest("400 Bad Request", "a line of a chunked body is too long")
        line, self.rest = self.rest[:end], self.rest[end + 2 :]
        return line

    def _more(self) -> bytes:
        data = self._receive()
        if not data:
            raise IncompleteBody
        return data

    def _too_large(self) -> BadRequest:
        return BadRequest("413 Content Too Large", f"the body is larger than {self._limit} bytes")
