"""Several processes on one port are one server to whoever talks to them."""

import contextlib
import threading
from collections.abc import Iterator

import pytest

from tests.conftest import Start
from tests.harness import processes
from tests.harness.eventually import eventually
from tests.harness.http_api import HttpApi
from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.websocket import Disconnected
from tests.harness.workers import owners, port_of, wait_for_all, workers_of

pytestmark = pytest.mark.needs_redis
LEASE_SECONDS = 90
REMOVED_WITHIN = 25.0
"""The start of another worker, on a shared machine; no lease ends so soon."""

ByWorker = dict[int, list[PusherClient]]


@pytest.fixture(autouse=True)
def _linux() -> None:
    processes.require_proc()


@pytest.fixture(params=[2, 4])
def server(fizz: Start, request: pytest.FixtureRequest) -> FizzServer:
    return fizz(server={"workers": request.param})


@contextlib.contextmanager
def spread(server: FizzServer, count: int) -> Iterator[ByWorker]:
    """So many clients, by the worker that they are connected to; each has some."""
    wait_for_all(server)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(count)]
        owner = owners(server, [port_of(client.websocket) for client in clients])
        found: ByWorker = {pid: [] for pid in workers_of(server)}
        for client in clients:
            found[owner[port_of(client.websocket)]].append(client)
        assert all(found.values())
        yield found


def everybody(clients: ByWorker) -> list[PusherClient]:
    return [client for those in clients.values() for client in those]


def test_an_event_reaches_the_clients_of_every_worker_once(server: FizzServer) -> None:
    """Protocol: §6.6, the socket_id that is excluded may be at any worker."""
    with spread(server, 12) as clients:
        for client in everybody(clients):
            client.subscribe("orders")
        excluded = everybody(clients)[0]
        for number in range(10):
            server.api().trigger("orders", "created", str(number), socket_id=excluded.socket_id)
        server.api().trigger("orders", "end")
        for client in everybody(clients):
            expected = [] if client is excluded else list(range(10))
            heard = []
            while (event := client.next_event())["event"] != "end":
                heard.append(event["data"])
            assert heard == expected


def test_client_events_cross_workers(server: FizzServer) -> None:
    """Protocol: §8."""
    with spread(server, 12) as clients:
        for client in everybody(clients):
            client.subscribe("private-room")
        sender = everybody(clients)[0]
        sender.trigger("client-typing", "private-room", {"who": "ann"})
        for client in everybody(clients)[1:]:
            assert client.expect("client-typing", "private-room") == {"who": "ann"}


def test_one_roster_for_all_workers(server: FizzServer) -> None:
    """Protocol: §7: a user with tabs at several workers is one member."""
    with spread(server, 12) as clients:
        tabs = [those[0] for those in clients.values()]
        for tab in tabs:
            reply = tab.subscribe("presence-room", user_id="ann")
            assert reply["presence"]["ids"] == ["ann"]
        with server.client() as watcher:
            watcher.subscribe("presence-room", user_id="bob")
            for tab in tabs:
                added = tab.expect("pusher_internal:member_added")
                assert added["user_id"] == "bob"
            for tab in tabs[:-1]:
                tab.close()
            watcher.expect_nothing()
            assert server.api().get("/channels/presence-room/users").json["users"] == [
                {"id": "ann"},
                {"id": "bob"},
            ]
            tabs[-1].close()
            assert watcher.expect("pusher_internal:member_removed") == {"user_id": "ann"}


def test_counts_and_quotas_are_of_all_workers(fizz: Start) -> None:
    """Protocol: §12.5 and §1.3, 4004."""
    limited = {"app_id": "7", "key": "k", "secret": "s", "max_connections": 5}
    server = fizz(apps=[limited], server={"workers": 2})
    with spread(server, 5) as clients:
        for client in everybody(clients):
            client.subscribe("orders")
        answer = server.api().get("/channels/orders", info="subscription_count")
        assert answer.json == {"occupied": True, "subscription_count": 5}
        for _ in range(4):
            with server.websocket() as websocket:
                assert websocket.recv_event()["data"]["code"] == 4004


