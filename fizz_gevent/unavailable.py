"""What can be configured already and is not built yet: refused, never ignored."""

from fizz_gevent.config import Config
from fizz_gevent.errors import ConfigError


def refuse(config: Config) -> None:
    """Start nothing that would run, but not do what it was told.

    Raises:
        ConfigError: Something is configured that this version cannot do.
    """
    if config.provider != "config":
        raise _error(config, "apps.provider", f"provider {config.provider!r} is")


def _error(config: Config, key: str, what: str) -> ConfigError:
    return ConfigError(
        f"{what} not available in this version", where=config.origins.get(key), key=key
    )
