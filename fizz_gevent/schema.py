"""Every key of the configuration file and what its value may be."""

import re
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from fizz_gevent.application import EVENT_TYPES, PreviousCredentials, Webhook
from fizz_gevent.kind import (
    BOOLEAN,
    Fields,
    Many,
    Record,
    Scalar,
    Texts,
    choice,
    nullable,
    seconds,
    secret,
    text,
    whole,
)
from fizz_gevent.node import described

_LABELS = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*\.?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
"""Half a character: JSON and YAML can write one, and nothing can send it."""
_SOCKET_PATH_BYTES = 107  # what the kernel's address of a Unix socket holds


def _host(value: str) -> str:
    if value.startswith("unix:"):
        path = value.removeprefix("unix:")
        if not path or "\0" in path:
            raise ValueError("expected unix:/PATH/OF/SOCKET")
        if len(path.encode()) > _SOCKET_PATH_BYTES:
            raise ValueError(f"a socket's path has at most {_SOCKET_PATH_BYTES} bytes")
        return value
    return _address(value)


def _address(value: str) -> str:
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    try:
        ip_address(bare)
    except ValueError:
        # digits and dots that are no address are no name either
        if not _LABELS.fullmatch(value) or re.fullmatch(r"[0-9.]+", value):
            raise ValueError from None
    return bare


def _origin(value: str) -> None:
    _printable(value)
    if "/" in value or (re.search(r":[0-9*]+$", value) and value.count(":") == 1):
        raise ValueError(
            f"expected the host alone, without scheme, port or path, not {described(value)}"
        )


def _prefix(value: str) -> str:
    trimmed = value.strip("/")
    prefix = f"/{trimmed}" if trimmed else ""
    if not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/")):
        raise ValueError
    return prefix


def _workers(value: object) -> object:
    if value != "auto" and (type(value) is not int or value < 1):
        raise ValueError
    return value


def _parse_workers(value: str) -> object:
    return int(value) if re.fullmatch(r"[0-9]{1,6}", value) else value


def _network(value: str) -> object:
    try:
        return ip_network(value, strict=False)
    except ValueError:
        raise ValueError from None  # without the text of ipaddress


def _redis_url(value: str) -> None:
    try:
        parts = urlsplit(value)
        fits = parts.scheme in ("redis", "rediss", "redis+sentinel") and bool(parts.netloc)
    except ValueError:
        raise ValueError from None
    if not fits and not (parts.scheme == "unix" and parts.path):
        raise ValueError


def _web_url(value: str) -> None:
    try:
        parts = urlsplit(value)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError from None
    if not fits or re.search(r"[\s\x00-\x1f\ud800-\udfff]", value):
        raise ValueError


def _header(name: str, value: str) -> None:
    if not _HEADER.fullmatch(name):
        raise ValueError("expected the name of an HTTP header as key")
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]", value):
        raise ValueError("a header's value is one line")


def _moment(value: object) -> object:
    """YAML sees a timestamp where it is not quoted, JSON has only strings: take both as text."""
    raw = getattr(value, "text", value)
    if not isinstance(raw, str):
        raise ValueError
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError:
        raise ValueError from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _printable(value: str) -> None:
    if not value or not value.isprintable() or value != value.strip():
        raise ValueError


def _any_text(value: str) -> None:
    if not value or _SURROGATE.search(value):
        raise ValueError


def _path(value: str) -> None:
    if not value:  # what is not UTF-8 may be the name of a file
        raise ValueError


PORT = whole(0, 65535)
COUNT = whole(1)
MAYBE_COUNT = nullable(COUNT)
BYTES = whole(1, unit="bytes")
HOST = text("an address, a host name or unix:/PATH", _host)
NAME = text("a host name", _LABELS)
FILE = text("the path of a file", _path)
PASSWORD = nullable(secret(text("a string", _any_text)))
ORIGINS = Many(text("a host name, * allowed as wildcard", _origin))
SERVER_NAME = text("letters, digits, - and _", re.compile(r"[A-Za-z0-9_-]+"))
APP_ID = text("letters, digits, - and _", re.compile(r"[A-Za-z0-9_-]{1,200}"))
KEY = text("letters, digits, - . _ and ~", re.compile(r"[A-Za-z0-9._~-]{1,200}"))
SECRET = secret(text("a string that is not empty, in printable characters", _printable))

