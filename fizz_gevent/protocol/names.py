"""What channels, events, sockets and users may be called, and what a channel's name makes of it.

Protocol: §5.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Final

SERVER_TO_USER_PREFIX: Final = "#server-to-user-"

# `fullmatch` everywhere: `$` would let a trailing line feed pass.
_WORD = re.compile(r"[A-Za-z0-9_\-=@,.;]+")
_CHANNEL_NAME = re.compile(rf"(?:{SERVER_TO_USER_PREFIX})?[A-Za-z0-9_\-=@,.;]+")
_EVENT_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
_SOCKET_ID = re.compile(r"[0-9]+\.[0-9]+")


@dataclass(frozen=True, slots=True, eq=False)
class ChannelKind:
    """What may be done in a channel, decided by its prefix alone.

    The nine kinds are constants of this class, compared by identity. It is not an ``Enum``, because
    reading a member of one costs four times as much on Python 3.11, and every frame asks.

    Attributes:
        needs_auth: A signature is needed to subscribe; a signed-in user for server-to-user.
        is_presence: Its subscribers know of each other.
        is_cache: Its last event is kept for those who come later.
        allows_client_events: Its subscribers may talk to each other.
        has_count_events: Its subscribers may be told how many they are.
        is_encrypted: Its events are opaque, and each is published to this channel alone.
        is_server_to_user: It belongs to one signed-in user.
    """

    prefix: str
    needs_auth: bool = False
    is_presence: bool = False
    is_cache: bool = False
    allows_client_events: bool = False
    has_count_events: bool = False
    is_encrypted: bool = False
    is_server_to_user: bool = False

    PUBLIC: ClassVar["ChannelKind"]
    CACHE: ClassVar["ChannelKind"]
    PRIVATE: ClassVar["ChannelKind"]
    PRIVATE_CACHE: ClassVar["ChannelKind"]
    PRIVATE_ENCRYPTED: ClassVar["ChannelKind"]
    PRIVATE_ENCRYPTED_CACHE: ClassVar["ChannelKind"]
    PRESENCE: ClassVar["ChannelKind"]
    PRESENCE_CACHE: ClassVar["ChannelKind"]
    SERVER_TO_USER: ClassVar["ChannelKind"]


ChannelKind.PUBLIC = ChannelKind("", has_count_events=True)
ChannelKind.CACHE = ChannelKind("cache-", is_cache=True, has_count_events=True)
ChannelKind.PRIVATE = ChannelKind(
    "private-", needs_auth=True, allows_client_events=True, has_count_events=True
)
ChannelKind.PRIVATE_CACHE = ChannelKind(
    "private-cache-",
    needs_auth=True,
    is_cache=True,
    allows_client_events=True,
    has_count_events=True,
)
ChannelKind.PRIVATE_ENCRYPTED = ChannelKind(
    "private-encrypted-", needs_auth=True, has_count_events=True, is_encrypted=True
)
ChannelKind.PRIVATE_ENCRYPTED_CACHE = ChannelKind(
    "private-encrypted-cache-",
    needs_auth=True,
    is_cache=True,
    has_count_events=True,
    is_encrypted=True,
)
ChannelKind.PRESENCE = ChannelKind(
    "presence-", needs_auth=True, is_presence=True, allows_client_events=True
)
ChannelKind.PRESENCE_CACHE = ChannelKind(
    "presence-cache-",
    needs_auth=True,
    is_presence=True,
    is_cache=True,
    allows_client_events=True,
)
ChannelKind.SERVER_TO_USER = ChannelKind(
    SERVER_TO_USER_PREFIX, needs_auth=True, is_server_to_user=True
)

# A longer prefix stands before the shorter one that it begins with.
_PREFIXED_KINDS = (
    ChannelKind.SERVER_TO_USER,
    ChannelKind.PRIVATE_ENCRYPTED_CACHE,
    ChannelKind.PRIVATE_ENCRYPTED,
    ChannelKind.PRIVATE_CACHE,
    ChannelKind.PRIVATE,
    ChannelKind.PRESENCE_CACHE,
    ChannelKind.PRESENCE,
    ChannelKind.CACHE,
)
_PREFIX = re.compile("|".join(re.escape(kind.prefix) for kind in _PREFIXED_KINDS))
_KIND_OF_PREFIX = {kind.prefix: kind for kind in _PREFIXED_KINDS}


def kind_of(channel: str) -> ChannelKind:
    """Tell what kind of channel a valid name stands for; ``privateer`` is public."""
    prefix = _PREFIX.match(channel)
    return ChannelKind.PUBLIC if prefix is None else _KIND_OF_PREFIX[prefix[0]]


def is_channel_name(name: str, max_length: int) -> bool:
    """Tell whether a channel may be called so; ``#server-to-user-…`` is included."""
    return len(name) <= max_length and _CHANNEL_NAME.fullmatch(name) is not None


def is_event_name(name: str, max_length: int) -> bool:
    """Tell whether an event may be called so: not empty, no control characters.

    A reserved name is a name too; ask ``is_reserved_event`` where only the service may use one.
    """
    return len(name) <= max_length and _EVENT_NAME.fullmatch(name) is not None


def is_reserved_event(name: str) -> bool:
    """Tell whether only the service itself may send an event of this name."""
    return name.startswith(("pusher:", "pusher_internal:"))


def is_socket_id(text: str) -> bool:
    """Tell whether this has the form of a socket_id: two decimal integers joined by a dot."""
    return _SOCKET_ID.fullmatch(text) is not None


def is_user_id(text: str, max_length: int) -> bool:
    """Tell whether a user may sign in under this id: characters as in channel names.

    Protocol: §5, §9.1. Presence ids are freer; see ``users.parse_member``.
    """
    return len(text) <= max_length and _WORD.fullmatch(text) is not None


def user_of(channel: str) -> str:
    """The id of the user whom a server-to-user channel belongs to."""
    return channel[len(SERVER_TO_USER_PREFIX) :]
