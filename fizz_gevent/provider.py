"""Where applications are kept, and what may not be configured together with that."""

from fizz_gevent.config import Config
from fizz_gevent.errors import ConfigError

REDIS = "redis"


def refuse(config: Config) -> None:
    """Start nothing whose applications would be in two places, or in none.

    Raises:
        ConfigError: The keys contradict each other.
    """
    refuse_without_redis(config)
    if config.provider == REDIS and config.applications:
        key = "apps.apps[0].app_id"
        raise ConfigError(
            "with provider redis all applications are in Redis and this one would be nowhere:"
            " add it there with fizz apps add, and take it out here",
            where=config.origins.get(key),
            key=key,
        )


def refuse_without_redis(config: Config) -> None:
    """Have a Redis that lasts, where one is to keep the applications.

    Raises:
        ConfigError: There is none.
    """
    if config.provider == REDIS and not config.server.scaling.enabled:
        raise ConfigError(
            f"provider redis needs servers.{config.name}.scaling.enabled: true, and in"
            f" servers.{config.name}.scaling.server a Redis of your own (the private one that"
            " several workers start ends with them)",
            where=config.origins.get("apps.provider"),
            key="apps.provider",
        )
