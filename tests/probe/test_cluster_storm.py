"""Three nodes, many clients, and every fault in turn: afterwards the truth is everywhere."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.harness.cluster import Cluster, users_in
from tests.harness.eventually import eventually
from tests.harness.redis_server import RedisServer
from tests.harness.server import FizzServer
from tests.probe.cluster_crowd import Client, Crowd
from tests.probe.cluster_publisher import Publisher

pytestmark = [pytest.mark.needs_redis]

CHANNELS = [f"presence-{number}" for number in range(20)]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


class Storm:
    """A cluster under constant joins, leaves and events.

    Users have three tabs, one at each node; each tab is in one channel of its own and hops
    through others.
    """

    def __init__(self, fizz: Start, redis: RedisServer, clients: int, lease: float) -> None:
        self.redis = redis
        self.lease = lease
        self.cluster = Cluster(fizz, redis, 3, is_linked=True, scaling={"lease_seconds": lease})
        self.cluster.await_joined()
        addresses = [("127.0.0.1", node.port) for node in self.cluster.nodes]
        self.crowd = Crowd(self.cluster.nodes[0].app, addresses)
        self.chance = random.Random(7)
        for number in range(clients):
            user = number // 3
            self.crowd.add(f"c{number}", f"u{user}", number % 3, CHANNELS[user % len(CHANNELS)])
        eventually(self.is_settled, within=30)
        self.publishers = [
            Publisher(self.crowd, node, f"p{index}", CHANNELS, rate=40)
            for index, node in enumerate(self.cluster.nodes)
        ]

    def is_settled(self) -> bool:
        with self.crowd.lock:
            self.crowd.check()
            late = [client.name for client in self.crowd.clients if not client.is_settled]
            assert not late, late[:10]
            return True

    def churn(self, seconds: float) -> None:
        """Let pages hop through channels for a while."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.crowd.do(self._hop)
            time.sleep(0.01)

    def _hop(self) -> None:
        client: Client = self.chance.choice(self.crowd.clients)
        if not client.is_settled:
            return
        extra = sorted(client.wanted)[1:]
        if extra:
            client.unsubscribe(self.chance.choice(extra))
        else:
            home = next(iter(client.wanted))
            client.subscribe(
                self.chance.choice([each for each in CHANNELS if each > home] or [home])
            )

    def finish(self) -> None:
        """Stop moving, and hold every node and every client to the truth."""
        for publisher in self.publishers:
            publisher.stop()
        eventually(self.is_settled, within=30)
        eventually(self._is_true_everywhere, within=self.lease * 2 + 10)
        eventually(self._has_seen_everything, within=20)
        with self.crowd.lock:
            self.crowd.check()
            assert not self.crowd.complaints, "\n".join(
                [f"{len(self.crowd.complaints)} complaints", *self.crowd.complaints[:40]]
            )

    def _is_true_everywhere(self) -> bool:
        with self.crowd.lock:
            truth = {channel: self.crowd.members(channel) for channel in CHANNELS}
            counts = {
                channel: sum(channel in each.subscriptions for each in self.crowd.clients)
                for channel in CHANNELS
            }
            for client in self.crowd.clients:
                for channel, subscription in client.subscriptions.items():
                    assert subscription.members == truth[channel], (client.name, channel)
        expected = {
            channel: {"user_count": len(users), "subscription_count": counts[channel]}
            for channel, users in truth.items()
            if users
        }
        for node in self.cluster.nodes:
            api = node.api()
            found = api.get(
                "/channels", filter_by_prefix="presence-", info="user_count,subscription_count"
            ).json["channels"]
            assert found == expected, {
                channel: (found.get(channel), expected.get(channel))
                for channel in CHANNELS
                if found.get(channel) != expected.get(channel)
            }
            for channel, users in truth.items():
                assert users_in(api.get(f"/channels/{channel}/users").json) == users
            assert api.get("/connections").json == {"connections": len(self.crowd.clients)}
        return True

    def _has_seen_everything(self) -> bool:
        with self.crowd.lock:
            late = [
                what
                for client in self.crowd.clients
                if not client.losses
                for subscription in client.subscriptions.values()
                for what in subscription.unseen()
            ]
        assert not late, (len(late), late[:20])
        return True


def kill_and_restart(storm: Storm, seconds: float) -> None:
    """A node is gone without a word, and another one comes in its place."""
    node: FizzServer = storm.cluster.nodes[0]
    storm.publishers[0].doubt()
    node.kill()
    storm.publishers[0].doubt()
    storm.churn(seconds)
    node.settings["port"] = node.port
    node.launch()
    eventually(node.is_up, within=20)
    storm.churn(seconds)


def freeze_redis(storm: Storm, seconds: float) -> None:
    storm.redis.freeze()
    storm.churn(seconds)
    storm.redis.thaw()
    storm.churn(seconds)


def empty_redis(storm: Storm, seconds: float) -> None:
    storm.redis.kill()
    storm.churn(seconds / 2)
    storm.redis.start()
    storm.churn(seconds)


def cut_link(storm: Storm, seconds: float) -> None:
    storm.cluster.links[1].cut()
    storm.churn(seconds)
    storm.cluster.links[1].resume()
    storm.churn(seconds)


def silence_link(storm: Storm, seconds: float) -> None:
    storm.cluster.links[1].silence()
    storm.churn(seconds)
    storm.cluster.links[1].resume()
    storm.churn(seconds)


def freeze_node(storm: Storm, seconds: float) -> None:
    """A node sleeps past its lease: the others give it up, and then it wakes."""
    process = storm.cluster.nodes[2].process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    storm.churn(storm.lease * 1.5 + 1)
    process.send_signal(signal.SIGCONT)
    storm.churn(seconds)


FAULTS = [kill_and_restart, freeze_redis, empty_redis, cut_link, silence_link, freeze_node]


def blow(fizz: Start, redis: RedisServer, clients: int, seconds: float, lease: float) -> Storm:
    """Every fault in turn, each for so many seconds; return the storm when it is over."""
    storm = Storm(fizz, redis, clients, lease)
    try:
        storm.churn(seconds)
        for fault in FAULTS:
            fault(storm, seconds)
        storm.finish()
    finally:
        storm.crowd.close()
        storm.cluster.close()
    return storm


def test_the_truth_is_everywhere_after_each_fault(fizz: Start, redis: RedisServer) -> None:
    """Protocol: §7.3 and §6.6."""
    blow(fizz, redis, 60, seconds=1, lease=2)


@pytest.mark.long
def test_the_truth_is_everywhere_after_a_minute_of_all_faults(
    fizz: Start, redis: RedisServer
) -> None:
    """Protocol: §7.3 and §6.6; with the lease as it is by default."""
    storm = blow(fizz, redis, 300, seconds=5, lease=10)
    published = sum(each.published for each in storm.publishers)
    lost = sum(client.losses > 0 for client in storm.crowd.clients)
    print(f"published {published}, delivered {storm.crowd.delivered}, lost a connection {lost}")
