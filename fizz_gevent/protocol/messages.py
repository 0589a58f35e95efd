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


type_Message = Subscribe | Unsubscribe | SignIn | ClientEvent | Ping | Pong | Ignored
