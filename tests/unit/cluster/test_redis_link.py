"""Addresses of Redis that cannot be used, and what is said about them."""

from pathlib import Path

import pytest
from redis.exceptions import ConnectionError

from fizz_gevent.cluster.redis_link import RedisLink
from fizz_gevent.config import RedisConfig, ScalingConfig
from fizz_gevent.errors import ConfigError


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2/s3cr3t@h/0",
        "redis://user:hunter2#s3cr3t@h:6379/0",
        "redis://:hunter2[s3cr3t@h/0",
        "redis://:hunter2s3cr3t@h:port/0",
        "rediss://:hunter2\u2100s3cr3t@h:6379/0",
        "redis+sentinel://:hunter2/s3cr3t@h1,h2/service/0",
    ],
)
def test_what_is_wrong_with_a_url_is_said_without_the_password(url: str) -> None:
    """An operator who forgot to escape it would find half of it in the log."""
    with pytest.raises(ConfigError) as refusal:
        RedisLink(ScalingConfig(server=RedisConfig(url=url)))
    assert "hunter2" not in str(refusal.value)
    assert "s3cr3t" not in str(refusal.value)


@pytest.mark.parametrize("query", ["", "?max_connections=3"])
def test_however_often_redis_was_not_there_it_is_tried_again(tmp_path: Path, query: str) -> None:
    link = RedisLink(ScalingConfig(server=RedisConfig(url=f"unix://{tmp_path}/none{query}")))
    for _ in range(150):
        with pytest.raises(ConnectionError, match="No such file"):
            link.connect()


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("no_such=1", "no_such"),
        ("socket_timeout=soon", "socket_timeout"),
        ("protocol=9", "protocol"),
    ],
)
def test_a_parameter_that_cannot_be_is_named(query: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        RedisLink(ScalingConfig(server=RedisConfig(url=f"redis://h/0?{query}")))
