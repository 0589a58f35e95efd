"""The official pusher-js (its Node build) with back ends by both official server SDKs."""

import base64
from collections.abc import Callable
from typing import Any

import pusher
import pytest

from tests.harness.node import NodeScript
from tests.harness.scripted import Scripted
from tests.harness.server import FizzServer
from tests.harness.signing import App

OPEN = App("1001", "open-key", "open-secret")
COUNTING = App("1002", "counting-key", "counting-secret")

SUCCEEDED = "pusher:subscription_succeeded"
MASTER_KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()

Client = Callable[..., Scripted]


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(apps=[OPEN.settings(), COUNTING.settings(subscription_counts=True)])


@pytest.fixture
def client(node: Callable[..., NodeScript], server: FizzServer) -> Client:
    """Start a pusher-js and wait until it is connected."""

    def start(app: App = OPEN, **options: Any) -> Scripted:
        script = Scripted(node, "pusher_client.js", server, app, options=options)
        script.wait_for(state="connected")
        return script

    return start


class PythonBackEnd:
    """The Python SDK, with the methods of the other one."""

    def __init__(self, server: FizzServer) -> None:
        self._sdk = pusher.Pusher(
            app_id=OPEN.app_id,
            key=OPEN.key,
            secret=OPEN.secret,
            host="127.0.0.1",
            port=server.port,
            ssl=False,
            encryption_master_key_base64=MASTER_KEY,
        )

    def trigger(self, channels: Any, event: str, data: Any, socket_id: str | None = None) -> None:
        assert self._sdk.trigger(channels, event, data, socket_id) == {}

    def send_to_user(self, user_id: str, event: str, data: Any) -> None:
        assert self._sdk.send_to_user(user_id, event, data) == {}

    def terminate(self, user_id: str) -> None:
        assert self._sdk.terminate_user_connections(user_id) == {}


class NodeBackEnd:
    """The Node SDK in a process of its own."""

    def __init__(self, run: Callable[..., NodeScript], server: FizzServer) -> None:
        self._sdk = Scripted(run, "back_end.js", server, OPEN)

    def trigger(self, channels: Any, event: str, data: Any, socket_id: str | None = None) -> None:
        others = {} if socket_id is None else {"socket_id": socket_id}
        answer = self._sdk.do("trigger", channels, event, data, others)
        assert answer == {"status": 200, "body": {}}

    def send_to_user(self, user_id: str, event: str, data: Any) -> None:
        assert self._sdk.do("sendToUser", user_id, event, data) == {"status": 200, "body": {}}

    def terminate(self, user_id: str) -> None:
        answer = self._sdk.do("terminateUserConnections", user_id)
        assert answer == {"status": 200, "body": {}}


BackEnd = PythonBackEnd | NodeBackEnd


@pytest.fixture(params=["python", "node"])
def back_end(
    request: pytest.FixtureRequest, node: Callable[..., NodeScript], server: FizzServer
) -> BackEnd:
    return PythonBackEnd(server) if request.param == "python" else NodeBackEnd(node, server)


@pytest.mark.parametrize(
    "channel", ["orders", "private-orders", "private-encrypted-orders", "cache-orders-x"]
)
def test_an_event_reaches_its_subscribers(client: Client, back_end: BackEnd, channel: str) -> None:
    """Protocol: §6.1, §6.2, §6.6; the encrypted one decrypts what the SDK has encrypted."""
    page = client()
    page.do("subscribe", channel)
    page.wait_for(channel=channel, event=SUCCEEDED)
    data = {"id": 42, "what": "zwei Limonaden ☕"}
    back_end.trigger(channel, "order.created", data)
    told = page.wait_for(channel=channel, event="order.created")
    assert told["data"] == data
    page.do("unsubscribe", channel)
    page.all_told()
    back_end.trigger(channel, "order.created", data)
    assert page.all_told() == []


