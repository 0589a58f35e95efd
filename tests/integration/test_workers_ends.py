"""Several processes on one port: how they die, are replaced, and stop."""

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.harness import processes
from tests.harness.eventually import eventually
from tests.harness.server import ROOT, FizzServer
from tests.harness.websocket import Disconnected
from tests.harness.workers import (
    Settings,
    clients_on_every_worker,
    gone,
    owners,
    port_of,
    redis_of,
    two_workers,
    workers_of,
)

pytestmark = pytest.mark.needs_redis
ENDS_WITHIN = 15.0
HANGS_WITHIN = 90.0


@pytest.fixture(autouse=True)
def _linux() -> None:
    processes.require_proc()


@pytest.fixture
def settings() -> Iterator[Settings]:
    with two_workers() as how:
        yield how


def private_folders(server: FizzServer) -> list[str]:
    """What is left of the folders of private Redis servers."""
    return [path.name for path in Path(server.environ["TMPDIR"]).glob("fizz-redis-*")]


def test_a_killed_worker_loses_only_its_own_clients_and_is_replaced(
    fizz: Start, settings: Settings
) -> None:
    server = fizz(**settings)
    with clients_on_every_worker(server) as clients:
        victim, survivor = clients
        processes.kill(victim)
        for client in clients[victim]:
            with pytest.raises((Disconnected, OSError)):
                client.next_event()
        for client in clients[survivor]:
            client.ping()
        eventually(
            lambda: len(workers_of(server)) == 2 and victim not in workers_of(server),
            what="another worker",
        )
        new = next(pid for pid in workers_of(server) if pid != survivor)
        with contextlib.ExitStack() as stack:

            def comes_to_the_new_one() -> bool:
                client = stack.enter_context(server.client())
                port = port_of(client.websocket)
                return owners(server, [port]).get(port) == new

            eventually(comes_to_the_new_one, what="the new worker has a client")
            for client in clients[survivor]:
                client.ping()
    assert "ended with SIGKILL; another one takes its place" in server.stderr


def test_a_worker_that_hangs_keeps_nobody_waiting(fizz: Start, settings: Settings) -> None:
    server = fizz(**settings)
    hung, other = workers_of(server)
    processes.kill(hung, signal.SIGSTOP)
    try:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.client()) for _ in range(40)]
            owner = owners(server, [port_of(client.websocket) for client in clients])
            assert set(owner.values()) == {other}
    finally:
        processes.kill(hung, signal.SIGCONT)


def test_a_worker_that_is_asked_to_stop_drains_and_is_replaced(
    fizz: Start, settings: Settings
) -> None:
    """Protocol: §4.3, 4200."""
    server = fizz(**settings)
    with clients_on_every_worker(server) as clients:
        asked, other = clients
        processes.kill(asked, signal.SIGTERM)
        for client in clients[asked]:
            assert client.expect_close()[0] == 4200
        eventually(lambda: gone(asked), within=ENDS_WITHIN, what="it is gone")
        eventually(lambda: len(workers_of(server)) == 2, what="another worker")
        for client in clients[other]:
            client.ping()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_parent_drains_all_and_leaves_nothing(
    fizz: Start, settings: Settings, number: signal.Signals
) -> None:
    """Protocol: §4.3, 4200."""
    server = fizz(**settings)
    pids = processes.children(server.pid)
    assert len(pids) == 3
    with clients_on_every_worker(server) as clients:
        processes.kill(server.pid, number)
        for client in [each for those in clients.values() for each in those]:
            assert client.expect_close()[0] == 4200
    assert server.wait() == 0
    assert gone(*pids)
    assert private_folders(server) == []
    assert "ended with" not in server.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_drains_all(
    tmp_path: Path, settings: Settings, number: signal.Signals
) -> None:
    """As Ctrl+C in a terminal does it, and managers that stop a group. Protocol: §4.3, 4200."""
    server = FizzServer(tmp_path, in_own_group=True, **settings)
    try:
        server.start()
        pids = processes.children(server.pid)
        with clients_on_every_worker(server) as clients:
            os.killpg(server.pid, number)
            for client in [each for those in clients.values() for each in those]:
                assert client.expect_close()[0] == 4200
        assert server.wait() == 0
        assert gone(*pids)
        assert "Traceback" not in server.stderr
        assert "ended with" not in server.stderr
    finally:
        server.kill()


