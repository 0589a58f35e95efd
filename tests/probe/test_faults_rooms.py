"""A bug in any room costs the one who met it, who is told its name in the log, and nobody else.

Protocol: §4.3, 1011; §12.2, 500.
"""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conftest import Start
from tests.harness.cluster import Cluster
from tests.harness.console import Console
from tests.harness.eventually import eventually
from tests.harness.http_socket import HttpSocket, request
from tests.harness.pusher_client import PusherClient
from tests.harness.receiver import Receiver
from tests.harness.redis_server import RedisServer
from tests.harness.rig import Rig
from tests.harness.scrape import Scrape
from tests.harness.server import FizzServer, free_port
from tests.harness.signing import App
from tests.harness.websocket import RawWebSocket

SUBSCRIBE = "fizz_gevent.service.subscriptions:Subscriptions.subscribe"
OPENED = "fizz_gevent.service.session:Sessions.opened"
CLOSED = "fizz_gevent.service.session:Sessions.closed"
ADMIT = "fizz_gevent.service.admission:Admission.admit"
BROADCAST = "fizz_gevent.channels.channel:Channel.broadcast"
SPREAD = "fizz_gevent.channels.channel:spread"
DESCRIBE = "fizz_gevent.service.directory:Directory.channels"
PARSE_HEAD = "fizz_gevent.transport.handler:parse_head"
ENVIRON = "fizz_gevent.transport.handler:Handler._environ"
FEED = "fizz_gevent.protocol.frames:FrameReader.feed"
JOIN = "fizz_gevent.cluster.memory:MemoryRegistry.join"
POST = "fizz_gevent.webhooks.http_client:PooledClient.post"
GUARD = "fizz_gevent.console.guard:Guard.admit"
READ = "fizz_gevent.metrics.reader:Reader.read"
SWEEP = "fizz_gevent.service.janitor:Janitor.sweep"
POINTS = (
    *(SUBSCRIBE, OPENED, CLOSED, ADMIT, BROADCAST, SPREAD, DESCRIBE, PARSE_HEAD, ENVIRON),
    *(FEED, JOIN, POST, GUARD, READ, SWEEP),
)
DELIVER = "fizz_gevent.service.inbox:NodeInbox.deliver"
REDIS_JOIN = "fizz_gevent.cluster.redis_registry:RedisRegistry.join"


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with TemporaryDirectory(prefix="fizz") as folder:
        yield Rig(Path(folder), *POINTS)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture(scope="module")
def server(module_fizz: Start, rig: Rig, receiver: Receiver) -> Iterator[FizzServer]:
    started = module_fizz(
        command=rig.command,
        apps=[App().settings(webhooks=[{"url": receiver.url, "event_types": ["client_event"]}])],
        server={"workers": 1, "metrics": {"enabled": True, "port": free_port()}},
    )
    yield started
    started.stop(clean=False)


@pytest.fixture
def healthy(server: FizzServer) -> Iterator[PusherClient]:
    """Somebody whom the fault does not concern, and who is served before, during and after it."""
    with server.client() as client:
        client.subscribe("calm")
        yield client
        server.api().trigger("calm", "after", 1)
        assert client.expect("after") == 1


def is_logged(server: FizzServer, fault: str) -> bool:
    """The name is on one line of the log, together with what happened."""
    lines = [line for line in server.stderr.splitlines() if f"fault {fault}" in line]
    return len(lines) == 1 and "RuntimeError: a fault that a test has put here" in lines[0]


def expect_closed_with_fault(websocket: RawWebSocket | PusherClient, server: FizzServer) -> None:
    """Protocol: §4.3, 1011."""
    if isinstance(websocket, PusherClient):
        code, reason = websocket.expect_close()
    else:
        code, reason = websocket.recv_close()
    assert code == 1011
    found = re.fullmatch("Internal error ([0-9a-f]{8})", reason)
    assert found is not None, reason
    eventually(lambda: is_logged(server, found[1]))


def expect_500(status: int, body: bytes, server: FizzServer) -> None:
    """Protocol: §12.2, 500."""
    assert status == 500, body
    found = re.fullmatch("Internal error ([0-9a-f]{8})", json.loads(body)["error"])
    assert found is not None, body
    eventually(lambda: is_logged(server, found[1]))


def test_in_what_a_client_asks(rig: Rig, server: FizzServer, healthy: PusherClient) -> None:
    for point in (SUBSCRIBE, JOIN):
        with server.client() as client, rig.armed(point):
            healthy.ping()
            client.request_subscription("orders")
            expect_closed_with_fault(client, server)
            healthy.ping()


def test_in_reading_frames(rig: Rig, server: FizzServer, healthy: PusherClient) -> None:
    with server.client() as client:
        with rig.armed(FEED):
            client.send("pusher:ping", {})
            code, reason = client.expect_close()
        assert (code, reason[:14]) == (1011, "Internal error")
        eventually(lambda: is_logged(server, reason[-8:]))


