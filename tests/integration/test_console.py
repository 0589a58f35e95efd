"""The console over plain sockets: who gets in, what it answers, and what it hides."""

import base64
import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Start
from tests.harness.console import PAGE, Console
from tests.harness.eventually import eventually
from tests.harness.http_api import Answer
from tests.harness.server import FizzServer, free_port
from tests.harness.signing import App

USER, PASSWORD = "ann", "correct horse battery"
OTHER = App("2002", "other-key", "other-secret")


@pytest.fixture(scope="module")
def server(module_fizz: Start) -> FizzServer:
    return module_fizz(
        apps=[App().settings(), OTHER.settings()],
        server={"workers": 1, "metrics": {"enabled": False}},
    )


@pytest.fixture
def console(server: FizzServer) -> Console:
    return Console(server)


@pytest.fixture(scope="module")
def guarded(module_fizz: Start) -> FizzServer:
    settings = {"username": USER, "password": PASSWORD}
    return module_fizz(server={"workers": 1, "path": "/fizz", "console": settings})


def log_in(server: FizzServer, password: str = PASSWORD, *headers: str) -> Answer:
    form = f"username={USER}&password={password.replace(' ', '+')}".encode()
    kind = "Content-Type: application/x-www-form-urlencoded"
    return Console(server).ask("POST", "/login", kind, *headers, body=form)


def session_of(answer: Answer) -> str:
    cookie = answer.headers["set-cookie"]
    for word in ("HttpOnly", "SameSite=Strict", "Path=/fizz/console"):
        assert word in cookie
    return f"Cookie: {cookie.partition(';')[0]}"


# Who gets in


def test_without_a_password_the_page_answers_on_loopback(console: Console) -> None:
    for path in ("", "/"):
        answer = console.ask("GET", path)
        assert answer.status == 200
        assert b"section-overview" in answer.body
    assert [app["app_id"] for app in console.get("setup")["apps"]] == ["1001", "2002"]


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: localhost",
        "Forwarded: for=127.0.0.1",
        "Via: 1.1 proxy",
        "X-Real-IP: 127.0.0.1",
    ],
)
def test_without_a_password_a_proxy_on_this_machine_opens_nothing(
    console: Console, header: str
) -> None:
    for method, path in (
        ("GET", ""),
        ("GET", "/api/setup"),
        ("GET", "/api/apps/1001/channels"),
        ("POST", "/api/auth"),
        ("POST", "/api/apps/1001/events"),
        ("POST", "/api/apps/1001/sign"),
    ):
        answer = console.ask(method, path, header, PAGE)
        assert answer.status == 403, path
        assert b"FIZZ_CONSOLE_PASSWORD" in answer.body, path
        assert App().key.encode() not in answer.body


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1.example.com", "192.0.2.1:8080"])
def test_without_a_password_another_host_is_refused(server: FizzServer, host: str) -> None:
    for path in ("", "/api/setup"):
        answer = Console(server, host=host).ask("GET", path)
        assert (answer.status, b"FIZZ_CONSOLE_PASSWORD" in answer.body) == (403, True)


def test_a_disabled_console_is_not_there(fizz: Start) -> None:
    server = fizz(server={"console": {"enabled": False}})
    for method, path in (("GET", ""), ("GET", "/api/setup"), ("POST", "/login")):
        assert Console(server).ask(method, path).status == 404


def test_with_a_password_the_form_is_shown_and_nothing_else(guarded: FizzServer) -> None:
    console = Console(guarded)
    page = console.ask("GET", "")
    assert page.status == 200
    assert b'action="/fizz/console/login"' in page.body
    assert b"section-overview" not in page.body
    assert console.ask("GET", "/api/setup").status == 401
    assert console.ask("POST", "/api/apps/1001/events", PAGE).status == 401
    assert guarded.api().request("GET", "/console", query="").status == 200
    assert Console(guarded).ask("GET", "/static/console.css").status == 200


def test_logging_in_and_out(guarded: FizzServer) -> None:
    answer = log_in(guarded)
    assert (answer.status, answer.headers["location"]) == (303, "/fizz/console")
    session = session_of(answer)
    assert "Secure" not in answer.headers["set-cookie"]
    inside = Console(guarded, session)
    assert b"section-overview" in inside.ask("GET", "").body
    # Behind a proxy too: a password is a password.
    assert Console(guarded, session, "X-Forwarded-For: 192.0.2.1").get("setup")["prefix"] == "/fizz"
    left = inside.ask("POST", "/logout")
    assert left.status == 303
    assert "Max-Age=0" in left.headers["set-cookie"] or "Expires" in left.headers["set-cookie"]


def test_http_basic(guarded: FizzServer) -> None:
    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert Console(guarded, f"Authorization: Basic {token}").get("setup")["prefix"] == "/fizz"


