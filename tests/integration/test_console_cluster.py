"""A console shows all nodes, whichever of them serves it, and serves what another has signed."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Start
from tests.harness.cluster import Cluster
from tests.harness.console import Console
from tests.harness.eventually import eventually
from tests.harness.redis_server import RedisServer

pytestmark = pytest.mark.needs_redis


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def cluster(module_fizz: Start, redis: RedisServer) -> Cluster:
    settings = {"console": {"username": "ann", "password": "correct horse"}}
    cluster = Cluster(module_fizz, redis, server=settings)
    cluster.await_joined()
    return cluster


def log_in(console: Console) -> str:
    kind = "Content-Type: application/x-www-form-urlencoded"
    answer = console.ask("POST", "/login", kind, body=b"username=ann&password=correct+horse")
    return f"Cookie: {answer.headers['set-cookie'].partition(';')[0]}"


def test_one_session_and_one_key_on_every_node(cluster: Cluster) -> None:
    session = log_in(Console(cluster.nodes[0]))
    setups = [Console(node, session).get("setup") for node in cluster.nodes]
    assert setups[0] == setups[1]


@pytest.mark.parametrize("index", [0, 1])
def test_each_node_shows_all_nodes(cluster: Cluster, index: int) -> None:
    here, there = cluster.nodes[index], cluster.nodes[1 - index]
    session = log_in(Console(cluster.nodes[0]))
    console = Console(here, session)
    with (
        here.client() as near,
        there.client() as far,
        console.watching("private-samples", "private-stream-1001") as watching,
    ):
        near.subscribe("orders")
        far.subscribe("orders")
        connections: dict[str, int] = {}
        seen: list[dict[str, Any]] = []

        def is_whole() -> bool:
            there.api().trigger("orders", "news", "far away")
            for event in watching.pending():
                if event["event"] == "sample":
                    counts = event["data"]["apps"]["1001"]
                    connections[event["data"]["node"]] = counts["connections"]
                elif event["event"] == "entries":
                    seen.extend(event["data"]["entries"])
            published = [each for each in seen if each["kind"] == "event"]
            return sorted(connections.values()) == [1, 1] and bool(published)

        eventually(is_whole, what="samples of both nodes, and an event of the other one")


def test_back_ends_find_no_trace_of_it(cluster: Cluster) -> None:
    session = log_in(Console(cluster.nodes[0]))
    with Console(cluster.nodes[1], session).watching("private-samples") as watching:
        watching.wait_for("sample")
        assert cluster.ask("/channels") == {"channels": {}}
        assert cluster.ask("/connections") == {"connections": 0}
