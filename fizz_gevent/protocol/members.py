"""Who is in a presence channel, and what a registry answers when somebody comes or goes."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """One user in one presence channel.

    Attributes:
        user_id: Always a string, also where the application gave a number.
        user_info: Compact JSON, as UTF-8 bytes; ``b"{}"`` where the application gave none.
    """

    user_id: str
    user_info: bytes = b"{}"


@dataclass(frozen=True, slots=True)
class Joined:
    """What one more subscription has changed, in the whole cluster.

    Attributes:
        subscription_count: Subscriptions to the channel, this one included.
        is_first: The channel became occupied.
        is_first_of_user: The user was not in the presence channel before.
        roster: ``user_id`` to ``user_info`` of everybody present, the joiner included; ``None`` for
            channels without presence. The caller reads it before it yields and never changes it.
    """

    subscription_count: int
    is_first: bool
    is_first_of_user: bool = False
    roster: Mapping[str, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """What one subscription less has changed, in the whole cluster.

    Attributes:
        subscription_count: Subscriptions that are left.
        is_last: The channel became vacant.
        is_last_of_user: No other connection of this user is in the presence channel.
    """

    subscription_count: int
    is_last: bool
    is_last_of_user: bool = False


@dataclass(frozen=True, slots=True)
class ChannelCounts:
    """How busy one channel is, in the whole cluster.

    Attributes:
        user_count: Distinct users; ``None`` for channels without presence.
    """

    subscription_count: int
    user_count: int | None = None
