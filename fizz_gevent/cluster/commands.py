"""The connection for commands: many greenlets ask, one round trip carries all their questions."""

import hashlib
import logging
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from importlib import resources
from typing import Any, Protocol

import gevent
from gevent.event import AsyncResult, Event
from redis.connection import ConnectionInterface
from redis.exceptions import NoScriptError, OutOfMemoryError, ReadOnlyError, ResponseError

from fizz_gevent.cluster.redis_link import LOST, RedisLink
from fizz_gevent.errors import ClusterUnavailable

_log = logging.getLogger(__name__)
_MOST_AT_ONCE = 256
_REFUSALS = ("BUSY ", "MASTERDOWN ", "MISCONF ", "NOREPLICAS ")
"""How answers begin that the library has no exceptions for."""

Arguments = Sequence[bytes | str | int | float]
Answered = Callable[[Any], None]
"""Gets the answer to a command, or a ClusterUnavailable. Never yields."""


class Source(Protocol):
    """Somebody whose command is put together only when it leaves, of all that has gathered."""

    def command(self) -> Arguments | None:
        """What to ask now; None for nothing."""

    def answered(self, answer: Any) -> None:
        """Get the answer, or a ClusterUnavailable. Never yields."""


class Scripts:
    """The Lua scripts beside this file, by name; each is atomic in Redis."""

    def __init__(self) -> None:
        folder = resources.files("fizz_gevent.cluster") / "lua"
        self._texts = {
            file.name.removesuffix(".lua"): file.read_bytes()
            for file in folder.iterdir()
            if file.name.endswith(".lua")
        }
        self._hashes = {
            name: hashlib.sha1(text, usedforsecurity=False).hexdigest()
            for name, text in self._texts.items()
        }

    def load_commands(self) -> list[Arguments]:
        """Commands that make all scripts known to a Redis."""
        return [self.load_command(name) for name in self._texts]

    def load_command(self, name: str) -> Arguments:
        """The command that makes one script known."""
        return ("SCRIPT", "LOAD", self._texts[name])

    def command(self, name: str, arguments: Arguments) -> Arguments:
        """The command that runs a script."""
        return ("EVALSHA", self._hashes[name], 0, *arguments)


class Commands:
    """Asks Redis, in order, over one connection.

    Whatever greenlets ask while an answer is on its way leaves together next: under load a
    round trip carries hundreds of questions, at rest nobody waits for company.

    Attributes:
        is_up: There is a connection, and nothing has failed on it yet.
        on_lost: Called once when it fails, by the greenlet that notices.
        source: Is asked for a command whenever others leave, and after ``wake``.
    """

    def __init__(self, link: RedisLink) -> None:
        self.is_up = False
        self.on_lost: Callable[[BaseException], None] = lambda error: None
        self.source: Source | None = None
        self._link = link
        self._scripts = Scripts()
        self._connection: ConnectionInterface | None = None
        self._waiting: list[tuple[Arguments, Answered]] = []
        self._asked = Event()
        gevent.spawn(self._work)

    def connect(self) -> None:
        """Connect and load the scripts. Yields.

        Raises:
            ClusterUnavailable: Redis cannot be reached, or refuses.
        """
        self.disconnect()
        try:
            connection = self._link.connect()
            _converse(connection, self._scripts.load_commands())
        except LOST as error:
            raise ClusterUnavailable(str(error)) from error
        self._connection = connection
        self.is_up = True

    def disconnect(self) -> None:
        """Give the connection up; who waits is told so. Never yields."""
        self.is_up = False
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()
        waiting, self._waiting = self._waiting, []
        for _, answered in waiting:
            answered(ClusterUnavailable("the connection to Redis is lost"))

    def script(self, name: str, *arguments: bytes | str | int | float) -> Any:
        """Run a script and wait for its answer.

        Raises:
            ClusterUnavailable: Redis is away, or went before it answered; it may have run.
        """
        return self.ask(*self._scripts.command(name, (self._link.prefix, *arguments)))

    def ask(self, *command: bytes | str | int | float) -> Any:
        """Run a command and wait for its answer; raises as ``script`` does."""
        return self.begin(command).get()

    def begin_script(self, name: str, *arguments: bytes | str | int | float) -> "AsyncResult[Any]":
        """Ask for a script to be run; ``get`` waits and raises as ``script`` does. Never yields."""
        return self.begin(self._scripts.command(name, (self._link.prefix, *arguments)))

    def begin(self, command: Arguments) -> "AsyncResult[Any]":
        """Ask for a command to be run, in the order of asking. Never yields."""
        result: AsyncResult[Any] = AsyncResult()
        if self.is_up:
            self._waiting.append((command, partial(_hand_over, result)))
            self._asked.set()
        else:
            result.set_exception(ClusterUnavailable("Redis is away"))
        return result

    def script_command(self, name: str, arguments: Arguments) -> Arguments:
        """The command that runs a script, for a ``Source``."""
        return self._scripts.command(name, (self._link.prefix, *arguments))

    def wake(self) -> None:
        """Ask the source for its command now, or as soon as an answer has come. Never yields."""
        self._asked.set()

    def _work(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            while batch := self._next():
                self._carry(batch)

    def _next(self) -> list[tuple[Arguments, Answered]]:
        batch = self._waiting[:_MOST_AT_ONCE]
        del self._waiting[:_MOST_AT_ONCE]
        source = self.source
        if source is not None and self.is_up and (command := source.command()) is not None:
            batch.append((command, source.answered))
        return batch

    def _carry(self, batch: list[tuple[Arguments, Answered]]) -> None:
        connection = self._connection
        answers: list[Any] = []
        failure: BaseException | None = None
        if connection is not None:
            try:
                answers = _converse(connection, [command for command, _ in batch])
            except LOST as error:
                failure = error
        for (_, answered), answer in zip(batch, answers, strict=False):
            if isinstance(answer, ResponseError):
                if failure is None and _is_refusal(answer):
                    failure = answer
                answer = ClusterUnavailable(str(answer))
            _tell(answered, answer)
        for _, answered in batch[len(answers) :]:
            _tell(answered, ClusterUnavailable("the connection to Redis is lost"))
        if failure is not None and connection is self._connection:
            self.disconnect()
            self.on_lost(failure)


def _is_refusal(error: ResponseError) -> bool:
    """Whether Redis refuses whatever is asked of it, and not this one question.

    Another one may be here than the one we greeted, or it takes nothing more in. Then what it
    knows of this node is no longer true, and this node's own knowledge is the better answer.
    """
    return isinstance(error, (NoScriptError, ReadOnlyError, OutOfMemoryError)) or str(
        error
    ).startswith(_REFUSALS)


def _tell(answered: Answered, answer: Any) -> None:
    """A fault of one who asked is not to be the others' loss."""
    try:
        answered(answer)
    except Exception:
        _log.exception("fault %s over an answer of Redis", secrets.token_hex(4))


def _hand_over(result: "AsyncResult[Any]", answer: Any) -> None:
    if isinstance(answer, ClusterUnavailable):
        result.set_exception(answer)
    else:
        result.set(answer)


def _converse(connection: ConnectionInterface, commands: Sequence[Arguments]) -> list[Any]:
    """Send commands in one piece and read their answers; an error of one is its answer.

    Raises:
        RedisError, OSError: The connection is lost.
    """
    connection.send_packed_command(connection.pack_commands(commands), check_health=False)
    answers: list[Any] = []
    for _ in commands:
        try:
            answers.append(
                connection.read_response(disable_decoding=True, disconnect_on_error=False)
            )
        except ResponseError as error:
            answers.append(error)
    return answers
