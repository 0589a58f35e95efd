"""Bodies of the HTTP API's events. Protocol: §12.3, §12.4, §5."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fizz_gevent.application import Application
from fizz_gevent.errors import ApiError
from fizz_gevent.protocol import events
from fizz_gevent.protocol.triggers import (
    EVENT_INFO,
    Event,
    parse_batch,
    parse_info,
    parse_trigger,
)

APP = Application("1001", "fizz-key", "fizz-secret")
MISSING = object()


def body_of(**fields: Any) -> bytes:
    """A valid body but for ``fields``; ``MISSING`` leaves one out."""
    whole = {"name": "order.created", "channel": "orders", "data": "{}", **fields}
    return json.dumps(
        {name: value for name, value in whole.items() if value is not MISSING}
    ).encode()


def refusal(body: bytes, app: Application = APP) -> ApiError:
    with pytest.raises(ApiError) as refused:
        parse_trigger(body, app)
    return refused.value


def batch_refusal(body: bytes, app: Application = APP) -> ApiError:
    with pytest.raises(ApiError) as refused:
        parse_batch(body, app)
    return refused.value


def test_the_documented_body() -> None:
    """Protocol: §12.3."""
    body = (
        b'{"name":"order.created","channels":["orders","orders-eu"],"data":"{\\"id\\":42}",'
        b'"socket_id":"483920.771204","info":"subscription_count"}'
    )
    assert parse_trigger(body, APP) == Event(
        name="order.created",
        channels=("orders", "orders-eu"),
        data='{"id":42}',
        socket_id="483920.771204",
        info=("subscription_count",),
    )


@pytest.mark.parametrize(
    ("fields", "channels"),
    [
        ({"channel": "orders"}, ("orders",)),
        ({"channel": MISSING, "channels": ["orders"]}, ("orders",)),
        ({"channel": "a", "channels": ["b"]}, ("b",)),  # channels wins
        ({"channel": 5, "channels": ["b"]}, ("b",)),
        ({"channel": "a", "channels": None}, ("a",)),
        ({"channels": ["b", "a", "b", "a"]}, ("b", "a")),  # folded, in order
        ({"channels": ["a"] * 500}, ("a",)),
        ({"channels": [f"c{number}" for number in range(100)]}, tuple(f"c{n}" for n in range(100))),
        ({"channel": "#server-to-user-u-7"}, ("#server-to-user-u-7",)),
        ({"channels": ["#server-to-user-a", "orders"]}, ("#server-to-user-a", "orders")),
        ({"channel": "private-encrypted-vault"}, ("private-encrypted-vault",)),
        ({"channels": ["private-encrypted-a"] * 2}, ("private-encrypted-a",)),
        ({"channels": ["private-encryptedx", "a"]}, ("private-encryptedx", "a")),
        ({"channel": "x" * 164}, ("x" * 164,)),
    ],
)
def test_channels(fields: dict[str, Any], channels: tuple[str, ...]) -> None:
    """Protocol: §12.3."""
    assert parse_trigger(body_of(**fields), APP).channels == channels


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"channel": MISSING}, "channel is missing"),
        ({"channel": None}, "channel is missing"),
        ({"channel": 5}, "a channel must be a string"),
        ({"channel": ["orders"]}, "a channel must be a string"),
        ({"channel": ""}, "invalid channel name ''"),
        ({"channel": "a b"}, "invalid channel name 'a b'"),
        ({"channel": "a:b"}, "invalid channel name"),
        ({"channel": "orders\n"}, "invalid channel name"),
        ({"channel": "#orders"}, "invalid channel name"),
        ({"channel": "#server-to-user-"}, "invalid channel name"),
        ({"channel": "x" * 165}, "invalid channel name"),
        ({"channels": "orders"}, "channels must be an array"),
        ({"channels": {}}, "channels must be an array"),
        ({"channels": 1}, "channels must be an array"),
        ({"channels": []}, "channels must hold 1 to 100, not 0"),
        ({"channels": [f"c{number}" for number in range(101)]}, "channels must hold 1 to 100, not"),
        ({"channels": ["a", 1]}, "a channel must be a string"),
        ({"channels": ["a", None]}, "a channel must be a string"),
        ({"channels": ["a", ["b"]]}, "a channel must be a string"),
        ({"channels": ["a", "b c"]}, "invalid channel name 'b c'"),
        ({"channels": ["private-encrypted-a", "b"]}, "An event for an encrypted channel"),
        ({"channels": ["b", "private-encrypted-cache-a"]}, "An event for an encrypted channel"),
        ({"channels": ["private-encrypted-a", "private-encrypted-b"]}, "An event for an encrypted"),
        ({"name": MISSING}, "name is missing"),
        ({"name": None}, "name is missing"),
        ({"name": 5}, "name must be a string"),
        ({"name": ""}, "invalid event name ''"),
        ({"name": "a\n"}, "invalid event name"),
        ({"name": "x" * 201}, "invalid event name"),
        ({"name": "pusher:error"}, "event names that begin with pusher:"),
        ({"name": "pusher_internal:x"}, "event names that begin with pusher:"),
        ({"data": MISSING}, "data is missing"),
        ({"socket_id": ""}, "socket_id must look like"),
        ({"socket_id": "1"}, "socket_id must look like"),
        ({"socket_id": "1.2\n"}, "socket_id must look like"),
        ({"socket_id": 1.2}, "socket_id must look like"),
        ({"socket_id": ["1.2"]}, "socket_id must look like"),
        ({"info": 1}, "info must be a comma-separated string"),
        ({"info": ["user_count"]}, "info must be a comma-separated string"),
        ({"info": "cache"}, "info 'cache' is not available here"),
        ({"info": "user_count,"}, "info '' is not available here"),
        ({"info": "user_count, subscription_count"}, "info ' subscription_count' is not"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], says: str) -> None:
    """Protocol: §12.3, §5."""
    refused = refusal(body_of(**fields))
    assert refused.status == 400
    assert refused.message.startswith(says)
    assert len(refused.message) < 500


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[]", b"null", b'"x"', b"1", b"\xff", b'{"a":"\xff"}']
)
def test_what_is_no_json_object(body: bytes) -> None:
    """Protocol: §12.2, invalid UTF-8 or JSON is 400."""
    assert refusal(body).status == 400
    assert batch_refusal(body).status == 400


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        ("", ""),
        ("plain", "plain"),
        ('{ "a" : 1 }', '{ "a" : 1 }'),  # untouched
        ({"a": [1, "é", None]}, '{"a":[1,"é",null]}'),
        ([], "[]"),
        (None, "null"),
        (False, "false"),
        (1.5, "1.5"),
        (12345678901234567, "12345678901234567"),
    ],
)
def test_data_becomes_a_string(data: object, sent: str) -> None:
    """Protocol: §12.3."""
    assert parse_trigger(body_of(data=data), APP).data == sent


@pytest.mark.parametrize(
    ("data", "is_allowed"),
    [
        ("x" * 10240, True),
        ("x" * 10241, False),
        ("é" * 5120, True),
        ("é" * 5121, False),
        ("\U0001f600" * 2560, True),
        ("\U0001f600" * 2560 + "x", False),
        (["x" * 10236], True),
        (["x" * 10237], False),
        (["é" * 5118], True),
        (["é" * 5119], False),
    ],
)
def test_the_size_of_data_is_that_of_its_utf8(data: object, is_allowed: bool) -> None:
    """Protocol: §5: 10,240 bytes of the final string, whatever escapes it came with."""
    if is_allowed:
        parse_trigger(body_of(data=data), APP)
    else:
        refused = refusal(body_of(data=data))
        assert refused.status == 413
        assert "10240" in refused.message


def test_optional_fields() -> None:
    """Protocol: §12.3; unknown keys are ignored."""
    event = parse_trigger(body_of(socket_id=None, info=None, other={"a": 1}), APP)
    assert (event.socket_id, event.info) == (None, ())
    assert parse_trigger(body_of(info=""), APP).info == ()
    event = parse_trigger(body_of(info="user_count,subscription_count,user_count"), APP)
    assert event.info == ("user_count", "subscription_count")
    assert parse_trigger(body_of(name="client-a"), APP).name == "client-a"
    assert parse_trigger(body_of(name="App\\Events\\É"), APP).name == "App\\Events\\É"


def test_the_limits_are_the_applications() -> None:
    app = replace(
        APP,
        max_event_size=5,
        max_channel_name_length=4,
        max_event_name_length=3,
        max_channels_per_event=2,
        max_events_per_batch=1,
    )
    body = body_of(name="abc", channels=["abcd", "e"], data="12345")
    assert parse_trigger(body, app).channels == ("abcd", "e")
    good = {"name": "abc", "channel": "a", "data": "1"}
    for bad, status in (
        ({"data": "123456"}, 413),
        ({"name": "abcd"}, 400),
        ({"channel": "abcde"}, 400),
        ({"channels": ["a", "b", "c"]}, 400),
    ):
        assert refusal(body_of(**{**good, **bad}), app).status == status
    assert batch_refusal(json.dumps({"batch": [good, good]}).encode(), app).status == 400


def test_the_documented_batch() -> None:
    """Protocol: §12.4."""
    body = (
        b'{"batch":[{"channel":"orders","name":"order.created","data":"{\\"id\\":42}"},'
        b'{"channel":"presence-a","name":"x","data":"hi","socket_id":"483920.771204",'
        b'"info":"user_count"}]}'
    )
    assert parse_batch(body, APP) == (
        Event("order.created", ("orders",), '{"id":42}', None, ()),
        Event("x", ("presence-a",), "hi", "483920.771204", ("user_count",)),
    )


GOOD = {"name": "a", "channel": "orders", "data": "x"}


@pytest.mark.parametrize(
    ("batch", "says"),
    [
        (None, "batch must be an array"),
        ({}, "batch must be an array"),
        ("x", "batch must be an array"),
        ([], "batch must hold 1 to 10 events, not 0"),
        ([GOOD] * 11, "batch must hold 1 to 10 events, not 11"),
        ([GOOD, None], "batch[1]: an event must be an object"),
        ([GOOD, []], "batch[1]: an event must be an object"),
        ([{**GOOD, "channel": None}], "batch[0]: channel is missing"),
        ([{"name": "a", "data": "x", "channels": ["orders"]}], "batch[0]: channel is missing"),
        ([GOOD, GOOD, {**GOOD, "channel": 1}], "batch[2]: a channel must be a string"),
        ([{**GOOD, "channel": "a b"}], "batch[0]: invalid channel name"),
        ([{**GOOD, "name": "pusher:x"}], "batch[0]: event names that begin with pusher:"),
        ([{**GOOD, "name": 1}], "batch[0]: name must be a string"),
        ([{"name": "a", "channel": "orders"}], "batch[0]: data is missing"),
        ([{**GOOD, "socket_id": "x"}], "batch[0]: socket_id must look like"),
        ([{**GOOD, "info": []}], "batch[0]: info must be"),
        ([{**GOOD, "info": "x"}], "batch[0]: info 'x' is not available here"),
    ],
)
def test_one_bad_event_refuses_the_batch(batch: object, says: str) -> None:
    """Protocol: §12.4; and the message says which."""
    refused = batch_refusal(json.dumps({"batch": batch}).encode())
    assert refused.status == 400
    assert refused.message.startswith(says)


def test_a_batch_without_a_batch() -> None:
    assert batch_refusal(b"{}").status == 400


def test_an_event_that_is_too_large_refuses_the_batch() -> None:
    body = json.dumps({"batch": [GOOD, {**GOOD, "data": "x" * 10241}]}).encode()
    refused = batch_refusal(body)
    assert (refused.status, refused.message[:9]) == (413, "batch[1]:")


def test_a_batch_keeps_its_order_and_may_repeat_itself() -> None:
    """Protocol: §12.4."""
    batch = [{**GOOD, "data": str(number % 3)} for number in range(10)]
    parsed = parse_batch(json.dumps({"batch": batch}).encode(), APP)
    assert [event.data for event in parsed] == [str(number % 3) for number in range(10)]


def test_encrypted_channels_may_share_a_batch() -> None:
    batch = [{**GOOD, "channel": "private-encrypted-a"}, {**GOOD, "channel": "orders"}]
    assert len(parse_batch(json.dumps({"batch": batch}).encode(), APP)) == 2


def test_info() -> None:
    """Protocol: §12.5, §12.6: what may be asked differs, and the caller says what."""
    assert parse_info("", EVENT_INFO) == ()
    assert parse_info("cache", {"cache"}) == ("cache",)
    assert parse_info("b,a,b", {"a", "b"}) == ("b", "a")
    for text in ("user_counts", "USER_COUNT", " user_count", ",", "x" * 5000):
        with pytest.raises(ApiError) as refused:
            parse_info(text, EVENT_INFO)
        assert refused.value.status == 400
        assert len(refused.value.message) < 300


ANY_TEXT = st.text(st.characters(exclude_categories=[]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=8,
)
CHANNEL = st.sampled_from(["orders", "private-encrypted-a", "#server-to-user-a", "a b", ""]) | JSON
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["a", "client-a", "pusher:a"]) | JSON,
        "channel": CHANNEL,
        "channels": st.lists(CHANNEL, max_size=3) | JSON,
        "data": JSON,
        "socket_id": st.sampled_from(["1.1", "1"]) | JSON,
        "info": st.sampled_from(["user_count", "x"]) | JSON,
    },
)


def check(event: Event) -> None:
    for channel in event.channels:
        sent = json.loads(events.channel_event(event.name, channel, event.data))
        assert sent == {"event": event.name, "channel": channel, "data": event.data}


@given(FIELDS, st.booleans())
def test_any_fields(fields: dict[str, Any], is_ascii: bool) -> None:
    """An event that can be sent, or 400; escapes as Python writes them, lone surrogates too."""
    for wrapped in (fields, {"batch": [GOOD, fields]}):
        body = json.dumps(wrapped, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
        try:
            parsed = [parse_trigger(body, APP)] if wrapped is fields else parse_batch(body, APP)
        except ApiError as refused:
            assert refused.status == 400
            refused.message.encode()
        else:
            for event in parsed:
                check(event)


@given(st.binary(max_size=100))
def test_any_bytes(body: bytes) -> None:
    for parse in (parse_trigger, parse_batch):
        with pytest.raises(ApiError):
            parse(body, APP)
