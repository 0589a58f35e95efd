"""What pusher-js makes of refusals and of the codes that connections are closed with."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.balancer import Balancer
from tests.harness.certificates import Certificate
from tests.harness.node import NodeScript
from tests.harness.scripted import Scripted
from tests.harness.server import FizzServer
from tests.harness.signing import App

OPEN = App("1001", "open-key", "open-secret")
DISABLED = App("1002", "disabled-key", "disabled-secret")
LIMITED = App("1003", "limited-key", "limited-secret")
QUICK = App("1004", "quick-key", "quick-secret")
CHOOSY = App("1005", "choosy-key", "choosy-secret")
FULL = App("1006", "full-key", "full-secret")
NOBODY = App("1001", "nobody", "nothing")

SUCCEEDED = "pusher:subscription_succeeded"
Client = Callable[..., Scripted]


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(
        apps=[
            OPEN.settings(max_message_size=500),
            DISABLED.settings(enabled=False),
            LIMITED.settings(max_client_events_per_second=1, max_presence_members=1),
            QUICK.settings(ping_interval=0.5, pong_timeout=1, activity_timeout=1),
            CHOOSY.settings(allowed_origins=["example.com"]),
            FULL.settings(max_connections=1),
        ]
    )


@pytest.fixture
def client(node: Callable[..., NodeScript], server: FizzServer) -> Client:
    """Start a pusher-js; whether it gets connected is the test's business."""

    def start(app: App = OPEN, **options: Any) -> Scripted:
        return Scripted(node, "pusher_client.js", server, app, options=options)

    return start


@pytest.mark.parametrize(
    ("app", "code", "message"),
    [
        (NOBODY, 4001, "Application does not exist"),
        (DISABLED, 4003, "Application disabled"),
        (CHOOSY, 4009, "Origin not allowed"),
        (FULL, 4004, "Application is over connection quota"),
    ],
)
def test_a_refused_client_stays_away(
    server: FizzServer, client: Client, app: App, code: int, message: str
) -> None:
    """Protocol: §4.2, 4001-4099: disconnected, no retry until connect() is called."""
    seat = server.client(FULL) if app is FULL else None
    page = client(app)
    page.wait_for(error={"code": code, "message": message})
    page.wait_for(state="disconnected")
    assert page.do("state") == {"state": "disconnected", "retries": False}
    page.do("connect")
    page.wait_for(error={"code": code, "message": message})
    page.wait_for(state="disconnected")
    if seat is not None:
        seat.close()
        page.do("connect")
        page.wait_for(state="connected")


def test_a_wrong_path_stops_a_client(client: Client) -> None:
    """Protocol: §1.3, a 4005 stops it where a 404 would let it try for ever."""
    page = client(wsPath="/nowhere")
    page.wait_for(error={"code": 4005, "message": "Path not found"})
    page.wait_for(state="disconnected")
    assert page.do("state")["retries"] is False


def first_retry(page: Scripted) -> int:
    """The milliseconds after which it has decided to try again."""
    while "retry_in" not in (told := page.told()):
        assert "error" in told or "channel" in told, told
    return int(told["retry_in"])


def test_a_full_server_is_tried_again_after_a_pause(
    fizz: Callable[..., FizzServer], node: Callable[..., NodeScript]
) -> None:
    """Protocol: §4.2, 4100-4199: retry after 1 s."""
    full = fizz(apps=[OPEN.settings()], server={"max_connections": 1})
    seat = full.client()
    page = Scripted(node, "pusher_client.js", full)
    page.wait_for(error={"code": 4100, "message": "Over capacity"})
    assert first_retry(page) == 1000
    seat.close()
    page.wait_for(state="connected")


def test_an_application_that_wants_tls_gets_it(
    fizz: Callable[..., FizzServer], node: Callable[..., NodeScript], certificate: Certificate
) -> None:
    """Protocol: §4.2, 4000: switch to TLS, retry at once."""
    apps = [OPEN.settings(require_tls=True)]
    plain = fizz(apps=apps)
    files = {"cert": str(certificate.cert), "key": str(certificate.key)}
    secure = fizz(apps=apps, server={"options": {"tls": files}}, tls=certificate.client_context())
    trust = {"NODE_EXTRA_CA_CERTS": str(certificate.cert)}
    options = {"wssPort": secure.port}
    page = Scripted(node, "pusher_client.js", plain, environ=trust, options=options)
    reason = "Application only accepts SSL connections, reconnect using wss://"
    page.wait_for(error={"code": 4000, "message": reason})
    assert first_retry(page) == 0
    page.wait_for(state="connected")
    page.do("subscribe", "private-orders")
    page.wait_for(channel="private-orders", event=SUCCEEDED)
    secure.api().trigger("private-orders", "created", {"id": 1})
    assert page.wait_for(channel="private-orders", event="created")["data"] == {"id": 1}


