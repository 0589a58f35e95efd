"""Redis answers, but refuses: nodes go on by themselves, say so once, and are one again after.

Protocol: §12.2, partial answers.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
import redis as library

from tests.conftest import Start
from tests.harness.cluster import Cluster, is_partial, users_in
from tests.harness.eventually import eventually
from tests.harness.redis_server import RedisServer

pytestmark = pytest.mark.needs_redis

ROOM = "presence-room"
Fault = Callable[[RedisServer], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    settings = ("--enable-debug-command", "yes", "--busy-reply-threshold", "50")
    server = RedisServer(tmp_path_factory.mktemp("redis"), settings=settings)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def cluster(module_fizz: Start, redis: RedisServer) -> Cluster:
    cluster = Cluster(module_fizz, redis)
    cluster.await_joined()
    return cluster


@contextlib.contextmanager
def no_memory(redis: RedisServer) -> Iterator[None]:
    with redis.client() as admin:
        admin.config_set("maxmemory", "1")
        yield
        admin.config_set("maxmemory", "0")


@contextlib.contextmanager
def read_only(redis: RedisServer) -> Iterator[None]:
    """It follows a master that is not there."""
    with redis.client() as admin:
        admin.replicaof("127.0.0.1", "1")
        yield
        admin.replicaof("NO", "ONE")


@contextlib.contextmanager
def new_password(redis: RedisServer) -> Iterator[None]:
    """Set in the midst of it; nobody knows it but the operator."""
    with redis.client() as admin:
        admin.config_set("requirepass", "secret")
        for kind in ("normal", "pubsub"):
            admin.client_kill_filter(_type=kind, skipme=True)
        yield
        admin.config_set("requirepass", "")


@contextlib.contextmanager
def busy_script(redis: RedisServer) -> Iterator[None]:
    """Somebody's script does not end."""

    def run() -> None:
        with contextlib.suppress(library.ResponseError), redis.client() as client:
            client.eval("while true do end", 0)

    thread = threading.Thread(target=run)
    thread.start()
    with redis.client() as admin:

        def is_busy() -> bool:
            with contextlib.suppress(library.ResponseError):
                admin.ping()
                return False
            return True

        eventually(is_busy)
        yield
        admin.script_kill()
    thread.join(10)


@contextlib.contextmanager
def loading(redis: RedisServer) -> Iterator[None]:
    """It reads its data again, for as long as the test wants."""
    with redis.client() as admin, redis.client() as loader:
        admin.execute_command("DEBUG", "POPULATE", "1000", "filler")
        admin.config_set("loading-process-events-interval-bytes", "1024")
        admin.config_set("key-load-delay", "10000")  # microseconds
        thread = threading.Thread(target=loader.execute_command, args=("DEBUG", "RELOAD"))
        thread.start()

        def is_loading() -> bool:
            return bool(admin.info("persistence")["loading"])

        eventually(is_loading)
        yield
        admin.config_set("key-load-delay", "0")
        thread.join(30)
        admin.delete(*admin.keys("filler:*"))


OFTEN: list[Fault] = [no_memory, read_only]
SELDOM: list[Fault] = [new_password, busy_script, loading]
FAULTS = [*OFTEN, *(pytest.param(fault, marks=pytest.mark.long) for fault in SELDOM)]


def counted(cluster: Cluster, text: str) -> list[int]:
    return [node.stderr.count(text) for node in cluster.nodes]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_nodes_go_on_alone_and_meet_again(
    cluster: Cluster, redis: RedisServer, fault: Fault
) -> None:
    one, two = cluster.nodes
    texts = ("Redis is away", "Redis is back", "the bus is down", "the bus is up again")
    before = {text: counted(cluster, text) for text in texts}
    with one.client() as ann, one.client() as near, two.client() as bob:
        ann.subscribe(ROOM, user_id="ann")
        bob.request_subscription(ROOM, user_id="bob")
        bob.wait_for("pusher_internal:subscription_succeeded")
        assert ann.wait_for("pusher_internal:member_added")["user_id"] == "bob"
        with fault(redis):
            eventually(lambda: all(map(is_partial, cluster.nodes)), what="they know it")
            near.request_subscription(ROOM, user_id="near")
            near.wait_for("pusher_internal:subscription_succeeded")
            one.api().trigger(ROOM, "news", 1)
            assert near.wait_for("news") == 1
            assert ann.wait_for("news") == 1
            assert one.api().get("/connections").json == {"connections": 2}
            for client in (ann, bob, near):
                client.send("pusher:ping", {})
                client.wait_for("pusher:pong")
        cluster.await_joined()
        eventually(
            lambda: users_in(cluster.ask(f"/channels/{ROOM}/users")) == {"ann", "near", "bob"}
        )
        assert bob.wait_for("news") == 1
        two.api().trigger(ROOM, "later", 2)
        for client in (ann, near, bob):
            assert client.wait_for("later") == 2
    for text in texts:
        told = counted(cluster, text)
        times = [now - then for now, then in zip(told, before[text], strict=True)]
        if text.startswith("Redis"):
            assert times == [1, 1], (text, one.stderr, two.stderr)
        else:
            assert max(times) <= 1, (text, one.stderr, two.stderr)


@pytest.mark.long
def test_new_clients_are_sent_elsewhere_while_it_refuses(
    cluster: Cluster, redis: RedisServer
) -> None:
    """Protocol: §12.10, after ten seconds; whoever is here stays."""
    one = cluster.nodes[0]

    def ready() -> tuple[int, object]:
        answer = one.api().request("GET", "/ready", query="")
        return answer.status, answer.json

    with one.client() as client:
        client.subscribe("orders")
        with no_memory(redis):
            not_ready = (503, {"ready": False, "reason": "redis"})
            eventually(lambda: ready() == not_ready, within=30)
            one.api().trigger("orders", "news", 1)
            assert client.expect("news") == 1
        eventually(lambda: ready()[0] == 200, within=30)
        client.ping()
