"""Name servers that are silent stall nobody who does not wait for them.

Protocol: §13, "a receiver that hangs".
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conftest import Start
from tests.harness.cluster import LEASE, is_partial
from tests.harness.eventually import eventually
from tests.harness.receiver import Receiver
from tests.harness.redis_server import RedisServer
from tests.harness.rig import Rig
from tests.harness.signing import App

LOOKUP = "_socket:getaddrinfo"
SILENT = "silent.invalid"
THREADS = 10
"""For look-ups in a process."""


@pytest.fixture
def rig() -> Iterator[Rig]:
    with TemporaryDirectory(prefix="fizz") as folder:
        yield Rig(Path(folder), LOOKUP)


def test_a_name_of_a_receiver_holds_up_no_other_receiver(fizz: Start, rig: Rig) -> None:
    with Receiver() as receiver:
        urls = (f"http://{SILENT}/hook", receiver.url.replace("127.0.0.1", "localhost"))
        kinds = ["client_event"]
        webhooks = [{"url": url, "event_types": kinds} for url in urls]
        app = App().settings(webhooks=webhooks, max_client_events_per_second=None)
        server = fizz(apps=[app], command=rig.command, server={"workers": 1})
        count = 3 * THREADS
        with server.client() as client, server.client() as other:
            for number in range(count):
                for each in (client, other):
                    each.subscribe(f"private-{number}")
            with rig.armed(LOOKUP, f"hang {SILENT}"):
                for number in range(count):
                    client.trigger("client-says", f"private-{number}", number)
                client.ping()
                assert server.api().get("/channels").status == 200
                eventually(lambda: rig.hits(LOOKUP) > 0)
                receiver.wait_for(count, "client_event")
                assert rig.hits(LOOKUP) == 1
        server.kill()  # it would wait for a receiver that is not there


@pytest.mark.needs_redis
def test_the_name_of_redis_holds_up_nobody(fizz: Start, rig: Rig, tmp_path: Path) -> None:
    redis = RedisServer(tmp_path)
    redis.start()
    try:
        where = {"host": "localhost", "port": redis.port}
        scaling = {"enabled": True, "lease_seconds": LEASE, "server": where}
        node = fizz(command=rig.command, server={"workers": 1, "scaling": scaling})
        eventually(lambda: not is_partial(node))
        with node.client() as client:
            client.subscribe("orders")
            with rig.armed(LOOKUP, "hang localhost"):
                redis.kill()
                eventually(lambda: is_partial(node) and rig.hits(LOOKUP) > 0)
                node.api().trigger("orders", "news", 1)
                assert client.expect("news") == 1
                redis.start()
            eventually(lambda: not is_partial(node))
            client.ping()
        assert node.stderr.count("Redis is away") == node.stderr.count("Redis is back") == 1
    finally:
        redis.kill()
