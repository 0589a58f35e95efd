"""Who a client is, by the JSON that its back end has signed: a member, or a user.

The signature has been checked before, over the text as received; see ``signatures``.

Protocol: §7.3 and §7.4 for presence, §9.1 and §9.3 for sign-in.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from fizz_gevent.application import Application
from fizz_gevent.errors import ProtocolError, SubscriptionError
from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.protocol.members import Member
from fizz_gevent.protocol.names import is_user_id

OFFLINE_AFTER = 3.0
"""Seconds after the last sign-out in which a user still counts as online, for a page that reloads
must not flicker. Protocol: §9.3.
"""


@dataclass(frozen=True, slots=True)
class User:
    """Who has signed in.

    Attributes:
        user_info: Compact JSON; ``b"{}"`` where the application gave none.
        watchlist: Ids whose coming and going the user wants to be told, each once.
        watchlist_truncated: There were more of them than the application allows.
    """

    user_id: str
    user_info: bytes = b"{}"
    watchlist: tuple[str, ...] = ()
    watchlist_truncated: bool = False


def parse_user(user_data: str, app: Application) -> User:
    """Read the ``user_data`` of a sign-in.

    Raises:
        ProtocolError: 4009; not JSON, or a field is not what it should be.

    Protocol: §9.1, §9.3.
    """
    fields = _object(user_data)
    if fields is None:
        raise _bad_user("user_data must be a JSON object")
    user_id = fields.get("id")
    if type(user_id) is not str or not is_user_id(user_id, app.max_user_id_length):
        raise _bad_user(
            f"the id in user_data must be a string of 1 to {app.max_user_id_length} of "
            "A-Z a-z 0-9 _ - = @ , . ;"
        )
    user_info = _compact(fields.get("user_info"))
    if user_info is None:
        raise _bad_user("the user_info in user_data is nested too deeply")
    watchlist = fields.get("watchlist")
    if watchlist is None:
        watchlist = []
    elif type(watchlist) is not list or not all(type(watched) is str for watched in watchlist):
        raise _bad_user("the watchlist in user_data must be an array of strings")
    unique = tuple(dict.fromkeys(watchlist))
    limit = app.max_watchlist_size
    return User(user_id, user_info, unique[:limit], len(unique) > limit)


def parse_member(channel_data: str, *, channel: str, app: Application) -> Member:
    """Read the ``channel_data`` of a subscription to a presence channel.

    A numeric ``user_id`` becomes a string. Beyond 64 bits it is not an integer to orjson any more,
    and refused.

    Raises:
        SubscriptionError: 401; not JSON, or without a ``user_id``. 413; an id or ``user_info``
            beyond the application's limits.

    Protocol: §7.3, §6.3.
    """
    fields = _object(channel_data)
    if fields is None:
        raise _bad_member(f"channel_data must be a JSON object, for channel {channel}", channel)
    user_id = fields.get("user_id")
    if type(user_id) is int:
        user_id = str(user_id)
    if type(user_id) is not str or not user_id:
        raise _bad_member(
            f"The user_id in channel_data must be a string or an integer, for channel {channel}",
            channel,
        )
    user_info = _compact(fields.get("user_info"))
    if user_info is None:
        raise _bad_member(f"user_info is nested too deeply, for channel {channel}", channel)
    return _within_limits(Member(user_id, user_info), channel, app)


def member_of(user: User, *, channel: str, app: Application) -> Member:
    """The member that a signed-in user is, in a channel that it joins without ``channel_data``.

    Raises:
        SubscriptionError: 413; its ``user_info`` is larger than presence allows.

    Protocol: §7.4.
    """
    return _within_limits(Member(user.user_id, user.user_info), channel, app)


def _within_limits(member: Member, channel: str, app: Application) -> Member:
    excess = None
    if len(member.user_id) > app.max_user_id_length:
        excess = f"user_id is longer than {app.max_user_id_length} characters"
    elif len(member.user_info) > app.max_presence_member_size:
        excess = f"user_info is larger than {app.max_presence_member_size} bytes"
    if excess is not None:
        raise SubscriptionError(
            f"{excess}, for channel {channel}", channel=channel, type="LimitReached", status=413
        )
    return member


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if type(value) is dict else None


def _compact(user_info: Any) -> bytes | None:
    """Encode ``user_info`` again, without spaces; ``None`` where it cannot be."""
    if user_info is None:
        return b"{}"
    try:
        return orjson.dumps(user_info)
    except orjson.JSONEncodeError:  # it reads 1024 levels deep and writes 254
        return None


def _bad_user(why: str) -> ProtocolError:
    return ProtocolError(f"Sign-in refused: {why}", CloseCode.UNAUTHORIZED)


def _bad_member(why: str, channel: str) -> SubscriptionError:
    return SubscriptionError(why, channel=channel, code=CloseCode.UNAUTHORIZED)
