"""What is behind a server of several workers, seen from outside."""

import contextlib
import tempfile
from collections.abc import Iterator
from typing import Any

from tests.harness import processes
from tests.harness.eventually import eventually
from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.websocket import RawWebSocket

Settings = dict[str, Any]


def workers_of(server: FizzServer) -> list[int]:
    """The pids of the workers, by the names that they show to ``ps``."""
    return [
        pid
        for pid in processes.children(server.pid)
        if "fizz_gevent" in processes.command_line(pid)
    ]


def redis_of(server: FizzServer) -> int | None:
    """The pid of the private Redis; None where none runs."""
    found = [
        pid for pid in processes.children(server.pid) if "unixsocket" in processes.command_line(pid)
    ]
    assert len(found) <= 1
    return found[0] if found else None


def port_of(websocket: RawWebSocket) -> int:
    port: int = websocket.socket.getsockname()[1]
    return port


def owners(server: FizzServer, ports: list[int]) -> dict[int, int]:
    """Which worker has the connection of each client, by the client's port."""
    inodes = processes.server_side(server.port)
    owner = {inode: pid for pid in workers_of(server) for inode in processes.socket_inodes(pid)}
    return {port: owner[inodes[port]] for port in ports}


def wait_for_all(server: FizzServer) -> None:
    """Wait until every worker accepts clients: one that is up first need not be alone for long."""
    with contextlib.ExitStack() as stack:
        ports: list[int] = []

        def each_has_one() -> bool:
            client = stack.enter_context(server.client())
            ports.append(port_of(client.websocket))
            return set(owners(server, ports).values()) == set(workers_of(server))

        eventually(each_has_one, what="each worker has a client")


@contextlib.contextmanager
def clients_on_every_worker(server: FizzServer) -> Iterator[dict[int, list[PusherClient]]]:
    """Two clients at least on each worker, by the worker's pid."""
    wait_for_all(server)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(4 * len(workers_of(server)))]
        owner = owners(server, [port_of(client.websocket) for client in clients])
        found: dict[int, list[PusherClient]] = {pid: [] for pid in workers_of(server)}
        for client in clients:
            found[owner[port_of(client.websocket)]].append(client)
        assert all(len(those) >= 2 for those in found.values())
        yield found


def gone(*pids: int) -> bool:
    return not any(map(processes.is_running, pids))


@contextlib.contextmanager
def two_workers() -> Iterator[Settings]:
    """How servers here are started: with a folder of their own for what is temporary.

    The path of a Unix socket has to be short, and the folders of pytest are deep.
    """
    with tempfile.TemporaryDirectory(prefix="fizz-test-") as folder:
        yield {
            "server": {"workers": 2, "run_directory": folder},
            "environ": {"TMPDIR": folder},
        }
