"""One listener tells what all workers have, whatever becomes of them. Protocol: §12.10."""

import json
import signal
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.harness import processes
from tests.harness.eventually import eventually
from tests.harness.pusher_client import PusherClient
from tests.harness.scrape import Scrape
from tests.harness.server import FizzServer, free_port

pytestmark = pytest.mark.needs_redis
CLIENTS = 8
ENDS_WITHIN = 15.0


@pytest.fixture(autouse=True)
def _linux() -> None:
    processes.require_proc()


@pytest.fixture
def server(fizz: Start) -> FizzServer:
    return fizz(server={"metrics": {"enabled": True, "port": free_port()}, "workers": 2})


@pytest.fixture
def clients(server: FizzServer) -> Iterator[list[PusherClient]]:
    """Some for each worker, which share a channel."""
    with ExitStack() as stack:
        made = [server.client() for _ in range(CLIENTS)]
        for client in made:
            stack.callback(client.websocket.abandon)
            client.subscribe("orders")
        yield made


def scrape(server: FizzServer) -> Scrape:
    return Scrape.of(server.settings["metrics"]["port"])


def workers_of(server: FizzServer) -> list[int]:
    return [
        pid
        for pid in processes.children(server.pid)
        if "fizz_gevent" in processes.command_line(pid)
    ]


def folders_of(server: FizzServer) -> list[Path]:
    """Where the workers meet their parent."""
    return list(Path(server.settings["run_directory"]).glob("fizz-metrics-*"))


def until(server: FizzServer, condition: Callable[[Scrape], bool]) -> Scrape:
    """The first scrape of which something is true."""

    def found() -> Scrape | None:
        one = scrape(server)
        return one if condition(one) else None

    return eventually(found, within=ENDS_WITHIN)


def test_it_is_the_sum(server: FizzServer, clients: list[PusherClient]) -> None:
    found = until(server, lambda one: one("fizz_redis_up") == 1)
    assert found("fizz_workers") == 2
    assert found("fizz_connections") == CLIENTS
    assert found("fizz_connections_total") == CLIENTS
    assert found("fizz_subscriptions") == CLIENTS
    assert found("fizz_silent_workers_total") == 0
    assert found.values("fizz_info") == [1]
    assert found.values("fizz_redis_up") == [1]
    server.api().trigger("orders", "news", "{}")
    for client in clients:
        client.expect("news")
    found = scrape(server)
    assert found("fizz_events_published_total", source="http") == 1
    assert found("fizz_events_published_total", source="node") == 1
    assert found("fizz_fanout_seconds_count") >= 2
    route = "/apps/<app_id>/events"
    assert found("fizz_http_requests_total", route=route, status="200") == 1


def test_memory_is_that_of_all_workers(server: FizzServer) -> None:
    port = server.settings["metrics"]["port"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/usage", timeout=10) as answer:
        used = json.load(answer)["memory"]["used"]
    each = [resident_bytes(pid) for pid in workers_of(server)]
    assert 0.8 * sum(each) < used < 1.2 * sum(each)


def resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def test_what_a_dead_worker_counted_stays_counted(
    server: FizzServer, clients: list[PusherClient]
) -> None:
    assert scrape(server)("fizz_connections_total") == CLIENTS
    victim = workers_of(server)[0]
    processes.kill(victim)
    left = until(server, lambda one: one("fizz_connections") < CLIENTS)
    assert left("fizz_connections_total") == CLIENTS
    found = until(server, lambda one: one("fizz_workers") == 2)
    assert victim not in workers_of(server)
    assert found("fizz_connections_total") == CLIENTS
    with server.client():
        assert scrape(server)("fizz_connections_total") == CLIENTS + 1
    (folder,) = folders_of(server)
    assert len(list(folder.iterdir())) == 2


def test_a_worker_that_hangs_is_left_out_and_counted(
    server: FizzServer, clients: list[PusherClient]
) -> None:
    before = scrape(server)
    victim = workers_of(server)[0]
    processes.kill(victim, signal.SIGSTOP)
    try:
        found = scrape(server)
    finally:
        processes.kill(victim, signal.SIGCONT)
    assert found("fizz_workers") == 1
    assert found("fizz_silent_workers_total") == 1
    assert found("fizz_connections") < CLIENTS
    for name in ("connections_total", "messages_received_total", "fanout_seconds_count"):
        assert found(f"fizz_{name}") >= before(f"fizz_{name}")
    found = until(server, lambda one: one("fizz_workers") == 2)
    assert found("fizz_connections") == CLIENTS


def test_nobody_else_may_listen_in_and_nothing_is_left_behind(server: FizzServer) -> None:
    (folder,) = folders_of(server)
    assert folder.stat().st_mode & 0o077 == 0
    server.stop()
    assert folders_of(server) == []


def test_nothing_is_left_behind_when_the_parent_is_killed(server: FizzServer) -> None:
    workers = workers_of(server)
    assert len(folders_of(server)) == 1
    server.kill()
    eventually(lambda: not any(map(processes.is_running, workers)), within=ENDS_WITHIN)
    assert folders_of(server) == []


def test_without_the_setting_no_worker_tells_anything(fizz: Start) -> None:
    assert folders_of(fizz(server={"workers": 2})) == []
