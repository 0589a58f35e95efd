"""The machine has no memory for sockets, no room for the log, stands still, or has its clock set.

Protocol: §12.1, ``auth_timestamp``; §13, ``time_ms``; §3, liveness.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conftest import Start
from tests.harness.eventually import eventually
from tests.harness.http_socket import HttpSocket, request
from tests.harness.pusher_client import PusherClient
from tests.harness.receiver import Receiver
from tests.harness.rig import Rig
from tests.harness.server import PYTHON, FizzServer
from tests.harness.signing import App
from tests.harness.websocket import PING

SEND = "fizz_gevent.transport.listener:Socket.send"
ACCEPT = "gevent._socket3:_wrefsocket._accept"
HOUR = 3600
OLD = App("1001", "old-key", "old-secret")


@pytest.fixture
def rig() -> Iterator[Rig]:
    with TemporaryDirectory(prefix="fizz") as folder:
        yield Rig(Path(folder), SEND, ACCEPT)


def test_memory_for_sockets_runs_out(fizz: Start, rig: Rig) -> None:
    """What is to be sent waits, nobody is closed, and newcomers are let in later."""
    app = App().settings(max_client_events_per_second=None)
    server = fizz(apps=[app], command=rig.command, server={"workers": 1})
    with server.client() as client, server.client() as other, server.client() as third:
        for each in (client, other, third):
            each.subscribe("private-talk")
        for error in ("ENOBUFS", "ENOMEM"):
            sending_fails(server, rig, third, f"errno {error}")
            for each in (client, other):
                each.expect("news")
                assert [each.expect(f"client-{n}") for n in range(10)] == list(range(10))
            third.expect("news")
        with contextlib.ExitStack() as stack:
            with rig.armed(ACCEPT, "errno ENOBUFS"):
                waiting = stack.enter_context(HttpSocket.open(server.address))
                waiting.send_raw(request("GET", "/up"))
                eventually(lambda: "cannot accept connections" in server.stderr)
                client.ping()
            assert waiting.read_answer().status == 200
        client.expect_nothing()
    assert server.stderr.count("cannot accept connections") == 1


def sending_fails(server: FizzServer, rig: Rig, speaker: PusherClient, how: str) -> None:
    """Publish by HTTP and ten times as a client, and nothing of it can be sent for a while."""
    body = b'{"name":"news","channel":"private-talk","data":"0"}'
    path = f"{server.api().base}/events"
    query = server.app.signed_query("POST", path, body=body)
    with rig.armed(SEND, how), HttpSocket.open(server.address) as http:
        before = rig.hits(SEND)
        length = f"Content-Length: {len(body)}"
        http.send_raw(request("POST", f"{path}?{query}", length, body=body))
        eventually(lambda: rig.hits(SEND) > before)
        for number in range(10):
            speaker.trigger(f"client-{number}", "private-talk", number)
        before = rig.hits(SEND)
        eventually(lambda: rig.hits(SEND) > before + 1)
        rig.disarm(SEND)
        assert http.read_answer().status == 200


def serve_and_stop(server: FizzServer) -> None:
    """It serves, complains of something, is healthy, and ends as if it had been heard."""
    with server.client() as client:
        client.subscribe("orders")
        for _ in range(3):  # each has something logged
            os.kill(server.pid, signal.SIGHUP)
        client.ping()
        server.api().trigger("orders", "news", 1)
        assert client.expect("news") == 1
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        assert client.expect_close()[0] == 4200
    assert server.wait() == 0


def test_there_is_no_room_for_what_is_logged(fizz: Start) -> None:
    """A full disk, for the log and for the banner: the server serves, and ends with 0."""
    command = ["sh", "-c", 'exec "$@" >/dev/full 2>&1', "sh", *PYTHON]
    serve_and_stop(fizz(command=command, server={"workers": 1}))


def test_nobody_reads_the_log_any_more(fizz: Start, tmp_path: Path) -> None:
    """The program behind the pipe has ended: the server serves on, and ends with 0."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        command = ["sh", "-c", f'exec "$@" 2>{pipe}', "sh", *PYTHON]
        server = fizz(command=command, server={"workers": 1})
    finally:
        os.close(reader)
    serve_and_stop(server)


def test_the_wall_clock_jumps(fizz: Start) -> None:
    """Clients and what is cached stay; whatever has to do with the date goes by the new one."""
    with TemporaryDirectory(prefix="fizz") as folder, Receiver() as receiver:
        rig = Rig(Path(folder))
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + HOUR))
        app = App()
        settings = app.settings(
            webhooks=[{"url": receiver.url}],
            ping_interval=30,
            cache_ttl=60,
            previous={"key": OLD.key, "secret": OLD.secret, "until": until},
        )
        server = fizz(apps=[settings], command=rig.command, server={"workers": 1})
        api, old = server.api(), server.api(OLD)
        with server.client() as client:
            api.trigger("cache-orders", "news", 1)
            client.request_subscription("cache-orders")
            assert client.wait_for("news") == 1
            assert old.get("/channels").status == 200
            for seconds in (2 * HOUR, -2 * HOUR):
                with rig.clock_turned(seconds):
                    now = int(time.time()) + seconds
                    path = api.base + "/channels"
                    query = app.signed_query("GET", path, timestamp=now)
                    assert api.request("GET", path, query=query).status == 200
                    assert api.get("/channels").status == 401  # of another time
                    query = OLD.signed_query("GET", path, timestamp=now)
                    has_ended = seconds > 0
                    assert old.request("GET", path, query=query).status == (
                        401 if has_ended else 200
                    )
                    with server.client() as newcomer:
                        newcomer.request_subscription("cache-orders")
                        newcomer.wait_for("news")
                        newcomer.request_subscription(f"private-{has_ended}")
                        newcomer.wait_for("pusher_internal:subscription_succeeded")
                    receiver.wait_for(2 if has_ended else 4, "channel_occupied", "channel_vacated")
                    told_at = receiver.taken[-1].json["time_ms"] / 1000
                    assert abs(told_at - (time.time() + seconds)) < 600
                    client.websocket.send_frame(PING, b"")
                    client.expect_nothing()
            api.trigger("cache-orders", "news", 2)
            assert client.expect("news") == 2


def test_the_server_stands_still_and_goes_on(fizz: Start) -> None:
    """SIGSTOP for longer than a client may be silent: nobody is taken for dead who is not.

    Protocol: §3: asked first, and closed only where no answer comes in time from then on.
    """
    app = App().settings(ping_interval=1, pong_timeout=1)
    server = fizz(apps=[app], server={"workers": 1})
    clients = [server.client() for _ in range(3)]
    try:
        # All were asked, and their answers lie in the sockets while the server stands still.
        for client in clients:
            answer_ping(client)
        os.kill(server.pid, signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            eventually(lambda: time.monotonic() - stopped > 2.5, within=20)
        finally:
            os.kill(server.pid, signal.SIGCONT)
        for client in clients:
            client.ping()
            client.subscribe("orders")
        server.api().trigger("orders", "news", 1)
        for client in clients:
            assert client.wait_for("news") == 1
    finally:
        for client in clients:
            client.websocket.abandon()


def answer_ping(client: PusherClient) -> None:
    """Wait for the server's question after life and answer it."""
    frame = client.websocket.recv_frame(within=10)
    assert frame.opcode == PING
    client.websocket.send_frame(0xA, frame.payload)
