"""Texts of a client: a value, or one of two errors; and whatever is said about them can be sent.

Protocol: §2, §6.1, §8, §9.1.
"""

import json
from collections.abc import Iterator

from fizz_gevent.application import Application
from fizz_gevent.errors import FrameError, ProtocolError, SubscriptionError
from fizz_gevent.protocol import events, users
from fizz_gevent.protocol.messages import ClientEvent, Message, SignIn, Subscribe, parse
from fizz_gevent.protocol.names import kind_of
from tests.fuzz.corpora import files_below

MAX_SIZE = 2048
DICTIONARY = (
    *(b'"event":', b'"data":', b'"channel":', b'"auth":', b'"channel_data":', b'"user_data":'),
    *(b"pusher:subscribe", b"pusher:unsubscribe", b"pusher:signin", b"pusher:ping", b"client-"),
    *(b"private-", b"presence-", b"cache-", b"#server-to-user-", b"\\ud800", b"\\u0000", b"[[[["),
    *(
        b'{\\"user_id\\":\\"1\\"}',
        b'\\"user_info\\":',
        b'\\"watchlist\\":[]',
        b'\\"id\\":',
        b"1e400",
    ),
)
_APP = Application("1001", "key", "secret", max_user_id_length=20, max_presence_member_size=50)


def seeds() -> Iterator[bytes]:
    """The odd messages that were thought of, and the usual ones."""
    yield from files_below(
        *(f"messages/{kind}" for kind in ("accepted", "ignored", "invalid", "not-utf8", "refused"))
    )
    yield (
        b'{"event":"pusher:subscribe","data":{"channel":"presence-a","auth":"k:s",'
        b'"channel_data":"{\\"user_id\\":\\"7\\",\\"user_info\\":{\\"a\\":[1]}}"}}'
    )
    yield (
        b'{"event":"pusher:signin","data":{"auth":"k:s",'
        b'"user_data":"{\\"id\\":\\"7\\",\\"user_info\\":{},\\"watchlist\\":[\\"8\\"]}"}}'
    )


def run(data: bytes) -> None:
    """Parse a text, and go on with it as a session would."""
    try:
        message = parse(data)
    except FrameError as violation:
        assert violation.code == 1007
        _expect_not_utf8(data)
        return
    except ProtocolError as refusal:
        data.decode()
        _expect_sayable(refusal)
        return
    plain = json.loads(data)
    assert type(plain) is dict
    assert type(plain["event"]) is str
    try:
        _go_on(message)
    except ProtocolError as refusal:
        _expect_sayable(refusal)


def _go_on(message: Message) -> None:
    match message:
        case ClientEvent(name, channel, text):
            told = json.loads(events.channel_event(name, channel, text, "7"))
            assert told == {"event": name, "channel": channel, "data": text, "user_id": "7"}
        case Subscribe(channel, _, channel_data):
            if kind_of(channel).is_presence and channel_data is not None:
                member = users.parse_member(channel_data, channel=channel, app=_APP)
                assert 0 < len(member.user_id) <= 20
                assert len(member.user_info) <= 50
                told = json.loads(events.member_added(channel, member))
                assert json.loads(told["data"])["user_id"] == member.user_id
                json.loads(events.presence_succeeded(channel, {member.user_id: member.user_info}))
        case SignIn(_, user_data):
            user = users.parse_user(user_data, _APP)
            assert 0 < len(user.user_id) <= 20
            assert len(user.watchlist) <= _APP.max_watchlist_size
            if user.watchlist:
                events.watchlist_events(user.watchlist, ())
            assert json.loads(events.signin_success(user_data))["data"]["user_data"] == user_data
        case _:
            pass


def _expect_not_utf8(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError:
        return
    raise AssertionError("called not UTF-8, and is")


def _expect_sayable(refusal: ProtocolError) -> None:
    assert json.loads(events.error(refusal.code, refusal.message))["data"]["message"]
    if isinstance(refusal, SubscriptionError):
        json.loads(events.subscription_error(refusal))
