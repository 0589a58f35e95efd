"""Whole requests to the API, signed or not: an answer of its documented form, and never a fault.

Protocol: §12.
"""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from fizz_gevent.transport.request import BadRequest, RequestHead, parse_head
from tests.fuzz.source import Source
from tests.fuzz.targets import triggers
from tests.unit.api.house import NOW, House

MAX_SIZE = 900
DICTIONARY = (
    *(
        b"/apps/1001/",
        b"events",
        b"batch_events",
        b"channels",
        b"/users",
        b"users/",
        b"%2F",
        b"%00",
    ),
    *(b"terminate_connections", b"connections", b"?info=", b"filter_by_prefix=", b"//", b"/../"),
    *(b"user_count", b"subscription_count", b"cache", b"presence-", b"Cookie: fizz_console="),
)
_METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "BREW")
_PATHS = (
    *("events", "batch_events", "channels", "channels/cache-a", "channels/presence-a/users"),
    *("connections", "users/u/terminate_connections", "", "channels/"),
)
_FRESH_AFTER = 300
"""Runs after which the house is built anew: what was published is remembered, as it should be."""


class _Place:
    """The house that requests go to."""

    runs = 0
    house = House()


def seeds() -> Iterator[bytes]:
    """Each route with each method, and bodies."""
    for method in range(len(_METHODS)):
        for path in range(len(_PATHS)):
            yield bytes((1, method, path, 0, 0, 0))
    for body in triggers.seeds():
        for path in (0, 1):
            yield bytes((1, 1, path, 0, 0, min(255, len(body) - 1))) + body[1:256]
    yield b"\x00GET /apps/1001/channels?auth_key=x HTTP/1.1\r\nHost: x"
    yield b"\x00GET /up HTTP/1.1\r\nHost: x"


def run(data: bytes) -> None:
    """Ask, and look at the answer."""
    source = Source(data)
    _Place.runs += 1
    if _Place.runs % _FRESH_AFTER == 0:
        _Place.house = House()
    house = _Place.house
    body = b""
    if source.whole(0, 1):
        method = source.choice(_METHODS)
        path = f"/apps/1001/{source.choice(_PATHS)}{_line(source)}"
        name, value = _line(source), source.text(40)
        body = source.chunk()
        some = {name: value} if name else {}
        query = house.app.signed_query(method, path, some, body, timestamp=NOW)
        head = f"{method} {path}?{query} HTTP/1.1\r\nHost: x".encode("latin-1", "replace")
    else:
        head = source.rest()
    try:
        request = parse_head(head)
    except BadRequest:
        return
    status, answer = _ask(house, request, body)
    assert status[:3].isdigit()
    assert not status.startswith("500"), answer
    if request.method == "HEAD" or status.startswith("204"):
        return
    found = json.loads(answer)
    if status >= "4":
        assert set(found) == {"error", "code"}
        assert found["code"] == int(status[:3])


def _line(source: Source) -> str:
    """A piece of a first line."""
    text = source.chunk(30).decode("latin-1")
    return "".join(letter for letter in text if letter not in " #?\r\n")


def _ask(house: House, request: RequestHead, body: bytes) -> tuple[str, bytes]:
    """Call the application as the handler does."""
    environ: dict[str, Any] = {
        **request.headers,
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": BytesIO(),
        "fizz.target": request.target,
        "fizz.body": body,
    }
    said: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        said.append(status)
        for name, value in headers:
            assert not set(name + value) & set("\r\n\0"), "a header was injected"
            (name + value).encode("latin-1")

    answer = b"".join(house.flask(environ, start_response))  # type: ignore[arg-type]
    return said[-1], answer