def test_a_terminated_user_is_closed_at_every_worker(server: FizzServer) -> None:
    """Protocol: §9.4."""
    with spread(server, 12) as clients:
        for client in everybody(clients):
            client.signin("ann")
        server.api().post("/users/ann/terminate_connections", {})
        for client in everybody(clients):
            assert client.expect_close()[0] == 4009


@pytest.mark.parametrize("count", [2, 4])
def test_the_members_of_a_killed_worker_are_removed_once(fizz: Start, count: int) -> None:
    """By the worker that takes its place. Protocol: §7.3: only who has no tab elsewhere."""
    server = fizz(server={"workers": count, "scaling": {"lease_seconds": LEASE_SECONDS}})
    with spread(server, 12) as clients:
        victim, *others = clients
        for pid, those in clients.items():
            for number, client in enumerate(those):
                client.subscribe("presence-room", user_id=f"{pid}-{number}")
        lost = {f"{victim}-{number}" for number in range(len(clients[victim]))}
        elsewhere = f"{victim}-0"
        watcher = clients[others[0]][0]
        with contextlib.ExitStack() as stack:
            # New connections, until one is not at the worker that will die.
            def is_elsewhere() -> bool:
                tab = stack.enter_context(server.client())
                port = port_of(tab.websocket)
                if owners(server, [port])[port] == victim:
                    return False
                tab.subscribe("presence-room", user_id=elsewhere)
                return True

            eventually(is_elsewhere, what="a tab at another worker")
            watcher.pending()
            processes.kill(victim)
            removed: list[str] = []
            while set(removed) != lost - {elsewhere}:
                data = watcher.wait_for("pusher_internal:member_removed", within=REMOVED_WITHIN)
                removed.append(data["user_id"])
            assert watcher.pending() == []
        assert len(removed) == len(set(removed))


class Publisher(threading.Thread):
    """Sends numbered events without a pause until it is told to stop.

    Attributes:
        answered: The numbers of those that were answered with 200.
        sent: How many were sent at all; of those without an answer nothing is known.
    """

    def __init__(self, api: HttpApi) -> None:
        super().__init__()
        self.answered: list[int] = []
        self.sent = 0
        self._api = api
        self._enough = threading.Event()

    def run(self) -> None:
        while not self._enough.is_set():
            number = self.sent
            self.sent += 1
            with contextlib.suppress(OSError):
                self._api.trigger("load", "tick", str(number))
                self.answered.append(number)

    def stop(self) -> None:
        self._enough.set()
        self.join()


def test_a_worker_killed_under_load_costs_nobody_else_an_event(server: FizzServer) -> None:
    """Each survivor hears every event that was answered, once and in order; the others return."""
    with spread(server, 12) as clients:
        for client in everybody(clients):
            client.subscribe("load")
        victim, *others = clients
        publisher = Publisher(server.api())
        publisher.start()
        try:
            eventually(lambda: len(publisher.answered) > 100)
            processes.kill(victim)
            for client in clients[victim]:
                expect_loss(client)
            eventually(lambda: len(workers_of(server)) == len(clients), what="a new worker")
            with contextlib.ExitStack() as stack:
                back = [stack.enter_context(server.client()) for _ in clients[victim]]
                for client in back:
                    client.subscribe("load")
                since = publisher.sent
                eventually(lambda: publisher.sent > since + 100)
                publisher.stop()
                server.api().trigger("load", "end")
                answered = publisher.answered
                for client in [each for pid in others for each in clients[pid]]:
                    heard = until_end(client)
                    assert heard == sorted(set(heard))
                    assert set(answered) <= set(heard) <= set(range(publisher.sent))
                for client in back:
                    heard = until_end(client)
                    assert heard == sorted(set(heard))
                    assert {number for number in answered if number >= since} <= set(heard)
        finally:
            publisher.stop()


def expect_loss(client: PusherClient) -> None:
    """Read until the connection breaks."""
    with contextlib.suppress(Disconnected, OSError):
        while client.next_event():
            pass


def until_end(client: PusherClient) -> list[int]:
    heard: list[int] = []
    while (event := client.next_event())["event"] != "end":
        heard.append(event["data"])
    return heard
