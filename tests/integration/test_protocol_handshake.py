"""Who may connect, what a client is told first, and how it is refused."""

import json
import re
import signal
from collections.abc import Callable

import pytest

from tests.harness.eventually import eventually
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.websocket import CLOSE, TEXT, RawWebSocket, encode_frame, open_socket

OPEN = App("1001", "open-key", "open-secret")
DISABLED = App("1002", "disabled-key", "disabled-secret")
SECURE = App("1003", "secure-key", "secure-secret")
STRICT = App("1004", "strict-key", "strict-secret")
CHOOSY = App("1005", "choosy-key", "choosy-secret")
UNSET = App("1006", "unset-key", "unset-secret")
QUOTA = App("1007", "quota-key", "quota-secret")
SLOW = App("1008", "slow-key", "slow-secret")

NOWHERE = {"allowed_origins": ["nowhere.test"]}

REASONS = {
    4000: "Application only accepts SSL connections, reconnect using wss://",
    4001: "Application does not exist",
    4003: "Application disabled",
    4004: "Application is over connection quota",
    4005: "Path not found",
    4006: "Invalid version string format",
    4007: "Unsupported protocol version",
    4008: "No protocol version supplied",
    4009: "Origin not allowed",
    4100: "Over capacity",
    4200: "Generic reconnect immediately",
}
"""Protocol: §4.3."""


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(
        apps=[
            OPEN.settings(),
            DISABLED.settings(enabled=False, require_tls=True, **NOWHERE),
            SECURE.settings(require_tls=True, **NOWHERE),
            STRICT.settings(strict_protocol=True, **NOWHERE),
            CHOOSY.settings(
                allowed_origins=["example.com", "*.example.org", "LOCALHOST"], max_connections=1
            ),
            UNSET.settings(allowed_origins=[]),
            QUOTA.settings(max_connections=2),
            SLOW.settings(activity_timeout=7),
        ],
        server={"trusted_proxies": ["10.9.8.0/24"]},
    )


def expect_refusal(websocket: RawWebSocket, code: int) -> None:
    """Demand the error event, the close frame of the same code and reason, and the end."""
    reason = REASONS[code]
    with websocket:
        error = {"event": "pusher:error", "data": {"code": code, "message": reason}}
        assert websocket.recv_event() == error
        frame = websocket.recv_frame()
        assert (frame.opcode, frame.close) == (CLOSE, (code, reason))
        websocket.send_frame(CLOSE, frame.payload[:2])
        websocket.expect_end()


def target(app: App, query: str = "") -> str:
    return f"/app/{app.key}" + (f"?{query}" if query else "")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/app",
        "/app/",
        "/app/open-key/",
        "/app/open-key/more",
        "//app/open-key",
        "/App/open-key",
        "/apps/1001/events",
        "/up",
        "/pusher/app/open-key",
        "/nothing/here?protocol=7",
    ],
)
def test_any_other_path_is_upgraded_and_refused(server: FizzServer, path: str) -> None:
    """Protocol: §1.3, 1 and "Fizz", §14 "wrong path on upgrade"."""
    expect_refusal(server.websocket(path), 4005)


def test_an_unknown_key_is_told_by_event_and_code(server: FizzServer) -> None:
    """Protocol: §1.3, 3; §14 "unknown key"."""
    expect_refusal(server.websocket(app=App(key="nobody")), 4001)


@pytest.mark.parametrize(
    ("app", "query", "code"),
    [
        # Each fails the check named by its code and every later one.
        (App(key="nobody"), "protocol=3", 4001),
        (DISABLED, "protocol=3", 4003),
        (SECURE, "protocol=3", 4000),
        (STRICT, "version=x", 4006),
        (STRICT, "protocol=3", 4007),
        (STRICT, "version=8", 4008),
        (STRICT, "protocol=7", 4009),
    ],
)
def test_the_first_check_that_fails_decides(
    server: FizzServer, app: App, query: str, code: int
) -> None:
    """Protocol: §1.3, the order of checks."""
    expect_refusal(server.websocket(target(app, query)), code)


def test_the_origin_is_checked_before_the_quota(server: FizzServer) -> None:
    """Protocol: §1.3, 7 and 8."""
    good = {"Origin": "https://example.com"}
    client = server.client(CHOOSY, headers=good)
    expect_refusal(server.websocket(app=CHOOSY), 4009)
    expect_refusal(server.websocket(app=CHOOSY, headers=good), 4004)
    client.close()


def test_the_quota_counts_connections_and_gives_back(server: FizzServer) -> None:
    """Protocol: §1.3, 8; §14 "app quota"."""
    first, second = server.client(QUOTA), server.client(QUOTA)
    expect_refusal(server.websocket(app=QUOTA), 4004)
    server.client(OPEN).close()  # another application has a quota of its own
    first.close()
    third = server.client(QUOTA)
    expect_refusal(server.websocket(app=QUOTA), 4004)
    second.close()
    third.close()


