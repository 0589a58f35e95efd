"""What operators ask of a running server: how it is, to reload, to restart."""

import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gevent.lock import BoundedSemaphore

from fizz_gevent import __version__, rehearsal
from fizz_gevent.banner import Address, base_url, sources
from fizz_gevent.config import Config
from fizz_gevent.control import Answers, Arguments
from fizz_gevent.errors import CommandError
from fizz_gevent.heritage import Heritage
from fizz_gevent.reload import Outcome, reload_from

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Attempt:
    """A restart that was accepted.

    Attributes:
        name: Tells it from others.
        began: Seconds of the machine's monotonic clock.
        findings: What the rehearsal says of the program to come.
    """

    name: str
    began: float
    findings: dict[str, Any]


class Operations:
    """The answers that a server gives to ``fizz status``, ``reload`` and ``restart``.

    Args:
        config: As it was started with.
        load: Reads the configuration again.
        use: Has a new configuration take effect; returns what waits for a restart.
        status: What runs here, in detail.
        on_restart: Told when a restart is to begin.
        is_taking_over: Another program has served in this process before; ``restarted`` is called.

    Attributes:
        attempt: The restart that is under way, or None.
    """

    def __init__(
        self,
        config: Config,
        address: Address,
        *,
        load: Callable[[], Config],
        use: Callable[[Config], list[str]],
        status: Callable[[], dict[str, Any]],
        on_restart: Callable[[], None],
        is_taking_over: bool,
    ) -> None:
        self.attempt: Attempt | None = None
        self._is_taking_over = is_taking_over
        self._config = config
        self._address = address
        self._load = load
        self._use = use
        self._status = status
        self._on_restart = on_restart
        self._one_at_a_time = BoundedSemaphore(1)
        self._since = _now()
        self._last_reload: dict[str, Any] | None = None
        self._last_restart: dict[str, Any] | None = None

    def answer(self, answers: Answers) -> None:
        """Have all of it answered."""
        answers.add("status", lambda _: self.status())
        answers.add("reload", lambda _: self.reload())
        answers.add("restart", self._restart)

    def status(self) -> dict[str, Any]:
        """Everything that ``fizz status`` shows. Yields."""
        return {
            "pid": os.getpid(),
            "version": __version__,
            "since": self._since,
            "url": base_url(self._config, self._address),
            "address": _shown(self._address),
            "configuration": sources(self._config),
            **self._status(),
            "is_restarting": self._is_restarting,
            "last_reload": self._last_reload,
            "last_restart": self._last_restart,
        }

    def reload(self) -> dict[str, Any]:
        """Reload as SIGHUP does, and say how it went. Yields."""
        with self._one_at_a_time:
            outcome: Outcome = reload_from(self._load, self._use)
        self._config = outcome.config or self._config
        self._last_reload = {
            "at": _now(),
            "ok": outcome.error is None,
            "error": outcome.error,
            "waiting": list(outcome.waiting),
        }
        return self._last_reload

    @property
    def _is_restarting(self) -> bool:
        return self.attempt is not None or self._is_taking_over

    def _restart(self, arguments: Arguments) -> dict[str, Any]:
        """Accept a restart, if all that can be known before speaks for it. Yields."""
        if self._is_restarting or not self._one_at_a_time.acquire(blocking=False):
            raise CommandError("a restart or a reload is under way already")
        began = time.monotonic()
        try:
            findings = rehearsal.rehearse()
            self._refuse_to_move(findings)
            self.attempt = Attempt(secrets.token_hex(8), began, findings)
        finally:
            self._one_at_a_time.release()
        self._on_restart()
        return {"attempt": self.attempt.name, "version": findings["version"]}

    def _refuse_to_move(self, findings: dict[str, Any]) -> None:
        """A listening socket cannot be taken to another address."""
        server = self._config.server
        for key in ("host", "port"):
            old, new = getattr(server, key), findings.get(key)
            if old != new:
                raise CommandError(
                    f"servers.{self._config.name}.{key} is {new!r} now and was {old!r}: the"
                    " server cannot move while it runs; stop it and start it"
                )

    def heritage(self) -> Heritage:
        """What the program to come needs to know of the attempt that is under way."""
        attempt, config = self.attempt, self._config
        assert attempt is not None
        made_up = config.applications[0] if config.is_made_up else None
        return Heritage(
            attempt=attempt.name,
            began=attempt.began,
            seed=config.seed.hex(),
            credentials=[made_up.app_id, made_up.key, made_up.secret] if made_up else [],
        )

    def restarted(self, heritage: Heritage, error: str | None = None) -> None:
        """The program that was asked for serves; or why it does not, and the old one does."""
        self.attempt = None
        self._is_taking_over = False
        self._last_restart = {
            "at": _now(),
            "attempt": heritage.attempt,
            "ok": error is None,
            "error": error,
            "seconds": round(time.monotonic() - heritage.began, 3),
        }
        if error is None:
            seconds = self._last_restart["seconds"]
            _log.info("restarted in %.1f s: Fizz %s serves", seconds, __version__)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _shown(address: Address) -> str:
    if isinstance(address, str):
        return f"unix:{address}"
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