def test_another_site_cannot_log_anybody_in_or_change_anything(guarded: FizzServer) -> None:
    assert log_in(guarded, PASSWORD, "Origin: http://evil.example.com").status == 403
    inside = Console(guarded, session_of(log_in(guarded)))
    event = {"name": "news", "channel": "orders", "data": "{}"}
    body = json.dumps(event).encode()
    assert inside.ask("POST", "/api/apps/1001/events", body=body).status == 403
    for header in ("Sec-Fetch-Site: cross-site", "Origin: http://evil.example.com"):
        for path in ("auth", "apps/1001/events", "apps/1001/sign"):
            assert inside.post(path, event, header).status == 403
    assert inside.ask("OPTIONS", "/api/auth").status in (403, 404, 405)
    assert inside.post("apps/1001/events", event).status == 200


def test_guessing_is_slowed_down(fizz: Start) -> None:
    server = fizz(
        server={"workers": 1, "path": "/fizz", "console": {"username": USER, "password": PASSWORD}}
    )
    session = session_of(log_in(server))
    for _ in range(5):
        assert log_in(server, "guess").headers["location"].endswith("?refused=wrong")
    assert log_in(server).headers["location"].endswith("?refused=often")
    page = Console(server).ask("GET", "?refused=often")
    assert b"Too many wrong passwords" in page.body
    assert Console(server, session).get("setup")  # who is inside stays there


