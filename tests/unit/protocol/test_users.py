"""Members of presence channels, and users who sign in."""

import json
from dataclasses import replace

import pytest

from fizz_gevent.application import Application
from fizz_gevent.errors import ProtocolError, SubscriptionError
from fizz_gevent.protocol.members import Member
from fizz_gevent.protocol.users import User, member_of, parse_member, parse_user

APP = Application("1001", "fizz-key", "fizz-secret")
CHANNEL = "presence-room.1"


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("channel_data", "member"),
    [
        (
            '{"user_id":"u-7","user_info":{"name":"Ada"}}',
            Member("u-7", b'{"name":"Ada"}'),
        ),
        (  # Python's spacing
            '{"user_id": "u-7", "user_info": {"name": "Ada"}}',
            Member("u-7", b'{"name":"Ada"}'),
        ),
        ('{"user_id":10,"user_info":{"a":"\\u00e9"}}', Member("10", '{"a":"é"}'.encode())),
        ('{"user_id":-1}', Member("-1")),
        ('{"user_id":0}', Member("0")),
        ('{"user_id":18446744073709551615}', Member("18446744073709551615")),
        ('{"user_id":"u-7"}', Member("u-7", b"{}")),
        ('{"user_id":"u-7","user_info":null}', Member("u-7", b"{}")),
        ('{"user_id":"u-7","user_info":{}}', Member("u-7", b"{}")),
        ('{"user_id":"u-7","user_info":"Ada"}', Member("u-7", b'"Ada"')),
        ('{"user_id":"Ada Lovelace <ada@x>","other":1}', Member("Ada Lovelace <ada@x>")),
    ],
)
def test_members(channel_data: str, member: Member) -> None:
    """Protocol: §7.3."""
    assert parse_member(channel_data, channel=CHANNEL, app=APP) == member


@pytest.mark.parametrize(
    "channel_data",
    [
        "",
        "x",
        "null",
        "[]",
        '"u-7"',
        "{}",
        '{"user_info":{}}',
        '{"user_id":null}',
        '{"user_id":""}',
        '{"user_id":true}',
        '{"user_id":false}',
        '{"user_id":1.0}',
        '{"user_id":1.5}',
        '{"user_id":18446744073709551616}',
        '{"user_id":["u"]}',
        '{"user_id":{"id":"u"}}',
        '{"user_id":"\\ud800"}',
        '{"user_id":"u"}x',
        '{"user_id":"u","user_info":' + deep(300) + "}",
        '{"user_id":"u","user_info":' + deep(1200) + "}",
    ],
)
def test_no_members(channel_data: str) -> None:
    """Protocol: §6.3, presence data missing, not JSON, no ``user_id``."""
    with pytest.raises(SubscriptionError) as refusal:
        parse_member(channel_data, channel=CHANNEL, app=APP)
    error = refusal.value
    assert (error.type, error.status, error.code) == ("AuthError", 401, 4009)
    assert error.channel == CHANNEL
    assert CHANNEL in error.message


def info_of(size: int) -> str:
    return json.dumps({"user_id": "u", "user_info": {"n": "x" * (size - len('{"n":""}'))}})


@pytest.mark.parametrize(
    ("fits", "exceeds"),
    [
        (json.dumps({"user_id": "x" * 128}), json.dumps({"user_id": "x" * 129})),
        (json.dumps({"user_id": "é" * 128}), json.dumps({"user_id": "é" * 129})),
        (info_of(1024), info_of(1025)),
        # In bytes of UTF-8, however it was escaped:
        (
            json.dumps({"user_id": "u", "user_info": "é" * 511}),
            json.dumps({"user_id": "u", "user_info": "é" * 512}),
        ),
        # Spaces do not count.
        (
            '{"user_id":"u","user_info":[' + " " * 2000 + "]}",
            '{"user_id":"u","user_info":["' + " " * 2000 + '"]}',
        ),
    ],
)
def test_limits_of_members(fits: str, exceeds: str) -> None:
    """Protocol: §5, §6.3: 128 characters, 1,024 bytes of compact JSON."""
    parse_member(fits, channel=CHANNEL, app=APP)
    with pytest.raises(SubscriptionError) as refusal:
        parse_member(exceeds, channel=CHANNEL, app=APP)
    error = refusal.value
    assert (error.type, error.status, error.code) == ("LimitReached", 413, None)
    assert error.channel == CHANNEL


