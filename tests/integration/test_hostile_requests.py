"""Requests and origins that are meant to be taken for others are taken for nothing."""

from collections.abc import Callable

import pytest

from tests.harness.http_socket import HttpSocket, request
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.probe.attacks import INJECTIONS, ORIGINS, PATHS
from tests.probe.wire import ORIGIN

APP = App()
ALLOWED = {b"http://evil.test/up"}
"""The absolute form, which names the host once more; RFC 9112 §3.2.2."""


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(apps=[APP.settings(allowed_origins=[ORIGIN])])


@pytest.mark.parametrize("asked", INJECTIONS)
def test_no_line_end_gets_into_the_head_of_an_answer(server: FizzServer, asked: bytes) -> None:
    """RFC 9112 §2.2, §11.1."""
    with HttpSocket.open(server.address) as http:
        answer = http.ask(asked)
    assert answer.status in (400, 401, 404), answer
    assert not {"set-cookie", "location", "x"} & answer.headers.keys()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: repr(path[:40]))
def test_no_path_is_taken_for_another(server: FizzServer, path: bytes) -> None:
    """Protocol: §1.3; what a proxy lets through is not what another path would have got."""
    with HttpSocket.open(server.address) as http:
        answer = http.ask(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (answer.status == 200) == (path in ALLOWED), answer
    assert answer.status < 500, answer
    assert "location" not in answer.headers
    assert b"secret" not in answer.body


@pytest.mark.parametrize("origin", ORIGINS, ids=lambda origin: repr(origin[:40]))
def test_no_origin_looks_like_the_right_one(server: FizzServer, origin: str) -> None:
    """Protocol: §1.3, 7."""
    with server.websocket(headers={"Origin": origin}) as websocket:
        assert websocket.recv_event()["data"] == {"code": 4009, "message": "Origin not allowed"}
        assert websocket.recv_close()[0] == 4009


def test_the_right_ones_get_through(server: FizzServer) -> None:
    with server.client(headers={"Origin": f"https://{ORIGIN}"}) as client:
        client.ping()
    with HttpSocket.open(server.address) as http:
        assert http.ask(request("GET", "/up")).status == 200
