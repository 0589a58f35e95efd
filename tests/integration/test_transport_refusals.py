"""What is no proper HTTP/1 request, over a raw socket: refused, and nothing behind it is read.

Wherever a proxy and a server read one request in two ways, a second one can be smuggled in.

Protocol: RFC 9112 §11.2.
"""

from collections.abc import Callable, Iterator

import pytest

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
    # The request line.
    "nothing but noise": (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
    "no version": (b"GET /up\r\n\r\n", 400),
    "no target": (b"GET HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "two spaces": (b"GET  /up HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a tab": (b"GET\t/up HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a space behind it": (b"GET /up HTTP/1.1 \r\nHost: x\r\n\r\n", 400),
    "a space in front": (b" GET /up HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a space in the target": (b"GET /u p HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a control character in the target": (b"GET /u\x01p HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a DEL in the target": (b"GET /u\x7fp HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a NUL in the method": (b"GE\0T /up HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a method in brackets": (b"(GET) /up HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "small letters in the version": (b"GET /up http/1.1\r\nHost: x\r\n\r\n", 400),
    "a version of two digits": (b"GET /up HTTP/1.10\r\nHost: x\r\n\r\n", 400),
    "a version without a dot": (b"GET /up HTTP/1\r\nHost: x\r\n\r\n", 400),
    "another protocol": (b"GET /up RTSP/1.0\r\nHost: x\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /up HTTP/0.9\r\nHost: x\r\n\r\n", 505),
    "HTTP/2.0": (b"GET /up HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "a path without a slash": (request("GET", "up"), 400),
    "a fragment": (request("GET", "/up#top"), 400),
    "a star that asks for no options": (request("GET", "*"), 400),
    "the form for proxies": (request("CONNECT", "localhost:80"), 400),
    "another scheme": (request("GET", "ftp://localhost/up"), 400),
    "an absolute target without a host": (request("GET", "http:///up"), 400),
    # The ends of lines.
    "bare line feeds": (b"GET /up HTTP/1.1\nHost: x\n\n", 400),
    "one bare line feed": (b"GET /up HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", 400),
    "a bare line feed that has come so far": (b"GET /up HTTP/1.1\r\nHost: x\n", 400),
    "a bare carriage return": (b"GET /up HTTP/1.1\r\nHost: x\rX: y\r\n\r\n", 400),
    "a folded line": (request("GET", "/up", "X-Long: one", " two"), 400),
    "a line folded with a tab": (request("GET", "/up", "X-Long: one", "\ttwo"), 400),
    "a folded first header": (b"GET /up HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    # Headers.
    "no Host": (b"GET /up HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (request("GET", "/up", "Host: other"), 400),
    "the same Host twice": (request("GET", "/up", "host: localhost"), 400),
    "a Host with a path": (b"GET /up HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    "an absolute target with a user": (request("GET", "http://a@localhost/up"), 400),
    "no colon": (request("GET", "/up", "X-Header"), 400),
    "no name": (request("GET", "/up", ": value"), 400),
    "a space before the colon": (request("GET", "/up", "X-Header : value"), 400),
    "a space in a name": (request("GET", "/up", "X Header: value"), 400),
    "a letter of Latin-1 in a name": (request("GET", "/up", "X-H\xe9: value"), 400),
    "a NUL in a value": (request("GET", "/up", "X-Header: a\0b"), 400),
    "an escape character in a value": (request("GET", "/up", "X-Header: \x1b[0m"), 400),
    "an unmet expectation": (post("Expect: 200-ok", "Content-Length: 0"), 417),
    "more headers than anybody sends": (
        request("GET", "/up", *(f"X-{number}: y" for number in range(101))),
        431,
    ),
    "a head that is too long": (request("GET", "/up", "X-Long: " + "y" * 17_000), 431),
    "a target that is too long": (request("GET", "/" + "x" * 17_000), 414),
    "a head that is too long before it ends": (
        b"GET /up HTTP/1.1\r\nX-Long: " + b"y" * 17_000,
        431,
    ),
    # Lengths.
    "two lengths": (post("Content-Length: 0", "Content-Length: 5", body=b"hello"), 400),
    "the same length twice": (post("Content-Length: 5", "Content-Length: 5", body=b"hello"), 400),
    "two lengths in one": (post("Content-Length: 5, 5", body=b"hello"), 400),
    "a length and a coding": (
        post("Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        400,
    ),
    "a coding and a length": (
        post("Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n"),
        400,
    ),
    "a length with a sign": (post("Content-Length: +5", body=b"hello"), 400),
    "a negative length": (post("Content-Length: -1"), 400),
    "a hexadecimal length": (post("Content-Length: 0x5", body=b"hello"), 400),
    "a length with a point": (post("Content-Length: 5.0", body=b"hello"), 400),
    "an empty length": (post("Content-Length:"), 400),
    "digits of another script": (post("Content-Length: \xb2"), 400),
    "a length that no machine has": (post("Content-Length: " + "9" * 30), 400),
    "a length over the limit": (post(f"Content-Length: {LARGEST + 1}"), 413),
    "a length over the limit, announced": (
        post(f"Content-Length: {LARGEST + 1}", "Expect: 100-continue"),
        413,
    ),
    # Transfer codings.
    "a coding in HTTP/1.0": (
        post("Transfer-Encoding: chunked", body=b"0\r\n\r\n", version="1.0"),
        400,
    ),
    "two headers of codings": (
        post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        400,
    ),
    "an unknown coding": (post("Transfer-Encoding: gzip"), 501),
    "two codings": (post("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501),
    "chunked twice": (post("Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"), 501),
    "nearly chunked": (post("Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), 501),
    "chunked in quotes": (post('Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"), 501),
    # Chunks.
    "a chunk without a length": (chunks(b"\r\n\r\n"), 400),
    "a chunk's length that is none": (chunks(b"xyz\r\n"), 400),
    "a chunk's length with a sign": (chunks(b"+5\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk's length with a prefix": (chunks(b"0x5\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk's length behind a space": (chunks(b" 5\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk's length in front of a space": (chunks(b"5 \r\nhello\r\n0\r\n\r\n"), 400),
    "a trailer that is none": (chunks(b"0\r\nX-Trailer\r\n\r\n"), 400),
    "a trailer with a bare line feed": (chunks(b"0\r\nX: y\nZ: 1\r\n\r\n"), 400),
    "a chunk's length that overflows": (chunks(b"10000000000000005\r\nhello\r\n"), 400),
    "a chunk longer than it says": (chunks(b"5\r\nhello!\r\n0\r\n\r\n"), 400),
    "a chunk shorter than it says": (chunks(b"7\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk line that ends with a line feed": (chunks(b"5\nhello\r\n0\r\n\r\n"), 400),
    "an extension with a control character": (chunks(b"5;a=\0\r\nhello\r\n0\r\n\r\n"), 400),
    "an endless extension": (chunks(b"5;" + b"a" * 2_000), 400),
    "an endless trailer": (chunks(b"0\r\n" + b"X-Trailer: y\r\n" * 1_000), 431),
    "a trailer of one endless line": (chunks(b"0\r\nX-Trailer: " + b"y" * 9_000), 400),
    "a chunk over the limit": (chunks(b"%x\r\n" % (LARGEST + 1)), 413),
    "a chunk of sixteen exbibytes": (chunks(b"FFFFFFFFFFFFFFFF\r\n"), 413),
    "chunks over the limit together": (
        chunks(b"1000\r\n" + b"x" * 0x1000 + b"\r\n" + b"2000\r\n"),
        413,
    ),
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
        for data, status in REFUSED.values():
            with HttpSocket.open(server.address) as http:
                assert http.ask(data).status == status
            assert other.ask(SMUGGLED).status == 200
        client.ping()
    assert server.stderr == ""
