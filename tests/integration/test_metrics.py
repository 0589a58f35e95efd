"""Real scrapes of a real server. Protocol: §12.10."""

import http.client
import json
import time
from collections.abc import Callable

import pytest

from tests.conftest import Start
from tests.harness.eventually import eventually
from tests.harness.pusher_client import PusherClient
from tests.harness.receiver import Receiver
from tests.harness.scrape import Scrape
from tests.harness.server import FizzServer, ServerFailed, free_port
from tests.harness.signing import App
from tests.harness.websocket import RawWebSocket

ONE = App("1001", "key-one", "secret-one")
TWO = App("1002", "key-two", "secret-two")
SMALL_OUTBOX = 65536

FAMILIES = {
    "fizz_bus_dropped_total": "counter",
    "fizz_bus_queue_bytes": "gauge",
    "fizz_channels": "gauge",
    "fizz_connections": "gauge",
    "fizz_connections_total": "counter",
    "fizz_disconnections_total": "counter",
    "fizz_events_published_total": "counter",
    "fizz_fanout_seconds": "histogram",
    "fizz_http_request_seconds": "histogram",
    "fizz_http_requests_total": "counter",
    "fizz_info": "gauge",
    "fizz_loop_lag_seconds": "histogram",
    "fizz_messages_received_total": "counter",
    "fizz_messages_sent_total": "counter",
    "fizz_open_files": "gauge",
    "fizz_outbox_bytes": "histogram",
    "fizz_presence_members": "gauge",
    "fizz_received_bytes_total": "counter",
    "fizz_redis_up": "gauge",
    "fizz_refusals_total": "counter",
    "fizz_message_refusals_total": "counter",
    "fizz_sent_bytes_total": "counter",
    "fizz_silent_workers_total": "counter",
    "fizz_floods_total": "counter",
    "fizz_slow_clients_total": "counter",
    "fizz_subscriptions": "gauge",
    "fizz_users": "gauge",
    "fizz_webhook_queue": "gauge",
    "fizz_webhooks_total": "counter",
    "fizz_workers": "gauge",
}


@pytest.fixture(scope="module")
def server(module_fizz: Start) -> FizzServer:
    return module_fizz(
        apps=[ONE.settings(), TWO.settings(max_connections=2)],
        server={
            "metrics": {"enabled": True, "port": free_port()},
            "max_outbox_size": SMALL_OUTBOX,
            "workers": 1,
        },
    )


def port_of(server: FizzServer) -> int:
    port: int = server.settings["metrics"]["port"]
    return port


def scrape(server: FizzServer) -> Scrape:
    return Scrape.of(port_of(server))


