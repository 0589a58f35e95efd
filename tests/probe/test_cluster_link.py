"""Events under way while a link, or Redis itself, is gone: each arrives, once, in order."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.harness.cluster import Cluster
from tests.harness.eventually import eventually
from tests.harness.redis_server import RedisServer
from tests.probe.cluster_crowd import Crowd
from tests.probe.cluster_publisher import Publisher

pytestmark = pytest.mark.needs_redis

CHANNELS = [f"orders-{number}" for number in range(5)]
RATE = 500


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


Fault = Callable[[Cluster, float], None]


def cut_the_receiver(cluster: Cluster, seconds: float) -> None:
    cluster.links[1].cut()
    time.sleep(seconds)
    cluster.links[1].resume()


def cut_the_publisher(cluster: Cluster, seconds: float) -> None:
    cluster.links[0].cut()
    time.sleep(seconds)
    cluster.links[0].resume()


def silence_both(cluster: Cluster, seconds: float) -> None:
    for link in cluster.links:
        link.silence()
    time.sleep(seconds)
    for link in cluster.links:
        link.resume()


def restart_redis_empty(cluster: Cluster, seconds: float) -> None:
    cluster.redis.kill()
    time.sleep(seconds)
    cluster.redis.start()


FAULTS = [cut_the_receiver, cut_the_publisher, silence_both, restart_redis_empty]


def weather(
    fizz: Start, redis: RedisServer, faults: Sequence[Fault], seconds: float, lease: float
) -> dict[str, object]:
    """Publish through both nodes all the while; return what was counted."""
    cluster = Cluster(fizz, redis, 2, is_linked=True, scaling={"lease_seconds": lease})
    cluster.await_joined()
    crowd = Crowd(cluster.nodes[0].app, [("127.0.0.1", node.port) for node in cluster.nodes])
    try:
        for number in range(20):
            crowd.add(f"c{number}", f"u{number}", number % 2, CHANNELS[number // 2 % 5])
        eventually(lambda: all(client.is_settled for client in crowd.clients))
        publishers = [
            Publisher(crowd, cluster.nodes[0], "p0", CHANNELS, rate=RATE, batch=5),
            Publisher(crowd, cluster.nodes[1], "p1", CHANNELS, rate=RATE / 10),
        ]
        eventually(lambda: crowd.delivered > 500)
        for fault in faults:
            fault(cluster, seconds)
            at_return = time.monotonic()
            published = sum(each.published for each in publishers)
            eventually(lambda: sum(p.published for p in publishers) > published + RATE)  # noqa: B023
        for publisher in publishers:
            publisher.stop()
            assert publisher.failures == []

        def everything_was_seen() -> bool:
            crowd.check()
            with crowd.lock:
                late = [
                    what
                    for client in crowd.clients
                    for subscription in client.subscriptions.values()
                    for what in subscription.unseen()
                ]
            assert not late, late[:10]
            return True

        eventually(everything_was_seen, within=30)
        assert crowd.complaints == []
        assert [client.losses for client in crowd.clients] == [0] * 20
        return {
            "published": sum(each.published for each in publishers),
            "delivered": crowd.delivered,
            "seconds to make up for it": round(time.monotonic() - at_return, 1),
        }
    finally:
        crowd.close()
        cluster.close()


def test_nothing_is_lost_and_nothing_comes_twice(fizz: Start, redis: RedisServer) -> None:
    """Protocol: §6.6."""
    weather(fizz, redis, FAULTS, 1.5, lease=2)


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_nothing_is_lost_in_five_seconds(fizz: Start, redis: RedisServer, fault: Fault) -> None:
    """Protocol: §6.6; with the lease as it is by default."""
    print(fault.__name__, weather(fizz, redis, [fault], 5, lease=10))


def test_past_the_bounds_losses_are_counted_and_said_and_order_stays(
    fizz: Start, redis: RedisServer
) -> None:
    """More than the log holds, and more than the queue holds: what is left comes in order."""
    limits = {"replay_size": 100, "queue_size": 30000}
    cluster = Cluster(fizz, redis, 2, is_linked=True, scaling=limits)
    cluster.await_joined()
    one, two = cluster.nodes
    try:
        with two.client() as client:
            client.subscribe("orders")
            cluster.links[1].cut()
            for number in range(1000):
                one.api().trigger("orders", "news", number)
            cluster.links[1].resume()
            seen = [client.expect("news")]
            while seen[-1] != 999:
                seen.append(client.expect("news"))
            assert seen == list(range(seen[0], 1000))
            assert 100 <= len(seen) < 1000
            eventually(lambda: "are lost" in two.stderr)
            cluster.links[0].cut()
            eventually(lambda: "fizz-partial" in one.api().get("/connections").headers)
            for number in range(1000):
                one.api().trigger("orders", "news", number)
            assert "events for other nodes are dropped" in one.stderr
            cluster.links[0].resume()
            eventually(lambda: "has room again" in one.stderr)
            one.api().trigger("orders", "news", "end")
            kept = [client.expect("news")]
            while kept[-1] != "end":
                kept.append(client.expect("news"))
            assert kept[:-1] == list(range(len(kept) - 1))
            assert 0 < len(kept) < 1000
    finally:
        cluster.close()


def test_what_a_client_missed_comes_no_faster_than_it_reads(
    fizz: Start, redis: RedisServer
) -> None:
    """More in one piece of the log than may wait for one client: nobody is closed for that."""
    server = {"max_outbox_size": 100_000}
    cluster = Cluster(fizz, redis, 2, is_linked=True, server=server)
    cluster.await_joined()
    one, two = cluster.nodes
    try:
        with two.client() as client:
            client.subscribe("orders")
            cluster.links[1].cut()
            for number in range(0, 100, 10):
                batch = [
                    {"channel": "orders", "name": "news", "data": f'"{each:05}{"x" * 10000}"'}
                    for each in range(number, number + 10)
                ]
                assert one.api().post("/batch_events", {"batch": batch}).status == 200
            cluster.links[1].resume()
            assert [int(client.expect("news")[:5]) for _ in range(100)] == list(range(100))
            client.expect_nothing()
    finally:
        cluster.close()
