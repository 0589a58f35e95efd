"""The body of an HTTP/1 request, read whole within a limit.

Protocol: RFC 9112, 6 and 7.1.
"""

import itertools
import re
from collections.abc import Callable

from fizz_gevent.transport.request import BadRequest

_MAX_CHUNK_LINE = 1024
_MAX_TRAILER_BYTES = 4096
_CHUNKS_AT_ONCE = 100
"""A chunk may be one byte, and a body a million of them."""
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*")


class IncompleteBody(Exception):
    """The peer left before all of it had come."""


class BodyReader:
    """Takes a body from a buffer, and more bytes from a source where the buffer has too few.

    What has been received is never moved for what is taken from it, so that a body in a million
    chunks costs no more than its bytes.

    Args:
        breathe: Called now and then in the middle of many chunks, for others to have a turn.
    """

    def __init__(
        self,
        buffered: bytes,
        receive: Callable[[], bytes],
        limit: int,
        breathe: Callable[[], None] = lambda: None,
    ) -> None:
        self._receive = receive
        self._breathe = breathe
        self._limit = limit
        self._data = buffered
        self._at = 0

    @property
    def rest(self) -> bytes:
        """What came behind the body: the beginning of the next request."""
        return self._data[self._at :]

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
        end = self._at + count
        if end > len(self._data):
            data = bytearray(self.rest)  # not a list: pieces may be a byte each
            while len(data) < count:
                data += self._more()
            self._data = bytes(data)
            self._at, end = 0, count
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def _read_chunked(self) -> bytes:
        body = bytearray()
        for number in itertools.count(1):
            if number % _CHUNKS_AT_ONCE == 0:
                self._breathe()
            match = _CHUNK_LINE.fullmatch(self._line(_MAX_CHUNK_LINE))
            if match is None:
                raise BadRequest("400 Bad Request", "a chunk's length is malformed")
            length = int(match.group(1), 16)
            if len(body) + length > self._limit:
                raise self._too_large()
            if length == 0:
                break
            body += self._take(length)
            if self._take(2) != b"\r\n":
                raise BadRequest("400 Bad Request", "a chunk is longer than it says")
        trailer = _MAX_TRAILER_BYTES
        while line := self._line(_MAX_TRAILER_BYTES):
            if _TRAILER.fullmatch(line) is None:
                raise BadRequest("400 Bad Request", "a trailer is malformed")
            trailer -= len(line)  # trailers are read and mean nothing here
            if trailer <= 0:
                raise BadRequest("431 Request Header Fields Too Large", "the trailer is too long")
        return bytes(body)

    def _line(self, limit: int) -> bytes:
        while (end := self._data.find(b"\r\n", self._at)) < 0:
            rest = self.rest
            if len(rest) > limit:
                raise BadRequest("400 Bad Request", "a line of a chunked body is too long")
            self._data, self._at = rest + self._more(), 0
        if end - self._at > limit:
            raise BadRequest("400 Bad Request", "a line of a chunked body is too long")
        line = self._data[self._at : end]
        self._at = end + 2
        return line

    def _more(self) -> bytes:
        data = self._receive()
        if not data:
            raise IncompleteBody
        return data

    def _too_large(self) -> BadRequest:
        return BadRequest("413 Content Too Large", f"the body is larger than {self._limit} bytes")
