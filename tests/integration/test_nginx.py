"""Fizz behind a real nginx that runs ``etc/nginx.conf``, with other ports and folders."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import Start
from tests.harness.certificates import Certificate
from tests.harness.eventually import eventually
from tests.harness.nginx import Nginx, run_nginx
from tests.harness.samples import sample
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.websocket import PING, PONG

pytestmark = pytest.mark.needs_nginx

OPEN = App()
PAGES = App("1002", "pages-key", "pages-secret")
SECURE = App("1003", "secure-key", "secure-secret")
RESTLESS = App("1004", "restless-key", "restless-secret")

APPS = [
    OPEN.settings(),
    PAGES.settings(allowed_origins=["example.com"]),
    SECURE.settings(require_tls=True),
    RESTLESS.settings(ping_interval=0.5),
]


@pytest.fixture(scope="module")
def server(module_fizz: Start) -> FizzServer:
    return module_fizz(apps=APPS, server={"trusted_proxies": ["127.0.0.1/32"]})


@pytest.fixture(scope="module")
def nginx(
    server: FizzServer, certificate: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    yield from run_nginx(tmp_path_factory.mktemp("nginx"), server, certificate)


def test_an_event_goes_in_and_out_through_the_proxy(nginx: Nginx) -> None:
    with nginx.client() as client:
        client.subscribe("private-orders")
        assert nginx.api().trigger("private-orders", "created", {"id": 1}) == {}
        assert client.expect("created", "private-orders") == {"id": 1}
        client.ping()
        assert client.close() is None


@pytest.mark.parametrize(
    ("app", "headers", "code", "reason"),
    [
        (App("9", "no-such-key", "s"), {}, 4001, "Application does not exist"),
        (PAGES, {"Origin": "https://evil.example"}, 4009, "Origin not allowed"),
        (PAGES, {}, 4009, "Origin not allowed"),
    ],
)
def test_a_refusal_keeps_its_code(
    nginx: Nginx, app: App, headers: dict[str, str], code: int, reason: str
) -> None:
    """Protocol: §1.3; §4.3, an error that closes is an event and a close frame."""
    websocket = nginx.websocket(app, headers=headers)
    error = websocket.recv_event()
    assert error == {"event": "pusher:error", "data": {"code": code, "message": reason}}
    assert websocket.recv_close() == (code, reason)
    websocket.abandon()


def test_the_origin_of_a_page_arrives(nginx: Nginx) -> None:
    """Protocol: §1.3, origin rule."""
    with nginx.client(PAGES, headers={"Origin": "https://example.com"}) as client:
        client.ping()


def test_require_tls_believes_the_proxy_and_not_the_client(nginx: Nginx) -> None:
    """Protocol: §1.3, check 5."""
    with nginx.client(SECURE, tls=True) as client:
        client.ping()
    for headers in ({}, {"X-Forwarded-Proto": "https"}):
        websocket = nginx.websocket(SECURE, headers=headers)
        assert websocket.recv_event()["data"]["code"] == 4000
        assert websocket.recv_close()[0] == 4000
        websocket.abandon()


@pytest.mark.parametrize("name", ["cache-a=b,c;d@e.f", "cache-a%3Db%2Cc%3Bd%40e.f"])
def test_the_signed_path_arrives_as_it_was_sent(nginx: Nginx, name: str) -> None:
    """Protocol: §12.1, path and query from the raw request target."""
    nginx.api().trigger("cache-a=b,c;d@e.f", "x", "y")
    answer = nginx.api().get(f"/channels/{name}", info="cache")
    assert answer.status == 200, answer
    assert answer.json["cache"]["data"] == "y"


def test_terminate_connections_on_both_paths(nginx: Nginx) -> None:
    """Protocol: §12.8, also as the Python SDK asks for it."""
    for path in ("/apps/1001/users/u-7/terminate_connections", "/users/u-7/terminate_connections"):
        client = nginx.client()
        client.signin("u-7")
        assert nginx.api().request("POST", path, body=b"{}").json == {}
        assert client.expect_close() == (4009, "Connection terminated by the application")


def test_only_what_is_meant_for_the_world_is_forwarded(nginx: Nginx) -> None:
    assert nginx.api().request("GET", "/up", query="").json == {"health": "OK"}
    for path in ("/", "/ready", "/console", "/metrics", "/up/", "/pusher/info"):
        answer = nginx.api().request("GET", path, query="")
        assert answer.status == 404, path
        assert b"nginx" in answer.body, path


def test_a_full_batch_passes_and_a_huge_body_does_not(nginx: Nginx) -> None:
    """Protocol: §12.4; §12.2, 413."""
    events = [{"channel": "bulk", "name": "x", "data": "d" * 10240} for _ in range(10)]
    with nginx.client() as client:
        client.subscribe("bulk")
        assert nginx.api().post("/batch_events", {"batch": events}).json == {}
        for event in events:
            assert client.expect("x", "bulk") == event["data"]
    assert nginx.api().post("/events", b"x" * 1048577).status == 413


def test_a_silent_client_is_kept_by_pings(nginx: Nginx) -> None:
    """Protocol: §3, the server's probe; what comes from Fizz resets the proxy's patience."""
    with nginx.client(RESTLESS) as client:
        for _ in range(2):
            frame = client.websocket.recv_frame()
            assert frame.opcode == PING
            client.websocket.send_frame(PONG, frame.payload)
        client.ping()


def test_requests_share_a_connection_on_both_sides(nginx: Nginx) -> None:
    before = ports_connected_to(nginx.server.port)
    connection = nginx.api().connection()
    try:
        for _ in range(20):
            path = "/apps/1001/channels"
            answer = nginx.api().request("GET", path, connection=connection)
            assert answer.status == 200
            assert answer.headers["connection"] == "keep-alive"
    finally:
        connection.close()
    # One of nginx's workers served them all; 20 would be the number without keep-alive.
    assert len(ports_connected_to(nginx.server.port) - before) <= 1


def ports_connected_to(port: int) -> set[str]:
    """Return the local ports of connections to ``port``, of those just closed too."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    pairs = [line.split()[1:3] for line in lines]
    return {local for local, remote in pairs if remote.endswith(f":{port:04X}")} | {
        remote for local, remote in pairs if local.endswith(f":{port:04X}")
    }


