"""What ``fizz listen`` says and hears, without a network."""

import json
from typing import Any

import pytest

from fizz_gevent.application import Application
from fizz_gevent.client.conversation import Conversation, Event
from fizz_gevent.client.websocket import Closed
from fizz_gevent.errors import CommandError

APP = Application("1001", "fizz-key", "fizz-secret")
SOCKET_ID = "483920.771204"


class Desk:
    """A conversation, and what came of it."""

    def __init__(self, *channels: str) -> None:
        self.sent: list[dict[str, Any]] = []
        self.told: list[Event] = []
        self.said: list[str] = []
        self.conversation = Conversation(
            APP,
            channels,
            send=lambda payload: self.sent.append(json.loads(payload)),
            tell=self.told.append,
            say=self.said.append,
        )

    def hear(self, event: str, data: object = None, **others: object) -> None:
        message = {"event": event, **others, **({} if data is None else {"data": data})}
        self.conversation.received(json.dumps(message))

    def establish(self, activity_timeout: object = 30) -> None:
        data = {"socket_id": SOCKET_ID, "activity_timeout": activity_timeout}
        self.hear("pusher:connection_established", json.dumps(data))

    def sent_data(self, event: str) -> list[dict[str, Any]]:
        return [each["data"] for each in self.sent if each["event"] == event]


def test_each_kind_of_channel_is_signed_as_it_has_to_be() -> None:
    """Protocol: §6.1, §6.2: the digests of the worked examples."""
    desk = Desk("orders", "private-orders.42", "private-encrypted-vault", "cache-x")
    desk.establish()
    assert desk.sent_data("pusher:subscribe") == [
        {"auth": "", "channel": "orders"},
        {
            "auth": "fizz-key:5b87f1d6f15d340650cf957b409f964ef6db17ef7e883049f60a54d9b0a50e40",
            "channel": "private-orders.42",
        },
        {
            "auth": "fizz-key:d2671fde5d4d2eac3415df07701c8c9574d9c6456f71bdd4f6806bf7c25206d5",
            "channel": "private-encrypted-vault",
        },
        {"auth": "", "channel": "cache-x"},
    ]
    assert desk.conversation.activity_timeout == 30


def test_a_presence_channel_is_joined_as_a_member_of_its_own() -> None:
    """Protocol: §6.1."""
    desk = Desk("presence-room")
    desk.establish()
    (data,) = desk.sent_data("pusher:subscribe")
    assert json.loads(data["channel_data"])["user_id"] == "fizz-listen"
    roster = {"presence": {"count": 3, "ids": [], "hash": {}}}
    desk.hear("pusher_internal:subscription_succeeded", json.dumps(roster), channel="presence-room")
    assert desk.said == ["listening to presence-room, as a member beside 2 others"]
    assert desk.told == []


def test_a_users_channel_is_subscribed_to_once_signed_in() -> None:
    """Protocol: §9.1, §9.2."""
    desk = Desk("#server-to-user-u-7", "orders")
    desk.establish()
    assert [each["channel"] for each in desk.sent_data("pusher:subscribe")] == ["orders"]
    (signin,) = desk.sent_data("pusher:signin")
    assert json.loads(signin["user_data"]) == {"id": "u-7"}
    assert signin["auth"].startswith("fizz-key:")
    desk.hear("pusher:signin_success", {"user_data": signin["user_data"]})
    assert desk.sent_data("pusher:subscribe")[-1] == {
        "auth": "",
        "channel": "#server-to-user-u-7",
    }


def test_events_are_told_with_their_data_as_sent() -> None:
    desk = Desk("presence-a")
    desk.establish()
    desk.hear("order.created", '{"id": 42}', channel="presence-a")
    desk.hear("client-typing", "x", channel="presence-a", user_id="u-7")
    desk.hear("pusher_internal:member_added", '{"user_id":"a"}', channel="presence-a")
    desk.hear("pusher:cache_miss", "{}", channel="presence-a")
    desk.hear("odd", {"an": "object"}, channel="presence-a")
    desk.hear("bare", channel="presence-a")
    assert desk.told == [
        Event("presence-a", "order.created", '{"id": 42}'),
        Event("presence-a", "client-typing", "x", "u-7"),
        Event("presence-a", "pusher_internal:member_added", '{"user_id":"a"}'),
        Event("presence-a", "pusher:cache_miss", "{}"),
        Event("presence-a", "odd", '{"an":"object"}'),
        Event("presence-a", "bare", ""),
    ]


def test_a_ping_is_answered_and_a_pong_is_not_told() -> None:
    """Protocol: §3."""
    desk = Desk("a")
    desk.establish()
    desk.hear("pusher:ping", "{}")
    desk.hear("pusher:pong", "{}")
    assert desk.sent[-1] == {"event": "pusher:pong", "data": {}}
    assert desk.told == []


def refuse(desk: Desk, channel: str, reason: str, code: int | None) -> None:
    data = {"type": "AuthError", "error": reason, "status": 401}
    desk.hear("pusher:subscription_error", data, channel=channel)
    desk.hear("pusher:error", {"code": code, "message": reason})


def test_a_refused_channel_is_said_once_and_the_others_go_on() -> None:
    """Protocol: §6.3: two frames, the connection stays open."""
    desk = Desk("a", "b")
    desk.establish()
    refuse(desk, "a", "The channel is full", None)
    assert desk.said == ["a: The channel is full"]
    desk.hear("pusher:error", {"code": 4301, "message": "Something else"})
    assert desk.said[1:] == ["Something else"]
    with pytest.raises(CommandError, match=r"^b: No\\x07$"):
        refuse(desk, "b", "No\a", None)


def test_a_refused_sign_in_refuses_the_users_channel() -> None:
    """Protocol: §9.1."""
    desk = Desk("#server-to-user-u-7", "b")
    desk.establish()
    desk.hear("pusher:error", {"code": 4009, "message": "Invalid signature for signin"})
    assert desk.said == ["Invalid signature for signin"]
    with pytest.raises(CommandError, match=r"^b: "):
        refuse(desk, "b", "No", 4009)


def test_a_refused_connection_ends_with_its_code() -> None:
    """Protocol: §4.3: ``pusher:error`` comes before the close frame."""
    desk = Desk("a")
    with pytest.raises(Closed) as end:
        desk.hear("pusher:error", {"code": 4001, "message": "Application does not exist"})
    assert (end.value.code, str(end.value)) == (4001, "4001 Application does not exist")


@pytest.mark.parametrize("timeout", [0, None, "x", -1])
def test_an_activity_timeout_that_is_none_is_replaced(timeout: object) -> None:
    desk = Desk("a")
    desk.establish(timeout)
    assert desk.conversation.activity_timeout == 120


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"data":1}', '{"event":5}'])
def test_what_is_no_message_is_said_and_survived(text: str) -> None:
    desk = Desk("a")
    desk.establish()
    desk.conversation.received(text)
    assert desk.said == ["a message is not understood"]


def test_what_belongs_to_no_channel_is_ignored() -> None:
    desk = Desk("a")
    desk.establish()
    desk.hear("pusher_internal:watchlist_events", "{}")
    desk.hear("pusher:of_the_future")
    assert (desk.told, desk.said) == ([], [])
