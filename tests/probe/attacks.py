"""What hostile clients do, a small piece at a time, so that how much of it comes can be told.

Each attack is a generator: what it does between two ``yield`` is one piece, of which so many are
done in a second. Nothing here waits for the server, whatever that does; sockets that it closes are
opened again.
"""

import contextlib
import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.harness.signing import App
from tests.harness.websocket import CONTINUATION, PING, TEXT, encode_frame
from tests.probe.wire import NO_MASK, Target, Wire, say, wires_of

Pieces = Iterator[None]


def slow_head(target: Target) -> Pieces:
    """Request heads that never end, a byte at a time."""
    wires = wires_of(target, 200, b"GET /up HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    for wire in itertools.cycle(wires):
        wire.push(b"a")
        wire.read()
        yield


def slow_body(target: Target) -> Pieces:
    """Requests that announce a megabyte and bring it a byte at a time."""
    greeting = target.post(b" " * 1_000_000)[:-1_000_000]
    for wire in itertools.cycle(wires_of(target, 100, greeting)):
        wire.push(b"a")
        wire.read()
        yield


def half_open(target: Target) -> Pieces:
    """Sockets on which nothing is ever said."""
    for wire in itertools.cycle(wires_of(target, 500)):
        wire.read()
        yield


def slow_reader(target: Target) -> Pieces:
    """Clients that subscribe and never read, while a back end publishes ten events at a time."""
    greeting = target.upgrade() + say("pusher:subscribe", {"channel": "flood"})
    readers = wires_of(target, 20, greeting)
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
    wires = wires_of(target, 4, target.upgrade())
    begin = encode_frame(TEXT, b"", fin=False, mask=NO_MASK)
    piece = encode_frame(CONTINUATION, b"", fin=False, mask=NO_MASK) * 1000
    end = encode_frame(CONTINUATION, b"{}", mask=NO_MASK)
    places = dict.fromkeys(wires, 0)
    for wire in itertools.cycle(wires):
        place = places[wire] % 100
        data = (begin if place == 0 else b"") + piece + (end if place == 99 else b"")
        places[wire] += wire.push(data)
        wire.read()
        yield


def ping_flood(target: Target) -> Pieces:
    """Pings by the thousand, all of which want a pong."""
    pings = encode_frame(PING, b"12345678", mask=NO_MASK) * 1000
    for wire in itertools.cycle(wires_of(target, 10, target.upgrade())):
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
    bombs = [encode_frame(TEXT, text, mask=NO_MASK) for text in texts]
    wires = wires_of(target, 5, target.upgrade())
    for wire, bomb in zip(itertools.cycle(wires), itertools.cycle(bombs), strict=False):
        wire.push(bomb)
        wire.read()
        yield


def subscribe_flood(target: Target) -> Pieces:
    """Subscriptions to more channels than a connection may have."""
    wires = wires_of(target, 5, target.upgrade())
    for number in itertools.count():
        wire = wires[number % len(wires)]
        wire.push(
            b"".join(
                say("pusher:subscribe", {"channel": f"room-{number}-{each}"}) for each in range(50)
            )
        )
        wire.read()
        yield


def name_flood(target: Target) -> Pieces:
    """Channels that nobody has used before, entered and left; and names that are none."""
    wires = wires_of(target, 5, target.upgrade())
    for number in itertools.count():
        wire = wires[number % len(wires)]
        words = []
        for each in range(25):
            channel = {"channel": f"name-{number}-{each}-" + "x" * 130}
            words += [say("pusher:subscribe", channel), say("pusher:unsubscribe", channel)]
        words.append(say("pusher:subscribe", {"channel": "bad name\r\n" + "#" * 300}))
        wire.push(b"".join(words))
        wire.read()
        yield


def connection_flood(target: Target) -> Pieces:
    """WebSockets from one address, many more than it may have."""
    wires = wires_of(target, 200, target.upgrade())
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
    clients = wires_of(target, 5, target.upgrade())
    back_ends = wires_of(target, 5)
    for number in itertools.count():
        data = {"channel": "private-x", "auth": auths[number % len(auths)]}
        client = clients[number % len(clients)]
        client.push(say("pusher:subscribe", data))
        client.read()
        back_end = back_ends[number % len(back_ends)]
        back_end.push(requests[number % len(requests)])
        back_end.read()
        yield


ORIGINS = [
    *("null", "https://example.com.evil.test", "https://evil.test/https://example.com", ""),
    *("https://evil.test#example.com", "https://example.com@evil.test", "//evil.test", "file://"),
    *("https://xexample.com", "https://example.co", "https://example.com,https://evil.test"),
    *("https://evil.test\texample.com", "a" * 8000),
]
"""None of them is the page that may connect."""


def origins(target: Target) -> Pieces:
    """Pages of others, under names that look like the right one."""
    for name in itertools.cycle(ORIGINS):
        wire = Wire(target, target.upgrade(f"Origin: {name}"))
        until = time.monotonic() + 0.02
        while time.monotonic() < until and b"4009" not in wire.received:
            wire.push()
            with contextlib.suppress(OSError):
                wire.received += wire.socket.recv(4096)
        wire.close()
        yield


INJECTIONS = [
    b"GET /up HTTP/1.1\r\nHost: a\r\nX: a\rSet-Cookie: b\r\n\r\n",
    b"GET /up HTTP/1.1\r\nHost: a\nSet-Cookie: b\r\n\r\n",
    b"GET /up\r\nX: y HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /console/%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /nothing%0d%0aLocation:%20evil HTTP/1.1\r\nHost: a%0d%0aevil\r\n\r\n",
    b"GET /apps/%0d%0aSet-Cookie:%20a=b/channels HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /apps/1/channels?x=%0d%0aSet-Cookie:a HTTP/1.1\r\nHost: a\r\nOrigin: b\r\n\r\n",
    b"GET /up HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: a\x00b\r\n\r\n",
]
PATHS = [
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
    yield from _requests(target, INJECTIONS)


def paths(target: Target) -> Pieces:
    """Paths that mean one thing to a proxy and perhaps another one here."""
    yield from _requests(
        target, [b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in PATHS]
    )


def _requests(target: Target, requests: list[bytes]) -> Pieces:
    wires = wires_of(target, 10)
    for wire, request in zip(itertools.cycle(wires), itertools.cycle(requests), strict=False):
        wire.push(request)
        wire.read()
        yield


def logins(target: Target) -> Pieces:
    """Passwords tried at the console."""
    form = b"username=fizz&password=guess"
    login = b"POST /console/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % len(form)
    login += b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" + form
    yield from _requests(target, [login])


def reads(target: Target) -> Pieces:
    """A back end that asks far more often than it may."""
    path = f"/apps/{target.app.app_id}/channels"
    query = target.app.signed_query("GET", path)
    yield from _requests(target, [f"GET {path}?{query} HTTP/1.1\r\nHost: a\r\n\r\n".encode()])


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


_FLOOD: tuple[tuple[str, dict[str, str]], ...] = (("fizz_floods_total", {}),)
ATTACKS = {
    attack.name: attack
    for attack in (
        Attack(slow_head, 1000, _answers("408"), r"requests were refused: .*408 \d"),
        Attack(slow_body, 1000, _answers("408"), r"requests were refused: .*408 \d"),
        Attack(half_open, 1000, _refused("silent"), r"clients were refused: .*silent \d"),
        Attack(slow_reader, 100, (("fizz_slow_clients_total", {}),), r"cut off: .*slow \d"),
        Attack(tiny_fragments, 150, _FLOOD, r"held back: floods \d"),
        Attack(ping_flood, 60, _FLOOD, r"held back: floods \d"),
        Attack(json_bombs, 150, _messages("invalid_message"), r"messages .*invalid_message \d"),
        Attack(subscribe_flood, 100, _messages("limit_reached"), r"messages .*limit_reached \d"),
        Attack(name_flood, 60, _messages("invalid_channel"), r"messages .*invalid_channel \d"),
        Attack(connection_flood, 500, _refused("address_limit"), r"clients .*address_limit \d"),
        Attack(signatures, 500, _answers("401"), r"requests were refused: .*401 \d"),
        Attack(origins, 50, _refused("unauthorized"), r"clients .*unauthorized \d"),
        Attack(injections, 1000, _answers("400"), r"requests were refused: .*400 \d"),
        Attack(paths, 1000, _answers("404"), r"requests were refused: .*40\d \d"),
        Attack(logins, 150, _refused("console_too_often"), r"clients .*console_too_often \d"),
        Attack(reads, 300, _answers("429"), r"requests were refused: .*429 \d"),
    )
}
