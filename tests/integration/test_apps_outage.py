"""Applications that live in a Redis which is late, empties, goes back, or holds damage."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fizz_gevent.application_document import encode
from tests.conftest import Start
from tests.harness.eventually import eventually
from tests.harness.fault_proxy import FaultProxy
from tests.harness.redis_server import RedisServer
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.stored_apps import own_redis, put, remove, settings, store_of

pytestmark = pytest.mark.needs_redis

ONE = App("1001", "key-one", "secret-one")
TWO = App("1002", "key-two", "secret-two")
THREE = App("1003", "key-three", "secret-three")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with own_redis(tmp_path) as server:
        yield server


def knows(server: FizzServer, app: App) -> bool:
    return server.api(app).get("/channels").status == 200


def await_known(app: App, *servers: FizzServer) -> None:
    for server in servers:
        eventually(lambda server=server: knows(server, app), what=f"{app.app_id} is known")


def kept(redis: RedisServer) -> set[str]:
    with redis.client() as client:
        return set(client.hkeys("fizz:apps"))


def test_a_node_that_is_there_before_redis_and_its_applications(
    fizz: Start, redis: RedisServer
) -> None:
    """Protocol: §4.2: after 4100 clients come again, which they would not after 4001."""
    node = fizz(**settings(redis, "fizz"))
    ready = node.api().request("GET", "/ready", query="")
    assert (ready.status, ready.json["ready"]) == (503, False)
    assert refusal(node, ONE) == 4100
    assert node.api(ONE).get("/channels").status == 503
    redis.start()
    put(redis, "fizz", ONE)
    await_known(ONE, node)
    eventually(lambda: node.api().request("GET", "/ready", query="").json == {"ready": True})
    with node.client(ONE) as client:
        client.ping()
    eventually(lambda: refusal(node, TWO) == 4001, what="the node knows them all")


def refusal(server: FizzServer, app: App) -> int:
    with server.websocket(app=app) as websocket:
        return int(websocket.recv_event()["data"]["code"])


def test_a_redis_that_comes_back_empty_is_given_the_applications_back(
    fizz: Start, redis: RedisServer
) -> None:
    redis.start()
    put(redis, "fizz", ONE, TWO)
    nodes = [fizz(**settings(redis, "fizz")) for _ in range(2)]
    await_known(TWO, *nodes)
    clients = [node.client(app) for node in nodes for app in (ONE, TWO)]
    redis.restart()
    eventually(lambda: kept(redis) == {"1001", "1002"}, within=20)
    assert any("Redis has lost the applications" in node.stderr for node in nodes)
    late = fizz(**settings(redis, "fizz"))
    await_known(TWO, late)
    put(redis, "fizz", THREE)
    await_known(THREE, *nodes, late)
    for client in clients:
        client.ping()
        client.close()


def test_a_redis_that_went_back_a_step_or_began_anew_loses_nothing(
    fizz: Start, redis: RedisServer
) -> None:
    """A replica took over that had not got the latest change; then an operator was faster than
    the nodes after all was lost."""
    redis.start()
    put(redis, "fizz", ONE)
    before = store_of(redis, "fizz").read()
    put(redis, "fizz", TWO)
    node = fizz(**settings(redis, "fizz"))
    await_known(TWO, node)
    with node.client(TWO) as client, redis.client() as commands:
        commands.pipeline().set("fizz:apps:version", before[0]).hdel("fizz:apps", "1002").execute()
        eventually(lambda: kept(redis) == {"1001", "1002"})
        version = store_of(redis, "fizz").read()[0]
        assert version.split(" ")[0] == before[0].split(" ")[0]

        document = encode(THREE.settings())
        anew = commands.pipeline().delete("fizz:apps").hset("fizz:apps", "1003", document)
        anew.set("fizz:apps:version", "other 1 token").execute()
        eventually(lambda: kept(redis) == {"1001", "1002", "1003"})
        await_known(THREE, node)
        client.ping()

        # And a change whose note was missed is found all the same.
        history, number, _ = store_of(redis, "fizz").read()[0].split(" ")
        unheard = commands.pipeline().hdel("fizz:apps", "1003")
        unheard.set("fizz:apps:version", f"{history} {int(number) + 1} unheard").execute()
        eventually(lambda: node.api(THREE).get("/channels").status == 404)


def test_a_node_that_was_cut_off_takes_up_what_has_changed_meanwhile(
    fizz: Start, redis: RedisServer
) -> None:
    """Protocol: §4.2. While it cannot know better it denies no application."""
    redis.start()
    put(redis, "fizz", ONE, TWO)
    with contextlib.closing(FaultProxy(("127.0.0.1", redis.port))) as link:
        how = settings(redis, "fizz")
        how["server"]["scaling"]["server"]["url"] = link.url
        node = fizz(**how)
        await_known(TWO, node)
        clients = [node.client(app) for app in (ONE, TWO)]
        link.cut()
        eventually(lambda: refusal(node, THREE) == 4100, what="the node notices that it is alone")
        remove(redis, "fizz", TWO)
        put(redis, "fizz", THREE)
        for client in clients:
            client.ping()
        link.resume()
        await_known(THREE, node)
        assert clients[1].expect_close() == (4001, "Application does not exist")
        clients[0].ping()
        clients[0].close()
        node.stop()


def test_a_damaged_entry_is_named_once_and_harms_no_other(fizz: Start, redis: RedisServer) -> None:
    redis.start()
    put(redis, "fizz", ONE)
    node = fizz(**settings(redis, "fizz"))
    await_known(ONE, node)
    with redis.client() as commands, node.client(ONE) as client:
        commands.hset("fizz:apps", mapping={"1001": "{", "1003": '{"app_id": "1003", "kee": "k"}'})
        put(redis, "fizz", TWO)
        await_known(TWO, node)
        put(redis, "fizz", TWO, max_connections=5)
        eventually(lambda: node.stderr.count("applications changed: 1002") == 1)
        client.ping()
    assert node.stderr.count("application '1001' in Redis: not JSON") == 1
    assert node.stderr.count("application '1003' in Redis: kee: unknown key 'kee'") == 1