def test_a_refused_client_takes_nothing_of_the_quota(server: FizzServer) -> None:
    """Protocol: §1.3, 8."""
    for _ in range(3):
        expect_refusal(server.websocket(target(QUOTA, "protocol=1")), 4007)
    clients = [server.client(QUOTA) for _ in range(2)]
    for client in clients:
        client.close()


@pytest.mark.parametrize("protocol", ["5", "6", "7"])
def test_every_served_version_gets_the_activity_timeout(server: FizzServer, protocol: str) -> None:
    """Protocol: §1.2, §1.4; §14 "activity_timeout"."""
    with server.client(OPEN, params={"protocol": protocol}) as client:
        assert client.activity_timeout == 30
        client.ping()


@pytest.mark.parametrize(
    "query", ["", "version=8.6.0", "client=js&version=x&flash=false", "unknown=1&other[]=%20"]
)
def test_a_missing_protocol_is_seven(server: FizzServer, query: str) -> None:
    """Protocol: §1.1 unknown parameters, §1.2 "Fizz"."""
    with server.websocket(target(OPEN, query)) as websocket:
        assert websocket.recv_event()["event"] == "pusher:connection_established"


@pytest.mark.parametrize("value", ["0", "1", "3", "4", "8", "77", "-7", "7.0", "seven", ""])
def test_another_protocol_is_refused(server: FizzServer, value: str) -> None:
    """Protocol: §1.2 "Fizz"; §14 "unsupported protocol"."""
    expect_refusal(server.websocket(target(OPEN, f"protocol={value}")), 4007)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", 4008),
        ("client=js", 4008),
        ("version=8.6.0", 4008),
        ("version=8", 4008),
        ("version=v8", 4006),
        ("version=.8", 4006),
        ("version=", 4006),
        ("version=x&protocol=2", 4007),
    ],
)
def test_strict_applications_want_a_protocol(server: FizzServer, query: str, code: int) -> None:
    """Protocol: §1.2, strict mode; §14 "missing protocol"."""
    expect_refusal(server.websocket(target(STRICT, query)), code)


@pytest.mark.parametrize(
    "origin",
    [
        "http://example.com",
        "https://example.com:8443",
        "https://EXAMPLE.com",
        "https://www.example.org",
        "https://a.b.example.org",
        "http://localhost:3000",
    ],
)
def test_listed_origins_may_connect(server: FizzServer, origin: str) -> None:
    """Protocol: §1.3, origin rule: the host counts, entries may hold wildcards."""
    server.client(CHOOSY, headers={"Origin": origin}).close()


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "https://evil.test",
        "https://example.com.evil.test",
        "https://evil.test/example.com",
        "https://example.com@evil.test",
        "https://notexample.com",
        "https://www.example.com",
        "https://example.org",
        "https://[",
        "example.com",
    ],
)
def test_other_origins_and_none_are_refused(server: FizzServer, origin: str | None) -> None:
    """Protocol: §1.3, origin rule and "Fizz": a list without * refuses a missing Origin."""
    headers = {} if origin is None else {"Origin": origin}
    expect_refusal(server.websocket(app=CHOOSY, headers=headers), 4009)


@pytest.mark.parametrize("app", [OPEN, UNSET], ids=["star", "empty list"])
@pytest.mark.parametrize("origin", [None, "https://anywhere.test", "null"])
def test_without_a_list_every_origin_may_connect(
    server: FizzServer, app: App, origin: str | None
) -> None:
    """Protocol: §1.3, "A list empty or unset means *"."""
    with server.client(app, headers={} if origin is None else {"Origin": origin}):
        pass


def test_who_is_no_trusted_proxy_cannot_claim_tls(server: FizzServer) -> None:
    """Protocol: §1.3, 5: a trusted X-Forwarded-Proto."""
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.9.8.7"}
    expect_refusal(server.websocket(app=SECURE, headers=headers), 4000)


def test_the_first_event_byte_for_byte(server: FizzServer) -> None:
    """Protocol: §1.4."""
    with server.websocket(app=OPEN) as websocket:
        text = websocket.recv_text()
    found = re.fullmatch(
        r'\{"event":"pusher:connection_established",'
        r'"data":"\{\\"socket_id\\":\\"([0-9]+)\.([0-9]+)\\",\\"activity_timeout\\":30\}"\}',
        text,
    )
    assert found, text
    for part in found.groups():
        assert str(int(part)) == part
        assert 1 <= int(part) <= 10**9


