"""What of a new configuration takes effect in a running server, and what has to wait."""

from dataclasses import replace

from fizz_gevent.config import Config

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
    return replace(new, name=old.name, provider=old.provider, server=server, seed=old.seed)
