"""HTTP/1.1 over a raw socket: what may follow what on one connection, and how bodies come.

Protocol: RFC 9112.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.harness.http_socket import HttpSocket, request
from tests.harness.server import FizzServer
from tests.harness.signing import App, compact

APP = App()
EVENTS = f"/apps/{APP.app_id}/events"
UP = request("GET", "/up")
HEALTHY = {"health": "OK"}


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(apps=[APP.settings()])


@pytest.fixture
def http(server: FizzServer) -> Iterator[HttpSocket]:
    with HttpSocket.open(server.address) as opened:
        yield opened


def event(data: str = "{}") -> bytes:
    return compact({"name": "drop", "channels": ["ocean"], "data": data}).encode()


def trigger(body: bytes, *headers: str, sent: bytes | None = None, version: str = "1.1") -> bytes:
    """A publication, signed over ``body``: only where every byte arrives in its place is it 200.

    Args:
        sent: What goes over the wire in place of the body and its length, such as chunks.
    """
    target = f"{EVENTS}?{APP.signed_query('POST', EVENTS, body=body)}"
    if sent is None:
        headers, sent = (*headers, f"Content-Length: {len(body)}"), body
    return request("POST", target, *headers, body=sent, version=version)


def chunked(*pieces: bytes, trailer: bytes = b"") -> bytes:
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    return b"".join(chunks) + b"0\r\n" + trailer + b"\r\n"


def expect_published(answer: Any) -> None:
    assert (answer.status, answer.json) == (200, {}), answer


def test_a_connection_serves_many_requests(http: HttpSocket) -> None:
    """Protocol: RFC 9112 §9.3."""
    for number in range(20):
        answer = http.ask(UP)
        assert (answer.status, answer.json) == (200, HEALTHY)
        assert "connection" not in answer.headers
        expect_published(http.ask(trigger(event(str(number)))))


def test_an_answer_says_its_exact_length_and_its_date(http: HttpSocket) -> None:
    """Protocol: RFC 9110 §8.6, §6.6.1."""
    answer = http.ask(UP)
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.body) > 0
    assert answer.headers["date"].endswith(" GMT")


@pytest.mark.parametrize("words", ["close", "Close", "keep-alive, close", "close , x"])
def test_a_client_may_ask_for_the_end(http: HttpSocket, words: str) -> None:
    """Protocol: RFC 9112 §9.6."""
    answer = http.ask(request("GET", "/up", f"Connection: {words}"))
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    http.expect_end()


def test_http_1_0_ends_after_an_answer(http: HttpSocket) -> None:
    """Protocol: RFC 9112 §9.3; a Host header is not needed there."""
    answer = http.ask(b"GET /up HTTP/1.0\r\n\r\n")
    assert (answer.status, answer.json) == (200, HEALTHY)
    assert answer.headers["connection"] == "close"
    http.expect_end()


def test_http_1_0_may_ask_for_more(http: HttpSocket) -> None:
    """Protocol: RFC 9112 §9.3, appendix C.2.2: a peer that old has to be told."""
    for _ in range(3):
        answer = http.ask(request("GET", "/up", "Connection: Keep-Alive", version="1.0"))
        assert (answer.status, answer.headers["connection"]) == (200, "keep-alive")
    expect_published(http.ask(trigger(event(), "Connection: keep-alive", version="1.0")))
    assert http.ask(request("GET", "/up", version="1.0")).headers["connection"] == "close"
    http.expect_end()


def test_a_higher_minor_version_is_served_as_1_1(http: HttpSocket) -> None:
    """Protocol: RFC 9110 §2.5."""
    for _ in range(2):
        assert http.ask(request("GET", "/up", version="1.7")).status == 200


def test_requests_in_one_packet_are_answered_in_order(http: HttpSocket) -> None:
    """Protocol: RFC 9112 §9.3.2."""
    bodies = [event("x" * size) for size in (0, 1, 5_000)]
    http.send_raw(
        UP
        + trigger(bodies[0])
        + request("GET", "/nothing")
        + trigger(bodies[1], "Transfer-Encoding: chunked", sent=chunked(bodies[1]))
        + request("HEAD", "/up")
        + trigger(bodies[2])
        + UP
    )
    assert http.read_answer().json == HEALTHY
    expect_published(http.read_answer())
    assert http.read_answer().status == 404
    expect_published(http.read_answer())
    assert http.read_answer(has_body=False).status == 200
    expect_published(http.read_answer())
    assert http.read_answer().json == HEALTHY


def test_a_thousand_requests_sent_before_an_answer_is_read(http: HttpSocket) -> None:
    """Protocol: RFC 9112 §9.3.2."""
    http.send_raw(UP * 1000)
    for _ in range(1000):
        assert http.read_answer().json == HEALTHY


def test_requests_cut_at_every_place(server: FizzServer) -> None:
    """Protocol: RFC 9112 §2.2, §6: no byte of a request depends on its packet."""
    body = event()
    data = trigger(body, "Transfer-Encoding: chunked", sent=chunked(body[:7], body[7:])) + UP
    with HttpSocket.open(server.address) as http:
        for cut in range(1, len(data)):
            http.send_raw(data[:cut])
            http.send_raw(data[cut:])
            expect_published(http.read_answer())
            assert http.read_answer().json == HEALTHY


def test_a_request_byte_by_byte(http: HttpSocket) -> None:
    """Protocol: RFC 9112 §2.2."""
    for byte in trigger(event("dribbled")) + UP:
        http.send_raw(bytes([byte]))
    expect_published(http.read_answer())
    assert http.read_answer().json == HEALTHY


def test_empty_lines_in_front_of_a_request_mean_nothing(http: HttpSocket) -> None:
    """Protocol: RFC 9112 §2.2: old clients send one behind a body."""
    http.send_raw(b"\r\n" + trigger(event()) + b"\r\n\r\n" + UP)
    expect_published(http.read_answer())
    assert http.read_answer().status == 200


def test_a_body_of_exactly_the_length_and_not_a_byte_more(http: HttpSocket) -> None:
    """Protocol: RFC 9112 §6.2: what comes behind it is the next request."""
    http.send_raw(trigger(event())[:-1])
    http.send_raw(event()[-1:] + UP[:5])
    expect_published(http.read_answer())
    http.send_raw(UP[5:])
    assert http.read_answer().json == HEALTHY


CHUNKS: dict[str, bytes] = {
    "one": chunked(event()),
    "a chunk for each byte": chunked(*(bytes([byte]) for byte in event())),
    "extensions": b'5;a=b;c="d"\r\n%b\r\n%X ;x\r\n%b\r\n0;last\r\n\r\n'
    % (event()[:5], len(event()) - 5, event()[5:]),
    "leading zeros": b"0000%x\r\n%b\r\n00\r\n\r\n" % (len(event()), event()),
    "trailers": chunked(event(), trailer=b"X-Checksum: 1\r\nContent-Length: 99\r\n"),
}


@pytest.mark.parametrize("how", CHUNKS)
def test_a_chunked_body(http: HttpSocket, how: str) -> None:
    """Protocol: RFC 9112 §7.1."""
    for coding in ("chunked", "Chunked"):
        http.send_raw(trigger(event(), f"Transfer-Encoding: {coding}", sent=CHUNKS[how]) + UP)
        expect_published(http.read_answer())
        assert http.read_answer().json == HEALTHY


def test_a_client_that_waits_is_told_to_continue(http: HttpSocket) -> None:
    """Protocol: RFC 9110 §10.1.1."""
    body = event()
    for data in (
        trigger(body, "Expect: 100-continue"),
        trigger(body, "Expect: 100-Continue", "Transfer-Encoding: chunked", sent=chunked(body)),
    ):
        head, separator, sent = data.partition(b"\r\n\r\n")
        http.send_raw(head + separator)
        assert http.read_head() == (100, {})
        http.send_raw(sent)
        expect_published(http.read_answer())


def test_a_client_that_does_not_wait_after_all_is_not_told(http: HttpSocket) -> None:
    """Protocol: RFC 9110 §10.1.1: nothing is said where the body has begun to come."""
    expect_published(http.ask(trigger(event(), "Expect: 100-continue")))
    assert http.ask(request("GET", "/up", "Expect: 100-continue")).json == HEALTHY


def test_http_1_0_is_never_told_to_continue(http: HttpSocket) -> None:
    """Protocol: RFC 9110 §10.1.1."""
    head, separator, body = trigger(event(), "Expect: 100-continue", version="1.0").partition(
        b"\r\n\r\n"
    )
    http.send_raw(head + separator)
    http.send_raw(body)
    expect_published(http.read_answer())


def test_head_is_get_without_a_body(http: HttpSocket) -> None:
    """Protocol: RFC 9110 §9.3.2."""
    expected = http.ask(UP)
    for path in ("/up", "/nothing", "/ready"):
        whole = http.ask(request("GET", path))
        answer = http.ask(request("HEAD", path), has_body=False)
        assert answer.status == whole.status
        assert answer.headers["content-length"] == str(len(whole.body))
    assert http.ask(UP).json == expected.json


def test_an_absolute_target_is_served(http: HttpSocket) -> None:
    """Protocol: RFC 9112 §3.2.2."""
    assert http.ask(request("GET", "http://fizz.test:8080/up")).json == HEALTHY
    assert http.ask(request("GET", "HTTP://fizz.test")).status == 404


def test_an_answer_without_a_body_has_no_length(http: HttpSocket) -> None:
    """Protocol: RFC 9110 §8.6: 204 has neither."""
    answer = http.ask(request("OPTIONS", EVENTS, "Origin: http://x.test"), has_body=False)
    assert answer.status == 204
    assert not {"content-length", "transfer-encoding"} & answer.headers.keys()
    assert http.ask(UP).json == HEALTHY


def test_a_client_that_has_said_all_is_answered(http: HttpSocket) -> None:
    """Protocol: RFC 9112 §9.6: closing one direction is no reason to get no answer."""
    http.send_raw(UP + trigger(event()))
    http.finish()
    assert http.read_answer().json == HEALTHY
    expect_published(http.read_answer())
    http.expect_end()


def test_a_client_that_leaves_within_a_body_publishes_nothing(
    server: FizzServer, http: HttpSocket
) -> None:
    """Protocol: RFC 9112 §8."""
    with server.client() as client:
        client.subscribe("ocean")
        http.send_raw(trigger(event("cut"))[:-1])
        http.finish()
        http.expect_end()
        assert server.api().trigger("ocean", "after", "{}") == {}
        assert json.loads(client.next_event()["raw"])["event"] == "after"
