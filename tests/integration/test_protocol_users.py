"""Signed-in users: who they are, and what is sent to them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.pusher_client import PusherClient
from tests.harness.refusals import expect_refusal
from tests.harness.server import FizzServer
from tests.harness.signing import App, compact

OPEN = App("1001", "fizz-key", "fizz-secret")
OTHER = App("1002", "other-key", "other-secret")

TERMINATED = (4009, "Connection terminated by the application")


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(
        apps=[OPEN.settings(subscription_counts=True), OTHER.settings(max_user_id_length=5)]
    )


def expect_signin_refused(client: PusherClient) -> str:
    """Demand one error 4009 and an open connection; return what it says."""
    error = client.expect("pusher:error")
    assert error["code"] == 4009
    client.expect_nothing()
    return str(error["message"])


def who(client: PusherClient) -> str:
    """The user that a connection is signed in as, seen from a presence channel."""
    reply = client.subscribe("presence-who-am-i")
    client.unsubscribe("presence-who-am-i")
    (user_id,) = reply["presence"]["ids"]
    return str(user_id)


# --- §9.1: signin ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "user_data",
    [
        '{"id":"u-7","user_info":{"name":"Ada"}}',
        '{"id": "u-7", "user_info": {"name": "Ada"}}',
        ' {"user_info":{"näme":"\\u00c4da"} , "id":"u-7","unknown":[1]} ',
        '{"id":"u-7","user_info":null,"watchlist":null}',
        '{"id":"u-7","watchlist":[]}',
    ],
)
def test_a_signin_is_echoed_as_it_was_received(server: FizzServer, user_data: str) -> None:
    """Protocol: §9.1; §9.3 "no frame for an empty watchlist"."""
    with server.client(OPEN) as client:
        client.request_signin("", user_data=user_data)
        assert client.websocket.recv_text() == json.dumps(
            {"event": "pusher:signin_success", "data": {"user_data": user_data}},
            separators=(",", ":"),
            ensure_ascii=False,
        )
        client.expect_nothing()
        assert who(client) == "u-7"


def wrong_signatures(socket_id: str, user_data: str) -> dict[str, Any]:
    right = OPEN.user_auth(socket_id, user_data)
    digest = right.split(":")[1]
    return {
        "empty": "",
        "not a string": 7,
        "missing": None,
        "digest only": digest,
        "empty digest": f"{OPEN.key}:",
        "other digest": f"{OPEN.key}:{'0' * 64}",
        "upper case": f"{OPEN.key}:{digest.upper()}",
        "as in the old documentation": f"{OPEN.key}::user::{digest}",
        "other key": f"{OTHER.key}:{digest}",
        "other application": OTHER.user_auth(socket_id, user_data),
        "other socket": OPEN.user_auth("1.1", user_data),
        "other user": OPEN.user_auth(socket_id, '{"id":"bob"}'),
        "of a channel": OPEN.channel_auth(socket_id, user_data),
    }


@pytest.mark.parametrize("why", wrong_signatures("", ""))
def test_a_wrong_signature_is_refused_and_costs_nothing(server: FizzServer, why: str) -> None:
    """Protocol: §9.1 "Failure"; §14 "bad signin"; §4.3, 4009."""
    user_data = '{"id":"ann"}'
    with server.client(OPEN) as client:
        auth = wrong_signatures(client.socket_id, user_data)[why]
        client.send(
            "pusher:signin", {"user_data": user_data} | ({} if auth is None else {"auth": auth})
        )
        message = expect_signin_refused(client)
        assert OPEN.user_auth(client.socket_id, user_data).split(":")[1] not in message
        client.request_subscription("#server-to-user-ann")
        expect_refusal(client, "#server-to-user-ann", "AuthError", 401, 4009)


@pytest.mark.parametrize(
    "user_data",
    [
        "",
        "{",
        "null",
        "[]",
        '"ann"',
        "{}",
        '{"user_id":"ann"}',
        '{"id":null}',
        '{"id":""}',
        '{"id":7}',
        '{"id":["ann"]}',
        '{"id":"a b"}',
        '{"id":"ann:1"}',
        '{"id":"änn"}',
        '{"id":"ann\\n"}',
        '{"id":"' + "x" * 129 + '"}',
        '{"id":"ann","watchlist":"bob"}',
        '{"id":"ann","watchlist":{"bob":1}}',
        '{"id":"ann","watchlist":["bob",7]}',
    ],
)
def test_user_data_that_names_no_user_is_refused(server: FizzServer, user_data: str) -> None:
    """Protocol: §9.1, id a non-empty string of the characters in §5."""
    with server.client(OPEN) as client:
        client.request_signin("", user_data=user_data)
        expect_signin_refused(client)
        client.request_subscription("presence-room")
        expect_refusal(client, "presence-room", "AuthError", 401, 4009)


@pytest.mark.parametrize("user_id", ["x" * 128, "Az09_-=@,.;"])
def test_ids_that_are_allowed(server: FizzServer, user_id: str) -> None:
    """Protocol: §5, user id characters and length."""
    with server.client(OPEN) as client:
        client.signin(user_id)
        client.subscribe(f"#server-to-user-{user_id}")


def test_the_length_of_an_id_is_the_applications(server: FizzServer) -> None:
    """Protocol: §5 "Fizz"."""
    with server.client(OTHER) as client:
        client.request_signin("abcdef")
        expect_signin_refused(client)
        client.signin("abcde")


def test_a_connection_cannot_become_another_user(server: FizzServer) -> None:
    """Protocol: §9.1, "Fails when the connection is already another user"."""
    with server.client(OPEN) as client:
        client.signin("ann")
        client.request_signin("bob")
        expect_signin_refused(client)
        assert who(client) == "ann"


def test_a_failed_signin_leaves_the_identity_unchanged(server: FizzServer) -> None:
    """Protocol: §9.1 "previous identity unchanged"."""
    with server.client(OPEN) as client:
        client.signin("ann", user_info={"v": 1})
        client.request_signin("ann", user_info={"v": 2}, auth=f"{OPEN.key}:{'0' * 64}")
        expect_signin_refused(client)
        reply = client.subscribe("presence-unchanged")
        assert reply["presence"]["hash"] == {"ann": {"v": 1}}


def test_the_same_user_again_replaces_what_is_known(server: FizzServer) -> None:
    """Protocol: §9.1 "Fizz", the same id again."""
    with server.client(OPEN) as client:
        client.signin("ann", user_info={"v": 1})
        text = compact({"id": "ann", "user_info": {"v": 2}})
        assert client.signin("ann", user_data=text) == {"user_data": text}
        reply = client.subscribe("presence-replaced")
        assert reply["presence"]["hash"] == {"ann": {"v": 2}}


# --- §9.2: server to user ------------------------------------------------------------------------


def test_a_users_channel_byte_for_byte(server: FizzServer) -> None:
    """Protocol: §9.2."""
    with server.client(OPEN) as client:
        client.signin("u-7")
        client.request_subscription("#server-to-user-u-7")
        assert client.websocket.recv_text() == (
            '{"event":"pusher_internal:subscription_succeeded",'
            '"channel":"#server-to-user-u-7","data":"{}"}'
        )
        server.api(OPEN).trigger("#server-to-user-u-7", "notice", "hi")
        assert client.websocket.recv_text() == (
            '{"event":"notice","channel":"#server-to-user-u-7","data":"hi"}'
        )


def test_only_the_user_may_listen(server: FizzServer) -> None:
    """Protocol: §9.2 "signed in as exactly that id"; §6.3 "not signed in as"."""
    with server.client(OPEN) as client:
        for channel in ("#server-to-user-ann", "#server-to-user-an", "#server-to-user-annx"):
            client.request_subscription(channel, auth=OPEN.channel_auth(client.socket_id, channel))
            expect_refusal(client, channel, "AuthError", 401, 4009)
            if channel.endswith("ann"):
                client.signin("ann")
        client.subscribe("#server-to-user-ann")


def test_all_connections_of_a_user_hear_it_and_nobody_else(server: FizzServer) -> None:
    """Protocol: §9.2, delivery goes to subscribers of that channel."""
    with (
        server.client(OPEN) as first,
        server.client(OPEN) as second,
        server.client(OPEN) as silent,
        server.client(OPEN) as bob,
        server.client(OTHER) as namesake,
    ):
        for client in (first, second, silent, namesake):
            client.signin("ann")
        bob.signin("bob")
        for client in (first, second, namesake):
            client.subscribe("#server-to-user-ann")
        bob.subscribe("#server-to-user-bob")
        api = server.api(OPEN)
        api.trigger("#server-to-user-ann", "one", "1", socket_id=first.socket_id)
        api.post(
            "/batch_events",
            {"batch": [{"channel": "#server-to-user-ann", "name": "two", "data": "2"}]},
        )
        assert [event["event"] for event in first.pending()] == ["two"]
        assert [event["event"] for event in second.pending()] == ["one", "two"]
        for client in (silent, bob, namesake):
            client.expect_nothing()
        first.unsubscribe("#server-to-user-ann")
        api.trigger("#server-to-user-ann", "three", "3")
        first.expect_nothing()
        assert second.expect("three") == 3


def test_a_users_channel_is_hidden_and_not_counted(server: FizzServer) -> None:
    """Protocol: §9.2 "Fizz": hidden from GET /channels, no count events."""
    with server.client(OPEN) as client, server.client(OPEN) as second:
        for each in (client, second):
            each.signin("ann")
            each.subscribe("#server-to-user-ann")
            each.expect_nothing()
        api = server.api(OPEN)
        assert api.get("/channels").json == {"channels": {}}
        assert api.get("/channels", filter_by_prefix="#server").json == {"channels": {}}
        second.close()
        client.expect_nothing()


# --- §9.4: terminate -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/apps/1001/users/ann/terminate_connections", None])
def test_every_connection_of_the_user_is_closed(server: FizzServer, path: str | None) -> None:
    """Protocol: §9.4; §12.8, the Python SDK's path too; §14 "terminate"."""
    with (
        server.client(OPEN) as bob,
        server.client(OPEN) as member,
        server.client(OTHER) as namesake,
    ):
        bob.signin("bob")
        bob.subscribe("presence-room", user_id="bob")
        member.subscribe("presence-room", user_id="ann")  # in a channel, but not signed in
        bob.expect("pusher_internal:member_added")
        namesake.signin("ann")
        clients = [server.client(OPEN) for _ in range(3)]
        for client in clients:
            client.signin("ann")
        clients[0].subscribe("presence-room", user_id="tab")
        bob.expect("pusher_internal:member_added")
        target = path or "/users/ann/terminate_connections"
        answer = server.api(OPEN).request("POST", target, body=b"{}")
        assert (answer.status, answer.json) == (200, {})
        for client in clients:
            assert client.expect_close() == TERMINATED
        assert bob.expect("pusher_internal:member_removed") == {"user_id": "tab"}
        for client in (bob, namesake):
            client.expect_nothing()
        member.pending()
        with server.client(OPEN) as again:  # nothing stops a later signin
            again.signin("ann")
            again.expect_nothing()


def test_ending_a_user_who_is_not_there_is_nothing(server: FizzServer) -> None:
    """Protocol: §12.8, "also when the user has no connection"."""
    answer = server.api(OPEN).post("/users/nobody/terminate_connections", {})
    assert (answer.status, answer.json) == (200, {})
