"""Applications that live in Redis, changed with ``fizz apps`` on nodes and workers that run."""

from collections.abc import Iterator

import pusher
import pytest

from tests.conftest import Start
from tests.harness.commands import Outcome, run_command
from tests.harness.eventually import eventually
from tests.harness.pusher_client import PusherClient
from tests.harness.redis_server import RedisServer
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.stored_apps import put, settings
from tests.harness.workers import two_workers

pytestmark = pytest.mark.needs_redis


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


def apps(server: FizzServer, *words: str) -> Outcome:
    """``fizz apps`` with the configuration of a node."""
    return run_command(server, "apps", *words)


def add(server: FizzServer, *words: str, stdin: bytes) -> App:
    made = run_command(server, "apps", "add", "--json", *words, stdin=stdin).json
    return App(made["app_id"], made["key"], made["secret"])


def rotate(server: FizzServer, app: App, *words: str) -> App:
    made = apps(server, "rotate", app.app_id, "--json", *words).json
    return App(made["app_id"], made["key"], made["secret"])


def does(server: FizzServer, *words: str) -> None:
    done = apps(server, *words)
    assert (done.code, done.err) == (0, ""), done


def knows(server: FizzServer, app: App) -> bool:
    return server.api(app).get("/channels").status == 200


def connected(server: FizzServer, app: App) -> PusherClient:
    """A client, as soon as the server knows the application."""
    eventually(lambda: knows(server, app), what="the application is known")
    return server.client(app)


def refusal(server: FizzServer, app: App) -> int:
    """By which code a client is refused; 0 where it is not."""
    with server.websocket(app=app) as websocket:
        first = websocket.recv_event()
        return int(first["data"]["code"]) if first["event"] == "pusher:error" else 0


def publish(server: FizzServer, app: App, channel: str, data: object) -> None:
    """As a back end does, with the official library."""
    library = pusher.Pusher(
        app.app_id, app.key, app.secret, ssl=False, host="127.0.0.1", port=server.port
    )
    library.trigger(channel, "news", data)
    library._pusher_client.http.session.close()


def test_what_the_commands_change_takes_effect_on_every_node_and_worker(
    fizz: Start, redis: RedisServer
) -> None:
    """Protocol: §4.3, 4001 and 4003."""
    staying_app = App("1", "staying-key", "staying-secret")
    put(redis, "live", staying_app)
    with two_workers() as how:
        pair = settings(redis, "live", workers=2, run_directory=how["server"]["run_directory"])
        two = fizz(**pair, environ=how["environ"])
        one = fizz(**settings(redis, "live"))
        app = add(one, "--app-id=2", "max_channel_name_length=10", "-", stdin=b'{"key": "piped"}')
        assert app.key == "piped"
        staying = [connected(node, staying_app) for node in (one, two, two)]
        clients = [connected(node, app) for node in (one, two, two, two)]
        for client in clients:
            client.subscribe("orders")
        publish(one, app, "orders", {"id": 42})
        for client in clients:
            assert client.expect("news") == {"id": 42}

        does(two, "set", "2", "max_channel_name_length=20", "subscription_counts=true")
        for client in clients:
            eventually(lambda client=client: subscribes(client, "a" * 15), what="the limit changed")

        does(one, "disable", "2")
        for client in clients:
            assert client.expect_close() == (4003, "Application disabled")
        assert refusal(two, app) == 4003
        put(redis, "live", app)
        clients = [connected(node, app) for node in (one, two, two)]

        does(one, "remove", "2")
        for client in clients:
            assert client.expect_close() == (4001, "Application does not exist")
        for node in (one, two):
            eventually(lambda node=node: node.api(app).get("/channels").status == 404)
            assert refusal(node, app) == 4001
        for client in staying:
            client.ping()
            client.close()
        assert app.secret not in one.stderr + two.stderr


def subscribes(client: PusherClient, channel: str) -> bool:
    client.send("pusher:subscribe", {"channel": channel})
    return client.next_event()["event"] == "pusher_internal:subscription_succeeded"


def test_a_rotation_lets_back_ends_and_clients_follow_one_after_the_other(
    fizz: Start, redis: RedisServer
) -> None:
    """Protocol: §12.1; the official library with either secret."""
    server = fizz(**settings(redis, "rotation"))
    old = App("1", "old-key", "old-secret")
    put(redis, "rotation", old)
    client = connected(server, old)
    new = rotate(server, old, "--days=1")
    assert new.app_id == old.app_id
    eventually(lambda: knows(server, new))
    client.subscribe("private-orders")
    with server.client(new) as other, server.client(old):
        other.subscribe("private-orders")
        for number, app in enumerate((old, new)):
            publish(server, app, "private-orders", number)
            assert (client.expect("news"), other.expect("news")) == (number, number)
        newest = rotate(server, old, "--force", "--days=0.00002")
        eventually(lambda: knows(server, newest))
        assert not knows(server, old)
        eventually(lambda: not knows(server, new), what="its date has come")
        assert refusal(server, new) == 4001
        assert knows(server, newest)
        client.ping()
        other.ping()
        client.close()