def test_unsubscribing_while_the_answer_is_on_its_way(client: Client, server: FizzServer) -> None:
    """Protocol: §6.4: pusher-js waits for the confirmation and only then unsubscribes."""
    page = client()
    page.do("subscribe", "private-pending")
    page.do("unsubscribe", "private-pending")
    for _ in range(2):
        page.all_told()
    answer = server.api(OPEN).get("/channels/private-pending")
    assert answer.json == {"occupied": False}
    page.do("subscribe", "private-pending")
    page.wait_for(channel="private-pending", event=SUCCEEDED)


def test_one_event_for_two_channels_without_its_sender(client: Client, back_end: BackEnd) -> None:
    """Protocol: §6.6, §12.3."""
    sender, other = client(), client()
    for page in (sender, other):
        for channel in ("room-a", "room-b"):
            page.do("subscribe", channel)
            page.wait_for(channel=channel, event=SUCCEEDED)
    socket_id = sender.do("socketId")
    back_end.trigger(["room-a", "room-b"], "moved", {"to": 1}, socket_id)
    heard = [told["channel"] for told in other.all_told()]
    assert heard == ["room-a", "room-b"]
    assert sender.all_told() == []


@pytest.mark.parametrize("kind", ["cache-", "private-cache-", "private-encrypted-cache-"])
def test_what_a_cache_channel_remembers(client: Client, back_end: BackEnd, kind: str) -> None:
    """Protocol: §10: the miss reaches the channel, then the event for who comes late."""
    channel = f"{kind}prices-{type(back_end).__name__}"
    early, late = client(), client()
    early.do("subscribe", channel)
    assert early.wait_for(channel=channel)["event"] == SUCCEEDED
    assert early.wait_for(channel=channel)["event"] == "pusher:cache_miss"
    back_end.trigger(channel, "price", {"p": 1})
    assert early.wait_for(channel=channel) == {
        "channel": channel,
        "event": "price",
        "data": {"p": 1},
    }
    late.do("subscribe", channel)
    told = [late.wait_for(channel=channel) for _ in range(2)]
    assert [each["event"] for each in told] == [SUCCEEDED, "price"]
    assert told[1]["data"] == {"p": 1}


@pytest.mark.parametrize("kind", ["presence-", "presence-cache-"])
def test_members_come_and_go(client: Client, kind: str) -> None:
    """Protocol: §7, as pusher-js counts them."""
    channel = f"{kind}room"
    ann, bob, tab = client(), client(), client()
    ann.do("subscribe", channel, {"user_id": "ann", "user_info": {"name": "Ann"}})
    told = ann.wait_for(channel=channel, event=SUCCEEDED)["data"]
    assert told == {"count": 1, "me": "ann", "members": {"ann": {"name": "Ann"}}}
    bob.do("subscribe", channel, {"user_id": "bob"})
    told = bob.wait_for(channel=channel, event=SUCCEEDED)["data"]
    assert told == {"count": 2, "me": "bob", "members": {"ann": {"name": "Ann"}, "bob": {}}}
    added = ann.wait_for(channel=channel, event="pusher:member_added")["data"]
    assert added == {"id": "bob", "info": {}}
    tab.do("subscribe", channel, {"user_id": "bob"})
    tab.wait_for(channel=channel, event=SUCCEEDED)
    bob.do("disconnect")
    bob.wait_for(state="disconnected")
    assert ann.do("members", channel)["count"] == 2
    tab.do("unsubscribe", channel)
    removed = ann.wait_for(channel=channel, event="pusher:member_removed")["data"]
    assert removed["id"] == "bob"
    assert ann.do("members", channel) == {
        "count": 1,
        "me": "ann",
        "members": {"ann": {"name": "Ann"}},
    }


def test_members_with_numbers_for_ids(client: Client) -> None:
    """Protocol: §7.3: pusher-js finds itself although the id became a string."""
    page = client()
    page.do("subscribe", "presence-numbers", {"user_id": 10, "user_info": {"n": 1}})
    told = page.wait_for(channel="presence-numbers", event=SUCCEEDED)["data"]
    assert told["members"] == {"10": {"n": 1}}


