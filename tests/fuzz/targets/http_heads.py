"""Heads of HTTP requests: one meaning, found again by a reading that knows nothing of the other.

Protocol: RFC 9112 §2-§6, §9.3; RFC 6455 §4.2.
"""

import contextlib
from collections.abc import Iterator

from fizz_gevent.transport.request import BadRequest, RequestHead, parse_head
from fizz_gevent.transport.upgrade import accept_head, wants_upgrade

MAX_SIZE = 1500
DICTIONARY = (
    *(b"\r\n", b"\r\n ", b": ", b" HTTP/1.1", b" HTTP/1.0", b"GET ", b"POST ", b"OPTIONS * "),
    *(b"Host: x", b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Connection: close"),
    *(b"Expect: 100-continue", b"Upgrade: websocket", b"Connection: Upgrade", b"http://h/"),
    *(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Version: 13", b"[::1]:80"),
)
_STATUSES = ("400", "405", "417", "426", "431", "501", "505")


def seeds() -> Iterator[bytes]:
    """What is usual, and what is nearly so."""
    yield b"GET /up HTTP/1.1\r\nHost: x"
    yield b"POST /apps/1/events?a=%20&b=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5"
    yield b"POST / HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue"
    yield b"GET http://h:80/p HTTP/1.0\r\nConnection: keep-alive\r\nX-A: 1\r\nX-A: \xe9"
    yield (
        b"GET /app/k HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    )


def run(data: bytes) -> None:
    """Read a head; what is understood has to follow from its lines."""
    try:
        request = parse_head(data)
    except BadRequest as refusal:
        assert refusal.status[:3] in _STATUSES
        return
    first, *lines = data.split(b"\r\n")
    method, target, version = first.split(b" ")
    assert request.method == method.decode()
    assert version.startswith(b"HTTP/1.")
    assert request.is_1_1 == (version != b"HTTP/1.0")
    assert request.target.startswith("/")
    assert request.target.encode("latin-1") in target or request.target in ("/", "/*")
    assert b"#" not in target
    _expect_lines(request, lines)
    if wants_upgrade(request.headers):
        with contextlib.suppress(BadRequest):
            assert accept_head(request).startswith(b"HTTP/1.1 101 ")


def _expect_lines(request: RequestHead, lines: list[bytes]) -> None:
    fields: dict[bytes, list[bytes]] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        assert colon
        assert name
        assert not set(name) & set(b' \t\r\n\0()<>@,;\\"/[]?={}')
        assert not set(value) & set(b"\r\n\0\x7f")
        fields.setdefault(name.lower(), []).append(value.strip(b" \t"))
    hosts = fields.get(b"host", [])
    assert len(hosts) == 1 or not (hosts or request.is_1_1)
    assert not any(set(host) & set(b' \t/?#@\\"<>') for host in hosts)
    lengths = fields.get(b"content-length", [])
    codings = fields.get(b"transfer-encoding", [])
    assert len(lengths) + len(codings) <= 1
    if codings:
        assert request.content_length is None
        assert codings[0].lower() == b"chunked"
        assert request.is_1_1
    else:
        assert request.content_length == (int(lengths[0]) if lengths else 0)
        assert not lengths or set(lengths[0]) <= set(b"0123456789")
    for field, text in request.headers.items():
        assert field in ("CONTENT_TYPE", "CONTENT_LENGTH") or field.startswith("HTTP_")
        assert not set(text) & set("\r\n\0")
    options = {
        word.strip() for word in b",".join(fields.get(b"connection", [])).lower().split(b",")
    }
    if b"close" in options:
        assert not request.keep_alive
