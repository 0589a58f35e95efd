"""Applications in Redis, put there as ``fizz apps`` does and without the start of a process."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from fizz_gevent.application_document import encode
from fizz_gevent.cluster.application_store import ApplicationStore, Documents
from fizz_gevent.cluster.redis_link import RedisLink
from fizz_gevent.config import RedisConfig, ScalingConfig
from tests.harness.redis_server import RedisServer
from tests.harness.signing import App

IN_REDIS = {"apps": {"provider": "redis"}}


def settings(redis: RedisServer, prefix: str, **others: Any) -> dict[str, Any]:
    """What ``FizzServer`` needs for a node whose applications are in Redis.

    Args:
        others: Further keys of ``servers.fizz``.
    """
    scaling = {
        "enabled": True,
        "channel": prefix,
        "lease_seconds": 2,
        "server": {"url": redis.url},
    }
    return {"server": {"workers": 1, **others, "scaling": scaling}, "apps": [], "config": IN_REDIS}


def store_of(redis: RedisServer, prefix: str) -> ApplicationStore:
    server = RedisConfig(url=f"unix://{redis.socket}")
    return ApplicationStore(RedisLink(ScalingConfig(True, prefix, server=server)))


def put(redis: RedisServer, prefix: str, *apps: App, **settings: Any) -> None:
    """Add applications, or put them in the place of those that have their ids."""
    for app in apps:
        made = (app.app_id, encode(app.settings(**settings)))
        store_of(redis, prefix).change(partial(_answer, made))


def _answer(made: tuple[str, bytes], documents: Documents) -> tuple[str, bytes]:
    return made


def remove(redis: RedisServer, prefix: str, app: App) -> None:
    store_of(redis, prefix).change(lambda _: (app.app_id, b""))


@contextmanager
def own_redis(folder: Any) -> Iterator[RedisServer]:
    """A Redis of a test's own, which the test may kill; not started yet."""
    redis = RedisServer(folder)
    try:
        yield redis
    finally:
        redis.kill()
