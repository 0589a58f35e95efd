"""Publishing one event and several. Protocol: §12.3, §12.4."""

from typing import Any

import pytest

from tests.unit.api.house import Client, House, error_of


def listening(house: House, *channels: str) -> Client:
    client = house.client()
    for channel in channels:
        client.subscribe(channel, "u-7" if channel.startswith("presence-") else None)
    client.events()
    return client


def test_an_event_reaches_every_channel_once() -> None:
    """Protocol: §12.3, §6.6; duplicates are folded."""
    house = House()
    listener = listening(house, "orders", "orders-eu")
    stranger = listening(house, "invoices")
    body = {"name": "order.created", "channels": ["orders", "orders-eu", "orders"], "data": "hi"}
    assert house.post("/events", body).data == b"{}"
    assert listener.events() == [
        {"event": "order.created", "channel": "orders", "data": "hi"},
        {"event": "order.created", "channel": "orders-eu", "data": "hi"},
    ]
    assert stranger.events() == []


def test_channels_wins_over_channel_and_either_will_do() -> None:
    """Protocol: §12.3."""
    house = House()
    listener = listening(house, "one", "many")
    event = {"name": "x", "data": ""}
    house.post("/events", {**event, "channel": "one"})
    house.post("/events", {**event, "channel": "one", "channels": ["many"]})
    assert [event["channel"] for event in listener.events()] == ["one", "many"]


def test_the_sender_is_left_out_and_an_unknown_one_is_nobody() -> None:
    """Protocol: §12.3, ``socket_id``."""
    house = House()
    sender, other = listening(house, "orders"), listening(house, "orders")
    event = {"name": "x", "channel": "orders", "data": "1"}
    house.post("/events", {**event, "socket_id": sender.connection.socket_id})
    assert (len(sender.events()), len(other.events())) == (0, 1)
    assert house.post("/events", {**event, "socket_id": "999999.1"}).status_code == 200
    assert (len(sender.events()), len(other.events())) == (1, 1)


def test_other_json_than_a_string_is_encoded_compactly() -> None:
    """Protocol: §12.3, ``data``."""
    house = House()
    listener = listening(house, "orders")
    values: list[Any] = [{"a": [1, None]}, 7, None, True, []]
    for data in values:
        house.post("/events", {"name": "x", "channel": "orders", "data": data})
    found = [event["data"] for event in listener.events()]
    assert found == ['{"a":[1,null]}', "7", "null", "true", "[]"]


def test_a_signed_in_user_is_reached_by_the_users_channel() -> None:
    """Protocol: §9.2."""
    house = House()
    ann = house.client()
    ann.sign_in("ann")
    ann.subscribe("#server-to-user-ann")
    ann.events()
    body = {"name": "x", "channels": ["#server-to-user-ann"], "data": "1"}
    assert house.post("/events", body).data == b"{}"
    assert [event["channel"] for event in ann.events()] == ["#server-to-user-ann"]


def test_info_lists_every_unique_channel_and_leaves_out_what_does_not_fit() -> None:
    """Protocol: §12.3, ``info``."""
    house = House()
    listening(house, "orders", "presence-a")
    listening(house, "orders", "presence-a")
    body: dict[str, Any] = {
        "name": "x",
        "channels": ["orders", "presence-a", "empty", "orders", "presence-none"],
        "data": "",
    }
    both = house.post("/events", {**body, "info": "user_count,subscription_count"})
    assert both.json == {
        "channels": {
            "orders": {"subscription_count": 2},
            "presence-a": {"user_count": 1, "subscription_count": 2},
            "empty": {"subscription_count": 0},
            "presence-none": {"user_count": 0, "subscription_count": 0},
        }
    }
    users = house.post("/events", {**body, "info": "user_count"})
    assert users.json == {
        "channels": {
            "orders": {},
            "presence-a": {"user_count": 1},
            "empty": {},
            "presence-none": {"user_count": 0},
        }
    }
    assert house.post("/events", {**body, "info": ""}).data == b"{}"


