"""What of a new configuration takes effect in a running server, and what has to wait."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from fizz_gevent import logs
from fizz_gevent.config import Config
from fizz_gevent.errors import ConfigError

_log = logging.getLogger(__name__)
_FIXED = (
    "host",
    "port",
    "path",
    "hostname",
    "workers",
    "max_connections",
    "run_directory",
    "scaling",
    "metrics",
    "console",
)
"""What is built into the rooms when they are furnished."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a reload.

    Attributes:
        error: Why the configuration stays as it was; None where the new one is used.
        waiting: The keys whose new values wait for a restart.
        config: What was read, where it could be.
    """

    error: str | None = None
    waiting: tuple[str, ...] = ()
    config: Config | None = None


def reload_from(load: Callable[[], Config], use: Callable[[Config], list[str]]) -> Outcome:
    """Read the configuration again and use it; one that is wrong is told, and the old one stays.

    Args:
        use: Returns the keys that wait for a restart.
    """
    try:
        config = load()
        logs.set_level(config.logging)
        return Outcome(waiting=tuple(use(config)), config=config)
    except ConfigError as error:
        _log.error("the configuration stays as it was: %s", error)
        return Outcome(error=str(error))
    except Exception:
        _log.exception("the configuration stays as it was, by a fault of ours")
        return Outcome(error="a fault of ours; the server's log has more")


def waiting_for_restart(old: Config, new: Config) -> list[str]:
    """The keys whose new values take effect only when the server is started again."""
    prefix = f"servers.{old.name}"
    keys = [
        f"{prefix}.{name}"
        for name in _FIXED
        if getattr(old.server, name) != getattr(new.server, name)
    ]
    if (old.server.tls.cert is None) != (new.server.tls.cert is None):
        keys.append(f"{prefix}.options.tls")
    if old.provider != new.provider:
        keys.append("apps.provider")
    return keys


def merged(old: Config, new: Config) -> Config:
    """The new configuration, with the old values of what waits for a restart."""
    kept = {name: getattr(old.server, name) for name in _FIXED}
    if (old.server.tls.cert is None) != (new.server.tls.cert is None):
        kept["tls"] = old.server.tls
    server = replace(new.server, **kept)
    if old.provider != new.provider:  # where they are kept waits, so they have to wait as well
        new = replace(new, provider=old.provider, applications=old.applications)
    return replace(new, name=old.name, server=server, seed=old.seed)
