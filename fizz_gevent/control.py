"""The control socket: how ``fizz status`` and its like talk to the server that runs.

One connection is one question, a line of JSON, and one answer, another line::

    {"question": "status", "arguments": {}}
    {"version": "1.2.0", "answer": {"pid": 4711}}
    {"version": "1.2.0", "error": "why there is no answer"}

To add a question, give a server's ``answers`` its name and a function of the arguments, which
returns what JSON knows, may yield, and raises a ``FizzError`` where it has to say no::

    server.answers.add("webhooks", lambda arguments: lanes(is_failed=arguments["failed"]))

and ask it in a command, with the configuration that says which server is meant::

    control.ask(config, "webhooks", {"failed": True})

With several workers each of them has the answers of its server, and the parent has its own: what
the parent does not know it passes on to one worker that is ready. For a question to all of them the
parent needs an answer that calls ``crew.ask_all``.
"""

import contextlib
import json
import logging
import os
import pwd
import secrets
import socket
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore
from gevent.server import StreamServer

from fizz_gevent import __version__, run_files
from fizz_gevent.config import Config
from fizz_gevent.errors import CommandError, FizzError
from fizz_gevent.run_files import Place, RunFiles

_log = logging.getLogger(__name__)
_RECEIVE_BYTES = 65536
_LONGEST_QUESTION = 65536
_LONGEST_ANSWER = 16 * 1024 * 1024
_ASKED_AT_ONCE = 8
_ASKS_WITHIN = 5.0
ANSWERS_WITHIN = 60.0
"""What a server gives itself for one answer."""
PATIENCE = 10.0
"""What a command waits for one, where it does not say otherwise."""


class NoServer(CommandError):
    """Nobody is there to be asked."""


Arguments = Mapping[str, Any]
Answer = Callable[[Arguments], Any]


class Answers:
    """What a server can be asked, by name.

    Attributes:
        otherwise: Replies in place of this one to what it does not know; may yield.
    """

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}
        self.otherwise: Callable[[bytes], bytes] | None = None

    def add(self, question: str, answer: Answer) -> None:
        """Have a question answered by a function of its arguments, which may yield."""
        self._answers[question] = answer

    def reply(self, line: bytes) -> bytes:
        """A line of JSON for a line of JSON; whatever goes wrong is a reply too. May yield."""
        try:
            asked = json.loads(line)
            question, arguments = asked["question"], asked.get("arguments", {})
            if not isinstance(question, str) or not isinstance(arguments, dict):
                raise TypeError
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return _error("this is no question")
        answer = self._answers.get(question)
        try:
            with gevent.Timeout(ANSWERS_WITHIN, CommandError(f"{question}: it takes too long")):
                if answer is not None:
                    return _line(answer=answer(arguments))
                if self.otherwise is not None:
                    return self.otherwise(line)
            return _error(f"this server cannot be asked {question!r}")
        except FizzError as error:
            return _error(str(error))
        except Exception:
            fault = secrets.token_hex(4)
            _log.exception("fault %s: a question about %s", fault, question)
            return _error(f"internal error {fault}; the server's log has more")


class ControlSocket(StreamServer):
    """Answers whoever of this user asks at the control socket."""

    def __init__(self, files: RunFiles, answers: Answers) -> None:
        super().__init__(files.listener)
        self._answers = answers
        self._places = BoundedSemaphore(_ASKED_AT_ONCE)

    def handle(self, connection: socket.socket, address: object) -> None:
        """Answer one question; a connection that hangs is let go."""
        with contextlib.suppress(OSError), connection:
            connection.settimeout(_ASKS_WITHIN)
            with gevent.Timeout(_ASKS_WITHIN, TimeoutError()):
                line = _receive_line(connection, _LONGEST_QUESTION)
            if line is None:
                connection.sendall(_error("the question is too long"))
            elif not self._places.acquire(timeout=_ASKS_WITHIN):
                connection.sendall(_error("too many questions at once"))
            else:
                try:
                    reply = self._answers.reply(line)
                finally:
                    self._places.release()
                connection.sendall(reply)


def ask(
    config: Config,
    question: str,
    arguments: Arguments | None = None,
    *,
    seconds: float = PATIENCE,
    environ: Mapping[str, str] = os.environ,
) -> Any:
    """Ask the configured server, which runs on this machine. Yields.

    Args:
        seconds: How long to wait for the answer.

    Returns:
        What the question's function returned there.

    Raises:
        CommandError: It does not run, is another user's, refuses, or does not answer in time.
    """
    line = json.dumps({"question": question, "arguments": arguments or {}}).encode() + b"\n"
    try:
        with gevent.Timeout(seconds, TimeoutError()), _connected(config, environ) as connection:
            connection.sendall(line)
            received = _receive_line(connection, _LONGEST_ANSWER)
    except TimeoutError:
        raise CommandError(f"the server does not answer within {seconds:g} s") from None
    except OSError as error:
        raise CommandError(f"the control socket: {error.strerror or error}") from None
    if not received:
        raise CommandError(f"the server ended before it answered {question!r}")
    return _value(received)


def _value(received: bytes) -> Any:
    try:
        reply = json.loads(received)
        version = str(reply["version"])
    except (ValueError, LookupError, TypeError):
        raise CommandError("whoever listens at the control socket is no Fizz") from None
    if "answer" in reply:
        return reply["answer"]
    reason = str(reply.get("error"))
    if version != __version__:
        reason += f" (it is Fizz {version}, and this command is of {__version__})"
    raise CommandError(reason)


def _connected(config: Config, environ: Mapping[str, str]) -> socket.socket:
    """A connection to the server that runs."""
    candidates = run_files.places(config, environ)
    forbidden = None
    for place in candidates:
        try:
            return run_files.connected(place.socket)
        except PermissionError:
            forbidden = forbidden or place
        except (ConnectionRefusedError, FileNotFoundError, NotADirectoryError):
            continue  # nobody's, or a dead server's
    raise _not_running(config, candidates[0]) if forbidden is None else _not_permitted(forbidden)


def _not_permitted(where: Place) -> CommandError:
    user = "that user"
    for path in (where.directory, where.socket):
        with contextlib.suppress(OSError, KeyError):
            user = pwd.getpwuid(path.stat().st_uid).pw_name
    return CommandError(f"{where.socket} is for another user alone: run this as {user}")


def _not_running(config: Config, where: Place) -> NoServer:
    host, port = config.server.host, config.server.port
    address = host if host.startswith("unix:") else f"port {port}"
    others = sorted(path.stem for path in where.directory.glob("fizz-*.pid") if path.is_file())
    hint = f"; beside it {', '.join(others)}" if others else ""
    return NoServer(f"no server is running on {address} ({where.pid_file}{hint})")


def _receive_line(connection: socket.socket, limit: int) -> bytes | None:
    """The first line, what has come of it where there is no more; None where it is too long."""
    data = b""
    while not data.endswith(b"\n"):
        piece = connection.recv(_RECEIVE_BYTES)
        if not piece:
            break
        data += piece
        if len(data) > limit:
            return None
    return data


def _line(**fields: Any) -> bytes:
    return json.dumps({"version": __version__, **fields}).encode() + b"\n"


def _error(message: str) -> bytes:
    return _line(error=message)
