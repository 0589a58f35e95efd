"""The official Python library ``pusher`` against a running server. Protocol: §12."""

import base64
import json
import os
from collections.abc import Iterator
from typing import Any

import pusher
import pytest
from pusher.errors import PusherBadAuth, PusherBadRequest, PusherBadStatus, PusherForbidden

from tests.conftest import Start
from tests.harness.server import FizzServer
from tests.harness.signing import App

DISABLED = App("4004", "disabled-key", "disabled-secret")
MASTER_KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


@pytest.fixture(scope="module")
def server(module_fizz: Start) -> FizzServer:
    return module_fizz(apps=[App().settings(), DISABLED.settings(enabled=False)])


def library(server: FizzServer, app: App) -> pusher.Pusher:
    return pusher.Pusher(
        app_id=app.app_id,
        key=app.key,
        secret=app.secret,
        ssl=False,
        host="127.0.0.1",
        port=server.port,
        encryption_master_key_base64=MASTER_KEY,
    )


def close(made: pusher.Pusher) -> None:
    """Give its sockets back; the library has no way of its own."""
    made._pusher_client.http.session.close()


@pytest.fixture(scope="module")
def sdk(server: FizzServer) -> Iterator[pusher.Pusher]:
    """The library as its users set it up; one kept-alive session for all tests."""
    made = library(server, App())
    yield made
    close(made)


def unique(name: str) -> str:
    """A channel that no other test uses."""
    return f"{name}-{os.urandom(6).hex()}"


def test_trigger(server: FizzServer, sdk: pusher.Pusher) -> None:
    """Protocol: §12.3."""
    one, two = unique("orders"), unique("orders")
    with server.client() as listener, server.client() as sender:
        for channel in (one, two):
            listener.subscribe(channel)
        sender.subscribe(one)
        answer = sdk.trigger(
            [one, two], "order.created", {"id": 42, "who": "Zoë"}, sender.socket_id
        )
        assert answer == {}
        for channel in (one, two):
            assert listener.expect("order.created", channel) == {"id": 42, "who": "Zoë"}
        sender.expect_nothing()
        assert sdk.trigger(one, "x", "plain text") == {}
        assert listener.expect("x", one) == "plain text"


def test_trigger_on_an_encrypted_channel(server: FizzServer, sdk: pusher.Pusher) -> None:
    """Protocol: §5, encrypted channels: the server passes on what it cannot read."""
    channel = unique("private-encrypted-orders")
    with server.client() as listener:
        listener.subscribe(channel)
        assert sdk.trigger(channel, "x", {"secret": 1}) == {}
        assert set(listener.expect("x", channel)) == {"nonce", "ciphertext"}


def test_trigger_batch(server: FizzServer, sdk: pusher.Pusher) -> None:
    """Protocol: §12.4."""
    channel = unique("orders")
    with server.client() as listener:
        listener.subscribe(channel)
        batch: list[dict[str, Any]] = [
            {"channel": channel, "name": f"e{number}", "data": {"n": number}}
            for number in range(10)
        ]
        assert sdk.trigger_batch(batch) == {}
        for number in range(10):
            assert listener.expect(f"e{number}", channel) == {"n": number}
        with_info = [{"channel": channel, "name": "x", "data": "", "info": "subscription_count"}]
        assert sdk.trigger_batch(with_info) == {"batch": [{"subscription_count": 1}]}


def test_reads(server: FizzServer, sdk: pusher.Pusher) -> None:
    """Protocol: §12.5-§12.7: each of the library's GETs carries the MD5 of nothing (§12.1)."""
    room, orders = unique("presence-room"), unique("orders")
    with server.client() as ann, server.client() as bob:
        ann.subscribe(room, user_id="ann")
        bob.subscribe(room, user_id="bob")
        bob.subscribe(orders)
        assert sdk.channels_info(room, ["user_count"]) == {"channels": {room: {"user_count": 2}}}
        assert sdk.channels_info("presence-", ["user_count"])["channels"][room] == {"user_count": 2}
        assert orders in sdk.channels_info()["channels"]
        both = ["user_count", "subscription_count"]
        assert sdk.channel_info(room, both) == {
            "occupied": True,
            "user_count": 2,
            "subscription_count": 2,
        }
        assert sdk.channel_info(orders) == {"occupied": True}
        assert sdk.channel_info(unique("nobody")) == {"occupied": False}
        assert sdk.users_info(room) == {"users": [{"id": "ann"}, {"id": "bob"}]}
        assert sdk.users_info(unique("presence-nobody")) == {"users": []}


