"""Refusals, forms and headers of the HTTP API on a running server. Protocol: §12.1, §12.2."""

import socket
from typing import Any

import pytest

from tests.conftest import Start
from tests.harness.http_api import Answer
from tests.harness.server import FizzServer
from tests.harness.signing import App, compact
from tests.harness.websocket import open_socket

SMALL = App("3003", "small-key", "small-secret")
DISABLED = App("4004", "disabled-key", "disabled-secret")
LIMITED = App("5005", "limited-key", "limited-secret")


@pytest.fixture(scope="module")
def server(module_fizz: Start) -> FizzServer:
    """Four applications behind a path prefix."""
    return module_fizz(
        apps=[
            App().settings(),
            SMALL.settings(max_event_size=10, max_channel_name_length=12, max_events_per_batch=2),
            DISABLED.settings(enabled=False),
            LIMITED.settings(max_backend_events_per_second=1, max_read_requests_per_second=1),
        ],
        server={"path": "/fizz"},
    )


def error_of(answer: Answer) -> tuple[int, str]:
    """Status and text of an error, after a check of its documented form. Protocol: §12.2."""
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) == {"error", "code"}
    assert answer.json["code"] == answer.status
    assert answer.headers["content-length"] == str(len(answer.body))
    return answer.status, answer.json["error"]


BIG = {"name": "x", "channel": "orders", "data": "d" * 11}
REFUSED: list[tuple[App, str, str, Any, int]] = [
    (App("9"), "POST", "/apps/9/events", BIG, 404),
    (DISABLED, "GET", "/apps/4004/channels", b"", 403),
    (DISABLED, "POST", "/users/u-7/terminate_connections", b"{}", 403),
    (App(secret="wrong"), "GET", "/apps/1001/channels", b"", 401),
    (App(key="wrong"), "GET", "/apps/1001/channels", b"", 401),
    (App(key="wrong"), "POST", "/users/u-7/terminate_connections", b"{}", 401),
    (SMALL, "POST", "/apps/3003/events", BIG, 413),
    (SMALL, "POST", "/apps/3003/events", {**BIG, "data": "", "channel": "c" * 13}, 400),
    (SMALL, "POST", "/apps/3003/batch_events", {"batch": [{**BIG, "data": ""}] * 3}, 400),
    (SMALL, "POST", "/apps/3003/batch_events", {"batch": [BIG]}, 413),
    (App(), "POST", "/apps/1001/events", b"{", 400),
    (App(), "POST", "/apps/1001/events", b'{"name":"\xff"}', 400),
    (App(), "POST", "/apps/1001/events", {"name": "x", "data": ""}, 400),
    (App(), "GET", "/apps/1001/channels?info=user_count", b"", 400),
    (App(), "GET", "/apps/1001/channels?info=weather", b"", 400),
    (App(), "GET", "/apps/1001/channels/orders?info=user_count", b"", 400),
    (App(), "GET", "/apps/1001/channels/orders?info=cache", b"", 400),
    (App(), "GET", "/apps/1001/channels/no%20space", b"", 400),
    (App(), "GET", "/apps/1001/channels/a%2Fb", b"", 400),
    (App(), "GET", "/apps/1001/channels/orders/users", b"", 400),
    (App(), "GET", "/apps/1001/channels/", b"", 404),
    (App(), "GET", "/apps/1001/channels/orders/stats", b"", 404),
    (App(), "POST", "/apps/1001/channels/orders/events", {}, 404),
    (App(), "GET", "/apps/1001/events", b"", 405),
    (App(), "PUT", "/apps/1001/events", {}, 405),
    (App(), "POST", "/apps/1001/channels", {}, 405),
    (App(), "GET", "/users/u-7/terminate_connections", b"", 405),
]


@pytest.mark.parametrize(
    ("app", "method", "target", "body", "status"),
    REFUSED,
    ids=[f"{status} {method} {target}" for _, method, target, _, status in REFUSED],
)
def test_a_refusal_has_its_status_and_the_documented_form(
    server: FizzServer, app: App, method: str, target: str, body: Any, status: int
) -> None:
    """Protocol: §12.2 and what each route demands."""
    path, _, info = target.partition("?info=")
    data = body if isinstance(body, bytes) else compact(body).encode()
    answer = server.api(app).request(method, path, {"info": info} if info else {}, data)
    assert error_of(answer)[0] == status
    assert answer.headers["access-control-allow-origin"] == "*"
    if status == 405:
        assert "OPTIONS" in answer.headers["allow"]


def test_a_refused_signature_is_explained_and_the_connection_stays(server: FizzServer) -> None:
    """Protocol: §12.1, §12.2; HTTP keep-alive survives an error."""
    api = server.api()
    path = f"{api.base}/channels"
    good = api.app.signed_query("GET", path)
    old = api.app.signed_query("GET", path, timestamp=1700000000)
    connection = api.connection()
    told = [
        ("", "auth_key is missing"),
        (good.replace("auth_version=1.0", "auth_version=1"), "auth_version is '1'"),
        (old, "auth_timestamp 1700000000 is 600 seconds or more away from the server's clock"),
        (f"{good}0", "auth_signature is wrong"),
        (f"info=cache&{good}", "auth_signature is wrong"),
        (f"{good}&auth_key=x", "auth_key is given more than once"),
    ]
    for query, text in told:
        answer = api.request("GET", path, query=query, connection=connection)
        assert error_of(answer)[0] == 401
        assert answer.json["error"].startswith(text)
        assert api.app.secret not in answer.json["error"]
    assert api.request("GET", path, query=good, connection=connection).status == 200
    connection.close()