SERVER: Fields = {
    "host": HOST,
    "port": PORT,
    "path": text("a prefix such as /fizz, or an empty string", _prefix),
    "hostname": nullable(NAME),
    "workers": Scalar("a whole number of at least 1, or auto", _workers, _parse_workers),
    "max_connections": MAYBE_COUNT,
    "max_connections_per_address": MAYBE_COUNT,
    "max_request_size": BYTES,
    "max_outbox_size": BYTES,
    "request_head_timeout": seconds(),
    "request_body_timeout": seconds(),
    "keep_alive_timeout": seconds(),
    "tls_handshake_timeout": seconds(),
    "close_timeout": seconds(),
    "run_directory": nullable(text("the path of a directory", _path)),
    "drain_seconds": seconds(or_zero=True),
    "trusted_proxies": Many(text("a network such as 10.0.0.0/8", _network)),
    "options": {
        "tls": {"cert": nullable(FILE), "key": nullable(FILE), "passphrase": PASSWORD},
    },
    "scaling": {
        "enabled": BOOLEAN,
        "channel": text("a string that is not empty, in printable characters", _printable),
        "lease_seconds": seconds(),
        "queue_size": BYTES,
        "replay_size": whole(0),
        "server": {
            "url": nullable(
                secret(text("redis://, rediss://, unix:// or redis+sentinel://", _redis_url))
            ),
            "host": text("an address or a host name", _address),
            "port": whole(1, 65535),
            "username": nullable(text("a string that is not empty", _any_text)),
            "password": PASSWORD,
            "db": whole(0),
            "tls_verify": BOOLEAN,
            "tls_ca": nullable(FILE),
        },
    },
    "metrics": {"enabled": BOOLEAN, "host": HOST, "port": PORT},
    "console": {
        "enabled": BOOLEAN,
        "username": text("a string that is not empty", _any_text),
        "password": PASSWORD,
    },
}

LOGGING: Fields = {
    "level": choice("debug", "info", "warning", "error"),
    "format": choice("text", "json"),
}

PROVIDER = choice("config", "redis")

WEBHOOK = Record(
    Webhook,
    {
        "url": text("an address that begins with http:// or https://", _web_url),
        "event_types": Many(choice(*EVENT_TYPES)),
        "channel_prefix": nullable(text("a string", _any_text)),
        "channel_suffix": nullable(text("a string", _any_text)),
        "headers": Texts(_header),
    },
    required=("url",),
)

APPLICATION: Fields = {
    "app_id": APP_ID,
    "key": KEY,
    "secret": SECRET,
    "enabled": BOOLEAN,
    "allowed_origins": ORIGINS,
    "ping_interval": seconds(),
    "pong_timeout": seconds(),
    "activity_timeout": whole(1, unit="seconds"),
    "max_connections": MAYBE_COUNT,
    "max_message_size": BYTES,
    "max_event_size": BYTES,
    "max_channel_name_length": COUNT,
    "max_event_name_length": COUNT,
    "max_channels_per_event": COUNT,
    "max_events_per_batch": COUNT,
    "max_presence_members": COUNT,
    "max_presence_member_size": BYTES,
    "max_client_events_per_second": MAYBE_COUNT,
    "max_backend_events_per_second": MAYBE_COUNT,
    "max_read_requests_per_second": MAYBE_COUNT,
    "accept_client_events_from": choice("members", "none"),
    "require_tls": BOOLEAN,
    "strict_protocol": BOOLEAN,
    "authorization_timeout": nullable(seconds()),
    "max_channels_per_connection": MAYBE_COUNT,
    "max_user_id_length": COUNT,
    "max_watchlist_size": whole(0),
    "subscription_counts": BOOLEAN,
    "watchlist": BOOLEAN,
    "cache_ttl": seconds(),
    "webhooks": Many(WEBHOOK),
    "webhook_private_networks": BOOLEAN,
    "previous": Record(
        PreviousCredentials,
        {
            "key": KEY,
            "secret": SECRET,
            "until": Scalar("a moment such as 2027-01-31T00:00:00Z", _moment),
        },
        required=("key", "secret", "until"),
        is_nullable=True,
    ),
    "webhook_batching": BOOLEAN,
}
