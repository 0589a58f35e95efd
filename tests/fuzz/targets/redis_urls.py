"""Addresses of Redis: a link that could be used, or one line that says why not."""

import re
from collections.abc import Iterator

from fizz_gevent.cluster.redis_link import RedisLink
from fizz_gevent.config import RedisConfig, ScalingConfig
from fizz_gevent.errors import ConfigError
from fizz_gevent.kind import flatten
from fizz_gevent.node import Node
from fizz_gevent.schema import SERVER
from tests.fuzz.targets.configuration import expect_one_line

MAX_SIZE = 300
_URL = flatten(SERVER)["scaling.server.url"]
_HAS_PASSWORD = re.compile(r"://[^/?#]*:hunter2.*s3cr3t@", re.DOTALL)
"""Somebody meant that as a password, whatever it really is now."""
DICTIONARY = (
    *(
        b"redis://",
        b"rediss://",
        b"unix://",
        b"redis+sentinel://",
        b":hunter2",
        b"s3cr3t@",
        b"/0",
        b"?db=1",
    ),
    *(b"&protocol=3", b"?ssl_cert_reqs=none", b"[::1]", b",h2:26379/", b"socket_timeout=", b"%2F"),
)


def seeds() -> Iterator[bytes]:
    """One of each kind."""
    yield b"redis://h"
    yield b"redis://user:p%40ss@h:6380/3"
    yield b"rediss://:secret@[::1]:6380/0"
    yield b"unix:///run/redis.sock?db=2"
    yield b"redis://:hunter2/s3cr3t@h/0"
    yield b"rediss://user:hunter2[#s3cr3t@h:port/0"
    yield b"redis+sentinel://:hunter2/s3cr3t@h1,h2/mymaster"
    yield b"redis+sentinel://user:secret@h1:26379,h2/mymaster/1"
    yield b"redis://h/0?socket_timeout=5&health_check_interval=2"


def run(data: bytes) -> None:
    """Check an address as the configuration does, then make a link of it."""
    url = data.decode(errors="replace")
    try:
        _URL.read(Node(url, "fizz.yaml:1", url), "servers.fizz.scaling.server.url")
        RedisLink(ScalingConfig(server=RedisConfig(url=url)))
    except ConfigError as error:
        expect_one_line(error)
        if _HAS_PASSWORD.search(url):
            told = str(error).lower()
            assert "hunter2" not in told, "tells the password"
            assert "s3cr3t" not in told, "tells the password"
