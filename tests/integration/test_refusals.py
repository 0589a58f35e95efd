"""Whoever is refused something: the log, the figures and the console say why."""

from collections.abc import Callable
from functools import partial

from tests.harness.console import Console
from tests.harness.eventually import eventually
from tests.harness.http_socket import HttpSocket
from tests.harness.scrape import Scrape
from tests.harness.server import FizzServer, free_port
from tests.harness.signing import App

Start = Callable[..., FizzServer]


def start(fizz: Start, level: str) -> FizzServer:
    return fizz(
        apps=[App().settings(max_connections=1, max_client_events_per_second=1)],
        server={"workers": 1, "metrics": {"enabled": True, "port": free_port()}},
        config={"logging": {"level": level}},
    )


def refuse_everything(server: FizzServer) -> None:
    """One refusal of each kind, and two client events too many."""
    for target in ("/app/nobody?protocol=7", "/elsewhere"):
        with server.websocket(target) as refused:
            refused.recv_close()
    with server.client() as client:
        with server.websocket() as refused:
            assert refused.recv_close()[0] == 4004
        client.request_subscription("private-x", auth="x:y")
        client.request_subscription("no/slash")
        client.request_subscription("private-x1")
        client.wait_for("pusher_internal:subscription_succeeded", "private-x1")
        client.trigger("client-a", "private-other", {})
        for _ in range(3):
            client.trigger("client-a", "private-x1", {})
        client.send("pusher:signin", {"auth": "x", "user_data": "{}"})
        client.websocket.send_text("no JSON")
        client.pending()
    assert server.api().request("GET", "/apps/1001/channels", query="").status == 401
    with HttpSocket.open(server.address) as plain:
        assert plain.ask(b"GET /up HTTP/1.1\r\nno colon\r\n\r\n").status == 400


CONNECTIONS = {"unknown_application": 1, "path_not_found": 1, "over_quota": 1}
MESSAGES = {
    "auth_error": 1,
    "invalid_channel": 1,
    "client_event": 1,
    "unauthorized": 1,
    "invalid_message": 1,
}


def test_every_refusal_is_counted_summed_up_and_shown(fizz: Start) -> None:
    """At the level that production runs with."""
    server = start(fizz, "warning")
    with Console(server).watching("private-samples") as watching:
        refuse_everything(server)
        scrape = Scrape.of(server.settings["metrics"]["port"])
        for reason, count in CONNECTIONS.items():
            assert scrape("fizz_refusals_total", reason=reason) == count
        for reason, count in MESSAGES.items():
            assert scrape("fizz_message_refusals_total", app="1001", reason=reason) == count
        assert scrape("fizz_message_refusals_total", reason="client_event_rate") >= 1
        assert scrape("fizz_http_requests_total", status="401") == 1
        assert scrape("fizz_http_requests_total", route="none", status="400") == 1
        told: list[str] = []

        def all_told() -> bool:
            sample = watching.wait_for("sample", "private-samples")
            told.extend(f"{each['what']} {each['why']}" for each in sample["incidents"])
            return len(told) >= 11

        eventually(all_told, what="the console shows them")
    for words in (
        "connection /app/nobody: 4001",
        "connection /elsewhere: 4005",
        "connection /app/",
        "client Invalid channel name",
        "client Client event rejected due to rate limit",
        "client Client event 'client-a' on channel 'private-other' rejected",
        "client Invalid key in signin auth data",
        "client Invalid message format",
        "request 401",
        "request 400",
    ):
        assert any(line.startswith(words) for line in told), (words, told)
    for kind in ("clients", "messages", "requests"):
        eventually(partial(is_said, server, f"{kind} were refused: "))
    assert " warning clients were refused: " in server.stderr


def is_said(server: FizzServer, words: str) -> bool:
    return words in server.stderr


def test_each_refusal_is_a_line_where_that_is_asked_for(fizz: Start) -> None:
    server = start(fizz, "debug")
    refuse_everything(server)
    server.stop()
    refused = [line for line in server.stderr.splitlines() if " debug " in line]
    for words in (
        "connection from 127.0.0.1 refused: unknown_application",
        "connection from 127.0.0.1 refused: path_not_found",
        "connection from 127.0.0.1 refused: over_quota",
        "of 1001 refused: Invalid channel name",
        "of 1001 refused: Client event rejected due to rate limit",
        "GET /apps/1001/channels from 127.0.0.1 refused: 401 Unauthorized: auth_key is missing",
        "request from 127.0.0.1 refused: 400 Bad Request",
    ):
        assert any(words in line for line in refused), (words, refused)