def test_reads_of_a_cache_channel(sdk: pusher.Pusher) -> None:
    """Protocol: §12.6, ``cache``."""
    channel = unique("cache-prices")
    assert sdk.channel_info(channel, ["cache"]) == {"occupied": False, "cache": None}
    sdk.trigger(channel, "x", {"p": 1})
    assert sdk.channel_info(channel, ["cache"])["cache"]["data"] == '{"p": 1}'


def test_terminate_user_connections(server: FizzServer, sdk: pusher.Pusher) -> None:
    """Protocol: §12.8: the path without the application, as this library asks for it."""
    user_id = f"ann-{os.urandom(4).hex()}"
    with server.client() as ann, server.client() as bob:
        ann.signin(user_id)
        bob.signin("bob")
        assert sdk.terminate_user_connections(user_id) == {}
        assert ann.expect_close() == (4009, "Connection terminated by the application")
        bob.expect_nothing()
    assert sdk.terminate_user_connections("nobody") == {}


def test_what_the_library_signs_for_clients_is_accepted(
    server: FizzServer, sdk: pusher.Pusher
) -> None:
    """Protocol: §6.2, §9.1: tokens with the spacing of Python's JSON."""
    room, private = unique("presence-room"), unique("private-orders")
    with server.client() as client:
        token = sdk.authenticate(private, client.socket_id)
        client.subscribe(private, auth=token["auth"])
        member = {"user_id": "ann", "user_info": {"name": "Zoë"}}
        token = sdk.authenticate(room, client.socket_id, member)
        joined = client.subscribe(room, auth=token["auth"], channel_data=token["channel_data"])
        assert joined["presence"]["hash"] == {"ann": {"name": "Zoë"}}
        token = sdk.authenticate_user(client.socket_id, {"id": "ann"})
        client.signin("ann", auth=token["auth"], user_data=token["user_data"])


@pytest.mark.parametrize(
    ("app", "error", "code", "told"),
    [
        (App(secret="wrong"), PusherBadAuth, 401, "auth_signature is wrong"),
        (App(key="wrong"), PusherBadAuth, 401, "auth_key 'wrong' is not a key"),
        (DISABLED, PusherForbidden, 403, "is disabled"),
        (App("9"), PusherBadStatus, 404, "Application '9' does not exist"),
    ],
)
def test_the_library_says_why_it_was_refused(
    server: FizzServer, app: App, error: type[Exception], code: int, told: str
) -> None:
    """Protocol: §12.2: the exception's text is the body of the answer."""
    other = library(server, app)
    calls = [
        lambda: other.trigger("orders", "x", {}),
        lambda: other.trigger_batch([{"channel": "orders", "name": "x", "data": ""}]),
        lambda: other.channels_info(),
        lambda: other.channel_info("orders"),
        lambda: other.users_info("presence-a"),
    ]
    for call in calls:
        with pytest.raises(error) as caught:
            call()
        text = str(caught.value)
        body = json.loads(text[text.index("{") :])
        assert body["code"] == code
        assert told in body["error"]
    close(other)


def test_the_library_says_what_was_wrong_with_a_request(sdk: pusher.Pusher) -> None:
    """Protocol: §12.2, §12.5-§12.7; the library's own checks are wider than the server's."""
    refused = [
        (lambda: sdk.channels_info(attributes=["user_count"]), "filter_by_prefix"),
        (lambda: sdk.channel_info("orders", ["user_count"]), "user_count"),
        (lambda: sdk.channel_info("orders", ["weather"]), "weather"),
        (lambda: sdk.users_info("orders"), "presence"),
        (lambda: sdk.trigger("c" * 165, "x", {}), "invalid channel name"),
        (lambda: sdk.trigger("orders", "pusher:x", {}), "pusher:"),
    ]
    for call, told in refused:
        with pytest.raises(PusherBadRequest, match=told):
            call()
    with pytest.raises(PusherBadStatus, match="413"):
        sdk.trigger("orders", "x", "d" * 10241)
