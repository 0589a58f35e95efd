"""Time limits: on the head and the body of a request, on answers, idle connections, TLS.

Each server has one short limit and the others long, so that it is known which of them ended what.
Nothing is measured: what must not go on for ever is awaited, and everything else has to go on.

Protocol: RFC 9110 §15.5.9, RFC 9112 §9.5.
"""

import socket
from collections.abc import Callable, Iterator

import pytest

from tests.harness.certificates import Certificate
from tests.harness.eventually import eventually
from tests.harness.http_socket import HttpSocket, request
from tests.harness.narrow import narrow_socket
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.websocket import WITHIN

APP = App()
EVENTS = f"/apps/{APP.app_id}/events"
UP = request("GET", "/up")
SHORT = 0.3
LONG = {
    "request_head_timeout": 60,
    "request_body_timeout": 60,
    "keep_alive_timeout": 60,
    "tls_handshake_timeout": 60,
    "close_timeout": 60,
}

Start = Callable[..., FizzServer]


def start(module_fizz: Start, *names: str) -> FizzServer:
    limits = LONG | dict.fromkeys(names, SHORT)
    return module_fizz(apps=[APP.settings(ping_interval=3600)], server=limits)


@pytest.fixture(scope="module")
def hurried(module_fizz: Start) -> FizzServer:
    """Its requests have to come quickly; silence between them may last."""
    return start(module_fizz, "request_head_timeout", "request_body_timeout")


@pytest.fixture(scope="module")
def tidy(module_fizz: Start) -> FizzServer:
    """It keeps no idle connection; requests may take their time."""
    return start(module_fizz, "keep_alive_timeout")


@pytest.fixture
def http(hurried: FizzServer) -> Iterator[HttpSocket]:
    with HttpSocket.open(hurried.address) as opened:
        yield opened


@pytest.fixture(autouse=True, scope="module")
def bystanders(hurried: FizzServer, tidy: FizzServer) -> Iterator[None]:
    """WebSockets have no such limits: each survives all that goes on here."""
    clients = [hurried.client(), tidy.client()]
    yield
    for client in clients:
        client.ping()
        client.close()


def expect_timeout(http: HttpSocket) -> None:
    answer = http.read_answer()
    assert (answer.status, answer.json["code"]) == (408, 408)
    assert answer.headers["connection"] == "close"
    http.expect_end()


def drip(http: HttpSocket) -> None:
    """Send a byte now and then until an answer is there."""
    http.socket.settimeout(0.05)

    def is_answered() -> bool:
        try:
            http.send_raw(b"x")
            return http.socket.recv(1, socket.MSG_PEEK) != b""
        except TimeoutError:
            return False

    eventually(is_answered, what="an answer to one who never ends")
    http.socket.settimeout(WITHIN)


@pytest.mark.parametrize("data", [b"G", UP[:-1], b"\r\nGET"])
def test_a_head_that_does_not_end_is_408(http: HttpSocket, data: bytes) -> None:
    """Protocol: RFC 9110 §15.5.9."""
    http.send_raw(data)
    expect_timeout(http)


def test_a_head_that_only_drips_is_408(http: HttpSocket) -> None:
    """The limit is on the whole head: each byte gains no time."""
    http.send_raw(b"GET /")
    drip(http)
    assert http.read_answer().status == 408


def test_a_second_head_has_the_same_limit(http: HttpSocket) -> None:
    assert http.ask(UP).status == 200
    http.send_raw(UP[:10])
    expect_timeout(http)


def test_one_who_says_nothing_hears_nothing(http: HttpSocket) -> None:
    """Protocol: RFC 9112 §9.5: 408 answers a request that has begun, and no other."""
    http.expect_end()


@pytest.mark.parametrize(
    "sent",
    [
        ("Content-Length: 10", b""),
        ("Content-Length: 10", b"123456789"),
        ("Transfer-Encoding: chunked", b"5\r\nhel"),
        ("Transfer-Encoding: chunked", b"0\r\n"),
    ],
)
def test_a_body_that_does_not_end_is_408(http: HttpSocket, sent: tuple[str, bytes]) -> None:
    """Protocol: RFC 9110 §15.5.9."""
    http.send_raw(request("POST", EVENTS, sent[0], body=sent[1]))
    expect_timeout(http)


def test_a_body_that_only_drips_is_408(http: HttpSocket) -> None:
    http.send_raw(request("POST", EVENTS, "Content-Length: 100000"))
    drip(http)
    assert http.read_answer().status == 408


def test_a_body_that_was_asked_for_and_does_not_come_is_408(http: HttpSocket) -> None:
    """Protocol: RFC 9110 §10.1.1."""
    http.send_raw(request("POST", EVENTS, "Content-Length: 5", "Expect: 100-continue"))
    assert http.read_head()[0] == 100
    expect_timeout(http)


def test_answers_that_are_not_read_end_the_connection(hurried: FizzServer) -> None:
    """Somebody who asks and asks and takes nothing holds no greenlet for ever."""
    narrow = narrow_socket(hurried)
    narrow.settimeout(0.1)
    requests = UP * 1000

    def is_cut_off() -> bool:
        try:
            narrow.send(requests)
        except TimeoutError:
            return False
        except OSError:
            return True
        return False

    eventually(is_cut_off)
    narrow.close()


def test_silence_between_requests_may_last_where_it_is_allowed(
    hurried: FizzServer, http: HttpSocket
) -> None:
    """One connection waits while another one is cut off, whose time began later."""
    assert http.ask(UP).status == 200
    with HttpSocket.open(hurried.address) as other:
        other.send_raw(b"G")
        expect_timeout(other)
    assert http.ask(UP).status == 200


def test_an_idle_connection_is_closed_without_a_word(tidy: FizzServer) -> None:
    """Protocol: RFC 9112 §9.5."""
    with HttpSocket.open(tidy.address) as http:
        assert http.ask(UP).status == 200
        http.expect_end()


def test_a_request_that_has_begun_is_no_idle_connection(tidy: FizzServer) -> None:
    """Protocol: RFC 9112 §9.5: seen beside one that is idle, whose time began later."""
    with HttpSocket.open(tidy.address) as http, HttpSocket.open(tidy.address) as idle:
        assert http.ask(UP).status == 200
        http.send_raw(UP[:10])
        assert idle.ask(UP).status == 200
        idle.expect_end()
        assert http.ask(UP[10:]).status == 200


@pytest.fixture(scope="module")
def secret(module_fizz: Start, certificate: Certificate) -> FizzServer:
    """Its TLS handshakes have to be quick."""
    tls = {"cert": str(certificate.cert), "key": str(certificate.key)}
    return module_fizz(
        apps=[APP.settings()],
        server=LONG | {"tls_handshake_timeout": SHORT, "options": {"tls": tls}},
        tls=certificate.client_context(),
    )


@pytest.mark.parametrize("begun", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
def test_a_tls_handshake_that_does_not_end_is_cut_off(secret: FizzServer, begun: bytes) -> None:
    with HttpSocket.open(secret.address, tls=secret.tls) as patient:
        with HttpSocket.open(secret.address) as http:
            http.send_raw(begun)
            http.expect_end()
        assert patient.ask(UP).status == 200  # whose handshake was done in time
