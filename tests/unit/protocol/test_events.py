"""Server to client: the exact bytes. Protocol: §2, and the section named at each row."""

import json

import pytest

from fizz_gevent.errors import SubscriptionError
from fizz_gevent.protocol import events
from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.protocol.members import Member

REFUSAL = SubscriptionError(
    "Invalid signature for channel private-orders.42", channel="private-orders.42", code=4009
)
LIMIT = SubscriptionError("It is full", channel="presence-a", type="LimitReached", status=403)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (  # §1.4
            events.connection_established("483920.771204", 30),
            r'{"event":"pusher:connection_established","data":"{\"socket_id\":\"483920.771204\",'
            r'\"activity_timeout\":30}"}',
        ),
        (events.ping(), '{"event":"pusher:ping","data":"{}"}'),  # §3
        (events.pong(), '{"event":"pusher:pong","data":"{}"}'),  # §3
        (  # §4.1
            events.error(4001, "Application does not exist"),
            '{"event":"pusher:error","data":{"code":4001,"message":"Application does not exist"}}',
        ),
        (  # §4.3
            events.error(CloseCode.CLIENT_EVENT_RATE, CloseCode.CLIENT_EVENT_RATE.reason),
            '{"event":"pusher:error","data":{"code":4301,'
            '"message":"Client event rejected due to rate limit"}}',
        ),
        (  # §2
            events.error(None, "Invalid message format"),
            '{"event":"pusher:error","data":{"code":null,"message":"Invalid message format"}}',
        ),
        (  # §6.1
            events.subscription_succeeded("orders"),
            '{"event":"pusher_internal:subscription_succeeded","channel":"orders","data":"{}"}',
        ),
        (  # §7.1
            events.presence_succeeded(
                "presence-room.1", {"u-7": b'{"name":"Ada"}', "u-9": b'{"name":"Bo"}'}
            ),
            r'{"event":"pusher_internal:subscription_succeeded","channel":"presence-room.1",'
            r'"data":"{\"presence\":{\"count\":2,\"ids\":[\"u-7\",\"u-9\"],'
            r'\"hash\":{\"u-7\":{\"name\":\"Ada\"},\"u-9\":{\"name\":\"Bo\"}}}}"}',
        ),
        (  # §7.1: an object, also when it is empty
            events.presence_succeeded("presence-a", {}),
            r'{"event":"pusher_internal:subscription_succeeded","channel":"presence-a",'
            r'"data":"{\"presence\":{\"count\":0,\"ids\":[],\"hash\":{}}}"}',
        ),
        (  # §7.2
            events.member_added("presence-room.1", Member("u-7", b'{"name":"Ada"}')),
            r'{"event":"pusher_internal:member_added","channel":"presence-room.1",'
            r'"data":"{\"user_id\":\"u-7\",\"user_info\":{\"name\":\"Ada\"}}"}',
        ),
        (  # §7.2
            events.member_removed("presence-room.1", "u-7"),
            r'{"event":"pusher_internal:member_removed","channel":"presence-room.1",'
            r'"data":"{\"user_id\":\"u-7\"}"}',
        ),
        (  # §6.3
            events.subscription_error(REFUSAL),
            '{"event":"pusher:subscription_error","channel":"private-orders.42","data":'
            '{"type":"AuthError","error":"Invalid signature for channel private-orders.42",'
            '"status":401}}',
        ),
        (  # §6.3
            events.subscription_error(LIMIT),
            '{"event":"pusher:subscription_error","channel":"presence-a","data":'
            '{"type":"LimitReached","error":"It is full","status":403}}',
        ),
        (  # §6.6: the publisher's string untouched, spaces too
            events.channel_event("order.created", "orders", '{"id": 42}'),
            r'{"event":"order.created","channel":"orders","data":"{\"id\": 42}"}',
        ),
        (  # §8
            events.channel_event("client-typing", "presence-room.1", '{"on":true}', "u-7"),
            r'{"event":"client-typing","channel":"presence-room.1","data":"{\"on\":true}",'
            r'"user_id":"u-7"}',
        ),
        (  # §10
            events.cache_miss("cache-prices"),
            '{"event":"pusher:cache_miss","channel":"cache-prices","data":"{}"}',
        ),
        (  # §11: the internal name
            events.subscription_count("orders", 12),
            r'{"event":"pusher_internal:subscription_count","channel":"orders",'
            r'"data":"{\"subscription_count\":12}"}',
        ),
        (  # §9.1: as received, spaces too
            events.signin_success('{"id": "u-7"}'),
            r'{"event":"pusher:signin_success","data":{"user_data":"{\"id\": \"u-7\"}"}}',
        ),
        (  # §9.3
            events.watchlist_events(["u-8"], ["u-9"]),
            r'{"event":"pusher_internal:watchlist_events","data":"{\"events\":['
            r"{\"name\":\"online\",\"user_ids\":[\"u-8\"]},"
            r'{\"name\":\"offline\",\"user_ids\":[\"u-9\"]}]}"}',
        ),
        (  # §9.3: a group without anybody is left out
            events.watchlist_events([], ["u-8", "u-9"]),
            r'{"event":"pusher_internal:watchlist_events","data":"{\"events\":['
            r'{\"name\":\"offline\",\"user_ids\":[\"u-8\",\"u-9\"]}]}"}',
        ),
    ],
)
def test_wire_form(payload: bytes, expected: str) -> None:
    assert payload.decode() == expected


@pytest.mark.parametrize(
    "awkward", ['"', "\\", '\\"', "é", "日本", "\U0001f600", "</script>", "\x00", "\n", "\u2028"]
)
def test_whatever_a_string_holds_arrives_as_it_was(awkward: str) -> None:
    """Protocol: §2, §6.6."""
    event = json.loads(events.channel_event(awkward, "presence-a", awkward, awkward))
    assert event == {
        "event": awkward,
        "channel": "presence-a",
        "data": awkward,
        "user_id": awkward,
    }
    info = json.dumps({"name": awkward}).encode()
    joined = json.loads(events.presence_succeeded("presence-a", {awkward: info}))
    assert json.loads(joined["data"])["presence"] == {
        "count": 1,
        "ids": [awkward],
        "hash": {awkward: {"name": awkward}},
    }
    added = json.loads(events.member_added("presence-a", Member(awkward, info)))
    assert json.loads(added["data"]) == {"user_id": awkward, "user_info": {"name": awkward}}
    removed = json.loads(events.member_removed("presence-a", awkward))
    assert json.loads(removed["data"]) == {"user_id": awkward}
    assert json.loads(events.signin_success(awkward))["data"] == {"user_data": awkward}
    assert json.loads(events.error(None, awkward))["data"]["message"] == awkward