def ask(server: FizzServer, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def refuse(websocket: RawWebSocket) -> None:
    with websocket:
        assert websocket.recv_event()["event"] == "pusher:error"
        websocket.recv_close()


class Change:
    """How figures have moved since this was made."""

    def __init__(self, server: FizzServer) -> None:
        self.server = server
        self.before = scrape(server)

    def of(self, name: str, **labels: str) -> float:
        return scrape(self.server)(name, **labels) - self.before(name, **labels)

    def wait(self, expected: float, name: str, **labels: str) -> None:
        """Until a figure has moved so far, which it must within seconds."""
        eventually(lambda: self.of(name, **labels) == expected, what=f"{name} {labels} {expected}")


@pytest.fixture
def change(server: FizzServer) -> Callable[[], Change]:
    """Who was here before has gone when a test begins."""
    eventually(lambda: scrape(server)("fizz_connections") == 0)
    return lambda: Change(server)


def test_every_metric_is_told_with_its_type(server: FizzServer) -> None:
    assert scrape(server).types == FAMILIES


def test_the_answer_says_that_it_is_for_prometheus(server: FizzServer) -> None:
    status, headers, body = ask(server, "/metrics")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert int(headers["Content-Length"]) == len(body)
    assert ask(server, "/metrics", "HEAD")[2] == b""


def test_usage_tells_the_memory_of_the_server(server: FizzServer) -> None:
    status, headers, body = ask(server, "/usage")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    (memory,) = json.loads(body).values()
    assert set(memory) == {"free", "used", "total", "percent"}
    assert 10 << 20 < memory["used"] < memory["total"]
    assert memory["free"] == memory["total"] - memory["used"]


def test_nothing_else_is_served_there_and_none_of_it_elsewhere(server: FizzServer) -> None:
    for path in ("/", "/up", "/apps/1001/channels"):
        assert ask(server, path)[0] == 404
    assert ask(server, "/metrics", "DELETE")[0] == 405
    for path in ("/metrics", "/usage"):
        assert server.api().request("GET", path, query="").status == 404


def test_connections_come_and_go(server: FizzServer, change: Callable[[], Change]) -> None:
    moved = change()
    clients = [server.client(ONE) for _ in range(3)]
    assert moved.of("fizz_connections", app="1001") == 3
    assert moved.of("fizz_connections_total", app="1001") == 3
    assert moved.of("fizz_connections", app="1002") == 0
    clients[0].close()
    clients[1].websocket.abandon()
    moved.wait(1, "fizz_connections", app="1001")
    assert moved.of("fizz_disconnections_total", app="1001", reason="client") == 1
    assert moved.of("fizz_disconnections_total", app="1001", reason="lost") == 1
    assert moved.of("fizz_connections_total", app="1001") == 3
    clients[2].websocket.send_frame(3)  # no opcode of RFC 6455
    moved.wait(1, "fizz_disconnections_total", app="1001", reason="protocol_error")
    clients[2].websocket.abandon()


def test_refusals_are_counted_by_reason(server: FizzServer, change: Callable[[], Change]) -> None:
    moved = change()
    refuse(server.websocket("/app/nobody?protocol=7"))
    refuse(server.websocket("/elsewhere"))
    refuse(server.websocket(app=ONE, params={"protocol": "4"}))
    with server.client(TWO), server.client(TWO):
        refuse(server.websocket(app=TWO))
    for reason in ("unknown_application", "path_not_found", "unsupported_protocol", "over_quota"):
        assert moved.of("fizz_refusals_total", reason=reason) == 1
    assert moved.of("fizz_refusals_total") == 4
    assert moved.of("fizz_connections_total", app="1001") == 0
    eventually(lambda: "clients were refused: " in server.stderr)


def test_channels_members_and_users(server: FizzServer, change: Callable[[], Change]) -> None:
    moved = change()
    with server.client(ONE) as ann, server.client(ONE) as ann_again, server.client(TWO) as bob:
        ann.subscribe("presence-room", user_id="ann")
        ann_again.subscribe("presence-room", user_id="ann")
        ann.subscribe("orders")
        ann.subscribe("private-cache-orders")
        ann.expect("pusher:cache_miss")
        bob.subscribe("orders")
        ann.signin("ann")
        assert moved.of("fizz_subscriptions", app="1001") == 4
        assert moved.of("fizz_subscriptions", app="1002") == 1
        assert moved.of("fizz_channels", app="1001", kind="presence") == 1
        assert moved.of("fizz_channels", app="1001", kind="private-cache") == 1
        assert moved.of("fizz_channels", app="1001", kind="public") == 1
        assert moved.of("fizz_presence_members", app="1001") == 1
        assert moved.of("fizz_users", app="1001") == 1
    for name in ("subscriptions", "channels", "presence_members", "users", "connections"):
        moved.wait(0, f"fizz_{name}")


def test_messages_events_and_bytes(server: FizzServer, change: Callable[[], Change]) -> None:
    with server.client(ONE) as one, server.client(ONE) as two:
        for client in (one, two):
            client.subscribe("private-room")
        moved = Change(server)
        server.api(ONE).trigger(["private-room", "nobody"], "news", "x" * 1000)
        for client in (one, two):
            client.expect("news")
        assert moved.of("fizz_events_published_total", app="1001", source="http") == 2
        assert moved.of("fizz_messages_sent_total", app="1001") == 2
        moved.wait(1, "fizz_fanout_seconds_count")
        assert 2000 < moved.of("fizz_sent_bytes_total") < 2400
        one.trigger("client-move", "private-room", {"x": 1})
        two.expect("client-move")
        assert moved.of("fizz_events_published_total", app="1001", source="client") == 1
        assert moved.of("fizz_messages_received_total", app="1001") == 1
        assert moved.of("fizz_messages_sent_total", app="1001") == 3
        assert 60 < moved.of("fizz_received_bytes_total") < 200


def test_a_slow_client_shows(server: FizzServer, change: Callable[[], Change]) -> None:
    moved = change()
    with server.client(ONE) as client:
        client.subscribe("flood")
        api = server.api(ONE)

        def is_closed() -> bool:
            for _ in range(20):
                api.trigger("flood", "drop", "x" * 10_000)
            return moved.of("fizz_slow_clients_total", app="1001") == 1

        eventually(is_closed, within=30)
        assert moved.of("fizz_disconnections_total", app="1001", reason="slow") == 1
        assert moved.of("fizz_outbox_bytes_count") >= 1
        assert moved.of("fizz_outbox_bytes_sum") <= SMALL_OUTBOX * moved.of(
            "fizz_outbox_bytes_count"
        )


def test_http_requests_by_route_and_status(
    server: FizzServer, change: Callable[[], Change]
) -> None:
    moved = change()
    api = server.api(ONE)
    assert api.get("/channels").status == 200
    assert api.get("/channels/orders").status == 200
    assert api.get("/channels/orders/users").status == 400
    assert api.request("GET", "/apps/1001/channels", query="").status == 401
    assert api.request("GET", "/no/such/path", query="").status == 404
    assert api.request("PUT", "/apps/1001/channels").status == 405
    expected = {
        ("/apps/<app_id>/channels", "200"): 1,
        ("/apps/<app_id>/channels/<channel>", "200"): 1,
        ("/apps/<app_id>/channels/<channel>/users", "400"): 1,
        ("/apps/<app_id>/channels", "401"): 1,
        ("none", "404"): 1,
        ("none", "405"): 1,
    }
    for (route, status), count in expected.items():
        assert moved.of("fizz_http_requests_total", route=route, status=status) == count
    assert moved.of("fizz_http_requests_total") == len(expected)
    assert moved.of("fizz_http_request_seconds_count") == len(expected)


def test_noise_is_a_request_without_a_route(
    server: FizzServer, change: Callable[[], Change]
) -> None:
    """Whatever paths are asked for, there are no more series than routes."""
    moved = change()
    api = server.api(ONE)
    for number in range(20):
        assert api.request("GET", f"/noise-{number}", query="").status == 404
    assert moved.of("fizz_http_requests_total", route="none", status="404") == 20
    assert "noise" not in scrape(server).text


def test_the_event_loop_and_the_files_are_watched(server: FizzServer) -> None:
    moved = Change(server)
    eventually(lambda: moved.of("fizz_loop_lag_seconds_count") >= 2)
    websockets: list[RawWebSocket] = []
    before = scrape(server)("fizz_open_files")
    try:
        websockets += [server.websocket(app=ONE) for _ in range(20)]
        eventually(lambda: scrape(server)("fizz_open_files") >= before + 20)
    finally:
        for websocket in websockets:
            websocket.abandon()


def test_one_process_has_one_version_and_no_redis(server: FizzServer) -> None:
    found = scrape(server)
    assert found.values("fizz_info") == [1]
    assert found.values("fizz_workers") == [1]
    assert found.values("fizz_redis_up") == []


def test_webhooks_by_what_became_of_them(fizz: Start) -> None:
    """Protocol: §13; the first try fails, the second does not."""
    with Receiver() as receiver:
        statuses = iter([500])
        receiver.answer = lambda _: next(statuses, 200)
        server = fizz(
            apps=[
                ONE.settings(webhooks=[{"url": receiver.url, "event_types": ["channel_occupied"]}])
            ],
            server={"metrics": {"enabled": True, "port": free_port()}, "workers": 1},
        )
        with server.client(ONE) as client:
            client.subscribe("orders")
            eventually(lambda: scrape(server)("fizz_webhook_queue") == 1)
            receiver.wait_for(1)
            eventually(lambda: scrape(server)("fizz_webhook_queue") == 0)
            found = scrape(server)
    assert found("fizz_webhooks_total", outcome="sent") == 1
    assert found("fizz_webhooks_total", outcome="failed") == 1
    assert found("fizz_webhooks_total", outcome="given_up") == 0
    assert found("fizz_webhooks_total", outcome="dropped") == 0


def test_a_scrape_of_many_connections(
    fizz: Start, record_property: Callable[[str, object], None]
) -> None:
    """How long it takes is told, not judged: this machine may be busy."""
    server = fizz(
        apps=[ONE.settings()],
        server={"metrics": {"enabled": True, "port": free_port()}, "workers": 1},
    )
    clients: list[PusherClient] = []
    try:
        for number in range(1000):
            clients.append(server.client(ONE))
            clients[-1].subscribe(f"room-{number}")
        began = time.monotonic()
        found = scrape(server)
        seconds = time.monotonic() - began
    finally:
        for client in clients:
            client.websocket.abandon()
    assert found("fizz_connections") == found("fizz_channels") == 1000
    record_property("scrape_milliseconds", round(1000 * seconds, 1))
    print(f"a scrape at 1000 connections in 1000 channels took {1000 * seconds:.1f} ms")


def test_without_the_setting_nobody_listens(fizz: Start) -> None:
    port = free_port()
    server = fizz(server={"metrics": {"enabled": False, "port": port}})
    with pytest.raises(OSError, match="refused"):
        Scrape.of(port)
    assert "Metrics" not in server.stdout


def test_the_banner_says_where(server: FizzServer) -> None:
    assert f"http://127.0.0.1:{port_of(server)}/metrics\n" in server.stdout


def test_a_port_in_use_is_one_line(fizz: Start, server: FizzServer) -> None:
    with pytest.raises(ServerFailed, match="exit 1") as failure:
        fizz(server={"port": free_port(), "metrics": {"enabled": True, "port": port_of(server)}})
    assert f"cannot listen on 127.0.0.1:{port_of(server)}: it is in use" in str(failure.value)
    assert "Traceback" not in str(failure.value)
