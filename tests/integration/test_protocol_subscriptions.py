"""Subscribing: signatures, and how a client is refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.refusals import expect_refusal
from tests.harness.server import FizzServer
from tests.harness.signing import App

OPEN = App("1001", "fizz-key", "fizz-secret")
COUNTING = App("1002", "counting-key", "counting-secret")
SMALL = App("1003", "small-key", "small-secret")

SUCCEEDED = "pusher_internal:subscription_succeeded"


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(
        apps=[
            OPEN.settings(),
            COUNTING.settings(subscription_counts=True),
            SMALL.settings(max_channels_per_connection=2),
        ]
    )


@pytest.mark.parametrize("auth", [None, "", "anything:at all", 7])
def test_a_public_channel_asks_for_no_signature(server: FizzServer, auth: Any) -> None:
    """Protocol: §6.1."""
    with server.client(OPEN) as client:
        data = {"channel": "orders"} | ({} if auth is None else {"auth": auth})
        client.send("pusher:subscribe", data)
        assert client.websocket.recv_text() == (
            '{"event":"pusher_internal:subscription_succeeded","channel":"orders","data":"{}"}'
        )


@pytest.mark.parametrize("channel", ["private-orders.42", "private-encrypted-vault"])
def test_a_private_channel_wants_socket_id_and_channel_signed(
    server: FizzServer, channel: str
) -> None:
    """Protocol: §6.1, §6.2."""
    with server.client(OPEN) as client:
        client.request_subscription(channel)
        assert client.websocket.recv_text() == (
            f'{{"event":"{SUCCEEDED}","channel":"{channel}","data":"{{}}"}}'
        )


@pytest.mark.parametrize("channel", ["private-orders", "presence-room"])
@pytest.mark.parametrize(
    "channel_data",
    [
        '{"user_id":"u-7","user_info":{"name":"Ada"}}',
        '{"user_id": "u-7", "user_info": {"name": "Ada"}}',
        ' {"user_info" : {"näme":"\\u00c4da"},"user_id":"u-7" } ',
    ],
)
def test_channel_data_is_signed_as_it_was_received(
    server: FizzServer, channel: str, channel_data: str
) -> None:
    """Protocol: §6.2, presence, and any kind where channel_data is given."""
    with server.client(OPEN) as client:
        client.subscribe(channel, channel_data=channel_data)
        other = json.dumps(json.loads(channel_data), separators=(",", " : "))
        auth = OPEN.channel_auth(client.socket_id, channel, channel_data)
        client.request_subscription(channel, channel_data=other, auth=auth)
        expect_refusal(client, channel, "AuthError", 401, 4009)


def test_empty_channel_data_is_not_signed(server: FizzServer) -> None:
    """Protocol: §6.2, "present and non-empty"."""
    with server.client(OPEN) as client:
        auth = OPEN.channel_auth(client.socket_id, "private-orders")
        client.subscribe("private-orders", channel_data="", auth=auth)


def wrong_signatures(socket_id: str, channel: str) -> dict[str, Any]:
    right = OPEN.channel_auth(socket_id, channel)
    digest = right.split(":")[1]
    return {
        "missing": None,
        "empty": "",
        "not a string": 7,
        "no colon": digest,
        "key only": OPEN.key,
        "empty digest": f"{OPEN.key}:",
        "other digest": f"{OPEN.key}:{'0' * 64}",
        "upper case": f"{OPEN.key}:{digest.upper()}",
        "truncated": right[:-1],
        "longer": right + "0",
        "other key": f"{COUNTING.key}:{digest}",
        "other application": COUNTING.channel_auth(socket_id, channel),
        "other socket": OPEN.channel_auth("1.1", channel),
        "other channel": OPEN.channel_auth(socket_id, f"{channel}x"),
        "signed in": OPEN.user_auth(socket_id, channel),
        "with data": OPEN.channel_auth(socket_id, channel, '{"user_id":"u-7"}'),
        "not ASCII": f"{OPEN.key}:{'ä' * 64}",
    }


@pytest.mark.parametrize("why", wrong_signatures("", ""))
def test_a_wrong_signature_is_refused_in_two_frames(server: FizzServer, why: str) -> None:
    """Protocol: §6.3, bad or missing auth, wrong key; §14 "bad channel auth"."""
    channel = "private-orders.42"
    with server.client(OPEN) as client:
        auth = wrong_signatures(client.socket_id, channel)[why]
        data = {"channel": channel} | ({} if auth is None else {"auth": auth})
        client.send("pusher:subscribe", data)
        message = expect_refusal(client, channel, "AuthError", 401, 4009)
        digest = OPEN.channel_auth(client.socket_id, channel).split(":")[1]
        assert digest not in message
        assert channel in message
        server.api(OPEN).trigger(channel, "secret")
        client.expect_nothing()


def test_the_words_of_a_refusal(server: FizzServer) -> None:
    """Protocol: §6.3, the example."""
    with server.client(OPEN) as client:
        client.request_subscription("private-orders.42", auth=f"{OPEN.key}:{'0' * 64}")
        message = expect_refusal(client, "private-orders.42", "AuthError", 401, 4009)
        assert message == "Invalid signature for channel private-orders.42"


def test_after_a_refusal_the_right_signature_is_taken(server: FizzServer) -> None:
    """Protocol: §6.3, the connection stays open."""
    with server.client(OPEN) as client:
        client.request_subscription("private-orders", auth="")
        expect_refusal(client, "private-orders", "AuthError", 401, 4009)
        client.subscribe("private-orders")


@pytest.mark.parametrize(
    "channel_data",
    [
        "{",
        "null",
        "[]",
        '"u-7"',
        "{}",
        '{"user_info":{}}',
        '{"user_id":null}',
        '{"user_id":""}',
        '{"user_id":1.5}',
        '{"user_id":true}',
        '{"user_id":["u-7"]}',
        '{"user_id":{"id":"u-7"}}',
        '{"userId":"u-7"}',
    ],
)
def test_presence_without_a_user_is_refused(server: FizzServer, channel_data: str) -> None:
    """Protocol: §6.3 "presence data missing, not JSON, no user_id"; §7.3 "anything else"."""
    with server.client(OPEN) as client:
        client.request_subscription("presence-room", channel_data=channel_data)
        expect_refusal(client, "presence-room", "AuthError", 401, 4009)


@pytest.mark.parametrize("channel_data", [None, ""])
def test_presence_without_channel_data_is_refused(
    server: FizzServer, channel_data: str | None
) -> None:
    """Protocol: §6.3 "presence data missing"; §7.4 "Not signed in and no channel_data"."""
    with server.client(OPEN) as client:
        client.request_subscription("presence-room", channel_data=channel_data)
        expect_refusal(client, "presence-room", "AuthError", 401, 4009)


@pytest.mark.parametrize("channel_data", [{"user_id": "u-7"}, 7, ["u-7"]])
def test_channel_data_that_is_no_string_is_refused(server: FizzServer, channel_data: Any) -> None:
    """Protocol: §6.1, "channel_data is a string"; §6.3."""
    with server.client(OPEN) as client:
        data = {"channel": "presence-room", "auth": "", "channel_data": channel_data}
        client.send("pusher:subscribe", data)
        expect_refusal(client, "presence-room", "AuthError", 401, 4009)


def test_no_more_channels_than_allowed(server: FizzServer) -> None:
    """Protocol: §6.3, the pair of frames; the limit is Fizz's own."""
    with server.client(SMALL) as client:
        client.subscribe("one")
        client.subscribe("two")
        client.request_subscription("three")
        expect_refusal(client, "three", "LimitReached", 403, None)
        client.subscribe("one")  # a repeat takes no place
        client.unsubscribe("one")
        client.subscribe("three")