def test_a_signal_to_every_process_drains_all(fizz: Start, settings: Settings) -> None:
    """As managers do it that know the processes of a server by a control group."""
    server = fizz(**settings)
    pids = processes.children(server.pid)
    with clients_on_every_worker(server) as clients:
        for pid in [*reversed(pids), server.pid]:
            processes.kill(pid, signal.SIGTERM)
        for client in [each for those in clients.values() for each in those]:
            assert client.expect_close()[0] == 4200
    assert server.wait() == 0
    assert gone(*pids)
    assert "ended with" not in server.stderr


def test_a_second_signal_ends_all_at_once(fizz: Start, settings: Settings) -> None:
    server = fizz(**settings)
    pids = processes.children(server.pid)
    with contextlib.ExitStack() as stack:
        # Enough of them that sending them away takes its time.
        clients = [stack.enter_context(server.websocket()) for _ in range(500)]
        assert len(clients) == 500
        processes.kill(server.pid, signal.SIGTERM)
        eventually(lambda: "stopping" in server.stderr, what="it has begun to stop")
        processes.kill(server.pid, signal.SIGTERM)
        assert server.wait(within=ENDS_WITHIN) == 0
    assert gone(*pids)
    assert private_folders(server) == []


def test_the_death_of_the_parent_leaves_nothing(fizz: Start, settings: Settings) -> None:
    server = fizz(**settings)
    pids = processes.children(server.pid)
    assert len(pids) == 3
    with clients_on_every_worker(server) as clients:
        server.kill()
        for client in [each for those in clients.values() for each in those]:
            assert client.expect_close()[0] == 4200
    eventually(lambda: gone(*pids), within=ENDS_WITHIN, what="no process is left")
    assert private_folders(server) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port)).close()


def test_a_private_redis_that_dies_is_started_again(fizz: Start, settings: Settings) -> None:
    server = fizz(**settings)
    first = redis_of(server)
    assert first is not None
    with server.client() as client:
        client.subscribe("orders")
        processes.kill(first)
        eventually(lambda: gone(first), what="it is dead")
        second = eventually(lambda: redis_of(server), what="another one")
        client.ping()
    assert second != first
    assert "the private redis-server ended with SIGKILL" in server.stderr


def test_what_killed_servers_left_behind_is_removed(fizz: Start, settings: Settings) -> None:
    folder = Path(settings["server"]["run_directory"])
    old, young, used = (folder / f"fizz-redis-{name}" for name in ("old", "young", "used"))
    for each in (old, young, used):
        each.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(used / "socket"))
        listener.listen()
        for each in (old, used):
            os.utime(each, (1, 1))
        fizz(**settings)
        assert not old.exists()
        assert young.exists()
        assert used.exists()


@pytest.mark.long
def test_a_worker_that_hangs_for_long_is_replaced_and_one_that_is_stopped_is_not(
    fizz: Start, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, time\n"
        "def hang(number, frame):\n"
        "    while True:\n"
        "        pass\n"
        "if '_FIZZ_WORKER' in os.environ:\n"
        "    signal.signal(signal.SIGUSR2, hang)\n"
    )
    settings["environ"]["PYTHONPATH"] = f"{tmp_path}:{ROOT}"
    server = fizz(**settings)
    hung, stopped = workers_of(server)
    processes.kill(stopped, signal.SIGSTOP)
    processes.kill(hung, signal.SIGUSR2)
    try:
        eventually(lambda: gone(hung), within=HANGS_WITHIN, what="the one that hangs is gone")
        assert f"worker process {hung} has not moved for 30 s" in server.stderr
        assert "in hang" in server.stderr  # where it was
        eventually(lambda: len(workers_of(server)) == 2, what="another worker")
        assert stopped in workers_of(server)
        with server.client() as client:
            client.ping()
    finally:
        processes.kill(stopped, signal.SIGCONT)
