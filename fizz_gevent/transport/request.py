"""The head of an HTTP/1 request, read strictly.

Protocol: RFC 9112. What can be read in two ways, which is how requests are smuggled past a proxy,
is refused: bare line feeds, folded lines, two lengths.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

MAX_HEAD_BYTES = 16384
_MAX_HEADERS = 100

_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~\x80-\xff]+) HTTP/(\d)\.(\d)")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_DIGITS = re.compile(r"[0-9]+")
_HOST = re.compile(
    r"(\[[0-9A-Fa-f:.]+\]|\[[vV][0-9A-Fa-f]+\.[\w.~!$&'()*+,;=:-]+\]|[\w.~!$&'()*+,;=%-]*)(:[0-9]*)?",
    re.ASCII,
)


class BadRequest(Exception):
    """The peer does not speak HTTP as it should.

    Args:
        status: What it is answered, reason phrase included.
        message: What was wrong.
    """

    def __init__(
        self, status: str, message: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


@dataclass(slots=True)
class RequestHead:
    """A request up to its body.

    Attributes:
        method: As it came; methods are case-sensitive.
        target: The raw target, latin-1: path and query.
        path: The decoded path, as WSGI wants it: latin-1 of the decoded bytes.
        query: The raw query, without the question mark.
        headers: WSGI's names (``HTTP_ORIGIN``, ``CONTENT_TYPE``) to values.
        is_1_1: HTTP/1.1 rather than 1.0.
        keep_alive: The connection may serve another request after this one.
        content_length: Bytes of the body; None where it is chunked.
        expects_continue: The peer waits for ``100 Continue`` before it sends the body.
    """

    method: str
    target: str
    path: str
    query: str
    headers: dict[str, str]
    is_1_1: bool
    keep_alive: bool
    content_length: int | None
    expects_continue: bool


_WSGI_NAMES: dict[bytes, str] = {}
"""Header names as they come to WSGI's; those seen so far, up to a bound."""


def _wsgi_name(name: bytes) -> str:
    if _NAME.fullmatch(name) is None:
        raise BadRequest("400 Bad Request", "a header name holds a character that it may not")
    upper = name.decode("ascii").upper()
    if "_" in upper:
        return ""  # could be taken for another header with a dash
    wsgi = upper.replace("-", "_")
    if wsgi not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        wsgi = "HTTP_" + wsgi
    if len(_WSGI_NAMES) < 256 and len(name) < 64:
        _WSGI_NAMES[name] = wsgi
    return wsgi


def parse_head(head: bytes) -> RequestHead:
    """Read a request head.

    Args:
        head: Everything in front of the empty line, without it.

    Raises:
        BadRequest: With the status to answer.
    """
    lines = head.split(b"\r\n")
    match = _LINE.fullmatch(lines[0])
    if match is None:
        raise BadRequest("400 Bad Request", "the request line is malformed")
    method_bytes, target_bytes, major, minor = match.groups()
    if major != b"1":
        raise BadRequest("505 HTTP Version Not Supported", "only HTTP/1.1 and 1.0 are served")
    if not method_bytes.isupper():  # "get" is another method than "GET" (RFC 9110, 9.1)
        raise BadRequest("501 Not Implemented", "methods are in upper case")
    if len(lines) > _MAX_HEADERS + 1:
        raise BadRequest("431 Request Header Fields Too Large", f"more than {_MAX_HEADERS} headers")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon:
            raise BadRequest("400 Bad Request", "a header line has no colon, or is folded")
        wsgi = _WSGI_NAMES.get(name)
        if wsgi is None:
            wsgi = _wsgi_name(name)
            if not wsgi:
                continue
        text = value.strip(b" \t").decode("latin-1")
        if wsgi in headers:
            if wsgi in _ONCE:
                raise BadRequest("400 Bad Request", f"the header {name.decode()} comes twice")
            text = f"{headers[wsgi]},{text}"
        headers[wsgi] = text
    if _CONTROL.search(head.replace(b"\r\n", b"")) is not None:
        raise BadRequest("400 Bad Request", "the head holds a control character or a bare line end")
    is_1_1 = minor != b"0"
    if is_1_1 and "HTTP_HOST" not in headers:
        raise BadRequest("400 Bad Request", "the Host header is missing")
    authority, target = _origin_form(target_bytes.decode("latin-1"), method_bytes)
    for host in (headers.get("HTTP_HOST"), authority):
        if host is not None and _HOST.fullmatch(host) is None:
            raise BadRequest("400 Bad Request", "the Host is no host")
    if authority is not None:
        headers["HTTP_HOST"] = authority  # that of the header counts no more (RFC 9112, 3.2.2)
    path, _, query = target.partition("?")
    if "%" in path:
        path = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
    connection = headers.get("HTTP_CONNECTION")
    if connection is None:
        keep_alive = is_1_1
    else:
        tokens = {token.strip() for token in connection.lower().split(",")}
        keep_alive = "close" not in tokens and (is_1_1 or "keep-alive" in tokens)
    expect = headers.get("HTTP_EXPECT")
    if expect is not None and is_1_1 and expect.lower() != "100-continue":
        raise BadRequest("417 Expectation Failed", "the only expectation met is 100-continue")
    return RequestHead(
        method_bytes.decode("ascii"),
        target,
        path,
        query,
        headers,
        is_1_1,
        keep_alive,
        _content_length(headers, is_1_1=is_1_1),
        expect is not None and is_1_1,
    )


_ONCE = frozenset(
    ("HTTP_HOST", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_TRANSFER_ENCODING", "HTTP_ORIGIN")
)
"""Headers that mean nothing twice."""


def _origin_form(target: str, method: bytes) -> tuple[str | None, str]:
    """The target as path and query; in front, the host that an absolute one names.

    Protocol: RFC 9112, 3.2.2.
    """
    if target.startswith("/"):
        if "#" in target:
            raise BadRequest("400 Bad Request", "the target holds a fragment")
        return None, target
    if target == "*" and method == b"OPTIONS":
        return None, "/*"
    scheme, separator, rest = target.partition("://")
    if separator and scheme.lower() in ("http", "https") and "#" not in rest:
        host, slash, path = rest.partition("/")
        if host and "?" not in host:
            return host, slash + path if slash else "/"
    raise BadRequest("400 Bad Request", "the target is no path")


def _content_length(headers: dict[str, str], *, is_1_1: bool) -> int | None:
    """How long the body is (RFC 9112, 6.3); None where it is chunked."""
    encoding = headers.get("HTTP_TRANSFER_ENCODING")
    length = headers.get("CONTENT_LENGTH")
    if encoding is not None:
        if length is not None:
            raise BadRequest(
                "400 Bad Request", "Content-Length and Transfer-Encoding contradict each other"
            )
        if not is_1_1:
            raise BadRequest("400 Bad Request", "HTTP/1.0 has no Transfer-Encoding")
        if encoding.lower() != "chunked":
            raise BadRequest("501 Not Implemented", "the only transfer coding taken is chunked")
        return None
    if length is None:
        return 0
    if _DIGITS.fullmatch(length) is None or len(length) > 18:
        raise BadRequest("400 Bad Request", "Content-Length is no number")
    return int(length)
