"""Statuses, forms and headers that do not depend on what a route is for. Protocol: §12.2."""

import json
import logging
from collections.abc import Mapping

import pytest

from fizz_gevent.cluster.memory import MemoryRegistry
from fizz_gevent.protocol.members import ChannelCounts
from tests.unit.api.house import EXAMPLE, NOW, House, error_of
from tests.unit.clockwork import HandClock

UNKNOWN = [
    "/",
    "/apps",
    "/apps/",
    "/apps/1001",
    "/apps/1001/",
    "/apps/1001/nothing",
    "/apps/1001/channels/",
    "/apps/1001/events/",
    "/apps//1001/events",
    "//apps/1001/channels",
    "/apps/1001//channels",
    "/apps/1001/channels/a/b",
    "/apps/1001/channels/a%2Fb/users/",
    "/apps/1001%2Fchannels",
    "/apps/1001/channels/orders/stats",
    "/apps/1001/channels/orders/events",
    "/up/",
    "/ready/",
    "/up/1001",
    "/app",
    "/app/",
    "/app/fizz-key/more",
    "/users",
    "/users/u-7",
    "/accept-traffic",
    "/metrics",
    "/usage",
    "/static/x",
    "/%00",
    "/%FF%FE",
    "/..",
]


@pytest.mark.parametrize("path", UNKNOWN)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_404_in_json_and_never_a_redirect(method: str, path: str) -> None:
    """Protocol: §12.1 step 7 (no slash is added, dropped or merged), §12.9, §12.10."""
    house = House()
    query = EXAMPLE.signed_query(method, path, timestamp=NOW)
    response = house.request(method, f"{path}?{query}")
    assert error_of(response) == (404, "Path not found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/apps/1001/events", "OPTIONS, POST"),
        ("PUT", "/apps/1001/events", "OPTIONS, POST"),
        ("GET", "/apps/1001/batch_events", "OPTIONS, POST"),
        ("POST", "/apps/1001/channels", "GET, HEAD, OPTIONS"),
        ("DELETE", "/apps/1001/channels/orders", "GET, HEAD, OPTIONS"),
        ("POST", "/apps/1001/channels/presence-a/users", "GET, HEAD, OPTIONS"),
        ("POST", "/apps/1001/connections", "GET, HEAD, OPTIONS"),
        ("GET", "/apps/1001/users/u-7/terminate_connections", "OPTIONS, POST"),
        ("GET", "/users/u-7/terminate_connections", "OPTIONS, POST"),
        ("POST", "/up", "GET, HEAD"),
        ("OPTIONS", "/up", "GET, HEAD"),
        ("DELETE", "/ready", "GET, HEAD"),
        ("POST", "/app/fizz-key", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_405_and_names_the_right_ones(
    method: str, path: str, allowed: str
) -> None:
    """Protocol: §12.2, 405."""
    response = House().request(method, path)
    assert error_of(response)[0] == 405
    assert response.headers["Allow"] == allowed


@pytest.mark.parametrize("prefix", ["", "/fizz"])
def test_browsers_may_ask_beforehand_and_read_every_answer(prefix: str) -> None:
    """Conventions: OPTIONS on ``/apps/*`` is 204 and unsigned; no answer carries credentials."""
    house = House(prefix=prefix)
    for path in ("/apps", "/apps/1001/events", "/apps/9/nothing", "/users/u/terminate_connections"):
        response = house.request("OPTIONS", prefix + path, headers={"Origin": "https://a.example"})
        assert (response.status_code, response.data) == (204, b"")
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        assert response.headers["Access-Control-Allow-Headers"] == "*"
        assert "Access-Control-Allow-Credentials" not in response.headers
    answers = [
        house.get("/channels"),
        house.get("/nothing"),
        house.post("/channels", {}),
        house.request("GET", f"{prefix}/apps/1001/channels"),
        house.post("/events", b"nonsense"),
        house.signed("POST", "/users/u/terminate_connections"),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 405, 401, 400, 200]
    assert [answer.headers.getlist("Access-Control-Allow-Origin") for answer in answers] == [
        ["*"]
    ] * len(answers)
    assert "Access-Control-Allow-Origin" not in house.request("GET", "/up").headers
    assert error_of(house.request("OPTIONS", f"{prefix}/appsy"))[0] == 404


@pytest.mark.parametrize("path", ["/channels", "/channels/orders", "/connections"])
def test_head_is_get_without_the_body(path: str) -> None:
    """HTTP: the same headers, signed as HEAD."""
    house = House()
    get = house.get(path)
    head = house.signed("HEAD", f"/apps/1001{path}")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers == get.headers
    assert int(head.headers["Content-Length"]) == len(get.data)


def test_success_is_exactly_two_braces_of_json() -> None:
    """Protocol: §12.2: the Node SDK's own test compares with it."""
    response = House().post("/events", {"name": "x", "channel": "orders", "data": ""})
    assert (response.status, response.data) == ("200 OK", b"{}")
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Content-Length"] == "2"


def test_a_body_over_the_limit_is_413() -> None:
    """Protocol: §12.2: body limit."""
    house = House(max_request_size=200)
    body = {"name": "x", "channel": "orders", "data": "y" * 300}
    assert error_of(house.post("/events", body)) == (413, "The request body is too large")
    assert house.post("/events", {**body, "data": "y" * 100}).status_code == 200


def test_what_an_earlier_reader_left_is_the_body() -> None:
    """The server has read the body before Flask is called, and leaves the target unparsed."""
    house = House()
    body = b'{"name":"x","channel":"orders","data":""}'
    query = EXAMPLE.signed_query("POST", "/apps/1001/events", None, body, timestamp=NOW)
    target = f"/apps/1001/events?{query}"
    environ = {"fizz.body": body, "fizz.target": target, "RAW_URI": "/wrong", "PATH_INFO": "/no"}
    client = house.flask.test_client()
    response = client.open("/", method="POST", data=b"not this", environ_overrides=environ)
    assert (response.status_code, response.data) == (200, b"{}")


def test_the_rate_of_published_events_is_429_with_retry_after() -> None:
    """Protocol: §12.2, 429; an event of a batch counts as one."""
    house = House(max_backend_events_per_second=3)
    listener = house.client()
    listener.subscribe("orders")
    listener.events()
    event = {"name": "x", "channel": "orders", "data": ""}
    two = {"batch": [event, event]}
    assert house.post("/batch_events", two).status_code == 200
    response = house.post("/batch_events", two)
    assert error_of(response)[0] == 429
    assert response.headers["Retry-After"] == "1"
    assert house.post("/events", event).status_code == 200
    assert len(listener.events()) == 3
    assert house.post("/events", event).status_code == 429
    assert listener.events() == []
    house.clock.time += 0.4
    assert house.post("/events", event).status_code == 200


def test_reads_have_a_rate_of_their_own() -> None:
    """Protocol: §12.2, 429."""
    house = House(max_read_requests_per_second=2)
    statuses = [
        house.get(path).status_code
        for path in ("/channels", "/connections", "/channels/a", "/channels/presence-a/users")
    ]
    assert statuses == [200, 200, 429, 429]
    assert house.get("/channels").headers["Retry-After"] == "1"
    event = {"name": "x", "channel": "orders", "data": ""}
    assert house.post("/events", event).status_code == 200
    house.clock.time += 1
    assert house.get("/channels").status_code == 200


def test_an_unsigned_request_spends_no_rate() -> None:
    """Nobody without the secret can use up an application's rate."""
    house = House(max_read_requests_per_second=1)
    for _ in range(3):
        assert house.request("GET", "/apps/1001/channels").status_code == 401
    assert house.get("/channels").status_code == 200


class BrokenRegistry(MemoryRegistry):
    """Has a bug."""

    def channels(self, app_id: str, prefix: str) -> Mapping[str, ChannelCounts]:
        raise ZeroDivisionError("secret detail")


def test_a_fault_of_ours_is_500_with_an_id_that_the_log_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Protocol: §12.2, 500: nothing of the fault itself is told, and no credential is logged."""
    house = House(registry=BrokenRegistry(HandClock()))
    with caplog.at_level(logging.ERROR):
        status, text = error_of(house.get("/channels"))
    assert status == 500
    reference = text.rpartition(" ")[2]
    assert len(reference) == 8
    assert reference in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "GET /apps/1001/channels" in caplog.text
    assert "auth_signature" not in caplog.text
    assert "secret detail" not in text
    assert house.get("/connections").status_code == 200


def test_plain_requests_for_a_websocket_are_told_to_upgrade() -> None:
    """Protocol: §1.3, last paragraph."""
    for prefix in ("", "/fizz"):
        response = House(prefix=prefix).request("GET", f"{prefix}/app/fizz-key?protocol=7")
        assert error_of(response)[0] == 426
        assert response.headers["Upgrade"] == "websocket"
        assert response.headers["Connection"] == "Upgrade"
    assert error_of(House(prefix="/fizz").request("GET", "/app/fizz-key"))[0] == 404


def test_a_foreign_upgrade_changes_nothing() -> None:
    """HTTP: what a server cannot upgrade to it ignores, as curl offers h2c."""
    house = House()
    headers = {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings"}
    assert house.request("GET", "/up", headers=headers).status_code == 200


@pytest.mark.parametrize("query", ["&".join(f"k{i}=" for i in range(101)), "auth_key=%FF"])
def test_an_unreadable_query_is_400(query: str) -> None:
    """Protocol: §12.2: invalid UTF-8 is 400."""
    assert error_of(House().request("GET", f"/apps/1001/channels?{query}"))[0] == 400
    assert error_of(House().request("POST", f"/users/u/terminate_connections?{query}"))[0] == 400


@pytest.mark.parametrize("prefix", ["", "/fizz"])
def test_health_is_told_to_anybody(prefix: str) -> None:
    """Protocol: §12.10: GET and HEAD, unsigned, with and without the prefix."""
    house = House(prefix=prefix)
    for start in {"", prefix}:
        up = house.request("GET", f"{start}/up")
        assert (up.status_code, up.data) == (200, b'{"health":"OK"}')
        assert up.headers["Content-Type"] == "application/json"
        ready = house.request("GET", f"{start}/ready")
        assert (ready.status_code, ready.data) == (200, b'{"ready":true}')
        assert house.request("HEAD", f"{start}/up").status_code == 200
        assert house.request("HEAD", f"{start}/up?x=1").data == b""
        assert house.request("HEAD", f"{start}/ready").status_code == 200


def test_a_draining_node_is_not_ready_but_up_and_serves() -> None:
    """Protocol: §12.10, §12.2: requests are served to the end."""
    house = House()
    house.readiness.is_draining = True
    ready = house.request("GET", "/ready")
    assert ready.status_code == 503
    assert json.loads(ready.data) == {"ready": False, "reason": "draining"}
    assert ready.headers["Content-Type"] == "application/json"
    head = house.request("HEAD", "/ready")
    assert (head.status_code, head.data) == (503, b"")
    assert house.request("GET", "/up").status_code == 200
    assert house.get("/channels").status_code == 200