def test_headers_let_only_own_files_in(console: Console) -> None:
    for path in ("", "/api/setup", "/static/app.js", "/api/apps/none/channels"):
        answer = console.ask("GET", path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert f"ws://{console.host}" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert console.ask("GET", "/api/setup").headers["cache-control"] == "no-store"


def test_the_page_asks_no_other_host() -> None:
    folder = Path(__file__).parents[2] / "fizz_gevent" / "console"
    for path in [*(folder / "static").iterdir(), *(folder / "templates").iterdir()]:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, path
        assert "https://" not in text, path
        if path.suffix == ".html":
            assert " style=" not in text
            assert not re.search(r"\son[a-z]+=", text)


# What it answers


def test_channels_with_their_members(server: FizzServer, console: Console) -> None:
    with server.client() as one, server.client() as two:
        one.subscribe("presence-room", user_id="ann")
        two.subscribe("presence-room", user_id="bob")
        two.subscribe("cache-orders")
        server.api().trigger("cache-orders", "news", {"a": 1})
        found = console.get("apps/1001/channels?prefix=presence-")
        assert found["channels"] == [{"name": "presence-room", "subscriptions": 2, "users": 2}]
        room = console.get("apps/1001/channel?name=presence-room")
        assert room["users"] == ["ann", "bob"]
        assert console.get("apps/1001/channel?name=cache-orders")["cache"]["data"] == '{"a":1}'
        assert console.get("apps/2002/channels")["channels"] == []


def test_publishing(server: FizzServer, console: Console) -> None:
    with server.client() as client:
        client.subscribe("orders")
        answer = console.post(
            "apps/1001/events", {"name": "news", "channels": ["orders"], "data": '{"id":1}'}
        )
        assert answer.status == 200
        assert client.expect("news", "orders") == {"id": 1}
    for bad in ({"name": "pusher:x"}, {"channels": ["a b"]}, {"data": None, "name": ""}):
        event = {"name": "news", "channels": ["orders"], "data": "{}", **bad}
        answer = console.post("apps/1001/events", event)
        assert answer.status == 400
        assert answer.json["error"]
    assert console.post("apps/nobody/events", {}).status == 404


def test_signatures_are_those_that_the_server_accepts(server: FizzServer, console: Console) -> None:
    """Protocol: §6.2, §9.1, §12.1."""

    def sign(**fields: Any) -> Any:
        answer = console.post("apps/1001/sign", fields)
        assert answer.status == 200, answer
        return answer.json

    with server.client() as client:
        auth = sign(kind="channel", socket_id=client.socket_id, channel="private-x")["auth"]
        client.subscribe("private-x", auth=auth)
        member = '{"user_id": "u-7"}'
        signed = sign(
            kind="channel",
            socket_id=client.socket_id,
            channel="presence-x",
            channel_data=member,
        )
        client.subscribe("presence-x", auth=signed["auth"], channel_data=signed["channel_data"])
        data = '{"id":"u-7"}'
        signed = sign(kind="user", socket_id=client.socket_id, user_data=data)
        client.signin("u-7", user_data=data, auth=signed["auth"])
    body = '{"name":"a","channel":"b","data":"c"}'
    request = sign(kind="request", method="POST", path="events", body=body)
    path, _, query = request["target"].partition("?")
    api = server.api()
    assert api.request("POST", path, body=body.encode(), query=query).status == 200
    assert api.request("POST", path, body=b"{}", query=query).status == 401
    for wrong in (
        {"kind": "channel", "socket_id": "x", "channel": "private-x"},
        {"kind": "channel", "socket_id": "1.2", "channel": "a b"},
        {"kind": "channel", "socket_id": "1.2", "channel": "presence-a", "channel_data": "[]"},
        {"kind": "user", "socket_id": "1.2", "user_data": "nonsense"},
        {"kind": "request", "method": "DELETE", "path": "x"},
    ):
        assert console.post("apps/1001/sign", wrong).status == 400


def test_no_secret_leaves_the_server(console: Console) -> None:
    setup = console.ask("GET", "/api/setup").body
    for app in (App(), OTHER):
        assert app.secret.encode() not in setup
    for path in ("private-samples", "private-stream-1001"):
        answer = console.post("auth", {"socket_id": "1.2", "channel": path})
        assert answer.status == 200


# What it is told, over Fizz's own WebSocket


def test_samples_and_refusals_are_told(server: FizzServer, console: Console) -> None:
    with server.websocket("/app/nonsense?protocol=7") as refused:
        refused.recv_event()
    assert server.api().request("GET", "/apps/1001/channels", query="").status == 401
    with server.client() as client, console.watching("private-samples") as watching:
        client.subscribe("orders")
        incidents: list[dict[str, Any]] = []

        def counted() -> bool:
            sample = watching.wait_for("sample", "private-samples")
            incidents.extend(sample["incidents"])
            counts = sample["apps"]["1001"]
            return (counts["connections"], counts["subscriptions"]) == (1, 1)

        eventually(counted, what="a sample with the client in it")
    told = {(each["what"], each["why"]) for each in incidents}
    assert ("connection", "/app/nonsense: 4001 Application does not exist") in told
    assert any(what == "request" and "401" in why and "auth_key" in why for what, why in told)


def test_the_stream_of_one_application(server: FizzServer, console: Console) -> None:
    with console.watching("private-stream-1001") as watching, server.client() as client:
        client.subscribe("orders")
        entries: list[dict[str, Any]] = []

        def seen() -> bool:
            server.api(OTHER).trigger("orders", "foreign", {})
            server.api().trigger("orders", "news", {"id": 7})
            for event in watching.pending():
                if event["event"] == "entries":
                    entries.extend(event["data"]["entries"])
            return any(each.get("name") == "news" for each in entries)

        eventually(seen, what="the event in the stream")
        event = next(each for each in entries if each.get("name") == "news")
        assert (event["channels"], event["text"]) == (["orders"], '{"id":7}')
        assert not [each for each in entries if each.get("name") == "foreign"]
        assert not [each for each in entries if "console" in each["text"]]


def test_the_hidden_application_is_nowhere_else(server: FizzServer, console: Console) -> None:
    key = console.get("setup")["key"]
    with console.watching("private-samples") as watching:
        watching.wait_for("sample")
        assert [app["app_id"] for app in console.get("setup")["apps"]] == ["1001", "2002"]
        hidden = App(".console", key, "guess")
        assert server.api(hidden).get("/channels").status == 404
        assert console.ask("GET", "/api/apps/.console/channels").status == 404
        path = "/users/a/terminate_connections"
        answer = server.api(hidden).request("POST", path, body=b"{}")
        assert (answer.status, b"not a key" in answer.body) == (401, True)
    # Who has the key alone learns nothing.
    with server.client(hidden) as client:
        client.request_subscription("private-samples", auth=f"{key}:{'0' * 64}")
        client.expect("pusher:subscription_error")


def test_metrics_do_not_know_the_hidden_application(fizz: Start) -> None:
    port = free_port()
    server = fizz(server={"workers": 1, "metrics": {"enabled": True, "port": port}})
    console = Console(server)
    with console.watching("private-samples") as watching:
        watching.wait_for("sample")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
    assert 'fizz_connections{app="1001"} 0.0' in text
    assert 'app=".console"' not in text
    assert "private-samples" not in text


@pytest.mark.needs_redis
def test_two_workers_are_watched_as_one(fizz: Start) -> None:
    settings = {"username": USER, "password": PASSWORD}
    server = fizz(server={"workers": 2, "path": "/fizz", "console": settings})
    session = session_of(log_in(server))
    console = Console(server, session)
    clients = [server.client() for _ in range(6)]
    try:
        for client in clients:
            client.subscribe("orders")
        with console.watching("private-samples", "private-connections-1001") as watching:
            latest: dict[str, dict[str, Any]] = {}
            listed: dict[str, int] = {}

            def summed() -> bool:
                event = watching.next_event()
                if event["event"] == "sample":
                    latest[event["data"]["node"]] = event["data"]["apps"]["1001"]
                elif event["event"] == "connections":
                    listed[event["data"]["node"]] = len(event["data"]["connections"])
                counts = [sample["connections"] for sample in latest.values()]
                return len(counts) == 2 and sum(counts) == 6 and sum(listed.values()) == 6

            eventually(summed, what="samples of both workers")
        # Each request may meet either worker; all serve this session and its signatures.
        for _ in range(10):
            assert console.get("setup")["key"]
            assert console.post("auth", {"socket_id": "1.2", "channel": "private-samples"}).json
    finally:
        for client in clients:
            client.websocket.abandon()