def test_the_activity_timeout_is_the_applications(server: FizzServer) -> None:
    """Protocol: §1.4, "per app"."""
    with server.client(SLOW) as client:
        assert client.activity_timeout == 7


def test_socket_ids_are_never_given_twice(server: FizzServer) -> None:
    """Protocol: §1.4, socket_id."""
    seen = set()
    for _ in range(40):
        client = server.client(OPEN)
        seen.add(client.socket_id)
        client.websocket.abandon()
    halves = [half for socket_id in seen for half in socket_id.split(".")]
    assert len(seen) == 40
    assert len(set(halves)) == 80


def test_no_subprotocol_and_no_extension_is_chosen(server: FizzServer) -> None:
    """Protocol: §1.1."""
    headers = {
        "Sec-WebSocket-Protocol": "pusher, chat",
        "Sec-WebSocket-Extensions": "permessage-deflate",
    }
    with server.websocket(app=OPEN, headers=headers) as websocket:
        assert websocket.recv_event()["event"] == "pusher:connection_established"
        assert "sec-websocket-protocol" not in websocket.headers
        assert "sec-websocket-extensions" not in websocket.headers


def test_a_plain_get_is_told_to_upgrade(server: FizzServer) -> None:
    """Protocol: §1.3 "Fizz"."""
    answer = server.api(OPEN).request("GET", f"/app/{OPEN.key}", query="protocol=7")
    assert (answer.status, answer.json["code"]) == (426, 426)
    assert answer.headers["upgrade"].lower() == "websocket"


@pytest.mark.parametrize(
    "path", ["/", "/app", "/nothing", "/pusher", "/pusher/app/open-key/123/abcdefgh/xhr_streaming"]
)
def test_other_plain_requests_are_not_found(server: FizzServer, path: str) -> None:
    """Protocol: §1.3 "Fizz", §1.5 fallback transports."""
    for method in ("GET", "POST"):
        answer = server.api(OPEN).request(method, path, query="")
        assert (answer.status, answer.json["code"]) == (404, 404)


def handshake_with(app: App, *frames: bytes, host: str = "localhost") -> bytes:
    lines = [
        f"GET /app/{app.key}?protocol=7 HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + b"".join(frames)


SUBSCRIBE = encode_frame(
    TEXT, json.dumps({"event": "pusher:subscribe", "data": {"channel": "early"}}).encode()
)


def test_frames_that_come_with_the_handshake_wait_for_their_turn(server: FizzServer) -> None:
    """Protocol: §15, CHECKING."""
    with RawWebSocket(open_socket(server.address)) as websocket:
        websocket.send_raw(handshake_with(OPEN, SUBSCRIBE, SUBSCRIBE))
        assert websocket.read_head()[0] == 101
        assert [websocket.recv_event()["event"] for _ in range(3)] == [
            "pusher:connection_established",
            "pusher_internal:subscription_succeeded",
            "pusher_internal:subscription_succeeded",
        ]


def test_frames_of_a_refused_client_are_not_answered(server: FizzServer) -> None:
    """Protocol: §15, CHECKING."""
    websocket = RawWebSocket(open_socket(server.address))
    websocket.send_raw(handshake_with(DISABLED, SUBSCRIBE))
    assert websocket.read_head()[0] == 101
    expect_refusal(websocket, 4003)


def test_a_full_node_refuses_whoever_comes(fizz: Callable[..., FizzServer]) -> None:
    """Protocol: §1.3, 2 before 3; §4.3, 4100; §14 "4100 = node full"."""
    server = fizz(apps=[OPEN.settings()], server={"max_connections": 2})
    first = server.client()
    with server.client():
        expect_refusal(server.websocket(), 4100)
        expect_refusal(server.websocket(app=App(key="nobody")), 4100)
        expect_refusal(server.websocket("/nothing"), 4005)
        assert server.api().trigger("orders", "still", "served") == {}
        first.close()

        def has_room() -> bool:
            with server.websocket() as websocket:
                return bool(websocket.recv_event()["event"] == "pusher:connection_established")

        eventually(has_room, what="one more has a place, which another worker has freed")


def test_a_draining_node_sends_everybody_elsewhere(fizz: Callable[..., FizzServer]) -> None:
    """Protocol: §1.3, 2 before 3; §4.3, 4200; §15 DRAINING."""
    server = fizz(apps=[OPEN.settings()], server={"max_connections": 1})
    head = handshake_with(App(key="nobody"))
    late = RawWebSocket(open_socket(server.address))
    late.send_raw(head[:30])
    client = server.client()
    server.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
    assert client.expect_close() == (4200, REASONS[4200])
    late.send_raw(head[30:])
    assert late.read_head()[0] == 101
    expect_refusal(late, 4200)
    assert server.wait() == 0
