"""What cache channels remember is of the cluster. Protocol: §10."""

import threading
from collections.abc import Iterator

import pytest

from tests.conftest import Start
from tests.harness.cluster import Cluster
from tests.harness.eventually import eventually
from tests.harness.redis_server import RedisServer
from tests.harness.server import FizzServer

pytestmark = pytest.mark.needs_redis


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def cluster(module_fizz: Start, redis: RedisServer) -> Cluster:
    cluster = Cluster(module_fizz, redis)
    cluster.await_joined()
    return cluster


def await_cached(cluster: Cluster, channel: str, data: str) -> None:
    """Wait until every node would show this event, by the answer that has it as ``data``."""
    eventually(
        lambda: all(
            (node.api().get(f"/channels/{channel}", info="cache").json["cache"] or {}).get("data")
            == data
            for node in cluster.nodes
        )
    )


def test_an_event_that_one_node_cached_is_shown_by_the_other(cluster: Cluster) -> None:
    for publisher, other in cluster.pairs():
        channel = f"cache-shown-{publisher.port}"
        with other.client() as early:
            early.subscribe(channel)
            early.expect("pusher:cache_miss", channel)
            publisher.api().trigger(channel, "news", 1)
            assert early.expect("news") == 1
        for node in cluster.nodes:
            with node.client() as late:
                late.subscribe(channel)
                assert late.expect("news") == 1
                late.expect_nothing()


def test_the_newest_is_shown_whichever_node_published_it_and_nobody_listened(
    cluster: Cluster,
) -> None:
    one, two = cluster.nodes
    for number in range(6):
        cluster.nodes[number % 2].api().trigger("cache-newest", "news", number)
        await_cached(cluster, "cache-newest", str(number))
    for node in (one, two):
        with node.client() as client:
            client.subscribe("cache-newest")
            assert client.expect("news") == 5
            client.expect_nothing()


def test_clients_events_are_not_cached_on_any_node(cluster: Cluster) -> None:
    """Protocol: §8."""
    one, two = cluster.nodes
    channel = "private-cache-chat"
    one.api().trigger(channel, "news", 1)
    with one.client() as ann, two.client() as bob:
        for client in (ann, bob):
            client.subscribe(channel)
            assert client.expect("news") == 1
        ann.trigger("client-wave", channel, 2)
        assert bob.expect("client-wave") == 2
        for node in (one, two):
            with node.client() as late:
                late.subscribe(channel)
                assert late.expect("news") == 1


def test_who_subscribes_while_events_pass_by_sees_each_from_the_shown_one_on(
    cluster: Cluster,
) -> None:
    """No gap and no repetition between the cached event and the live ones."""
    publisher, other = cluster.nodes
    channel = "cache-busy"
    is_over = threading.Event()
    published: list[int] = []

    def publish() -> None:
        api, number = publisher.api(), 0
        while not is_over.is_set():
            api.trigger(channel, "news", number)
            published.append(number)
            number += 1

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        eventually(lambda: len(published) > 3)
        for _ in range(40):
            with other.client() as client:
                client.subscribe(channel)
                seen = [client.expect("news") for _ in range(8)]
                assert seen == list(range(seen[0], seen[0] + 8))
    finally:
        is_over.set()
        thread.join()


def test_what_was_cached_before_redis_lost_its_data_does_not_hide_what_comes_after(
    module_fizz: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    redis.start()
    try:
        cluster = Cluster(module_fizz, redis)
        cluster.await_joined()
        one, two = cluster.nodes
        for number in range(20):
            one.api().trigger("cache-x", "news", number)
        with two.client() as witness:
            witness.subscribe("cache-x")
            assert witness.expect("news") == 19
            redis.restart()
            _await_new_life(cluster, redis)
            two.api().trigger("cache-x", "news", 20)
            await_shown(one, 20)
            assert witness.expect("news") == 20
            one.api().trigger("cache-x", "news", 21)
            assert witness.expect("news") == 21
    finally:
        redis.kill()


def await_shown(node: FizzServer, number: int) -> None:
    """Wait until a new subscriber at the node is shown this event."""

    def is_shown() -> bool:
        with node.client() as client:
            client.subscribe("cache-x")
            return bool(client.expect("news") == number)

    eventually(is_shown)


def _await_new_life(cluster: Cluster, redis: RedisServer) -> None:
    """Wait until every node takes part in the cluster of an empty Redis."""
    with redis.client() as client:
        eventually(lambda: client.hlen("fizz:nodes") == len(cluster.nodes))
    cluster.await_joined()
