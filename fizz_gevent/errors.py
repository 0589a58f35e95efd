"""Every error Fizz raises on purpose. An error is data and knows its wire form.

::

    FizzError
    ├── ConfigError            file, key, what was expected      -> stderr, exit 2
    ├── StartError             the machine refuses               -> stderr, exit 1
    ├── CommandError           a command cannot do its work      -> stderr, exit 1
    ├── ProtocolError          the client's mistake              -> pusher:error, it stays
    │   └── SubscriptionError  channel, type, status             -> subscription_error too
    ├── ConnectionRejected     a close code and its reason       -> pusher:error, close frame
    ├── FrameError             RFC 6455 broken                   -> close frame
    ├── ClusterUnavailable     Redis is away                     -> what this node knows
    └── ApiError               HTTP status, message              -> response

A close that is nobody's error (4200, 4201) is a plain ``CloseCode``.
"""

from collections.abc import Mapping

from fizz_gevent.protocol.close_codes import CloseCode, name_of


class FizzError(Exception):
    """The root: something Fizz itself says went wrong."""


class ConfigError(FizzError):
    """A setting cannot be understood; nothing starts on it.

    Args:
        message: What was wrong and what was expected.
        where: The file and line, or the variable or option, that holds it.
        key: The key path, such as ``servers.fizz.port``.
    """

    def __init__(self, message: str, *, where: str | None = None, key: str | None = None) -> None:
        self.message = message
        self.where = where
        self.key = key
        super().__init__(_on_one_line(": ".join(part for part in (where, key, message) if part)))


class StartError(FizzError):
    """The server cannot start though its configuration is sound: the port is in use, say."""


class CommandError(FizzError):
    """A command cannot do its work: the running server is not there, or refuses."""


class ProtocolError(FizzError):
    """The client's mistake; it is told, and the connection stays.

    Args:
        message: For a person; sent as ``data.message`` of ``pusher:error``.
        code: Sent as ``data.code``; ``None`` is sent as ``null``.
        counted_as: The mistake in a word, for the figures; the code's name where ``None``.
    """

    def __init__(
        self, message: str, code: int | None = None, *, counted_as: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        if counted_as is None:
            counted_as = "invalid_message" if code is None else name_of(code)
        self.counted_as = counted_as


class SubscriptionError(ProtocolError):
    """A subscription is refused; told on the channel and as ``pusher:error``.

    Args:
        channel: The name as the client sent it.
        type: ``AuthError``, ``InvalidChannel``, ``LimitReached`` or ``ServerError``.
        status: What an HTTP server would have answered: 400, 401, 403, 413 or 503.

    Protocol: §6.3.
    """

    def __init__(
        self,
        message: str,
        *,
        channel: str,
        type: str = "AuthError",
        status: int = 401,
        code: int | None = None,
    ) -> None:
        words = "".join(f"_{each}" if each.isupper() else each for each in type).lower()
        super().__init__(message, code, counted_as=words.removeprefix("_"))
        self.channel = channel
        self.type = type
        self.status = status


class ConnectionRejected(FizzError):
    """A connection may not be opened, or may not stay.

    Args:
        code: Sent in ``pusher:error`` and in the close frame.
        reason: At most 123 bytes of UTF-8; the code's own text where ``None``.
        counted_as: The refusal in a word, for the figures; the code's name where ``None``.
    """

    def __init__(
        self, code: CloseCode, reason: str | None = None, *, counted_as: str | None = None
    ) -> None:
        self.code = code
        self.counted_as = name_of(code) if counted_as is None else counted_as
        self.reason = code.reason if reason is None else reason
        super().__init__(f"{int(code)} {self.reason}")


class FrameError(FizzError):
    """The peer broke RFC 6455; the connection ends with this code."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(f"{int(code)} {reason}")
        self.code = code
        self.reason = reason


class ClusterUnavailable(FizzError):
    """Redis does not answer; whoever asked goes on with what this node knows."""


class ApiError(FizzError):
    """The HTTP API refuses a request.

    Args:
        status: The HTTP status.
        message: For the person who reads the SDK's exception.
        headers: Further response headers, such as ``Retry-After``.
    """

    def __init__(
        self, status: int, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def _on_one_line(text: str) -> str:
    """What quotes a file may hold anything; a terminal and a log get what can be shown."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )
