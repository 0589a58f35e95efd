"""Client to server. Protocol: §2, and the section named at each row."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fizz_gevent.errors import FrameError, ProtocolError, SubscriptionError
from fizz_gevent.protocol import events
from fizz_gevent.protocol.messages import (
    ClientEvent,
    Ignored,
    Message,
    Ping,
    Pong,
    SignIn,
    Subscribe,
    Unsubscribe,
    parse,
)

AUTH = "fizz-key:5b87f1d6f15d340650cf957b409f964ef6db17ef7e883049f60a54d9b0a50e40"
PRESENCE_DATA = '{"user_id":"u-7","user_info":{"name":"Ada"}}'


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        # §3: pusher-js, others, and Java without data
        ('{"event":"pusher:ping","data":{}}', Ping()),
        ('{"event":"pusher:ping","data":"{}"}', Ping()),
        ('{"event":"pusher:ping","data":""}', Ping()),
        ('{"event":"pusher:ping"}', Ping()),
        ('{"event": "pusher:ping"}', Ping()),
        ('{ "data": {}, "event": "pusher:ping" }', Ping()),
        ('{"event":"pusher:pong","data":{}}', Pong()),
        ('{"event":"pusher:pong"}', Pong()),
        ('{"event": "pusher:pong", "data": null}', Pong()),
        # §6.1
        (
            '{"event":"pusher:subscribe","data":{"auth":"","channel":"orders"}}',
            Subscribe("orders", "", None),
        ),
        (
            f'{{"event":"pusher:subscribe","data":{{"auth":"{AUTH}","channel":"private-a"}}}}',
            Subscribe("private-a", AUTH, None),
        ),
        (
            json.dumps(
                {
                    "event": "pusher:subscribe",
                    "data": {
                        "auth": AUTH,
                        "channel_data": PRESENCE_DATA,
                        "channel": "presence-room.1",
                    },
                }
            ),
            Subscribe("presence-room.1", AUTH, PRESENCE_DATA),
        ),
        (  # the exact text, whatever its spaces
            json.dumps(
                {
                    "event": "pusher:subscribe",
                    "data": {"channel": "presence-a", "channel_data": ' {"user_id" : 1} '},
                }
            ),
            Subscribe("presence-a", None, ' {"user_id" : 1} '),
        ),
        (  # §2: data may be a JSON string of the object
            r'{"event":"pusher:subscribe","data":"{\"auth\":\"k:s\",\"channel\":\"private-a\"}"}',
            Subscribe("private-a", "k:s", None),
        ),
        (  # null is missing
            '{"event":"pusher:subscribe","data":{"auth":null,"channel":"orders",'
            '"channel_data":null}}',
            Subscribe("orders", None, None),
        ),
        (  # what is no string cannot be a token, and is none
            '{"event":"pusher:subscribe","data":{"auth":12,"channel":"private-a"}}',
            Subscribe("private-a", None, None),
        ),
        (  # nothing is signed here, so nobody minds
            '{"event":"pusher:subscribe","data":{"channel":"orders","channel_data":{"a":1}}}',
            Subscribe("orders", None, None),
        ),
        (
            '{"event":"pusher:unsubscribe","data":{"channel":"orders"}}',
            Unsubscribe("orders"),
        ),
        (
            r'{"event":"pusher:unsubscribe","data":"{\"channel\":\"orders\"}"}',
            Unsubscribe("orders"),
        ),
        # §9.1
        (
            r'{"event":"pusher:signin","data":{"auth":"k:s","user_data":"{\"id\": \"u-7\"}"}}',
            SignIn("k:s", '{"id": "u-7"}'),
        ),
        (
            r'{"event":"pusher:signin","data":"{\"auth\":\"k:s\",\"user_data\":\"{}\"}"}',
            SignIn("k:s", "{}"),
        ),
        ('{"event":"pusher:signin","data":{"auth":[],"user_data":"{}"}}', SignIn(None, "{}")),
        # §8: a string as it is, any other value as compact JSON, missing as null
        (
            '{"event":"client-typing","data":{"on": true},"channel":"presence-room.1"}',
            ClientEvent("client-typing", "presence-room.1", '{"on":true}'),
        ),
        (
            r'{"event":"client-a","channel":"private-a","data":"{ \"on\": true }"}',
            ClientEvent("client-a", "private-a", '{ "on": true }'),
        ),
        (
            '{"event":"client-a","channel":"private-a","data":"plain"}',
            ClientEvent("client-a", "private-a", "plain"),
        ),
        (
            '{"event":"client-a","channel":"private-a","data":""}',
            ClientEvent("client-a", "private-a", ""),
        ),
        (
            '{"event":"client-a","channel":"private-a"}',
            ClientEvent("client-a", "private-a", "null"),
        ),
        (
            '{"event":"client-a","channel":"private-a","data":null}',
            ClientEvent("client-a", "private-a", "null"),
        ),
        (
            '{"event":"client-a","channel":"private-a","data":[1, "é", 2.50, false]}',
            ClientEvent("client-a", "private-a", '[1,"é",2.5,false]'),
        ),
        (
            '{"event":"client-a","channel":"private-a","data":18446744073709551615}',
            ClientEvent("client-a", "private-a", "18446744073709551615"),
        ),
        (  # a user_id of the client's own is dropped
            '{"event":"client-a","channel":"presence-a","data":"","user_id":"root"}',
            ClientEvent("client-a", "presence-a", ""),
        ),
        (  # nothing but the first seven letters makes a client event
            '{"event":"client-","channel":"private-a","data":""}',
            ClientEvent("client-", "private-a", ""),
        ),
        # §2: unknown, or not a client's to send
        ('{"event":"pusher:unknown","data":{}}', Ignored()),
        ('{"event":"pusher_internal:member_added","channel":"presence-a","data":"{}"}', Ignored()),
        ('{"event":"order.created","channel":"orders","data":"{}"}', Ignored()),
        ('{"event":"clientele"}', Ignored()),
    ],
)
def test_what_a_message_means(payload: str, expected: Message) -> None:
    assert parse(payload.encode()) == expected


@pytest.mark.parametrize("event", ["pusher:subscribe", "pusher:unsubscribe"])
@pytest.mark.parametrize("data", [{}, {"channel": None}, {"channel": 1}, {"channel": ["a"]}])
def test_a_channel_that_is_missing_or_not_a_string(event: str, data: dict[str, Any]) -> None:
    """Protocol: §6.3: a ``pusher:error`` with code null, and nothing on any channel."""
    with pytest.raises(ProtocolError, match="channel must be a string") as refusal:
        parse(json.dumps({"event": event, "data": data}).encode())
    assert not isinstance(refusal.value, SubscriptionError)
    assert refusal.value.code is None
    assert event in refusal.value.message


@pytest.mark.parametrize("event", ["pusher:subscribe", "pusher:unsubscribe", "pusher:signin"])
@pytest.mark.parametrize("data", [None, 1, [], "", "x", "[]", "1", '"{}"', "{", True])
def test_data_that_is_no_object(event: str, data: object) -> None:
    """Protocol: §2."""
    with pytest.raises(ProtocolError, match=f"^{event}: data must be an object") as refusal:
        parse(json.dumps({"event": event, "data": data}).encode())
    assert refusal.value.code is None


@pytest.mark.parametrize("channel_data", [{}, {"user_id": "u"}, [], 0, 1, True])
@pytest.mark.parametrize("channel", ["presence-a", "presence-cache-a", "private-a"])
def test_channel_data_that_is_not_a_string(channel: str, channel_data: object) -> None:
    """Protocol: §6.3; it cannot have been signed."""
    data = {"auth": AUTH, "channel": channel, "channel_data": channel_data}
    with pytest.raises(SubscriptionError) as refusal:
        parse(json.dumps({"event": "pusher:subscribe", "data": data}).encode())
    error = refusal.value
    assert (error.channel, error.type, error.status, error.code) == (
        channel,
        "AuthError",
        401,
        4009,
    )


@pytest.mark.parametrize("data", [{"auth": "k:s"}, {"user_data": {"id": "u"}}, {"user_data": 1}])
def test_user_data_that_is_not_a_string(data: dict[str, Any]) -> None:
    """Protocol: §9.1, a failed sign-in is told with 4009."""
    with pytest.raises(ProtocolError, match="user_data") as refusal:
        parse(json.dumps({"event": "pusher:signin", "data": data}).encode())
    assert refusal.value.code == 4009


@pytest.mark.parametrize("channel", [None, 1, {}, ["private-a"]])
def test_a_client_event_to_no_channel(channel: object) -> None:
    """Protocol: §8, rejections name the event."""
    with pytest.raises(ProtocolError, match=r"^client-a: channel") as refusal:
        parse(json.dumps({"event": "client-a", "channel": channel}).encode())
    assert refusal.value.code is None


def test_an_error_repeats_no_more_than_a_names_length() -> None:
    with pytest.raises(ProtocolError) as refusal:
        parse(b'{"event":"client-%b"}' % (b"x" * 60_000))
    assert len(refusal.value.message) < 300
    data = {"channel": "private-" + "x" * 60_000, "channel_data": {}}
    with pytest.raises(SubscriptionError) as refused:
        parse(json.dumps({"event": "pusher:subscribe", "data": data}).encode())
    assert len(refused.value.message) < 300
    assert refused.value.channel == data["channel"]


def test_what_is_ignored_costs_no_new_object() -> None:
    assert parse(b'{"event":"a"}') is parse(b'{"event":"b"}')


ANY_TEXT = st.text(st.characters(exclude_categories=[]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
EVENTS = st.sampled_from(
    ["pusher:ping", "pusher:subscribe", "pusher:unsubscribe", "pusher:signin", "client-a", "x"]
)
FIELDS = st.dictionaries(
    st.sampled_from(["channel", "auth", "channel_data", "user_data", "other"]), JSON
)


def check(payload: bytes) -> None:
    """One of the documented outcomes, and whatever comes out can be sent."""
    try:
        message = parse(payload)
    except FrameError as violation:
        assert violation.code == 1007
        with pytest.raises(UnicodeDecodeError):
            payload.decode()
    except ProtocolError as refusal:
        assert refusal.code in (None, 4009)
        events.error(refusal.code, refusal.message)
        if isinstance(refusal, SubscriptionError):
            events.subscription_error(refusal)
    else:
        assert isinstance(message, Message)
        if isinstance(message, ClientEvent):
            sent = json.loads(events.channel_event(message.name, message.channel, message.data))
            assert sent["data"] == message.data
        elif isinstance(message, Subscribe):
            events.subscription_succeeded(message.channel)
        elif isinstance(message, SignIn):
            events.signin_success(message.user_data)


@given(st.binary(max_size=200))
def test_any_bytes(payload: bytes) -> None:
    check(payload)


@given(st.text(max_size=200))
def test_any_text(payload: str) -> None:
    check(payload.encode())


@given(JSON)
def test_any_json(value: object) -> None:
    check(json.dumps(value).encode("utf-8", "surrogatepass"))


@given(EVENTS, FIELDS | JSON, JSON, st.booleans(), st.booleans())
def test_any_fields(
    event: str, data: object, channel: object, is_text: bool, is_ascii: bool
) -> None:
    """Escapes as ``json`` writes them, ``NaN`` and lone surrogates too."""
    if is_text:
        data = json.dumps(data)
    message = {"event": event, "data": data, "channel": channel}
    check(json.dumps(message, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass"))


@given(st.sampled_from([b"[", b'{"a":', b'"', b"\\ud800", b"1", b" "]), st.integers(1, 3000))
def test_any_depth(piece: bytes, count: int) -> None:
    check(b'{"event":"client-a","channel":"private-a","data":' + piece * count)


@pytest.mark.parametrize("depth", [1, 100, 253, 254, 255, 300, 1000, 1022, 1023, 1024, 1025, 5000])
def test_balanced_depth(depth: int) -> None:
    data = b"[" * depth + b"]" * depth
    check(b'{"event":"client-a","channel":"private-a","data":%b}' % data)