def test_in_admitting_and_greeting(rig: Rig, server: FizzServer, healthy: PusherClient) -> None:
    for point in (ADMIT, OPENED):
        with rig.armed(point), server.websocket() as websocket:
            expect_closed_with_fault(websocket, server)
            healthy.ping()
    eventually(lambda: server.api().get("/connections").json == {"connections": 1})


def test_in_saying_goodbye(rig: Rig, server: FizzServer, healthy: PusherClient) -> None:
    before = server.stderr.count("in the read loop")
    with server.client() as client, rig.armed(CLOSED):
        client.websocket.abandon()
        eventually(lambda: server.stderr.count("in the read loop") > before)
        healthy.ping()


def test_in_broadcasting_what_a_back_end_publishes(
    rig: Rig, server: FizzServer, healthy: PusherClient
) -> None:
    with server.client() as client:
        client.subscribe("orders")
        event = {"name": "news", "channel": "orders", "data": "{}"}
        with rig.armed(BROADCAST):
            answer = server.api().post("/events", event)
            expect_500(answer.status, answer.body, server)
            healthy.ping()
        before = server.stderr.count("in the flusher")
        with rig.armed(SPREAD):
            assert server.api().post("/events", event).status == 200
            eventually(lambda: server.stderr.count("in the flusher") > before)
            healthy.ping()
        server.api().trigger("orders", "later", 1)
        while client.next_event()["event"] != "later":
            pass


def test_in_what_a_back_end_asks(rig: Rig, server: FizzServer, healthy: PusherClient) -> None:
    with rig.armed(DESCRIBE):
        answer = server.api().get("/channels")
        expect_500(answer.status, answer.body, server)
        healthy.ping()
    assert server.api().get("/channels").status == 200


@pytest.mark.parametrize("point", [PARSE_HEAD, ENVIRON])
def test_in_reading_a_request(
    rig: Rig, server: FizzServer, healthy: PusherClient, point: str
) -> None:
    with HttpSocket.open(server.address) as http, rig.armed(point):
        answer = http.ask(request("GET", "/up"))
        expect_500(answer.status, answer.body, server)
        healthy.ping()


def test_in_sending_webhooks(
    rig: Rig, server: FizzServer, healthy: PusherClient, receiver: Receiver
) -> None:
    """It is tried again like one that the receiver has not taken."""
    with server.client() as client, server.client() as other:
        for each in (client, other):
            each.subscribe("private-talk")
        with rig.armed(POST):
            client.trigger("client-says", "private-talk", 1)
            eventually(lambda: "while a webhook was sent" in server.stderr)
            healthy.ping()
        receiver.wait_for(1, "client_event")


def test_in_the_console(rig: Rig, server: FizzServer, healthy: PusherClient) -> None:
    console = Console(server)
    for path in ("", "/api/setup"):
        with rig.armed(GUARD):
            answer = console.ask("GET", path)
            expect_500(answer.status, answer.body, server)
            healthy.ping()
        assert console.ask("GET", path).status == 200


def test_in_the_figures(rig: Rig, server: FizzServer, healthy: PusherClient) -> None:
    port = server.settings["metrics"]["port"]
    with rig.armed(READ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10)
        with refused.value as answer:
            expect_500(answer.code, answer.read(), server)
    assert Scrape.of(port)("fizz_connections") >= 1


def test_in_what_nobody_asks_for(rig: Rig, server: FizzServer, healthy: PusherClient) -> None:
    before = server.stderr.count("in the sweep")
    with rig.armed(SWEEP):
        eventually(lambda: server.stderr.count("in the sweep") > before)
        healthy.ping()


@pytest.mark.needs_redis
def test_in_what_other_nodes_say(fizz: Start, tmp_path: Path) -> None:
    """A bug in taking in one event of another node loses that event, and not the link."""
    redis = RedisServer(tmp_path)
    redis.start()
    with TemporaryDirectory(prefix="fizz") as folder:
        rig = Rig(Path(folder), DELIVER, REDIS_JOIN)

        def rigged(**how: object) -> FizzServer:
            return fizz(command=rig.command, **how)

        try:
            start: Callable[..., FizzServer] = fizz
            cluster = Cluster(start, redis, 1)
            far = Cluster(rigged, redis, 1).nodes[0]
            cluster.await_joined(*cluster.nodes, far)
            with far.client() as client:
                client.subscribe("orders")
                with rig.armed(DELIVER):
                    cluster.nodes[0].api().trigger("orders", "lost", 1)
                    eventually(lambda: "a message of the bus is skipped" in far.stderr)
                cluster.nodes[0].api().trigger("orders", "news", 2)
                assert client.expect("news") == 2
                with far.client() as other, rig.armed(REDIS_JOIN):
                    other.request_subscription("orders")
                    expect_closed_with_fault(other, far)
                client.ping()
            assert "the bus is down" not in far.stderr
            for node in (*cluster.nodes, far):
                node.stop(clean=node is not far)
        finally:
            redis.kill()
