"""How long the worst single thing that can be sent holds up everybody else: the longest turn of the
event loop, in milliseconds of CPU time.

It measures, and prints the table of ``docs/reliability.md``; that what is cut small is dealt with
in turns is shown by ``tests/unit/transport/test_floods.py``::

    bin/test --long tests/probe/test_loop_holds.py -s
"""

import json
import os
import signal
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.harness.eventually import eventually
from tests.harness.http_api import HttpApi
from tests.harness.http_socket import HttpSocket, request
from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.websocket import CONTINUATION, PING, TEXT, encode_frame, websocket_target

TIMES = 5
Send = Callable[[], object]

pytestmark = pytest.mark.long


class Watched:
    """A server with a stopwatch."""

    def __init__(self, server: FizzServer, file: Path) -> None:
        self.server = server
        self._file = file

    def longest(self) -> float:
        """The longest turn since this was asked last."""
        self._file.unlink(missing_ok=True)
        os.kill(self.server.pid, signal.SIGUSR2)
        eventually(self._file.exists)
        return float(self._file.read_text())

    def at_once(self, data: bytes) -> None:
        """Send much while the server cannot read, so that it finds as much as there can be."""
        with self.server.client() as client:
            os.kill(self.server.pid, signal.SIGSTOP)
            try:
                client.websocket.socket.settimeout(0.3)
                client.websocket.socket.sendall(data)
            except TimeoutError:
                pass  # as much as the buffers take
            finally:
                os.kill(self.server.pid, signal.SIGCONT)
            self._settle()

    def connect_at_once(self, count: int) -> None:
        lines = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        asked = request("GET", websocket_target(self.server.app.key), *lines, key)
        with ExitStack() as stack:
            os.kill(self.server.pid, signal.SIGSTOP)
            for _ in range(count):
                stack.enter_context(HttpSocket.open(self.server.address)).send_raw(asked)
            os.kill(self.server.pid, signal.SIGCONT)
            self._settle()

    def _settle(self) -> None:
        """Wait until somebody who comes now has been served a few times."""
        with self.server.client() as client:
            for _ in range(200):
                client.ping()


@pytest.fixture
def watched(fizz: Start, tmp_path: Path) -> Watched:
    file = tmp_path / "longest"
    server = fizz(
        server={"workers": 1},
        environ={"STOPWATCH_FILE": str(file)},
        command=[sys.executable, "-P", "-W", "error", "-m", "tests.probe.stopwatch"],
    )
    return Watched(server, file)


def text(content: object) -> bytes:
    return encode_frame(
        TEXT, content if isinstance(content, bytes) else json.dumps(content).encode()
    )


def floods(watched: Watched) -> Iterator[tuple[str, Send]]:
    """Many small frames in what is received at once."""
    begin = encode_frame(TEXT, b"", fin=False)
    fragments = begin + encode_frame(CONTINUATION, b"", fin=False) * 100_000
    subscriptions = b"".join(
        text({"event": "pusher:subscribe", "data": {"channel": f"room-{number}"}})
        for number in range(3000)
    )
    forged = text(
        {"event": "pusher:subscribe", "data": {"channel": "private-x", "auth": f"k:{'0' * 64}"}}
    )
    for name, data in {
        "100,000 fragments of one message": fragments,
        "10,000 pings": encode_frame(PING) * 10_000,
        "10,000 messages that are no JSON": encode_frame(TEXT, b"x") * 10_000,
        "3,000 subscriptions, and leaving them": subscriptions,
        "1,000 forged signatures": forged * 1000,
    }.items():
        yield name, partial(watched.at_once, data)
    yield "300 connections", partial(watched.connect_at_once, 300)
    yield "3,000 requests in one piece", partial(_pipeline, watched.server)


def bombs(watched: Watched) -> Iterator[tuple[str, Send]]:
    """One message of 64 kB."""
    ping = b'{"event":"pusher:ping","data":%b}'
    for name, content in {
        "65,000 open brackets": b"[" * 65_000,
        "objects 1,000 deep": ping % (b'{"a":' * 1000 + b"1" + b"}" * 1000),
        "a number of 65,000 digits": ping % (b"9" * 65_000),
        "the same key 9,000 times": b"{" + b'"a":1,' * 9000 + b'"event":"pusher:ping"}',
        "6,000 keys": b"{" + b"".join(b'"%d":1,' % n for n in range(6000)) + b'"event":"x"}',
        "10,000 escapes": ping % (b'"' + b"\\u0041" * 10_000 + b'"'),
    }.items():
        yield f"64 kB: {name}", partial(watched.at_once, text(content))


def requests(watched: Watched, api: HttpApi) -> Iterator[tuple[str, Send]]:
    """Of a back end whose signature is right, but for the first."""
    tiny = b"1\r\nx\r\n" * 160_000 + b"0\r\n\r\n"
    batch = json.dumps(
        {"batch": [{"name": "e", "channel": f"c{n}", "data": "x" * 10_000} for n in range(10)]}
    ).encode()
    names = [f"room-{number}" for number in range(100)]
    event = json.dumps({"name": "e", "channels": names, "data": "x" * 1000}).encode()
    yield "a megabyte in chunks of a byte", partial(_chunked, watched.server, tiny)
    for name, path, body in (
        ("a batch of ten, 100 kB", "/batch_events", batch),
        ("the same, blown up to 1 MB", "/batch_events", batch.ljust(1_000_000)),
        ("1 MB: 300,000 objects", "/events", b'{"a":[' + b"{}," * 300_000 + b"1]}"),
        ("an event to 100 channels of 100 clients", "/events", event),
    ):
        yield name, partial(api.request, "POST", api.base + path, body=body)


def _pipeline(server: FizzServer) -> None:
    with HttpSocket.open(server.address) as http:
        http.send_raw(request("GET", "/up") * 3000)
        for _ in range(3000):
            assert http.read_answer().status == 200


def _chunked(server: FizzServer, body: bytes) -> None:
    with HttpSocket.open(server.address) as http:
        head = request("POST", "/apps/1001/events", "Transfer-Encoding: chunked")
        assert http.ask(head + body).status == 401


def hundred(server: FizzServer, stack: ExitStack) -> None:
    """A hundred clients in each of a hundred channels."""
    clients: list[PusherClient] = [stack.enter_context(server.client()) for _ in range(100)]
    for client in clients:
        for number in range(100):
            client.request_subscription(f"room-{number}")
    for client in clients:
        for _ in range(100):
            client.next_event()


def test_the_longest_turn_of_the_loop(watched: Watched) -> None:
    rows = ["| sent | longest turn, ms |", "|---|---|"]

    def measure(name: str, send: Send) -> None:
        seen = []
        for _ in range(TIMES):
            watched.longest()
            send()
            seen.append(watched.longest())
        rows.append(f"| {name} | {statistics.median(seen):.1f} |")
        print(rows[-1], flush=True)

    measure("nothing: a client that comes and pings", watched._settle)
    for make in (floods, bombs):
        for name, send in make(watched):
            measure(name, send)
    with ExitStack() as stack:
        hundred(watched.server, stack)
        for name, send in requests(watched, watched.server.api()):
            measure(name, send)
    print("\n".join(rows))
