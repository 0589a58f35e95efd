"""What a client says: one text message in, one value out.

Protocol: §2 for the form, §6.1, §8 and §9.1 for the contents.
"""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from fizz_gevent.errors import FrameError, ProtocolError, SubscriptionError
from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.protocol.names import kind_of


@dataclass(frozen=True, slots=True)
class Subscribe:
    """The client wants to hear a channel.

    Attributes:
        channel: As sent; nobody has looked yet whether it is a name at all.
        auth: ``None`` where the client sent none, or no string; ``""`` is common and means none.
        channel_data: The presence JSON *as received*, because the signature covers it.
    """

    channel: str
    auth: str | None
    channel_data: str | None


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """The client no longer wants to hear a channel."""

    channel: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """The client says which user it is.

    Attributes:
        auth: ``None`` where the client sent none, or no string.
        user_data: The user's JSON *as received*, because the signature covers it.
    """

    auth: str | None
    user_data: str


@dataclass(frozen=True, slots=True)
class ClientEvent:
    """An event from one subscriber for the others.

    Attributes:
        data: The string to forward: the client's own, or its value as compact JSON.
    """

    name: str
    channel: str
    data: str


@dataclass(frozen=True, slots=True)
class Ping:
    """The client wants to know whether anybody is there."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The client is there."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that means nothing to a server; it proves that the peer is alive, and no more."""


Message = Subscribe | Unsubscribe | SignIn | ClientEvent | Ping | Pong | Ignored

INVALID_MESSAGE: Final = "Invalid message format"

_PING = Ping()
_PONG = Pong()
_IGNORED = Ignored()

# What official clients send to keep a connection alive, byte for byte: no parser needs to run.
_VERBATIM: dict[bytes, Message] = {
    b'{"event":"pusher:ping","data":{}}': _PING,
    b'{"event":"pusher:ping","data":"{}"}': _PING,
    b'{"event":"pusher:ping"}': _PING,
    b'{"event": "pusher:ping"}': _PING,
    b'{"event":"pusher:pong","data":{}}': _PONG,
    b'{"event":"pusher:pong"}': _PONG,
}
_VERBATIM_SIZE = max(map(len, _VERBATIM))


def parse(payload: bytes) -> Message:
    """Make a value of one text message.

    A string that comes out holds no lone surrogate, so it can be encoded again: orjson refuses
    ``\\ud800`` escapes, and the message with them.

    Raises:
        FrameError: The payload is not UTF-8, which ends the connection (1007).
        SubscriptionError: A channel that needs one got ``channel_data`` that is not a string.
        ProtocolError: It is no message, or its fields are of the wrong type.

    Protocol: §2.
    """
    if len(payload) <= _VERBATIM_SIZE:
        known = _VERBATIM.get(payload)
        if known is not None:
            return known
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise _why_unreadable(payload) from None
    if type(message) is not dict:
        raise ProtocolError(INVALID_MESSAGE)
    name = message.get("event")
    if type(name) is not str:
        raise ProtocolError(INVALID_MESSAGE)
    if name.startswith("client-"):
        return _client_event(name, message)
    if name == "pusher:subscribe":
        return _subscribe(_fields(name, message))
    if name == "pusher:unsubscribe":
        return Unsubscribe(_channel(name, _fields(name, message)))
    if name == "pusher:signin":
        return _sign_in(_fields(name, message))
    if name == "pusher:ping":
        return _PING
    if name == "pusher:pong":
        return _PONG
    return _IGNORED


def _why_unreadable(payload: bytes) -> ProtocolError | FrameError:
    """Tell broken UTF-8 from broken JSON; orjson has one error for both."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return FrameError(CloseCode.INVALID_PAYLOAD, "Text is not UTF-8")
    return ProtocolError(INVALID_MESSAGE)


def _fields(event: str, message: dict[str, Any]) -> dict[str, Any]:
    """The object in ``data``, also where it came as a JSON string of one."""
    data = message.get("data")
    if type(data) is str:
        try:
            data = orjson.loads(data)
        except orjson.JSONDecodeError:
            data = None
    if type(data) is not dict:
        raise ProtocolError(f"{event}: data must be an object, or a JSON string of one")
    return data


def _channel(event: str, fields: dict[str, Any]) -> str:
    channel = fields.get("channel")
    if type(channel) is not str:
        raise ProtocolError(f"{event}: channel must be a string")
    return channel


def _subscribe(fields: dict[str, Any]) -> Subscribe:
    channel = _channel("pusher:subscribe", fields)
    auth = fields.get("auth")
    channel_data = fields.get("channel_data")
    if type(auth) is not str:
        auth = None
    if type(channel_data) is not str:
        # Anything but a string cannot have been signed. Where nothing is signed, nobody minds.
        if channel_data is not None and kind_of(channel).needs_auth:
            raise SubscriptionError(
                f"channel_data must be a string, for channel {channel[:200]}",
                channel=channel,
                code=CloseCode.UNAUTHORIZED,
            )
        channel_data = None
    return Subscribe(channel, auth, channel_data)


def _sign_in(fields: dict[str, Any]) -> SignIn:
    auth = fields.get("auth")
    user_data = fields.get("user_data")
    if type(user_data) is not str:
        raise ProtocolError("pusher:signin: user_data must be a string", CloseCode.UNAUTHORIZED)
    return SignIn(auth if type(auth) is str else None, user_data)


def _client_event(name: str, message: dict[str, Any]) -> ClientEvent:
    channel = message.get("channel")
    if type(channel) is not str:
        raise ProtocolError(f"{name[:200]}: channel must be a string")
    data = message.get("data")  # missing and null are the same: "null"
    if type(data) is not str:
        try:
            data = orjson.dumps(data).decode()
        except orjson.JSONEncodeError:  # it reads 1024 levels deep and writes 254
            raise ProtocolError(f"{name[:200]}: data is nested too deeply") from None
    return ClientEvent(name, channel, data)
