"""An application is removed while everything is being done with it, and nothing of it is left."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.harness.console import Console
from tests.harness.eventually import eventually
from tests.harness.pusher_client import Closed, PusherClient
from tests.harness.receiver import Receiver
from tests.harness.redis_server import RedisServer
from tests.harness.scrape import Scrape
from tests.harness.server import FizzServer, free_port
from tests.harness.signing import App
from tests.harness.stored_apps import own_redis, put, remove, settings
from tests.harness.websocket import Disconnected
from tests.harness.workers import two_workers, workers_of

pytestmark = pytest.mark.needs_redis

STAYING = App("1001", "key-staying", "secret-staying")
LEAVING = App("777001", "key-leaving", "secret-leaving")
ROOM = "presence-cache-room"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with own_redis(tmp_path) as server:
        server.start()
        yield server


@contextlib.contextmanager
def working(*works: Callable[[], object]) -> Iterator[None]:
    """Have these done all the time, by a thread each, until one fails or the block is left."""
    is_over = threading.Event()

    def work(once: Callable[[], object]) -> None:
        while not is_over.is_set():
            with contextlib.suppress(OSError, Disconnected, Closed, AssertionError):
                once()

    threads = [threading.Thread(target=work, args=(each,)) for each in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def come_and_go(server: FizzServer) -> None:
    with server.websocket(app=LEAVING) as websocket:  # which is let go, also if it is refused
        client = PusherClient(websocket, LEAVING)
        client.subscribe("orders")
        client.request_subscription(ROOM, user_id=client.socket_id)
        client.wait_for("pusher_internal:subscription_succeeded", ROOM, within=2)


def test_a_removal_under_load_leaves_nothing(fizz: Start, redis: RedisServer) -> None:
    """Protocol: §4.3, 4001."""
    metrics = free_port()
    with two_workers() as how, Receiver() as receiver:
        hooks = [{"url": receiver.url}]
        put(redis, "fizz", STAYING)
        put(redis, "fizz", LEAVING, webhooks=hooks, subscription_counts=True)
        where = {"run_directory": how["server"]["run_directory"], "workers": 2}
        told = {"metrics": {"enabled": True, "port": metrics}}
        server = fizz(**settings(redis, "fizz", **where, **told), environ=how["environ"])
        staying = server.client(STAYING)
        clients = [server.client(LEAVING) for _ in range(10)]
        for number, client in enumerate(clients):
            client.subscribe("orders")
            client.request_subscription(ROOM, user_id=f"u-{number}")
            client.request_signin(f"u-{number}")
            client.wait_for("pusher:signin_success")
        api = server.api(LEAVING)
        with working(
            lambda: api.trigger(ROOM, "news", {"n": 1}),
            lambda: server.api(LEAVING).trigger("orders", "news", {"n": 1}),
            lambda: come_and_go(server),
        ):
            receiver.wait_for(1, "channel_occupied")
            assert keys_of_leaving(redis)
            assert Scrape.of(metrics)("fizz_connections", app=LEAVING.app_id) >= 10
            remove(redis, "fizz", LEAVING)
            for client in clients:
                assert client.expect_close() == (4001, "Application does not exist")
        eventually(lambda: not keys_of_leaving(redis), what="nothing is left in Redis")
        staying.ping()
        staying.close()
        assert LEAVING.app_id not in Scrape.fetch(metrics)
        shown = [each["app_id"] for each in Console(server).get("setup")["apps"]]
        assert shown == [STAYING.app_id]
        assert len(workers_of(server)) == 2


def keys_of_leaving(redis: RedisServer) -> list[str]:
    """Keys of Redis, and fields of what all applications share, that name the application."""
    with redis.client() as client:
        keys = list(client.scan_iter(f"*{LEAVING.app_id}*"))
        shared = [*client.hkeys("fizz:c"), *client.zrange("fizz:w:due", 0, -1)]
        shared += [field for key in client.scan_iter("fizz:h:*") for field in client.hkeys(key)]
        return keys + [field for field in shared if LEAVING.app_id in field]
