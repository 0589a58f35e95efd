"""Applications as Redis keeps them, for who changes them: no node, one connection, no greenlet."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from redis.exceptions import AuthenticationError

from fizz_gevent.cluster.commands import Scripts
from fizz_gevent.cluster.redis_link import LOST, RedisLink
from fizz_gevent.errors import CommandError

Documents = Mapping[str, bytes]
"""The JSON of each application, by its id."""

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Version:
    """Which of all states of the applications one is.

    Attributes:
        history: Named at random when the first application is added to an empty Redis.
        number: Counts the changes.
        token: Random for each change, so that two that were made in two halves of a cluster which
            had lost sight of each other are told apart.
    """

    history: str
    number: int
    token: str

    @classmethod
    def parse(cls, text: str) -> "Version | None":
        """What ``str`` made; None where there is none, or something else."""
        parts = text.split(" ")
        if len(parts) != 3 or not parts[1].isdecimal():
            return None
        return cls(parts[0], int(parts[1]), parts[2])

    def __str__(self) -> str:
        return f"{self.history} {self.number} {self.token}"

    def next(self) -> "Version":
        """The version after one more change."""
        return Version(self.history, self.number + 1, new_token())


def new_token() -> str:
    """A word that nobody has used before."""
    return secrets.token_hex(6)


class ApplicationStore:
    """Reads and changes applications in Redis. Its methods yield."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._scripts = Scripts()

    def read(self) -> tuple[str, dict[str, bytes]]:
        """The version, and all applications, of one moment.

        Raises:
            CommandError: Redis cannot be reached, or refuses.
        """
        answer = self._run("applications_read", "?")
        documents = {
            app_id.decode(errors="replace"): document
            for app_id, document in zip(answer[1::2], answer[2::2], strict=True)
        }
        return answer[0].decode(), documents

    def change(self, make: Callable[[Documents], tuple[str, bytes]]) -> None:
        """Change one application, or add it, or remove it; every node takes it up.

        Args:
            make: Given all applications, answers the id of one and what is to be there, empty to
                remove it. Called again where somebody else was faster.

        Raises:
            CommandError: Redis cannot be reached, or refuses, or too many others change something.
        """
        for _ in range(_TRIES):
            before, documents = self.read()
            app_id, document = make(documents)
            version = Version.parse(before)
            after = Version(new_token(), 1, new_token()) if version is None else version.next()
            arguments = (before, str(after), app_id, document)
            if self._run("applications_change", *arguments) == 1:
                return
        raise CommandError("others change applications all the time; try again")

    def _run(self, script: str, *arguments: bytes | str) -> Any:
        try:
            connection = self._link.connect()
            try:
                for command in (
                    self._scripts.load_command(script),
                    self._scripts.command(script, (self._link.prefix, *arguments)),
                ):
                    connection.send_command(*command)
                    answer: Any = connection.read_response(disable_decoding=True)
                return answer
            finally:
                connection.disconnect()
        except AuthenticationError as error:
            raise CommandError(f"Redis asks for credentials: {error}") from None
        except LOST as error:
            raise CommandError(f"Redis cannot be asked: {error}") from None
