"""Applications that live in Redis, as a node follows them while they come, change and go."""

import logging
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

from fizz_gevent.cluster.application_store import Documents, Version, new_token
from fizz_gevent.cluster.commands import Commands
from fizz_gevent.errors import ClusterUnavailable

_log = logging.getLogger(__name__)
_ASK_SECONDS = 1.0
"""A note on the bus tells of each change at once; this finds those whose note was missed."""
_ASK_AT_FIRST_SECONDS = 0.05
_SCAN_COUNT = 1000


class RedisApplications:
    """Asks for the version of the applications now and then, and for all of them where it changed.

    A node takes no step back. Where Redis has lost what this node knows (it was restarted empty, or
    a replica took over that had not got everything) the clients of those applications stay, and
    Redis is given back what it has lost.

    Args:
        prefix: Stands before every key.

    Attributes:
        has_asked: Redis has answered once, if only that there is none yet.
        is_loaded: There was an application once, in this node's time or before, and all there are
            have been read. Until then nobody knows which applications do not exist.
        on_change: Called with all of them when they are read for the first time and whenever they
            have changed. Must not yield.
    """

    def __init__(self, commands: Commands, prefix: str) -> None:
        self.has_asked = False
        self.is_loaded = False
        self.on_change: Callable[[Documents], None] = lambda documents: None
        self._commands = commands
        self._prefix = prefix
        self._version: Version | None = None
        self._documents: Documents = {}
        self._noted = Event()
        self._following: gevent.Greenlet[..., None] | None = None
        self._has_given_back = False
        self._complaint = ""

    def start(self) -> None:
        """Begin to follow them, as soon as Redis can be reached."""
        self._following = gevent.spawn(self._follow)

    def stop(self) -> None:
        """Follow them no more. Never yields."""
        if self._following is not None:
            self._following.kill(block=False)

    def noted(self) -> None:
        """The bus says that something has changed. Never yields."""
        self._noted.set()

    def _follow(self) -> None:
        while True:
            try:
                self._read()
                self._complaint = ""
            except ClusterUnavailable as error:
                self._complain(str(error))
            except Exception:
                _log.exception("fault while applications were read")
            self._noted.wait(_ASK_SECONDS if self.has_asked else _ASK_AT_FIRST_SECONDS)
            self._noted.clear()

    def _complain(self, why: str) -> None:
        # That Redis is away is said by whoever holds the connection.
        if self._commands.is_up and why != self._complaint:
            self._complaint = why
            _log.error("the applications in Redis cannot be read: %s", why)

    def _read(self) -> None:
        is_known = self._version is not None and not self._has_given_back
        answer: Any = self._commands.script(
            "applications_read", str(self._version) if is_known else "?"
        )
        self.has_asked = True
        if answer is None:
            return
        version = Version.parse(answer[0].decode())
        if self._version is not None and self._documents and self._has_lost(version):
            self._give_back(self._version)
            return
        if version is None:
            return  # there has never been an application
        self._has_given_back = False
        self._version = version
        self._documents = {
            app_id.decode(errors="replace"): document
            for app_id, document in zip(answer[1::2], answer[2::2], strict=True)
        }
        self.is_loaded = True
        self.on_change(self._documents)

    def _has_lost(self, found: Version | None) -> bool:
        """Whether Redis has not got any more what this node knows."""
        assert self._version is not None
        if found is None:
            return True
        if found.history != self._version.history:
            return not self._has_given_back
        return found.number < self._version.number

    def _give_back(self, known: Version) -> None:
        _log.error(
            "Redis has lost the applications, or the latest change of one; this node goes on with"
            " the %d that it knows, and gives back to Redis what is missing there",
            len(self._documents),
        )
        arguments: list[bytes | str | int] = [known.history, known.number, known.token, new_token()]
        for app_id, document in self._documents.items():
            arguments += (app_id, document)
        count = self._commands.script("applications_restore", *arguments)
        if count:
            _log.warning("Redis has %d applications back from this node", count)
        self._has_given_back = True  # what is there now counts, whoever has put it there
        self._noted.set()

    def forget(self, app_id: str) -> None:
        """Remove from Redis what an application that is gone has left there. Yields.

        What its connections held they have given back when they ended; this is what would wait for
        its time, the last events of cache channels and what its back end was to be told.

        Raises:
            ClusterUnavailable: Redis is away.
        """
        self._commands.script("application_forget", app_id)
        cursor: bytes | str = "0"
        for kind in ("x", "t", "w:miss"):
            pattern = f"{self._prefix}:{kind}:{app_id}:*"
            while True:
                cursor, keys = self._commands.ask(
                    "SCAN", cursor, "MATCH", pattern, "COUNT", _SCAN_COUNT
                )
                if keys:
                    self._commands.ask("UNLINK", *keys)
                if cursor in (b"0", "0"):
                    break
