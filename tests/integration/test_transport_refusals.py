"""What is no proper HTTP/1 request, over a raw socket: refused, and nothing behind it is read.

Wherever a proxy and a server read one request in two ways, a second one can be smuggled in.

Protocol: RFC 9112 §11.2.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.conformance.test_rfc9112 import CASES
from tests.harness.http_socket import HttpSocket, request
from tests.harness.server import FizzServer
from tests.harness.signing import App

APP = App()
TARGET = f"/apps/{APP.app_id}/events"
LARGEST = 10_000
SMUGGLED = request("GET", "/up")


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(apps=[APP.settings()], server={"max_request_size": LARGEST})


@pytest.fixture
def http(server: FizzServer) -> Iterator[HttpSocket]:
    with HttpSocket.open(server.address) as opened:
        yield opened


def post(*headers: str, body: bytes = b"", version: str = "1.1") -> bytes:
    return request("POST", TARGET, *headers, body=body, version=version)


def chunks(body: bytes) -> bytes:
    return post("Transfer-Encoding: chunked", body=body)


REFUSED: dict[str, tuple[bytes, int]] = {
    # Before they have come whole; tests/conformance has the others.
    "a bare line feed that has come so far": (b"GET /up HTTP/1.1\r\nHost: x\n", 400),
    "a head that is too long before it ends": (
        b"GET /up HTTP/1.1\r\nX-Long: " + b"y" * 17_000,
        431,
    ),
    "a target that is too long before it ends": (b"GET /" + b"y" * 17_000, 414),
    "a length over the limit": (post(f"Content-Length: {LARGEST + 1}"), 413),
    "chunks over the limit together": (
        chunks(b"1000\r\n" + b"x" * 0x1000 + b"\r\n" + b"2000\r\n"),
        413,
    ),
    "a trailer of one endless line": (chunks(b"0\r\nX-Trailer: " + b"y" * 9_000), 400),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_request_is_refused_and_nothing_behind_it_is_served(
    http: HttpSocket, name: str
) -> None:
    """Protocol: RFC 9112 §2.2, §3, §5, §6.3, §7.1, §11.2."""
    data, status = REFUSED[name]
    answer = http.ask(data + SMUGGLED)
    assert answer.status == status
    assert answer.json["code"] == status
    assert answer.json["error"]
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-type"] == "application/json"
    http.finish()
    http.expect_end()


@pytest.mark.parametrize(
    "data",
    [
        request("GET", "/up", "X_Header: value", "Content_Length: 99"),
        request("GET", "/up", "X-Header:", "X-Empty: \t ", "X-Header: again"),
        request("GET", "/up", "X-Latin: \xe9\xff"),
        request("GET", "/up", "X-Long: " + "y" * 16_000),
        request("GET", "/up", *(f"X-{number}: y" for number in range(99))),
        request("GET", "/up", "Content-Length: 000"),
        request("GET", "/up", "Content-Length: 00005", body=b"hello"),
        request("GET", "/%75p?x=%00%zz"),
        request("GET", "/up?" + "x" * 10_000),
        request("OPTIONS", "*"),
        request("GET", "/up", "Connection: ,, x ,"),
        request("GET", "/up", "TE: trailers", "Upgrade: h2c", "Cookie: a", "Cookie: b"),
    ],
)
def test_what_is_only_strange_is_served_and_the_connection_goes_on(
    http: HttpSocket, data: bytes
) -> None:
    """Protocol: RFC 9112 §2.2; RFC 9110 §5.5."""
    assert http.ask(data).status in (200, 404)
    assert http.ask(SMUGGLED).status == 200


def test_a_body_that_is_too_large_is_refused_before_it_is_asked_for(http: HttpSocket) -> None:
    """Protocol: RFC 9110 §10.1.1: the answer comes in place of 100 Continue."""
    http.send_raw(post("Expect: 100-continue", f"Content-Length: {LARGEST + 1}"))
    assert http.read_head()[0] == 413


@pytest.mark.parametrize(
    "headers", [(f"Content-Length: {10**7}",), ("Transfer-Encoding: chunked",)]
)
def test_the_answer_can_be_read_although_the_body_is_still_being_sent(
    http: HttpSocket, headers: tuple[str, ...]
) -> None:
    """Protocol: RFC 9112 §9.6: closing at once could take the answer along."""
    body = b"x" * LARGEST * 2
    if headers[0].startswith("Transfer"):
        body = b"%x\r\n%b" % (len(body), body)
    http.send_raw(post(*headers, body=body))
    answer = http.read_answer()
    assert (answer.status, answer.json["code"]) == (413, 413)
    http.expect_end()


def test_no_refusal_costs_anybody_else_anything(server: FizzServer) -> None:
    """What one connection breaks, another does not notice; and no fault of ours is logged."""
    with server.client() as client, HttpSocket.open(server.address) as other:
        for case in CASES:
            with HttpSocket.open(server.address) as http:
                http.send_raw(case.data)
                assert http.read_head()[0] in range(200, 600), case.name
            assert other.ask(SMUGGLED).status == 200
        client.ping()
    assert server.faults == ""
