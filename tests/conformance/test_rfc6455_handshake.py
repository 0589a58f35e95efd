"""RFC 6455's opening handshake over a real socket, proper and improper.

Protocol: RFC 6455 §4.1, §4.2; §1.3 of ours for the statuses.
"""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.websocket import PING, PONG, TEXT, RawWebSocket, encode_frame, open_socket

APP = App()
PATH = f"/app/{APP.key}?protocol=7"

Lines = list[str]
PROPER: Lines = [
    f"GET {PATH} HTTP/1.1",
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
]
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The answer to that key, as RFC 6455 §1.3 computes it."""


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(apps=[APP.settings()])


@pytest.fixture
def websocket(server: FizzServer) -> Iterator[RawWebSocket]:
    """A socket on which nothing has been said yet."""
    with RawWebSocket(open_socket(server.address)) as opened:
        yield opened


def request(lines: Lines) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def changed(name: str, *replacement: str) -> Lines:
    """The proper request with one of its lines replaced by others, or by none."""
    lines: Lines = []
    for line in PROPER:
        is_it = line.startswith(name)
        lines += replacement if is_it else [line]
    assert lines != PROPER, name
    return lines


KEY, VERSION, CONNECTION = "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Connection"

REFUSED: dict[str, tuple[Lines, int]] = {
    "no key": (changed(KEY), 400),
    "an empty key": (changed(KEY, f"{KEY}:"), 400),
    "a key that is no Base64": (changed(KEY, f"{KEY}: not base64 at all!!!!"), 400),
    "a key of 15 bytes": (changed(KEY, f"{KEY}: AAAAAAAAAAAAAAAAAAAA"), 400),
    "a key of 17 bytes": (changed(KEY, f"{KEY}: AAAAAAAAAAAAAAAAAAAAAAA="), 400),
    "a key without its padding": (changed(KEY, f"{KEY}: dGhlIHNhbXBsZSBub25jZQ"), 400),
    "a key with something behind it": (changed(KEY, f"{KEY}: dGhlIHNhbXBsZSBub25jZQ==AA"), 400),
    "two keys": ([*PROPER, f"{KEY}: AAAAAAAAAAAAAAAAAAAAAA=="], 400),
    "the same key twice": ([*PROPER, PROPER[4]], 400),
    "no version": (changed(VERSION), 426),
    "version 8": (changed(VERSION, f"{VERSION}: 8"), 426),
    "version 0": (changed(VERSION, f"{VERSION}: 0"), 426),
    "version 14": (changed(VERSION, f"{VERSION}: 14"), 426),
    "version 013": (changed(VERSION, f"{VERSION}: 013"), 426),
    "version 255 and 13": (changed(VERSION, f"{VERSION}: 255, 13"), 426),
    "no Connection header": (changed(CONNECTION), 400),
    "Connection: keep-alive": (changed(CONNECTION, "Connection: keep-alive"), 400),
    "Connection: Upgraded": (changed(CONNECTION, "Connection: Upgraded"), 400),
    "no Host": (changed("Host"), 400),
    "two Hosts": (changed("Host", "Host: localhost", "Host: localhost"), 400),
    "HTTP/1.0": (changed("GET", f"GET {PATH} HTTP/1.0"), 400),
    "HTTP/2.0": (changed("GET", f"GET {PATH} HTTP/2.0"), 505),
    "POST": (changed("GET", f"POST {PATH} HTTP/1.1"), 405),
    "PUT": (changed("GET", f"PUT {PATH} HTTP/1.1"), 405),
    "HEAD": (changed("GET", f"HEAD {PATH} HTTP/1.1"), 405),
    "OPTIONS": (changed("GET", f"OPTIONS {PATH} HTTP/1.1"), 405),
    "get in small letters": (changed("GET", f"get {PATH} HTTP/1.1"), 501),
    "a body": ([*PROPER, "Content-Length: 5", "", "hello"], 400),
    "a chunked body": ([*PROPER, "Transfer-Encoding: chunked", "", "0"], 400),
    "a folded header": ([*PROPER, "X-Long: one", " two"], 400),
    "a space before the colon": ([*PROPER, "Origin : http://localhost"], 400),
    "a NUL in a header": ([*PROPER, "Origin: http://local\0host"], 400),
    "no HTTP at all": (["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], 400),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_improper_handshake_is_refused_in_http(websocket: RawWebSocket, name: str) -> None:
    """Protocol: RFC 6455 §4.2.1, §4.4; §1.3 "malformed upgrades"."""
    lines, status = REFUSED[name]
    websocket.send_raw(request(lines))
    found, headers = websocket.read_head()
    assert found == status
    assert headers["connection"] == "close"
    if status == 426:
        assert headers["sec-websocket-version"] == "13"
    if status == 405:
        assert headers["allow"] == "GET"
    if name != "HEAD":
        body = websocket._read(int(headers["content-length"]))
        assert json.loads(body)["code"] == status
    websocket.expect_end()


ACCEPTED: dict[str, Lines] = {
    "as the RFC writes it": PROPER,
    "names in small letters": [PROPER[0], *(line.lower() for line in PROPER[1:4]), *PROPER[4:]],
    "values in capitals": changed("Upgrade", "Upgrade: WebSocket"),
    "Connection with other tokens": changed(CONNECTION, "Connection: keep-alive,UPGRADE , x"),
    "Connection in two headers": changed(CONNECTION, "Connection: keep-alive", PROPER[3]),
    "Upgrade with other tokens": changed("Upgrade", "Upgrade: h2c, websocket"),
    "no spaces": [PROPER[0], *(line.replace(": ", ":") for line in PROPER[1:])],
    "spaces and tabs": [PROPER[0], *(line.replace(": ", ": \t ") + " \t" for line in PROPER[1:])],
    "an empty body": [*PROPER, "Content-Length: 0"],
    "the absolute form": changed("GET", f"GET http://localhost{PATH} HTTP/1.1"),
    "empty lines in front": ["", "", *PROPER],
    "offers that are not taken": [
        *PROPER,
        "Sec-WebSocket-Protocol: chat, superchat",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-webkit",
        "Sec-WebSocket-Extensions: foo",
    ],
    "strange headers": [*PROPER, "X-Latin: \xe9\xff", "Sec-WebSocket-Accept: x", "Cookie: a=b"],
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_proper_handshake_is_accepted(websocket: RawWebSocket, name: str) -> None:
    """Protocol: RFC 6455 §4.2.2."""
    websocket.send_raw(request(ACCEPTED[name]))
    status, headers = websocket.read_head()
    assert status == 101
    assert headers["upgrade"].lower() == "websocket"
    assert headers["connection"].lower() == "upgrade"
    assert headers["sec-websocket-accept"] == ACCEPT
    assert not {"sec-websocket-protocol", "sec-websocket-extensions"} & headers.keys()
    assert not {"content-length", "transfer-encoding"} & headers.keys()
    assert websocket.recv_event()["event"] == "pusher:connection_established"


def test_another_upgrade_is_no_handshake(websocket: RawWebSocket) -> None:
    """Protocol: RFC 9110 §7.8: what is not understood is ignored, and the request served."""
    headers = ["Host: localhost", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings"]
    websocket.send_raw(request(["GET /up HTTP/1.1", *headers]))
    status, answer = websocket.read_head()
    assert status == 200
    assert "upgrade" not in answer


def test_frames_behind_the_handshake_wherever_the_network_cuts(server: FizzServer) -> None:
    """Protocol: RFC 6455 §4.1: eager clients send before they have seen the answer."""
    message = {"event": "pusher:subscribe", "data": {"channel": "early"}}
    head = request(PROPER)
    data = head + encode_frame(TEXT, json.dumps(message).encode()) + encode_frame(PING, b"x")
    for cut in [*range(10, len(head) - 4, 37), *range(len(head) - 4, len(data), 5), len(data)]:
        with RawWebSocket(open_socket(server.address)) as websocket:
            websocket.send_raw(data[:cut])
            websocket.send_raw(data[cut:])
            assert websocket.read_head()[0] == 101
            assert websocket.recv_event()["event"] == "pusher:connection_established"
            assert websocket.recv_event()["channel"] == "early"
            assert websocket.recv_frame().opcode == PONG


def test_a_handshake_behind_other_requests(websocket: RawWebSocket) -> None:
    """Protocol: RFC 9112 §9.3.2: a connection may be upgraded after it has served requests."""
    plain = request(["GET /up HTTP/1.1", "Host: localhost"])
    websocket.send_raw(plain + plain + request(PROPER) + encode_frame(PING, b"behind"))
    for _ in range(2):
        status, headers = websocket.read_head()
        assert status == 200
        websocket._read(int(headers["content-length"]))
    assert websocket.read_head()[0] == 101
    websocket.recv_event()
    assert websocket.recv_frame().payload == b"behind"


def test_a_handshake_byte_by_byte(websocket: RawWebSocket) -> None:
    """Protocol: RFC 6455 §4.2.1."""
    for byte in request(PROPER):
        websocket.send_raw(bytes([byte]))
    assert websocket.read_head()[0] == 101
    assert websocket.recv_event()["event"] == "pusher:connection_established"
