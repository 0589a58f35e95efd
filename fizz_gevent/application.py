"""An application: one set of credentials and limits that clients and back ends share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from urllib.parse import urlsplit

EVENT_TYPES = (
    "channel_occupied",
    "channel_vacated",
    "member_added",
    "member_removed",
    "client_event",
    "cache_miss",
    "subscription_count",
)
"""The seven kinds of webhook event. Protocol: §13."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where an application wants to be told of what happens."""

    url: str
    event_types: tuple[str, ...] = EVENT_TYPES
    channel_prefix: str | None = None
    channel_suffix: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class PreviousCredentials:
    """Credentials that stay valid until a date after a rotation."""

    key: str
    secret: str = field(repr=False)
    until: datetime


@dataclass(frozen=True, slots=True)
class Application:
    """Credentials, rules and limits of one application; the field names are the YAML keys.

    Times are seconds, sizes bytes; ``None`` is "no limit". Defaults are those of ``etc/fizz.yaml``.
    """

    app_id: str
    key: str
    secret: str = field(repr=False)
    enabled: bool = True
    allowed_origins: tuple[str, ...] = ("*",)
    ping_interval: float = 25
    pong_timeout: float = 10
    activity_timeout: int = 30
    max_connections: int | None = None
    max_message_size: int = 65536
    max_event_size: int = 10240
    max_channel_name_length: int = 164
    max_event_name_length: int = 200
    max_channels_per_event: int = 100
    max_events_per_batch: int = 10
    max_presence_members: int = 100
    max_presence_member_size: int = 1024
    max_client_events_per_second: int | None = 10
    max_backend_events_per_second: int | None = None
    max_read_requests_per_second: int | None = None
    accept_client_events_from: str = "members"
    require_tls: bool = False
    strict_protocol: bool = False
    authorization_timeout: float | None = None
    max_channels_per_connection: int | None = None
    max_user_id_length: int = 128
    max_watchlist_size: int = 100
    subscription_counts: bool = False
    watchlist: bool = True
    cache_ttl: float = 1800
    webhooks: tuple[Webhook, ...] = ()
    webhook_private_networks: bool = True
    previous: PreviousCredentials | None = None
    webhook_batching: bool = False

    def credentials(self, now: float) -> tuple[tuple[str, str], ...]:
        """Every pair of key and secret that is valid at ``now`` (Unix seconds), current first."""
        current = (self.key, self.secret)
        if self.previous is None or self.previous.until.timestamp() <= now:
            return (current,)
        return (current, (self.previous.key, self.previous.secret))

    def allows_origin(self, origin: str | None) -> bool:
        """Tell whether a browser page of this ``Origin`` may connect.

        The host of ``origin`` is compared with each entry, without regard to case. In an entry
        ``*`` stands for any characters, and no other character is special; an IPv6 address has no
        brackets. ``*`` alone matches anything, a missing ``Origin`` too.

        Protocol: §1.3, origin rule.
        """
        if not self.allowed_origins or "*" in self.allowed_origins:
            return True
        if not origin:
            return False
        try:
            host = (urlsplit(origin).hostname or "").lower()
        except ValueError:
            return False
        return bool(host) and any(_fits(host, each) for each in _pieces(self.allowed_origins))


@lru_cache(maxsize=1024)
def _pieces(allowed: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Each entry, in lower case, cut at its wildcards."""
    return tuple(tuple(entry.lower().split("*")) for entry in allowed)


def _fits(host: str, pieces: tuple[str, ...]) -> bool:
    """Whether an entry of these pieces matches.

    Not by an expression: one with several wildcards tries them all against each other, and a host
    may be thousands of characters that somebody chose to that end.
    """
    if len(pieces) == 1:
        return host == pieces[0]
    first, *middle, last = pieces
    at, end = len(first), len(host) - len(last)
    if at > end or not host.startswith(first) or not host.endswith(last):
        return False
    for piece in middle:
        found = host.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
