"""Cases about what a request says: its first line, its host, its headers, what may follow it."""

from tests.conformance.http_cases import (
    BODY,
    END,
    HOST,
    LARGEST,
    SIZE,
    TE,
    UP,
    WHOLE,
    Case,
    get,
    post,
    publish,
    raw,
    refuse,
    serve,
)
from tests.harness.http_socket import request

UPGRADE = (
    *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
OLD = raw(b"GET /up HTTP/1.0")
"""For which nginx asks in HTTP/1.1, still without a host, which is refused then."""
APP = "/app/fizz-test-key"

TARGETS = [
    publish("the absolute form", "3.2.2", post(SIZE, target="http://localhost@first@")),
    publish("the absolute form in capitals", "3.2.2", post(SIZE, target="HTTP://LOCALHOST@first@")),
    publish(
        "another host than the header's", "3.2.2", post(SIZE, target="http://other.test:1@first@")
    ),
    serve("the absolute form without a path", "3.2.2", get(target="http://localhost"), 404),
    serve("the absolute form of https", "3.2.2", get(target="https://localhost/up")),
    serve("an escaped letter", "9110 4.2.3", get(target="/%75p")),
    serve("an escape that is none", "9110 4.2.3", get(target="/up?%zz=%")),
    serve("all options", "3.2.4", request("OPTIONS", "*"), 404),
    refuse("the authority form", "3.2.3", request("CONNECT", "localhost:80"), 400),
    refuse("the authority form, of a GET", "3.2.3", get(target="localhost:80"), 400),
    refuse("a star that asks for no options", "3.2.4", get(target="*"), 400),
    refuse("a path without a slash", "3.2.1", get(target="up"), 400),
    refuse("a fragment", "3.2.1", get(target="/up#top"), 400),
    refuse("a fragment of an absolute target", "3.2.2", get(target="http://localhost/up#top"), 400),
    refuse("an absolute target without a host", "9110 4.2.1", get(target="http:///up"), 400),
    refuse(
        "an absolute target with a user", "9110 4.2.4", get(target="http://a@localhost/up"), 400
    ),
    refuse("an absolute target of no host", "9110 4.2.1", get(target="http://[::1/up"), 400),
    refuse("an absolute target with a query only", "9110 4.2.1", get(target="http://?x"), 400),
    refuse("another scheme", "3.2.2", get(target="ftp://localhost/up"), 400, repaired=True),
    refuse("no target", "3", raw(b"GET HTTP/1.1", HOST), 400),
    refuse("a space in the target", "3.2", get(target="/u p"), 400),
    refuse("a control character in the target", "3.2", get(target="/u\x01p"), 400),
    refuse("a NUL in the target", "3.2", get(target="/up\0"), 400),
    refuse("a DEL in the target", "3.2", get(target="/u\x7fp"), 400),
    refuse("a target that is too long", "3", get(target="/" + "x" * 17_000), 414),
]

FIRST_LINES = [
    publish("HTTP/1.2, which is spoken to as 1.1", "9110 2.5", post(SIZE, version="1.2")),
    publish("HTTP/1.9", "9110 2.5", post(SIZE, version="1.9")),
    refuse("a method in small letters", "9110 9.1", request("get", "/up"), 501),
    refuse("a method with one small letter", "9110 9.1", post(SIZE).replace(b"POST", b"POSt"), 501),
    serve("a method that nobody knows", "9110 9.1", request("BREW", "/up"), 405),
    serve("TRACE", "9110 9.3.8", request("TRACE", "/up"), 405),
    serve("PUT", "9110 15.5.6", request("PUT", "/up", "Content-Length: 2", body=b"{}"), 405),
    refuse("HTTP/2.0", "9110 15.6.6", raw(b"GET /up HTTP/2.0", HOST), 505),
    refuse("HTTP/3.0", "9110 15.6.6", raw(b"GET /up HTTP/3.0", HOST), 505),
    refuse("HTTP/0.9 with a version", "9110 15.6.6", raw(b"GET /up HTTP/0.9", HOST), 505),
    refuse("HTTP/0.9", "3", raw(b"GET /up"), 400, repaired=True),
    refuse("the preface of HTTP/2", "9113 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    refuse("a version of two digits", "2.3", raw(b"GET /up HTTP/1.10", HOST), 400, repaired=True),
    refuse("a version without a dot", "2.3", raw(b"GET /up HTTP/1", HOST), 400),
    refuse("a version in small letters", "2.3", raw(b"GET /up http/1.1", HOST), 400),
    refuse("another protocol", "2.3", raw(b"GET /up RTSP/1.0", HOST), 400),
    refuse("two spaces", "3", raw(b"GET  /up HTTP/1.1", HOST), 400, repaired=True),
    refuse("a tab", "3", raw(b"GET\t/up HTTP/1.1", HOST), 400),
    refuse("a space behind the version", "3", raw(UP + b" ", HOST), 400, repaired=True),
    refuse("a space in front", "3", raw(b" " + UP, HOST), 400),
    refuse("a method in brackets", "9110 9.1", raw(b"(GET) /up HTTP/1.1", HOST), 400),
    refuse("a NUL in the method", "9110 9.1", raw(b"GE\0T /up HTTP/1.1", HOST), 400),
    refuse("nothing but noise", "2.2", b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
]

HOSTS = [
    serve("a host with a port", "3.2", raw(UP, b"Host: localhost:8080")),
    serve("a host with no port behind the colon", "3.2", raw(UP, b"Host: localhost:")),
    serve("an address of IPv6", "3.2", raw(UP, b"Host: [::1]:8080")),
    serve("an empty host", "3.2", raw(UP, b"Host:")),
    refuse("no host", "3.2", raw(UP), 400),
    refuse("two hosts", "3.2", raw(UP, HOST, b"Host: y"), 400),
    refuse("the same host twice", "3.2", raw(UP, HOST, b"host: x"), 400),
    refuse("a host with a blank", "3.2", raw(UP, b"Host: a b"), 400),
    refuse("a host with a path", "3.2", raw(UP, b"Host: a/b"), 400),
    refuse("a host with a user", "3.2", raw(UP, b"Host: a@b"), 400),
    refuse("a host with a query", "3.2", raw(UP, b"Host: a?b"), 400),
    refuse("a host with two ports", "3.2", raw(UP, b"Host: a:1:2"), 400, repaired=True),
    refuse("a host with a port in letters", "3.2", raw(UP, b"Host: a:b"), 400, repaired=True),
    refuse("half an address of IPv6", "3.2", raw(UP, b"Host: [::1"), 400),
    refuse("a host in UTF-8", "3.2", raw(UP, "Host: é".encode()), 400),
    refuse(
        "a bad host beside a good target",
        "3.2.2",
        get(target="http://localhost/up").replace(b"Host: localhost", b"Host: a/b"),
        400,
    ),
]

HEADERS = [
    serve("another header with an underscore", "9110 5.1", get("Content_Length: 5")),
    serve("a coding with an underscore", "9110 5.1", get("Transfer_Encoding: chunked")),
    serve("a header twice", "9110 5.3", get("X: 1", "X: 2")),
    serve("many headers", "9110 5.4", get(*(f"X-{n}: y" for n in range(90)))),
    refuse(
        "more headers than that",
        "9110 5.4",
        get(*(f"X-{n}: y" for n in range(101))),
        431,
        repaired=True,
    ),
    refuse("a header that is too long", "9110 5.4", get("X: " + "y" * 17_000), 431),
    refuse(
        "a head that is too long",
        "9110 5.4",
        get(*(f"X-{n}: {'y' * 4_000}" for n in range(5))),
        431,
    ),
    refuse("a space in front of the colon", "5.1", get("X : y"), 400),
    refuse("a tab in front of the colon", "5.1", get("X\t: y"), 400),
    refuse("a length with that space", "5.1", post(f"Content-Length : {len(BODY)}"), 400),
    refuse("no colon", "5", get("X"), 400, repaired=True),
    refuse("no name", "5.1", get(": y"), 400),
    refuse("a space in a name", "5.1", get("X Y: z"), 400),
    refuse("a name in brackets", "5.1", get("[X]: y"), 400, repaired=True),
    refuse("a NUL in a name", "5.1", get("X\0Y: z"), 400),
    refuse("a letter of Latin-1 in a name", "5.1", get("X\xe9: y"), 400, repaired=True),
]

CONNECTIONS = [
    Case("close", "9.6", post(SIZE, "Connection: close"), (200,), ("first",), closes=True),
    Case("Close", "9.6", post(SIZE, "Connection: Close"), (200,), ("first",), closes=True),
    Case(
        "close among others",
        "9.6",
        post(SIZE, "Connection: x, close ,"),
        (200,),
        ("first",),
        closes=True,
    ),
    Case(
        "close in the second line",
        "9.6",
        post(SIZE, "Connection: x", "Connection: close"),
        (200,),
        ("first",),
        closes=True,
    ),
    Case("HTTP/1.0", "9.3", post(SIZE, version="1.0"), (200,), ("first",), closes=True),
    publish("HTTP/1.0 that stays", "9.3", post(SIZE, "Connection: keep-alive", version="1.0")),
    Case("HTTP/1.0 without a host", "3.2", OLD, (200,), closes=True, is_repaired=True),
    publish("keep-alive", "9.3", post(SIZE, "Connection: keep-alive")),
    publish(
        "a length that is said to be of this hop",
        "9110 7.6.1",
        post(SIZE, "Connection: content-length"),
    ),
    publish(
        "a coding that is said to be of this hop",
        "9110 7.6.1",
        post(TE, "Connection: transfer-encoding", body=WHOLE + END),
    ),
    Case(
        "three in a row",
        "9.3.2",
        post(SIZE) + get() + post(SIZE),
        (200, 200, 200, 200),
        ("first", "first", "second"),
    ),
    Case(
        "a bad one in a row",
        "9.3.2",
        post(SIZE) + get("X : y") + post(SIZE),
        (200, 400),
        ("first",),
        closes=True,
    ),
    Case(
        "an unsigned one in a row",
        "9.3.2",
        request("POST", "/apps/1001/events", SIZE, body=BODY) + post(SIZE),
        (401, 200, 200),
        ("first", "second"),
    ),
    Case(
        "an error with a body in a row",
        "9.3.2",
        request("POST", "/nothing", SIZE, body=BODY) + post(SIZE),
        (404, 200, 200),
        ("first", "second"),
    ),
    serve("HEAD", "9110 9.3.2", request("HEAD", "/up"), body=False),
    serve("HEAD of nothing", "9110 9.3.2", request("HEAD", "/nothing"), 404, body=False),
    serve("OPTIONS", "9110 9.3.7", request("OPTIONS", "/apps/1001/events"), 204),
]

EXPECTATIONS = [
    publish("an expectation with its body", "9110 10.1.1", post(SIZE, "Expect: 100-continue")),
    publish("an expectation in capitals", "9110 10.1.1", post(SIZE, "Expect: 100-CONTINUE")),
    serve("an expectation without a body", "9110 10.1.1", get("Expect: 100-continue")),
    Case(
        "an expectation in HTTP/1.0",
        "9110 10.1.1",
        post(SIZE, "Expect: 100-continue", version="1.0"),
        (200,),
        ("first",),
        closes=True,
    ),
    refuse("another expectation", "9110 10.1.1", post(SIZE, "Expect: 200-ok"), 417, repaired=True),
    refuse(
        "two expectations", "9110 10.1.1", post(SIZE, "Expect: 100-continue, x"), 417, repaired=True
    ),
    refuse(
        "an expectation of too much",
        "9110 10.1.1",
        post(f"Content-Length: {LARGEST + 1}", "Expect: 100-continue"),
        413,
    ),
]

UPGRADES = [
    publish(
        "an upgrade to what is not spoken",
        "9110 7.8",
        post(SIZE, "Upgrade: h2c", "Connection: Upgrade"),
    ),
    refuse(
        "an upgrade with a body", "6455 4.1", request("GET", APP, *UPGRADE, SIZE, body=BODY), 400
    ),
    refuse(
        "an upgrade with chunks",
        "6455 4.1",
        request("GET", APP, *UPGRADE, TE, body=WHOLE + END),
        400,
    ),
    refuse("an upgrade by POST", "6455 4.1", request("POST", APP, *UPGRADE), 405),
    refuse(
        "an upgrade of HTTP/1.0",
        "6455 4.1",
        request("GET", APP, *UPGRADE, version="1.0"),
        400,
        repaired=True,
    ),
    refuse(
        "an upgrade to another version",
        "6455 4.4",
        request(
            "GET", APP, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 12"
        ),
        426,
    ),
    refuse("an upgrade without a key", "6455 4.1", request("GET", APP, *UPGRADE[:3]), 400),
    refuse("an upgrade with two keys", "6455 4.1", request("GET", APP, *UPGRADE, UPGRADE[3]), 400),
    refuse(
        "an upgrade not of this hop",
        "6455 4.1",
        request("GET", APP, UPGRADE[0], *UPGRADE[2:]),
        400,
        repaired=True,
    ),
    refuse(
        "an upgrade and a smuggled length",
        "5.1",
        request("GET", APP, *UPGRADE, "Content-Length : 9"),
        400,
    ),
]