VALID = {"name": "x", "channel": "orders", "data": ""}
INVALID: dict[str, tuple[Any, int]] = {
    "no JSON": (b"nonsense", 400),
    "invalid UTF-8": (b'{"name":"\xff","channel":"orders","data":""}', 400),
    "no object": ([], 400),
    "empty body": (b"", 400),
    "no name": ({"channel": "orders", "data": ""}, 400),
    "name is no string": ({**VALID, "name": 1}, 400),
    "empty name": ({**VALID, "name": ""}, 400),
    "long name": ({**VALID, "name": "n" * 201}, 400),
    "control character in the name": ({**VALID, "name": "a\nb"}, 400),
    "pusher: is the service's": ({**VALID, "name": "pusher:x"}, 400),
    "pusher_internal: too": ({**VALID, "name": "pusher_internal:x"}, 400),
    "no channel": ({"name": "x", "data": ""}, 400),
    "no channels": ({**VALID, "channels": []}, 400),
    "channels is no array": ({**VALID, "channels": "orders"}, 400),
    "channel is no string": ({**VALID, "channel": 7}, 400),
    "101 channels": ({**VALID, "channels": [f"c{i}" for i in range(101)]}, 400),
    "one bad channel of several": ({**VALID, "channels": ["orders", "no spaces"]}, 400),
    "long channel": ({**VALID, "channel": "c" * 165}, 400),
    "a # that is no user's": ({**VALID, "channel": "#other"}, 400),
    "encrypted beside another": (
        {**VALID, "channels": ["private-encrypted-a", "private-encrypted-b"]},
        400,
    ),
    "no data": ({"name": "x", "channel": "orders"}, 400),
    "data one byte too large": ({**VALID, "data": "d" * 10241}, 413),
    "data too large in UTF-8": ({**VALID, "data": "\u00e9" * 5121}, 413),
    "socket_id of another shape": ({**VALID, "socket_id": "12"}, 400),
    "unknown info": ({**VALID, "info": "weather"}, 400),
    "info is no string": ({**VALID, "info": ["user_count"]}, 400),
}


@pytest.mark.parametrize("case", INVALID)
def test_a_bad_event_is_refused_and_nothing_is_sent(case: str) -> None:
    """Protocol: §12.3, §5, §12.2."""
    body, status = INVALID[case]
    house = House()
    listener = listening(house, "orders")
    assert error_of(house.post("/events", body))[0] == status
    assert listener.events() == []


@pytest.mark.parametrize(
    "body",
    [
        {**VALID, "data": "d" * 10240},
        {**VALID, "data": "\u00e9" * 5120},
        {**VALID, "name": "n" * 200},
        {**VALID, "name": "App\\Events\\Shipped \u00fc"},
        {**VALID, "channels": ["orders", *(f"c{i}" for i in range(99))]},
        {**VALID, "channels": ["orders"] * 300},
        {**VALID, "channels": ["orders", "c" * 164]},
        {**VALID, "unknown": {"key": 1}},
    ],
)
def test_the_largest_that_is_allowed_is_allowed(body: dict[str, Any]) -> None:
    """Protocol: §5, §12.3."""
    house = House()
    listener = listening(house, "orders")
    assert house.post("/events", body).status_code == 200
    assert len(listener.events()) == 1


def test_a_batch_is_published_in_its_order() -> None:
    """Protocol: §12.4."""
    house = House()
    listener = listening(house, "a", "b")
    batch = [{"channel": "ab"[i % 2], "name": f"e{i}", "data": str(i)} for i in range(10)]
    assert house.post("/batch_events", {"batch": batch}).data == b"{}"
    found = [(event["event"], event["channel"]) for event in listener.events()]
    assert found == [(f"e{i}", "ab"[i % 2]) for i in range(10)]


def test_info_in_a_batch_is_answered_by_one_object_per_event() -> None:
    """Protocol: §12.4."""
    house = House()
    listening(house, "presence-a")
    event = {"name": "x", "data": ""}
    batch = [
        {**event, "channel": "orders"},
        {**event, "channel": "presence-a", "info": "user_count"},
        {**event, "channel": "orders", "info": "user_count"},
        {**event, "channel": "presence-a", "info": "subscription_count"},
    ]
    answer = house.post("/batch_events", {"batch": batch})
    assert answer.json == {"batch": [{}, {"user_count": 1}, {}, {"subscription_count": 1}]}


@pytest.mark.parametrize(
    ("batch", "status"),
    [
        (None, 400),
        ([], 400),
        ({}, 400),
        ([1], 400),
        ([VALID] * 11, 400),
        ([VALID, {**VALID, "channel": "no spaces"}], 400),
        ([VALID, {"name": "x", "channels": ["orders"], "data": ""}], 400),
        ([VALID, {**VALID, "data": "d" * 10241}], 413),
        ([VALID, {**VALID, "info": "cache"}], 400),
        ([VALID, {**VALID, "socket_id": 1.5}], 400),
    ],
)
def test_one_bad_event_refuses_the_whole_batch(batch: Any, status: int) -> None:
    """Protocol: §12.4."""
    house = House()
    listener = listening(house, "orders")
    assert error_of(house.post("/batch_events", {"batch": batch}))[0] == status
    assert listener.events() == []


def test_what_was_published_to_a_cache_channel_is_kept() -> None:
    """Protocol: §10: with nobody there, and also where somebody was left out."""
    house = House()
    house.post("/events", {"name": "x", "channel": "cache-prices", "data": "1", "socket_id": "1.1"})
    house.post("/batch_events", {"batch": [{"name": "y", "channel": "cache-b", "data": "2"}]})
    late = house.client()
    late.subscribe("cache-prices")
    late.subscribe("cache-b")
    assert [(event["event"], event["data"]) for event in late.events()] == [
        ("pusher_internal:subscription_succeeded", "{}"),
        ("x", "1"),
        ("pusher_internal:subscription_succeeded", "{}"),
        ("y", "2"),
    ]