def test_the_limits_are_the_applications() -> None:
    app = replace(APP, max_user_id_length=3, max_presence_member_size=10)
    parse_member('{"user_id":"abc","user_info":12345678}', channel=CHANNEL, app=app)
    for data in (
        '{"user_id":"abcd"}',
        '{"user_id":1234}',
        '{"user_id":"a","user_info":"123456789"}',
    ):
        with pytest.raises(SubscriptionError):
            parse_member(data, channel=CHANNEL, app=app)


def test_a_signed_in_user_is_a_member_within_the_same_limits() -> None:
    """Protocol: §7.4."""
    user = User("u-7", b'{"name":"Ada"}')
    assert member_of(user, channel=CHANNEL, app=APP) == Member("u-7", b'{"name":"Ada"}')
    with pytest.raises(SubscriptionError) as refusal:
        member_of(User("u-7", b'"%b"' % (b"x" * 1023)), channel=CHANNEL, app=APP)
    assert (refusal.value.type, refusal.value.status) == ("LimitReached", 413)


@pytest.mark.parametrize(
    ("user_data", "user"),
    [
        (
            '{"id":"u-7","user_info":{"name":"Ada"},"watchlist":["u-8","u-9"]}',
            User("u-7", b'{"name":"Ada"}', ("u-8", "u-9")),
        ),
        (
            '{"id": "u-7", "user_info": {"name": "Ada"}, "watchlist": ["u-8", "u-9"]}',
            User("u-7", b'{"name":"Ada"}', ("u-8", "u-9")),
        ),
        ('{"id":"u-7"}', User("u-7")),
        ('{"id":"u-7","user_info":null,"watchlist":null}', User("u-7")),
        ('{"id":"u-7","watchlist":[]}', User("u-7")),
        ('{"id":"u-7","watchlist":["a","b","a"]}', User("u-7", watchlist=("a", "b"))),
        ('{"id":"A_-=@,.;9","email":"x"}', User("A_-=@,.;9")),
        (json.dumps({"id": "x" * 128}), User("x" * 128)),
    ],
)
def test_users(user_data: str, user: User) -> None:
    """Protocol: §9.1."""
    assert parse_user(user_data, APP) == user


@pytest.mark.parametrize(
    "user_data",
    [
        "",
        "x",
        "null",
        "[]",
        "{}",
        '{"user_id":"u-7"}',
        '{"id":null}',
        '{"id":""}',
        '{"id":7}',
        '{"id":true}',
        '{"id":["u-7"]}',
        '{"id":"a b"}',
        '{"id":"u-7\\n"}',
        '{"id":"é"}',
        '{"id":"#u"}',
        '{"id":"\\ud800"}',
        json.dumps({"id": "x" * 129}),
        '{"id":"u","watchlist":"v"}',
        '{"id":"u","watchlist":{}}',
        '{"id":"u","watchlist":[1]}',
        '{"id":"u","watchlist":["v",null]}',
        '{"id":"u","watchlist":[["v"]]}',
        '{"id":"u","user_info":' + deep(300) + "}",
    ],
)
def test_no_users(user_data: str) -> None:
    """Protocol: §9.1, a failure is told with 4009."""
    with pytest.raises(ProtocolError) as refusal:
        parse_user(user_data, APP)
    assert refusal.value.code == 4009
    assert not isinstance(refusal.value, SubscriptionError)


def test_a_watchlist_is_cut_and_says_so() -> None:
    """Protocol: §9.3: the first 100, and the sign-in succeeds."""
    ids = [f"u-{number}" for number in range(101)]
    user = parse_user(json.dumps({"id": "u", "watchlist": ids}), APP)
    assert user.watchlist == tuple(ids[:100])
    assert user.watchlist_truncated
    user = parse_user(json.dumps({"id": "u", "watchlist": [*ids[:100], ids[0]]}), APP)
    assert user.watchlist == tuple(ids[:100])
    assert not user.watchlist_truncated