def test_the_prefix_belongs_to_every_route_but_health(server: FizzServer) -> None:
    """Protocol: §12.10; conventions: ``path`` is in front of everything."""
    api = server.api()
    query = api.app.signed_query("GET", f"{api.base}/channels")
    for target in (f"{api.base}/channels?{query}", "/app/x", "/users/u/terminate_connections"):
        assert raw(server, f"GET {target} HTTP/1.1").status == 404
    for prefix in ("", "/fizz"):
        up = raw(server, f"GET {prefix}/up HTTP/1.1")
        assert (up.status, up.body) == (200, b'{"health":"OK"}')
        ready = raw(server, f"GET {prefix}/ready HTTP/1.1")
        assert (ready.status, ready.body) == (200, b'{"ready":true}')
        for path in ("/up", "/ready"):
            head = raw(server, f"HEAD {prefix}{path} HTTP/1.1")
            assert (head.status, head.body) == (200, b"")
            assert int(head.headers["content-length"]) > 0
            assert error_of(raw(server, f"GET {prefix}{path}/ HTTP/1.1"))[0] == 404


def test_no_path_is_normalised(server: FizzServer) -> None:
    """Protocol: §12.1 step 7: signed as sent, and still not there."""
    api = server.api()
    for path in (
        "/apps/1001/channels/",
        "/apps//1001/channels",
        "/apps/1001//channels",
        "/apps/./1001/channels",
        "/apps/1001/x/../channels",
        "/apps/1001%2Fchannels",
    ):
        query = api.app.signed_query("GET", path)
        for target in (f"/fizz{path}?{query}", f"//fizz{path}?{query}"):
            answer = raw(server, f"GET {target} HTTP/1.1")
            assert error_of(answer) == (404, "Path not found"), target
            assert "location" not in answer.headers


def test_the_absolute_form_of_a_target_is_served(server: FizzServer) -> None:
    """HTTP: RFC 9112, 3.2.2: a server must accept it; the path in it is what was signed."""
    api = server.api()
    query = api.app.signed_query("GET", f"{api.base}/channels")
    answer = raw(server, f"GET http://example.com/fizz{api.base}/channels?{query} HTTP/1.1")
    assert answer.status == 200


def test_browsers_may_ask_beforehand(server: FizzServer) -> None:
    """Conventions: OPTIONS on ``/apps/*``: 204 and ``*``, unsigned."""
    answer = server.api().request("OPTIONS", "/apps/1001/events", query="")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


def test_head_is_answered_without_a_body_and_nothing_gets_lost_after_it(
    server: FizzServer,
) -> None:
    """HTTP: the length is that of GET, and the next answer on the connection is whole."""
    api = server.api()
    connection = api.connection()
    path = f"{api.base}/connections"
    get = api.request("GET", path, connection=connection)
    head = api.request("HEAD", path, connection=connection)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
    assert api.request("GET", path, connection=connection).body == get.body
    connection.close()


def test_a_body_over_a_mebibyte_is_413(server: FizzServer) -> None:
    """Protocol: §12.2: body limit 1 MiB, and all that is below it is looked at."""
    event = {"name": "x", "channel": "orders", "data": ""}
    fits = compact({**event, "more": "m" * 1_000_000}).encode()
    assert server.api().post("/events", fits).status == 200
    answer = server.api().post("/events", compact({**event, "more": "m" * (1 << 20)}).encode())
    assert error_of(answer)[0] == 413


def test_rates_are_429_with_retry_after(server: FizzServer) -> None:
    """Protocol: §12.2, 429."""
    api = server.api(LIMITED)
    event = {"name": "x", "channel": "orders", "data": ""}
    for answers in (
        [api.post("/events", event) for _ in range(20)],
        [api.get("/channels") for _ in range(20)],
    ):
        assert answers[0].status == 200
        refused = [answer for answer in answers if answer.status != 200]
        assert refused, "twenty requests within a second"
        for answer in refused:
            assert error_of(answer)[0] == 429
            assert answer.headers["retry-after"] == "1"


def test_a_plain_request_to_the_websocket_route_is_told_to_upgrade(server: FizzServer) -> None:
    """Protocol: §1.3, last paragraph."""
    answer = raw(server, f"GET /fizz/app/{server.app.key}?protocol=7 HTTP/1.1")
    assert error_of(answer)[0] == 426
    assert answer.headers["upgrade"] == "websocket"


def raw(server: FizzServer, request_line: str) -> Answer:
    """Send this line as it is and return the answer, read to the end of the connection."""
    with open_socket(server.address) as connection:
        connection.sendall(f"{request_line}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return _answer(connection)


def _answer(connection: socket.socket) -> Answer:
    data = b""
    while piece := connection.recv(65536):
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    fields = (line.partition(": ") for line in lines)
    return Answer(int(status.split()[1]), {name.lower(): value for name, _, value in fields}, body)
