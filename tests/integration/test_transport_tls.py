"""TLS served directly, over a raw socket: the same as without, and nobody pays for others' noise.

Slow readers over TLS are in ``test_transport_slow_clients.py``.

Protocol: RFC 8446 §6.1, RFC 9112, RFC 6455.
"""

import contextlib
import json
import socket
import ssl
import warnings
from collections.abc import Callable, Iterator

import pytest

from tests.harness.certificates import Certificate
from tests.harness.eventually import eventually
from tests.harness.http_socket import HttpSocket, request
from tests.harness.server import FizzServer
from tests.harness.signing import App, compact
from tests.harness.websocket import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    close_payload,
    encode_frame,
    open_socket,
)

APP = App()
EVENTS = f"/apps/{APP.app_id}/events"
UP = request("GET", "/up")
LARGEST = 2_000_000


@pytest.fixture(scope="module")
def context(certificate: Certificate) -> ssl.SSLContext:
    return certificate.client_context()


@pytest.fixture(scope="module")
def server(
    module_fizz: Callable[..., FizzServer], certificate: Certificate, context: ssl.SSLContext
) -> FizzServer:
    return module_fizz(
        apps=[APP.settings(ping_interval=3600, max_message_size=2_000_000)],
        server={
            "options": {"tls": {"cert": str(certificate.cert), "key": str(certificate.key)}},
            "max_request_size": LARGEST,
            "close_timeout": 60,
        },
        tls=context,
    )


@pytest.fixture
def http(server: FizzServer) -> Iterator[HttpSocket]:
    with HttpSocket.open(server.address, tls=server.tls) as opened:
        yield opened


def trigger(body: bytes) -> bytes:
    target = f"{EVENTS}?{APP.signed_query('POST', EVENTS, body=body)}"
    return request("POST", target, f"Content-Length: {len(body)}", body=body)


def test_requests_follow_each_other_over_tls(http: HttpSocket) -> None:
    """Protocol: RFC 9112 §9.3, in one record and byte by byte."""
    body = compact({"name": "drop", "channels": ["ocean"], "data": "x"}).encode()
    http.send_raw(UP + trigger(body) + UP)
    assert [http.read_answer().status for _ in range(3)] == [200, 200, 200]
    for byte in trigger(body) + UP:
        http.send_raw(bytes([byte]))
    assert [http.read_answer().status for _ in range(2)] == [200, 200]


def test_a_large_body_over_tls(http: HttpSocket) -> None:
    """Every byte of it arrives: the refusal of its contents comes after its signature's check."""
    body = compact({"name": "drop", "channels": ["ocean"], "data": "x" * 1_500_000}).encode()
    answer = http.ask(trigger(body))
    assert (answer.status, answer.json["code"]) == (413, 413)
    assert http.ask(UP).status == 200


def test_a_refusal_can_be_read_although_the_body_is_still_being_sent(http: HttpSocket) -> None:
    """Protocol: RFC 9112 §9.6."""
    http.send_raw(request("POST", EVENTS, f"Content-Length: {10 * LARGEST}", body=b"x" * LARGEST))
    answer = http.read_answer()
    assert (answer.status, answer.json["code"]) == (413, 413)
    http.expect_end()


def test_a_websocket_over_tls(server: FizzServer) -> None:
    with server.client() as client:
        client.subscribe("ocean")
        for size in (0, 125, 126, 9_000):
            server.api().trigger("ocean", "drop", "x" * size)
            assert client.expect("drop", "ocean") == "x" * size
        frames = encode_frame(PING, b"a") + encode_frame(PING, b"b")
        client.websocket.send_raw(frames * 100)
        for number in range(200):
            frame = client.websocket.recv_frame()
            assert (frame.opcode, frame.payload) == (PONG, b"ab"[number % 2 : number % 2 + 1])
        for byte in encode_frame(PING, b"dribbled"):
            client.websocket.send_raw(bytes([byte]))
        assert client.websocket.recv_frame().payload == b"dribbled"
        client.websocket.send_frame(TEXT, b" " * 1_900_000)  # a hundred records and more
        assert client.expect("pusher:error")["message"] == "Invalid message format"
        client.close()


def test_a_violation_is_told_over_tls(server: FizzServer) -> None:
    """Protocol: RFC 6455 §7.1.7."""
    with server.websocket() as websocket:
        websocket.recv_event()
        websocket.send_frame(0x3)
        assert websocket.recv_close()[0] == 1002
        websocket.expect_end()


