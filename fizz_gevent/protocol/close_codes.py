"""Why a connection is closed, as the client reads it.

Protocol: §4 "Errors and close codes". 4000-4099: do not reconnect unchanged; 4100-4199: reconnect
after a second or more; 4200-4299: reconnect at once. Codes from 4300 on are told in
``pusher:error`` only and never put in a close frame, because clients disagree about them.
"""

from enum import IntEnum


class CloseCode(IntEnum):
    """Every code Fizz puts in a close frame or in ``pusher:error``."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INVALID_PAYLOAD = 1007
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011

    TLS_REQUIRED = 4000
    UNKNOWN_APPLICATION = 4001
    APPLICATION_DISABLED = 4003
    OVER_QUOTA = 4004
    PATH_NOT_FOUND = 4005
    INVALID_VERSION = 4006
    UNSUPPORTED_PROTOCOL = 4007
    NO_PROTOCOL = 4008
    UNAUTHORIZED = 4009
    OVER_CAPACITY = 4100
    RECONNECT = 4200
    PONG_NOT_RECEIVED = 4201

    CLIENT_EVENT_RATE = 4301
    WATCHLIST_LIMIT = 4302

    @property
    def reason(self) -> str:
        """The protocol's own text for this code; empty where it has none."""
        return _REASONS.get(self, "")


def name_of(code: int) -> str:
    """The code in words, such as ``over_quota``; its number where it has none."""
    try:
        return CloseCode(code).name.lower()
    except ValueError:
        return str(code)


_REASONS = {
    CloseCode.TLS_REQUIRED: ("Application only accepts SSL connections, reconnect using wss://"),
    CloseCode.UNKNOWN_APPLICATION: "Application does not exist",
    CloseCode.APPLICATION_DISABLED: "Application disabled",
    CloseCode.OVER_QUOTA: "Application is over connection quota",
    CloseCode.PATH_NOT_FOUND: "Path not found",
    CloseCode.INVALID_VERSION: "Invalid version string format",
    CloseCode.UNSUPPORTED_PROTOCOL: "Unsupported protocol version",
    CloseCode.NO_PROTOCOL: "No protocol version supplied",
    CloseCode.UNAUTHORIZED: "Connection not authorized within timeout",
    CloseCode.OVER_CAPACITY: "Over capacity",
    CloseCode.RECONNECT: "Generic reconnect immediately",
    CloseCode.PONG_NOT_RECEIVED: "Pong reply not received",
    CloseCode.CLIENT_EVENT_RATE: "Client event rejected due to rate limit",
    CloseCode.INTERNAL_ERROR: "Internal error",
}
