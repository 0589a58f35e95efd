"""Too many at once: refused in words as long as there is room for words, and never a traceback.

Protocol: §4.3, 4100; §12.9, 503.
"""

import itertools
import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.harness import processes
from tests.harness.eventually import eventually
from tests.harness.http_socket import HttpSocket, request
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.websocket import CLOSE, Disconnected, RawWebSocket, close_payload

APP = App()
UP = request("GET", "/up")
OPEN_FILES = 160
"""Of which some are for other things than sockets, and more for HTTP than for words of refusal."""

LIMITED = ["sh", "-c", f'ulimit -n {OPEN_FILES}; exec "$@"', "sh"]


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    python = [sys.executable, "-P", "-W", "error", "-m", "fizz_gevent"]
    return module_fizz(
        apps=[APP.settings(ping_interval=3600)],
        # The limit is of a process, and what several have together is not the same for each.
        server={"keep_alive_timeout": 3600, "request_head_timeout": 3600, "workers": 1},
        command=LIMITED + python,
    )


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def fill_with_clients(server: FizzServer, opened: ExitStack) -> int:
    """Open WebSockets until one is refused; return how many were not."""
    for count in range(OPEN_FILES):
        websocket = opened.enter_context(server.websocket())
        event = websocket.recv_event()
        if event["event"] == "pusher:error":
            assert event["data"] == {"code": 4100, "message": "Over capacity"}
            assert websocket.recv_close() == (4100, "Over capacity")
            websocket.send_frame(CLOSE, close_payload(4100))
            websocket.expect_end()
            return count
        assert event["event"] == "pusher:connection_established"
    raise AssertionError("nobody was refused")


def has_room(server: FizzServer) -> bool:
    with server.websocket() as websocket:
        return bool(websocket.recv_event()["event"] == "pusher:connection_established")


def expect_room(server: FizzServer) -> None:
    """Wait until the server has noticed who is gone, and takes clients again."""

    def is_there() -> bool:
        try:
            return has_room(server)
        except Disconnected:
            return False  # still so full that nothing is said

    eventually(is_there)


def lowest_free_file(pid: int) -> int:
    """The number that the next file of a process will get."""
    taken = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    return next(number for number in itertools.count() if number not in taken)


def test_clients_beyond_the_open_files_limit_are_refused_and_back_ends_served(
    server: FizzServer, opened: ExitStack
) -> None:
    """Protocol: §4.3, 4100."""
    count = fill_with_clients(server, opened)
    assert f"{OPEN_FILES}, room for {count} connections" in server.stdout
    assert 0 < count < OPEN_FILES
    for _ in range(10):
        assert server.api().trigger("ocean", "drop", "{}") == {}
        assert not has_room(server)
    opened.close()
    expect_room(server)
    assert server.faults == ""


def test_requests_are_refused_while_that_can_still_be_said(
    server: FizzServer, opened: ExitStack
) -> None:
    """Protocol: §12.9, 503; both kinds of refusal, at the same moment."""
    fill_with_clients(server, opened)
    idle = []
    for _ in range(OPEN_FILES):
        http = opened.enter_context(HttpSocket.open(server.address))
        answer = http.ask(UP)
        if answer.status == 503:
            break
        idle.append(http)
    else:
        raise AssertionError("no request was refused")
    assert answer.json == {"error": "the server is at its capacity", "code": 503}
    assert answer.headers["connection"] == "close"
    http.expect_end()
    assert not has_room(server)
    assert idle.pop().ask(request("GET", "/up", "Connection: close")).status == 503
    opened.close()
    expect_room(server)
    assert server.api().get("/channels").status == 200
    assert server.faults == ""


def test_connections_without_end_are_closed_and_cost_the_clients_nothing(
    server: FizzServer, opened: ExitStack
) -> None:
    """Where not even a refusal has room any more: closed at once, and whoever is in stays in."""
    client = opened.enter_context(server.client())
    for _ in range(OPEN_FILES * 2):
        opened.enter_context(HttpSocket.open(server.address))
    last = opened.enter_context(HttpSocket.open(server.address))
    last.expect_end()
    client.ping()
    assert server.faults == ""
    opened.close()
    expect_room(server)


def test_no_file_left_for_a_newcomer_is_a_pause_and_no_fault(
    server: FizzServer, opened: ExitStack
) -> None:
    """The system refuses where Fizz would not have: newcomers wait, and are served later."""
    processes.require_proc()
    client = opened.enter_context(server.client())
    soft, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (lowest_free_file(server.pid), hard))
    try:
        waiting = [opened.enter_context(HttpSocket.open(server.address)) for _ in range(5)]
        for http in waiting:
            http.send_raw(UP)
        eventually(lambda: "cannot accept connections" in server.stderr)
        client.ping()
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (soft, hard))
    for http in waiting:
        assert http.read_answer().status == 200
    assert "Traceback" not in server.stderr


def test_every_file_is_given_back(server: FizzServer) -> None:
    """Whatever way a connection ends."""
    processes.require_proc()
    server.api().get("/channels")
    before = len(processes.socket_inodes(server.pid))

    def end_in_every_way() -> None:
        with ExitStack() as opened:
            clients = [opened.enter_context(server.client()) for _ in range(6)]
            clients[0].close()
            clients[1].websocket.send_frame(0x3)
            clients[2].websocket.abandon()
            clients[3].signin("ann")
            server.api().post("/users/ann/terminate_connections", {})
            clients[4].websocket.socket.shutdown(1)
            refused = opened.enter_context(server.websocket(app=App(key="nobody")))
            assert isinstance(refused, RawWebSocket)
            http = [opened.enter_context(HttpSocket.open(server.address)) for _ in range(4)]
            http[0].send_raw(UP[:5])
            http[1].send_raw(UP + UP[:5])
            http[2].ask(b"noise\r\n\r\n")

    for _ in range(5):
        end_in_every_way()
    eventually(lambda: len(processes.socket_inodes(server.pid)) <= before)
