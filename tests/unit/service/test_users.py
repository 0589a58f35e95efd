"""Signed-in users: who is who, messages to one, and ending all connections of one. Protocol: §9."""

import math
from datetime import UTC, datetime

import pytest

from fizz_gevent.application import PreviousCredentials
from tests.harness.signing import App
from tests.unit.clockwork import UNIX_START
from tests.unit.rooms import APP, Node, application, error, event, succeeded

TERMINATED = (4009, "Connection terminated by the application")


def success(user_data: str) -> dict[str, object]:
    return {"event": "pusher:signin_success", "data": {"user_data": user_data}}


def test_sign_in_is_confirmed_with_what_was_signed() -> None:
    """Protocol: §9.1, echoed as received."""
    node = Node()
    client = node.client()
    assert client.sign_in("u-7", user_info={"name": "Ada"}) == [
        success('{"id":"u-7","user_info":{"name":"Ada"}}')
    ]
    assert client.connection.user is not None
    assert client.connection.user.user_id == "u-7"
    assert node.table().users == {"u-7": {client.socket_id: client.connection}}
    assert client.connection.is_authorized


@pytest.mark.parametrize(
    ("auth", "why"),
    [
        ("", "Missing auth for signin"),
        ("fizz-key:" + "0" * 64, "Invalid signature for signin"),
        ("other:" + "0" * 64, "Invalid key in signin auth data"),
    ],
)
def test_a_bad_signature_makes_nobody_of_nobody(auth: str, why: str) -> None:
    """Protocol: §9.1; the connection stays."""
    node = Node()
    client = node.client()
    assert client.sign_in("u-7", auth=auth) == [error(4009, why)]
    assert client.connection.user is None
    assert client.closed is None
    assert not client.connection.is_authorized
    assert node.registry.online(APP.app_id, ["u-7"]) == {}


@pytest.mark.parametrize("user_id", ["", 7, None, "with space", "x" * 129, ["u"]])
def test_an_id_is_a_proper_string(user_id: object) -> None:
    """Protocol: §9.1."""
    node = Node()
    (told,) = node.client().sign_in(user_id)
    assert told["event"] == "pusher:error"
    assert told["data"]["code"] == 4009
    assert node.table().users == {}


def test_the_same_user_may_sign_in_again() -> None:
    """Protocol: §9.1, user_info is replaced."""
    node = Node()
    client = node.client()
    client.sign_in("u-7", user_info={"n": 1})
    assert client.sign_in("u-7", user_info={"n": 2}) == [
        success('{"id":"u-7","user_info":{"n":2}}')
    ]
    assert client.connection.user is not None
    assert client.connection.user.user_info == b'{"n":2}'
    client.vanish()
    node.assert_nothing_is_left()
    node.clock.advance(3)
    assert node.registry.online(APP.app_id, ["u-7"]) == {}


def test_another_user_may_not_and_the_first_stays() -> None:
    """Protocol: §9.1."""
    node = Node()
    client = node.client()
    client.sign_in("u-7")
    assert client.sign_in("u-8") == [
        error(4009, "The connection is signed in as another user already")
    ]
    assert node.table().users.keys() == {"u-7"}
    assert client.subscribe("#server-to-user-u-7") == [succeeded("#server-to-user-u-7")]
    assert node.registry.online(APP.app_id, ["u-7", "u-8"]) == {"u-7": math.inf}


def test_a_bad_second_sign_in_changes_nothing() -> None:
    """Protocol: §9.1, "previous identity unchanged"."""
    client = Node().client()
    client.sign_in("u-7", user_info={"n": 1})
    client.sign_in("u-7", auth="fizz-key:00", user_info={"n": 2})
    assert client.connection.user is not None
    assert client.connection.user.user_info == b'{"n":1}'


def test_events_for_a_user_reach_every_tab_that_listens() -> None:
    """Protocol: §9.2."""
    node = Node()
    channel = "#server-to-user-u-7"
    tabs = [node.client() for _ in range(2)]
    for tab in tabs:
        tab.sign_in("u-7")
        tab.subscribe(channel)
    deaf, other = node.client(), node.client()
    deaf.sign_in("u-7")
    other.sign_in("u-8")
    node.publish(channel, "note", '"hello"')
    assert [tab.heard() for tab in tabs] == [[event(channel, "note", "hello")]] * 2
    assert (deaf.heard(), other.heard()) == ([], [])


def test_to_terminate_closes_all_that_are_signed_in_as_the_user() -> None:
    """Protocol: §9.4, and not mere presence members."""
    node = Node()
    tabs = [node.client() for _ in range(2)]
    for tab in tabs:
        tab.sign_in("u-7")
    other, member = node.client(), node.client()
    other.sign_in("u-8")
    member.subscribe("presence-room", "u-7")
    node.users.terminate(node.table(), "u-7")
    assert [client.closed for client in (*tabs, other, member)] == [
        TERMINATED,
        TERMINATED,
        None,
        None,
    ]
    node.turn()
    assert node.table().users.keys() == {"u-8"}
    assert node.table().connections.keys() == {other.socket_id, member.socket_id}


def test_nothing_stops_a_later_sign_in() -> None:
    """Protocol: §9.4."""
    node = Node()
    node.client().sign_in("u-7")
    node.users.terminate(node.table(), "u-7")
    again = node.client()
    again.sign_in("u-7")
    assert again.closed is None
    assert node.table().users == {"u-7": {again.socket_id: again.connection}}


def test_to_terminate_nobody_does_nothing() -> None:
    """Protocol: §12.8."""
    node = Node()
    client = node.client()
    node.users.terminate(node.table(), "u-7")
    assert client.closed is None


def test_users_of_two_applications_are_strangers() -> None:
    other = App("1002", "other-key", "other-secret")
    node = Node(application(), application(other))
    here, there = node.client(), node.client(other)
    here.sign_in("u-7")
    there.sign_in("u-7")
    node.users.terminate(node.table(other), "u-7")
    assert (here.closed, there.closed) == (None, TERMINATED)


def test_a_previous_secret_signs_in_too_while_it_is_valid() -> None:
    """After a rotation both pairs hold until the date."""
    until = datetime.fromtimestamp(UNIX_START + 60, UTC)
    node = Node(previous=PreviousCredentials("old", "old-secret", until))
    client = node.client()
    client.app = App(APP.app_id, "old", "old-secret")
    assert client.sign_in("u-7") == [success('{"id":"u-7"}')]
    assert client.subscribe("private-orders") == [succeeded("private-orders")]
    node.clock.advance(60)
    assert client.sign_in("u-7") == [error(4009, "Invalid key in signin auth data")]