def test_the_log_shows_requests_without_their_signatures(nginx: Nginx) -> None:
    nginx.api().trigger("logged", "x", "y")
    eventually(lambda: "POST /apps/1001/events" in nginx.log("access.log"))
    assert "auth_" not in nginx.log("access.log")


def test_clients_hear_of_a_stop_through_the_proxy(
    fizz: Start, certificate: Certificate, tmp_path: Path
) -> None:
    """Protocol: §4.3, 4200."""
    server = fizz()
    for nginx in run_nginx(tmp_path, server, certificate):
        client = nginx.client()
        server.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
        assert client.expect_close() == (4200, "Generic reconnect immediately")
        assert server.wait() == 0
        assert nginx.api().request("GET", "/up", query="").status == 502


def test_its_numbers_fit_those_of_fizz() -> None:
    """``etc/fizz.yaml`` shows the defaults, as a test of its own proves."""
    fizz = yaml.safe_load(sample("fizz.yaml"))
    server, application = fizz["servers"]["fizz"], fizz["apps"]["apps"][0]
    nginx = sample("nginx.conf")
    assert re.findall(r"proxy_(?:read|send)_timeout (\w+);", nginx) == ["1h", "1h"]
    assert 2 * (application["ping_interval"] + application["pong_timeout"]) < 3600
    assert set(re.findall(r"client_max_body_size (\w+);", nginx)) == {"1m"}
    assert server["max_request_size"] == 1024 * 1024
    (kept,) = re.findall(r"keepalive_timeout (\d+)s;", nginx)
    assert int(kept) < server["keep_alive_timeout"]
    (files,) = re.findall(r"worker_rlimit_nofile (\d+);", nginx)
    (connections,) = re.findall(r"worker_connections (\d+);", nginx)
    assert int(files) > int(connections)