def test_a_stopping_server_sends_its_clients_to_the_next_one(
    server: FizzServer, fizz: Callable[..., FizzServer], client: Client
) -> None:
    """Protocol: §4.2, 4200: retry at once, and all that the page had is there again."""
    leaving = fizz(apps=[OPEN.settings()])
    with Balancer(leaving.address) as balancer:
        page = client(wsPort=balancer.port)
        page.wait_for(state="connected")
        page.do("subscribe", "private-orders")
        page.wait_for(channel="private-orders", event=SUCCEEDED)
        page.do("signin", {"id": "ann"})
        balancer.target = server.address
        leaving.stop()
        page.wait_for(error={"code": 4200, "message": "Generic reconnect immediately"})
        assert first_retry(page) == 0
        page.wait_for(state="connected")
        page.wait_for(channel="private-orders", event=SUCCEEDED)
        for _ in range(2):  # signed in again, then subscribed to the user's own channel
            page.all_told()
        api = server.api()
        api.trigger("private-orders", "created", {"id": 1})
        page.wait_for(channel="private-orders", event="created")
        api.trigger("#server-to-user-ann", "notice", {"id": 2})
        assert page.wait_for(user="notice")["data"] == {"id": 2}


@pytest.mark.parametrize("channel", ["private-orders", "private-encrypted-orders", "presence-room"])
def test_a_refused_subscription_is_told_to_the_channel(client: Client, channel: str) -> None:
    """Protocol: §6.3: subscription_error on the channel, pusher:error on the connection."""
    page = client()
    page.wait_for(state="connected")
    page.do(
        "answerWith",
        channel,
        {
            "auth": f"{OPEN.key}:{'0' * 64}",
            "channel_data": '{"user_id":"ann"}' if channel.startswith("presence-") else None,
            "shared_secret": "A" * 43 + "=",
        },
    )
    page.do("subscribe", channel)
    told = page.wait_for(channel=channel)
    assert told["event"] == "pusher:subscription_error"
    assert (told["data"]["type"], told["data"]["status"]) == ("AuthError", 401)
    error = page.wait_for(error={"code": 4009, "message": told["data"]["error"]})
    assert error
    page.do("subscribe", "orders")
    page.wait_for(channel="orders", event=SUCCEEDED)  # the connection is as good as before


def test_a_full_presence_channel_is_told_to_the_channel(client: Client) -> None:
    """Protocol: §6.3, LimitReached."""
    first, second = client(LIMITED), client(LIMITED)
    for page in (first, second):
        page.wait_for(state="connected")
    first.do("subscribe", "presence-room", {"user_id": "ann"})
    first.wait_for(channel="presence-room", event=SUCCEEDED)
    second.do("subscribe", "presence-room", {"user_id": "bob"})
    told = second.wait_for(channel="presence-room")
    assert told["event"] == "pusher:subscription_error"
    assert (told["data"]["type"], told["data"]["status"]) == ("LimitReached", 403)


def test_too_many_client_events_are_an_error_of_the_connection(client: Client) -> None:
    """Protocol: §8, 4301 in pusher:error only."""
    page = client(LIMITED)
    page.wait_for(state="connected")
    page.do("subscribe", "private-chat")
    page.wait_for(channel="private-chat", event=SUCCEEDED)
    for _ in range(5):
        page.do("trigger", "private-chat", "client-typing", {})
    error = {"code": 4301, "message": "Client event rejected due to rate limit"}
    page.wait_for(error=error)
    assert page.do("state")["state"] == "connected"


def test_a_bad_signin_is_an_error_of_the_connection(client: Client) -> None:
    """Protocol: §9.1: 4009 in pusher:error, and the page stays online."""
    page = client()
    page.wait_for(state="connected")
    page.do("signin", {"auth": f"{OPEN.key}:forged", "user_data": '{"id":"ann"}'})
    while (told := page.told()).get("error", {}).get("code") != 4009:
        assert told.get("state") != "disconnected"
    page.do("subscribe", "orders")
    page.wait_for(channel="orders", event=SUCCEEDED)


def test_too_large_a_message_reconnects_after_a_pause(client: Client) -> None:
    """Protocol: §2, 1009; §4.2, 1005-1011: retry after 1 s."""
    page = client()
    page.wait_for(state="connected")
    page.do("subscribe", "private-chat")
    page.wait_for(channel="private-chat", event=SUCCEEDED)
    page.do("trigger", "private-chat", "client-typing", "x" * 1000)
    assert first_retry(page) == 1000
    page.wait_for(state="connected")
    page.wait_for(channel="private-chat", event=SUCCEEDED)


def test_a_page_that_says_nothing_stays_connected(client: Client) -> None:
    """Protocol: §3: pings of both sides keep pusher-js and Fizz together."""
    silent, witness = client(QUICK), client(QUICK)
    for page in (silent, witness):
        page.wait_for(state="connected")
    # Each of these takes a pusher:ping of the page's own accord, a second after the last event.
    for _ in range(3):
        witness.do("pong")
    assert silent.do("state")["state"] == "connected"
    assert [told for told in silent.all_told() if "state" in told] == []