def test_a_peer_that_ends_tls_properly_is_answered(http: HttpSocket) -> None:
    """Protocol: RFC 8446 §6.1: ``unwrap`` waits for the other side's goodbye."""
    assert http.ask(UP).status == 200
    assert isinstance(http.socket, ssl.SSLSocket)
    http.socket.unwrap().close()


def test_the_server_ends_tls_properly(http: HttpSocket) -> None:
    """Protocol: RFC 8446 §6.1: an end without a goodbye could be somebody's in between."""
    assert http.ask(request("GET", "/up", "Connection: close")).status == 200
    assert isinstance(http.socket, ssl.SSLSocket)
    assert http.socket.recv(1) == b""  # SSLEOFError without


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(
    server: FizzServer, certificate: Certificate, version: ssl.TLSVersion
) -> None:
    context = certificate.client_context()
    context.minimum_version = context.maximum_version = version
    with HttpSocket.open(server.address, tls=context) as http:
        assert http.ask(UP).status == 200
        assert isinstance(http.socket, ssl.SSLSocket)
        assert http.socket.version() == version.name.replace("_", ".")


def test_older_versions_are_refused_with_an_alert(
    server: FizzServer, certificate: Certificate
) -> None:
    """Protocol: RFC 8996."""
    context = certificate.client_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError) as refusal:
        HttpSocket.open(server.address, tls=context)
    assert "ALERT_PROTOCOL_VERSION" in str(refusal.value.reason)


def client_hello(context: ssl.SSLContext) -> bytes:
    """The first flight of a handshake."""
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def is_over(plain: socket.socket) -> bool:
    """Read to the end of the connection, whatever comes before: an alert, most of the time."""
    try:
        while plain.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


def test_noise_in_place_of_a_handshake_costs_nobody_anything(
    server: FizzServer, context: ssl.SSLContext
) -> None:
    hello = client_hello(context)
    with server.client() as client, HttpSocket.open(server.address, tls=context) as http:
        for noise in (
            b"",
            UP,
            b"\x16\x03\x01",
            b"\x16\x03\x01\xff\xff" + b"x" * 70_000,
            bytes(100),
            hello[:50],
            hello[:50] + b"\xff" * 200,
            hello + b"\x17\x03\x03\x00\x05hello",
            hello * 3,
        ):
            with HttpSocket.open(server.address) as noisy:
                with contextlib.suppress(OSError):  # it need not wait for the end of the noise
                    noisy.send_raw(noise)
                noisy.finish()
                assert is_over(noisy.socket), noise[:20]
            client.ping()
            assert http.ask(UP).status == 200
    assert server.faults == ""


def test_noise_behind_a_handshake_ends_that_connection_only(
    server: FizzServer, context: ssl.SSLContext
) -> None:
    """A record that cannot be decrypted, on an open WebSocket."""
    plain = open_socket(server.address)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            plain.sendall(outgoing.read())
            incoming.write(plain.recv(65536))
    tls.write(
        request(
            "GET",
            f"/app/{APP.key}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
    )
    plain.sendall(outgoing.read())
    assert plain.recv(65536)
    with server.client() as client:
        plain.sendall(b"\x17\x03\x03\x00\x40" + b"\xff" * 64)
        assert is_over(plain)
        plain.close()
        client.ping()
    assert server.faults == ""


def test_peers_that_vanish_are_forgotten(server: FizzServer) -> None:
    """Without a close frame, without TLS's goodbye."""
    before = server.api().get("/connections").json["connections"]
    clients = [server.client() for _ in range(10)]
    assert server.api().get("/connections").json["connections"] == before + 10
    for client in clients:
        client.websocket.abandon()
    eventually(lambda: server.api().get("/connections").json["connections"] == before)


def test_a_close_frame_and_what_follows_it_in_one_record(server: FizzServer) -> None:
    """Protocol: RFC 6455 §5.5.1."""
    with server.websocket() as websocket:
        assert json.loads(websocket.recv_text())["event"] == "pusher:connection_established"
        websocket.send_raw(encode_frame(CLOSE, close_payload(1000)) + encode_frame(PING, b"x"))
        assert websocket.recv_close() == (1000, "")
        websocket.expect_end()
