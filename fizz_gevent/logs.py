"""What Fizz logs: one line each on stderr, as text or JSON, and the stream that --debug shows."""

import atexit
import contextlib
import json
import logging
import os
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TextIO

from fizz_gevent.config import LoggingConfig
from fizz_gevent.repeats import Repeats

STREAM = "fizz_gevent.stream"
"""The logger of the stream: ``<`` received, ``>`` sent, ``=`` state."""

_STANDARD = frozenset((*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"))
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SIGNATURE = re.compile(r"(auth_signature=|:)[0-9a-fA-F]{64}(?![0-9a-fA-F])")
_is_debug = False
_SHOWN = 4096  # characters of one frame


def setup(
    config: LoggingConfig,
    *,
    debug: bool = False,
    stream: TextIO | None = None,
    worker: int | None = None,
) -> None:
    """Send what is logged to ``stream``, by default stderr. Calling it again replaces the first.

    Args:
        worker: The number of this process among several, which each line names then.
    """
    global _is_debug
    _is_debug = debug
    handler = _Handler(stream if stream is not None else sys.stderr)
    handler.setFormatter(JsonFormatter() if config.format == "json" else TextFormatter())
    handler.addFilter(Repeats(STREAM))
    if worker is not None:
        handler.addFilter(_Marker(worker))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    atexit.unregister(_finish)
    atexit.register(_finish)
    level = logging.getLevelNamesMapping()[config.level.upper()]
    root.setLevel(max(level, logging.WARNING))  # of other people's libraries only the warnings
    logging.getLogger("fizz_gevent").setLevel(logging.DEBUG if debug else level)
    logging.getLogger(STREAM).setLevel(logging.INFO)  # whoever asks for it gets it at any level


class _Handler(logging.StreamHandler[TextIO]):
    """Loses a line where there is no room for it, or nobody who reads it; the server goes on."""

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


def announce(text: str) -> None:
    """Print on stdout, as far as somebody wants to hear it there."""
    with contextlib.suppress(OSError):
        print(text, end="", flush=True)


def _finish() -> None:
    """Let go of what could not be written: a server that was asked to stop ends with 0.

    Python itself would try once more at the very end, fail, and exit with 120.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


class _Marker(logging.Filter):
    """Lets every record pass, and gives it the number of the worker that wrote it."""

    def __init__(self, worker: int) -> None:
        super().__init__()
        self._worker = worker

    def filter(self, record: logging.LogRecord) -> bool:
        record.worker = self._worker
        return True


def set_level(config: LoggingConfig) -> None:
    """Change how much is logged; with ``--debug`` that stays everything."""
    if not _is_debug:
        logging.getLogger("fizz_gevent").setLevel(
            logging.getLevelNamesMapping()[config.level.upper()]
        )


class TextFormatter(logging.Formatter):
    """``TIME [WORKER] LEVEL MESSAGE``; a traceback follows on the same line."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the message holds: clients shall not write lines of their own."""
        text = record.getMessage()
        repeats = getattr(record, "repeats", None)
        if repeats is not None:
            text = f"{text} ({repeats})"
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        if record.name != STREAM:
            text = f"{record.levelname.lower()} {text}"
        worker = getattr(record, "worker", None)
        if worker is not None:
            text = f"[{worker}] {text}"
        return f"{_time(record)} {_escaped(text)}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``message``, what ``extra`` gave."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of ASCII."""
        fields = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


class StreamTap:
    """Logs each frame and request that passes; secrets and signatures are masked.

    Args:
        secrets: What must not be shown wherever it turns up.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._logger = logging.getLogger(STREAM)
        self._secrets = tuple(sorted(filter(None, secrets), key=len, reverse=True))

    def received(self, socket_id: str, payload: bytes) -> None:
        """A message has come from a client."""
        self._show("<", socket_id, payload.decode(errors="replace"))

    def sent(self, socket_id: str, payload: bytes) -> None:
        """A message goes to a client."""
        self._show(">", socket_id, payload.decode(errors="replace"))

    def state(self, socket_id: str, what: str) -> None:
        """A connection was opened, refused or closed."""
        self._show("=", socket_id, what)

    def request(self, method: str, target: str, status: str) -> None:
        """An HTTP request was answered."""
        self._show("=", "http", f"{method} {target} {status}")

    def _show(self, direction: str, socket_id: str, text: str) -> None:
        shown = self.masked(text)
        if len(shown) > _SHOWN:
            shown = f"{shown[:_SHOWN]}... ({len(text)} characters)"
        self._logger.info("%s %s %s", direction, socket_id, shown)

    def masked(self, text: str) -> str:
        """The text with signatures and known secrets starred out."""
        for secret in self._secrets:
            text = text.replace(secret, "********")
        return _SIGNATURE.sub(r"\1********", text)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)
