"""What hostile clients do, a small piece at a time, so that how much of it comes can be told.

Each attack is a generator: what it does between two ``yield`` is one piece, of which so many are
done in a second. Nothing here waits for the server, whatever that does; sockets that it closes are
opened again.
"""

import contextlib
import itertools
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.harness.signing import App, compact
from tests.harness.websocket import (
    CONTINUATION,
    PING,
    TEXT,
    encode_frame,
    websocket_target,
)

HOSTILE = "127.0.0.66"
"""Where they come from."""

ORIGIN = "example.com"
"""The page from which one may connect."""

_NO_MASK = bytes(4)


class Wire:
    """A non-blocking socket that takes what it can and never minds."""

    def __init__(self, target: "Target", greeting: bytes = b"") -> None:
        self._target = target
        self._greeting = greeting
        self.open()

    def open(self) -> None:
        self.received = b""
        self._unsent = self._greeting
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.bind((HOSTILE, 0))
        self.socket.connect_ex(self._target.address)

    def push(self, data: bytes = b"") -> bool:
        """Send this, or where something is unsent, that first; whether this was taken."""
        is_taken = not self._unsent
        if is_taken:
            self._unsent = data
        with contextlib.suppress(BlockingIOError):
            try:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            except (BrokenPipeError, ConnectionError):
                self.reopen()
        return is_taken

    def read(self) -> bytes:
        """Whatever has come; a socket that was closed is opened again."""
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return b""
        except ConnectionError:
            data = b""
        if not data:
            self.reopen()
        return data

    def reopen(self) -> None:
        self.close()
        self.open()

    def close(self) -> None:
        self.socket.close()


@dataclass(frozen=True)
class Target:
    """The server, and an application of it."""

    address: tuple[str, int]
    app: App

    def upgrade(self, *lines: str, key: str | None = None) -> bytes:
        """A request for a WebSocket, with these header lines in place of the right origin."""
        head = [
            f"GET {websocket_target(key or self.app.key)} HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            *(lines or (f"Origin: https://{ORIGIN}",)),
        ]
        return "\r\n".join((*head, "", "")).encode("latin-1")

    def post(self, body: bytes, query: str | None = None, path: str = "/events") -> bytes:
        """A signed request of a back end, or one with another query."""
        path = f"/apps/{self.app.app_id}{path}"
        if query is None:
            query = self.app.signed_query("POST", path, None, body)
        return (
            f"POST {path}?{query} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Length: {len(body)}\r\nContent-Type: application/json\r\n\r\n"
        ).encode() + body


Pieces = Iterator[None]


def _wires(target: Target, count: int, greeting: bytes = b"") -> list[Wire]:
    return [Wire(target, greeting) for _ in range(count)]


def _say(event: str, data: object) -> bytes:
    return encode_frame(TEXT, compact({"event": event, "data": data}).encode(), mask=_NO_MASK)


def slow_head(target: Target) -> Pieces:
    """Request heads that never end, a byte at a time."""
    wires = _wires(target, 200, b"GET /up HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    for wire in itertools.cycle(wires):
        wire.push(b"a")
        wire.read()
        yield


def slow_body(target: Target) -> Pieces:
    """Requests that announce a megabyte and bring it a byte at a time."""
    greeting = target.post(b" " * 1_000_000)[:-1_000_000]
    for wire in itertools.cycle(_wires(target, 100, greeting)):
        wire.push(b"a")
        wire.read()
        yield


def half_open(target: Target) -> Pieces:
    """Sockets on which nothing is ever said."""
    for wire in itertools.cycle(_wires(target, 500)):
        wire.read()
        yield


def slow_reader(target: Target) -> Pieces:
    """Clients that subscribe and never read, while a back end publishes ten events at a time."""
    greeting = target.upgrade() + _say("pusher:subscribe", {"channel": "flood"})
    readers = _wires(target, 20, greeting)
    back_end = Wire(target)
    events = [{"name": "drop", "channel": "flood", "data": "x" * 4000} for _ in range(10)]
    body = json.dumps({"batch": events}).encode()
    for number in itertools.count():
        reader = readers[number % len(readers)]
        reader.push()
        if number % 25 == 0:  # one that was closed comes again
            with contextlib.suppress(OSError):
                if not reader.socket.recv(1):
                    reader.reopen()
        back_end.push(target.post(body, path="/batch_events"))
        back_end.read()
        yield


def tiny_fragments(target: Target) -> Pieces:
    """Messages of a hundred thousand fragments, each of them empty."""
    wires = _wires(target, 4, target.upgrade())
    begin = encode_frame(TEXT, b"", fin=False, mask=_NO_MASK)
    piece = encode_frame(CONTINUATION, b"", fin=False, mask=_NO_MASK) * 1000
    end = encode_frame(CONTINUATION, b"{}", mask=_NO_MASK)
    places = dict.fromkeys(wires, 0)
    for wire in itertools.cycle(wires):
        place = places[wire] % 100
        data = (begin if place == 0 else b"") + piece + (end if place == 99 else b"")
        places[wire] += wire.push(data)
        wire.read()
        yield


def ping_flood(target: Target) -> Pieces:
    """Pings by the thousand, all of which want a pong."""
    pings = encode_frame(PING, b"12345678", mask=_NO_MASK) * 1000
    for wire in itertools.cycle(_wires(target, 10, target.upgrade())):
        wire.push(pings)
        wire.read()
        yield


def json_bombs(target: Target) -> Pieces:
    """Messages that may be hard to parse: deep, with huge numbers, with the same key again."""
    texts = [
        b"[" * 65_000,
        b'{"event":"pusher:ping","data":' + b'{"a":' * 1000 + b"1" + b"}" * 1001,
        b'{"event":"pusher:ping","data":' + b"9" * 65_000 + b"}",
        b'{"event":"pusher:ping","data":1e' + b"9" * 65_000 + b"}",
        b"{" + b'"event":"x",' * 5000 + b'"event":"pusher:ping"}',
        b"{" + b"".join(b'"%d":0,' % number for number in range(6000)) + b'"event":1}',
        b'{"event":"' + b"\\ud834\\udd1e" * 5000 + b'"}',
        b'{"event":"pusher:subscribe","data":"' + b'\\"[' * 16_000 + b'"}',
    ]
    bombs = [encode_frame(TEXT, text, mask=_NO_MASK) for text in texts]
    wires = _wires(target, 5, target.upgrade())
    for wire, bomb in zip(itertools.cycle(wires), itertools.cycle(bombs), strict=False):
        wire.push(bomb)
        wire.read()
        yield


def subscribe_flood(target: Target) -> Pieces:
    """Subscriptions to more channels than a connection may have."""
    wires = _wires(target, 5, target.upgrade())
    for number in itertools.count():
        wire = wires[number % len(wires)]
        wire.push(
            b"".join(
                _say("pusher:subscribe", {"channel": f"room-{number}-{each}"}) for each in range(50)
            )
        )
        wire.read()
        yield


def name_flood(target: Target) -> Pieces:
    """Channels that nobody has used before, entered and left; and names that are none."""
    wires = _wires(target, 5, target.upgrade())
    for number in itertools.count():
        wire = wires[number % len(wires)]
        words = []
        for each in range(25):
            channel = {"channel": f"name-{number}-{each}-" + "x" * 130}
            words += [_say("pusher:subscribe", channel), _say("pusher:unsubscribe", channel)]
        words.append(_say("pusher:subscribe", {"channel": "bad name\r\n" + "#" * 300}))
        wire.push(b"".join(words))
        wire.read()
        yield


def connection_flood(target: Target) -> Pieces:
    """WebSockets from one address, many more than it may have."""
    wires = _wires(target, 200, target.upgrade())
    for wire in itertools.cycle(wires):
        wire.push()
        if b"pusher:error" in wire.read():
            wire.reopen()
        yield


def signatures(target: Target) -> Pieces:
    """Signatures made up, of another key, of another body, and good ones of long ago."""
    app, body = target.app, b'{"name":"x","channel":"flood","data":"1"}'
    path = f"/apps/{app.app_id}/events"
    forged = app.signed_query("POST", path, None, body)[:-64] + "0" * 64
    stranger = App(app.app_id, app.key, "another secret")
    requests = [
        target.post(body, forged),
        target.post(body, stranger.signed_query("POST", path, None, body)),
        target.post(body, app.signed_query("POST", path, None, b"another body")),
        target.post(body, app.signed_query("POST", path, None, body, timestamp=1_600_000_000)),
        target.post(body, App(app.app_id, "unknown").signed_query("POST", path, None, body)),
    ]
    auths = [f"{app.key}:{'0' * 64}", app.channel_auth("1.1", "private-x"), "unknown:" + "0" * 64]
    clients = _wires(target, 5, target.upgrade())
    back_ends = _wires(target, 5)
    for number in itertools.count():
        data = {"channel": "private-x", "auth": auths[number % len(auths)]}
        client = clients[number % len(clients)]
        client.push(_say("pusher:subscribe", data))
        client.read()
        back_end = back_ends[number % len(back_ends)]
        back_end.push(requests[number % len(requests)])
        back_end.read()
        yield


def origins(target: Target) -> Pieces:
    """Pages of others, under names that look like the right one."""
    names = ["null", "https://example.com.evil.test", "https://evil.test/https://example.com"]
    names += ["https://evil.test#example.com", "https://example.com@evil.test", "//example.com", ""]
    names += ["https://xexample.com", "https://example.com:443:1", "file://", "a" * 8000]
    for number in itertools.count():
        wire = Wire(target, target.upgrade(f"Origin: {names[number % len(names)]}"))
        until = time.monotonic() + 0.02
        while time.monotonic() < until and b"4009" not in wire.received:
            wire.push()
            with contextlib.suppress(OSError):
                wire.received += wire.socket.recv(4096)
        wire.close()
        yield


_INJECTIONS = [
    b"GET /up HTTP/1.1\r\nHost: a\r\nX: a\rSet-Cookie: b\r\n\r\n",
    b"GET /up HTTP/1.1\r\nHost: a\nSet-Cookie: b\r\n\r\n",
    b"GET /up\r\nX: y HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /console/%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /nothing%0d%0aLocation:%20evil HTTP/1.1\r\nHost: a%0d%0aevil\r\n\r\n",
    b"GET /apps/%0d%0aSet-Cookie:%20a=b/channels HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /apps/1/channels?x=%0d%0aSet-Cookie:a HTTP/1.1\r\nHost: a\r\nOrigin: b\r\n\r\n",
    b"GET /up HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: a\x00b\r\n\r\n",
]
_PATHS = [
    *(b"//up", b"/%2fup", b"/./up", b"/../up", b"/apps/../up", b"/apps/1001/..%2f1001/channels"),
    *(
        b"/up%00",
        b"/%00",
        b"/up\xff",
        b"/%c0%af",
        b"/%",
        b"/%zz",
        b"/" + b"a" * 12_000,
        b"/;",
        b"*",
    ),
    *(
        b"http://evil.test/up",
        b"http://evil.test//apps/1001",
        b"ftp://a/up",
        b"evil.test:80",
        b"/#",
    ),
    *(b"/app//", b"/app/%2e%2e/apps", b"/app/a/b", b"/console/static/../../config.py", b"/ready/"),
    *(b"/console/static/%2e%2e/guard.py", b"/console/static//etc/passwd", b"/" + b"/a" * 5000),
]


def injections(target: Target) -> Pieces:
    """Line ends where they might be echoed into a head."""
    yield from _requests(target, _INJECTIONS)


def paths(target: Target) -> Pieces:
    """Paths that mean one thing to a proxy and perhaps another one here."""
    yield from _requests(
        target, [b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in _PATHS]
    )


def _requests(target: Target, requests: list[bytes]) -> Pieces:
    wires = _wires(target, 10)
    for wire, request in zip(itertools.cycle(wires), itertools.cycle(requests), strict=False):
        wire.push(request)
        wire.read()
        yield


def logins(target: Target) -> Pieces:
    """Passwords tried at the console, and reads of the API far beyond their rate."""
    form = b"username=fizz&password=guess"
    login = b"POST /console/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % len(form)
    login += b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" + form
    path = f"/apps/{target.app.app_id}/channels"
    read = f"GET {path}?{target.app.signed_query('GET', path)} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    yield from _requests(target, [login, read.encode(), read.encode()])


@dataclass(frozen=True)
class Attack:
    """One way to be hostile.

    Attributes:
        pieces: How many a second.
        signs: Metrics of which at least one grows, as name and labels.
        words: What the log says, as a regular expression.
    """

    run: Callable[[Target], Pieces]
    pieces: int
    signs: tuple[tuple[str, dict[str, str]], ...]
    words: str

    @property
    def name(self) -> str:
        return self.run.__name__.replace("_", " ")


def _answers(*statuses: str) -> tuple[tuple[str, dict[str, str]], ...]:
    return tuple(("fizz_http_requests_total", {"status": status}) for status in statuses)


def _refused(reason: str) -> tuple[tuple[str, dict[str, str]], ...]:
    return (("fizz_refusals_total", {"reason": reason}),)


def _messages(reason: str) -> tuple[tuple[str, dict[str, str]], ...]:
    return (("fizz_message_refusals_total", {"reason": reason}),)


_FLOOD = (("fizz_floods_total", {}),)
ATTACKS = {
    attack.name: attack
    for attack in (
        Attack(slow_head, 1000, _answers("408"), r"requests were refused: .*408 \d"),
        Attack(slow_body, 1000, _answers("408"), r"requests were refused: .*408 \d"),
        Attack(half_open, 1000, _refused("silent"), r"clients were refused: .*silent \d"),
        Attack(slow_reader, 100, (("fizz_slow_clients_total", {}),), r"cut off: .*slow \d"),
        Attack(tiny_fragments, 40, _FLOOD, r"held back: floods \d"),
        Attack(ping_flood, 20, _FLOOD, r"held back: floods \d"),
        Attack(json_bombs, 40, _messages("invalid_message"), r"messages .*invalid_message \d"),
        Attack(subscribe_flood, 40, _messages("limit_reached"), r"messages .*limit_reached \d"),
        Attack(name_flood, 40, _messages("invalid_channel"), r"messages .*invalid_channel \d"),
        Attack(connection_flood, 400, _refused("address_limit"), r"clients .*address_limit \d"),
        Attack(signatures, 200, _answers("401"), r"requests were refused: .*401 \d"),
        Attack(origins, 30, _refused("unauthorized"), r"clients .*unauthorized \d"),
        Attack(injections, 200, _answers("400"), r"requests were refused: .*400 \d"),
        Attack(paths, 200, _answers("404"), r"requests were refused: .*40\d \d"),
        Attack(logins, 100, _answers("429"), r"requests were refused: .*429 \d"),
    )
}