@pytest.mark.parametrize(("channel", "by"), [("private-chat", None), ("presence-chat", "ann")])
def test_client_events(client: Client, channel: str, by: str | None) -> None:
    """Protocol: §8; the sender's id is in the metadata of presence channels."""
    ann, bob = client(), client()
    for page, user_id in ((ann, "ann"), (bob, "bob")):
        page.do("subscribe", channel, {"user_id": user_id} if by else None)
        page.wait_for(channel=channel, event=SUCCEEDED)
    for data in ({"on": True}, "text", [1, None]):
        assert ann.do("trigger", channel, "client-typing", data) is True
        told = bob.wait_for(channel=channel, typing=data)
        assert told.get("by") == by
    assert not [told for told in ann.all_told() if "typing" in told]


def test_a_user_is_sent_to_and_ended(client: Client, back_end: BackEnd) -> None:
    """Protocol: §9.1, §9.2, §9.4; §4.2: after 4009 pusher-js stays away."""
    first, second, other = client(), client(), client()
    for page, user_id in ((first, "ann"), (second, "ann"), (other, "bob")):
        page.do("signin", {"id": user_id, "user_info": {"name": user_id}})
        page.all_told()  # by now signed in, and the user's own channel is asked for
        assert page.do("signedIn")["id"] == user_id
        page.all_told()
    back_end.send_to_user("ann", "notice", {"text": "hello"})
    for page in (first, second):
        assert page.wait_for(user="notice")["data"] == {"text": "hello"}
    back_end.terminate("ann")
    for page in (first, second):
        page.wait_for(error={"code": 4009, "message": "Connection terminated by the application"})
        page.wait_for(state="disconnected")
        assert page.do("state")["retries"] is False
    assert other.all_told() == []
    first.do("connect")  # only the page itself brings it back
    first.wait_for(state="connected")


def test_presence_of_a_signed_in_user_needs_no_channel_data(client: Client) -> None:
    """Protocol: §7.4."""
    page = client()
    page.do("signin", {"id": "ann", "user_info": {"name": "Ann"}})
    auth = {"auth": OPEN.channel_auth(page.do("socketId"), "presence-signed")}
    page.do("answerWith", "presence-signed", auth)
    page.do("subscribe", "presence-signed")
    told = page.wait_for(channel="presence-signed", event=SUCCEEDED)["data"]
    assert told == {"count": 1, "me": "ann", "members": {"ann": {"name": "Ann"}}}


def test_a_watchlist(client: Client) -> None:
    """Protocol: §9.3, as pusher-js hands it to the page."""
    ann, bob = client(), client()
    ann.do("signin", {"id": "watcher", "watchlist": ["watched", "nobody"]})
    told = ann.wait_for(watchlist="offline")["data"]
    assert told["user_ids"] == ["watched", "nobody"]
    bob.do("signin", {"id": "watched"})
    assert ann.wait_for(watchlist="online")["data"]["user_ids"] == ["watched"]
    bob.do("disconnect")
    assert ann.wait_for(watchlist="offline")["data"]["user_ids"] == ["watched"]


def test_the_number_of_subscribers(client: Client) -> None:
    """Protocol: §11: pusher-js renames the event and keeps the number."""
    event = "pusher:subscription_count"
    first, second = client(COUNTING), client(COUNTING)
    first.do("subscribe", "orders")
    assert first.wait_for(event=event)["data"] == {"subscription_count": 1}
    second.do("subscribe", "orders")
    for page in (first, second):
        assert page.wait_for(event=event)["data"] == {"subscription_count": 2}
        assert page.do("count", "orders") == 2
    second.do("unsubscribe", "orders")
    assert first.wait_for(event=event)["data"] == {"subscription_count": 1}
