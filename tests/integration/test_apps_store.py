"""Several operators change applications in one Redis at the same time, and none undoes another."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.redis_server import RedisServer
from tests.harness.signing import App
from tests.harness.stored_apps import own_redis, put, store_of

pytestmark = pytest.mark.needs_redis

APP = App("1", "key", "secret")
_OPERATORS = 6
_CHANGES = 5


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with own_redis(tmp_path) as server:
        server.start()
        yield server


def test_no_change_of_many_at_once_is_lost(redis: RedisServer) -> None:
    put(redis, "fizz", APP, max_connections=1)

    def count_up(documents: "dict[str, bytes]") -> tuple[str, bytes]:
        document = json.loads(documents["1"])
        document["max_connections"] += 1
        return "1", json.dumps(document).encode()

    def operate() -> None:
        store = store_of(redis, "fizz")
        for _ in range(_CHANGES):
            store.change(count_up)

    operators = [threading.Thread(target=operate) for _ in range(_OPERATORS)]
    for operator in operators:
        operator.start()
    for operator in operators:
        operator.join()
    version, documents = store_of(redis, "fizz").read()
    assert json.loads(documents["1"])["max_connections"] == 1 + _OPERATORS * _CHANGES
    assert int(version.split(" ")[1]) == 1 + _OPERATORS * _CHANGES


def test_each_change_is_noted_on_the_bus_without_a_secret(redis: RedisServer) -> None:
    with redis.client() as client, client.pubsub() as heard:
        heard.subscribe("fizz:all")
        assert heard.get_message(timeout=10)["type"] == "subscribe"
        put(redis, "fizz", APP)
        assert heard.get_message(timeout=10)["data"] == "A\n"
