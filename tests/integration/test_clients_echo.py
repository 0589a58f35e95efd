"""The official laravel-echo over pusher-js, with what Laravel's broadcasting would publish."""

from collections.abc import Callable

import pytest

from tests.harness.node import NodeScript
from tests.harness.scripted import Scripted
from tests.harness.server import FizzServer

Client = Callable[..., Scripted]


@pytest.fixture(params=["pusher", "reverb"])
def client(
    request: pytest.FixtureRequest, node: Callable[..., NodeScript], server: FizzServer
) -> Client:
    """Start an Echo, by either of the broadcasters that Laravel's users configure."""

    def start() -> Scripted:
        script = Scripted(node, "echo_client.js", server, broadcaster=request.param)
        script.wait_for(state="connected")
        return script

    return start


@pytest.mark.parametrize(("command", "prefix"), [("channel", ""), ("private", "private-")])
def test_events_of_laravel_and_of_others(
    server: FizzServer, client: Client, command: str, prefix: str
) -> None:
    """Protocol: §6.1, §6.6: names as Laravel makes them, and names with a leading dot."""
    page = client()
    page.do(command, "orders", "OrderShipped", ".order.created")
    page.wait_for(subscribed="orders")
    api = server.api()
    api.trigger(f"{prefix}orders", "App\\Events\\OrderShipped", {"id": 1})
    assert page.wait_for(heard="OrderShipped", on="orders")["data"] == {"id": 1}
    api.trigger(f"{prefix}orders", "order.created", {"id": 2})
    assert page.wait_for(heard=".order.created", on="orders")["data"] == {"id": 2}


def test_an_encrypted_channel(
    server: FizzServer, client: Client, node: Callable[..., NodeScript]
) -> None:
    """Protocol: §6.2, the key stays with the application."""
    page = client()
    back_end = Scripted(node, "back_end.js", server)
    page.do("encrypted", "vault", ".secret")
    page.wait_for(subscribed="vault")
    back_end.do("trigger", "private-encrypted-vault", "secret", {"word": "ä"})
    assert page.wait_for(heard=".secret", on="vault")["data"] == {"word": "ä"}


def test_who_is_here(client: Client) -> None:
    """Protocol: §7: here, joining, leaving, as Echo tells them."""
    ann, bob = client(), client()
    ann.do("join", "room", {"user_id": 1, "user_info": {"name": "Ann"}})
    assert ann.wait_for(on="room")["here"] == [{"name": "Ann"}]
    bob.do("join", "room", {"user_id": 2, "user_info": {"name": "Bob"}})
    assert bob.wait_for(on="room")["here"] == [{"name": "Ann"}, {"name": "Bob"}]
    assert ann.wait_for(on="room")["joining"] == {"name": "Bob"}
    bob.do("leave", "room")
    assert ann.wait_for(on="room")["leaving"] == {"name": "Bob"}


def test_whispers(client: Client) -> None:
    """Protocol: §8: client events of private and presence channels."""
    ann, bob = client(), client()
    for page, user_id in ((ann, 1), (bob, 2)):
        page.do("private", "chat")
        page.wait_for(subscribed="chat")
        page.do("join", "room", {"user_id": user_id, "user_info": {}})
        page.wait_for(subscribed="room")
    ann.do("whisper", "chat", {"on": True})
    assert bob.wait_for(whisper="typing", on="chat")["data"] == {"on": True}
    ann.do("whisperTo", "room", {"on": False})
    assert bob.wait_for(whisper="typing", on="room")["data"] == {"on": False}


def test_others_means_all_but_the_sender(server: FizzServer, client: Client) -> None:
    """Protocol: §6.6: Laravel's toOthers() sends X-Socket-Id back as socket_id."""
    sender, other = client(), client()
    for page in (sender, other):
        page.do("channel", "orders", ".moved")
        page.wait_for(subscribed="orders")
    api = server.api()
    api.trigger("orders", "moved", {"n": 1}, socket_id=sender.do("socketId"))
    api.trigger("orders", "moved", {"n": 2})
    assert other.wait_for(heard=".moved")["data"] == {"n": 1}
    assert sender.wait_for(heard=".moved")["data"] == {"n": 2}


def test_a_notification(server: FizzServer, client: Client) -> None:
    """Protocol: §6.6: an event of Laravel's notifications."""
    page = client()
    page.do("private", "App.Models.User.1")
    page.wait_for(subscribed="App.Models.User.1")
    page.do("notification", "App.Models.User.1")
    server.api().trigger(
        "private-App.Models.User.1",
        "Illuminate\\Notifications\\Events\\BroadcastNotificationCreated",
        {"type": "invoice"},
    )
    told = page.wait_for(on="App.Models.User.1")
    assert told["notification"] == {"type": "invoice"}


def test_a_refusal_reaches_error(client: Client) -> None:
    """Protocol: §6.3, Echo's .error()."""
    page = client()
    page.do("forged", "orders")
    error = page.wait_for(failed="orders")["error"]
    assert (error["type"], error["status"]) == ("AuthError", 401)


def test_leaving_ends_events(server: FizzServer, client: Client) -> None:
    """Protocol: §6.1, unsubscribe."""
    page = client()
    page.do("channel", "left", ".moved")
    page.do("channel", "kept", ".moved")
    page.wait_for(subscribed="kept")
    page.do("leave", "left")
    # The page's own frames are handled in order, so once it is in "later" it has left "left".
    page.do("channel", "later", ".moved")
    page.wait_for(subscribed="later")
    api = server.api()
    assert api.get("/channels/left").json == {"occupied": False}
    api.trigger(["left", "kept"], "moved", {"n": 1})
    assert page.wait_for(heard=".moved")["on"] == "kept"
