"""A reload in a crowd: whoever may stay stays, and everything that was changed holds."""

import contextlib
import json
import selectors
import shutil
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.certificates import make_certificate
from tests.harness.eventually import eventually
from tests.harness.http_api import HttpApi
from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.signing import App

Start = Callable[..., FizzServer]

STAYS, GOES, COMES = (App(str(number), f"key-{number}", f"secret-{number}") for number in (1, 2, 3))
WORD = "the configuration is reloaded"
RATE = 100.0


class Watchers(threading.Thread):
    """Clients that note when each event came, in a thread of their own.

    Attributes:
        longest_gap: Between two events of one client, seconds.
        numbers: Of the events that each got, in order.
    """

    def __init__(self, clients: list[PusherClient]) -> None:
        super().__init__(daemon=True)
        self.longest_gap = 0.0
        self.numbers: list[list[int]] = [[] for _ in clients]
        self._latest = [0.0] * len(clients)
        self._clients = clients
        self._is_over = False
        self._fault: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                for index, client in enumerate(self._clients):
                    selector.register(client.websocket.socket, selectors.EVENT_READ, index)
                while not self._is_over:
                    for key, _ in selector.select(0.05):
                        self._read(key.data)
        except BaseException as error:
            self._fault = error

    def _read(self, index: int) -> None:
        client = self._clients[index]
        while client.websocket.is_readable(within=0):
            event = client.next_event()
            assert event["event"] == "tick", event
            now = time.monotonic()
            if self.numbers[index]:
                self.longest_gap = max(self.longest_gap, now - self._latest[index])
            self._latest[index] = now
            self.numbers[index].append(event["data"])

    def end(self, count: int) -> None:
        """Wait until each has got as many events; raise what went wrong meanwhile."""
        eventually(
            lambda: self._fault is not None or all(len(seen) >= count for seen in self.numbers),
            what="all events have come",
        )
        self._is_over = True
        self.join(10)
        if self._fault is not None:
            raise self._fault


class Ticker(threading.Thread):
    """Publishes numbers at a steady pace until it is stopped."""

    def __init__(self, api: HttpApi) -> None:
        super().__init__(daemon=True)
        self.count = 0
        self._api = api
        self._is_over = threading.Event()
        self.start()

    def run(self) -> None:
        connection = self._api.connection()
        due = time.monotonic()
        while not self._is_over.wait(max(0.0, due - time.monotonic())):
            due += 1 / RATE
            body = {"name": "tick", "channel": "ticks", "data": str(self.count)}
            answer = self._api.request(
                "POST",
                f"{self._api.base}/events",
                body=json.dumps(body).encode(),
                connection=connection,
            )
            assert answer.status == 200, answer
            self.count += 1
        connection.close()

    def stop(self) -> int:
        self._is_over.set()
        self.join(10)
        assert not self.is_alive()
        return self.count


def shows(server: FizzServer, context: ssl.SSLContext) -> bool:
    """Whether a newcomer is shown a certificate that this context trusts."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain:
        try:
            context.wrap_socket(plain, server_hostname="localhost").close()
        except ssl.SSLCertVerificationError:
            return False
    return True


def reload_under(fizz: Start, folder: Path, *, workers: int, staying: int, going: int) -> None:
    old = make_certificate(folder)
    (folder / "next").mkdir()
    new = make_certificate(folder / "next")
    old_context, new_context = old.client_context(), new.client_context()
    server = fizz(
        apps=[STAYS.settings(max_channel_name_length=10), GOES.settings()],
        server={
            "workers": workers,
            "options": {"tls": {"cert": str(old.cert), "key": str(old.key)}},
        },
        tls=old_context,
    )
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.client(STAYS)) for _ in range(staying)]
        leaving = [stack.enter_context(server.client(GOES)) for _ in range(going)]
        watching, others = clients[:20], clients[20:]
        for client in watching:
            client.subscribe("ticks")
        watchers = Watchers(watching)
        ticker = Ticker(server.api(STAYS))
        eventually(lambda: all(len(seen) >= 100 for seen in watchers.numbers))
        usual_gap, watchers.longest_gap = watchers.longest_gap, 0.0

        shutil.copy(new.cert, old.cert)  # as a tool that renews it would: in the same place
        shutil.copy(new.key, old.key)
        path = server.folder / "fizz.yaml"
        config = json.loads(path.read_text())
        config["apps"]["apps"] = [
            STAYS.settings(max_channel_name_length=20),
            COMES.settings(),
        ]
        path.write_text(json.dumps(config))
        assert server.process is not None
        server.process.send_signal(signal.SIGHUP)
        began = time.monotonic()
        eventually(lambda: server.stderr.count(WORD) == workers, what="every process has reloaded")
        seconds = time.monotonic() - began
        # Protocol: §4.3, 4001 for an application that is gone
        for client in leaving:
            assert client.expect_close() == (4001, "Application does not exist")
        gone_seconds = time.monotonic() - began
        server.tls = new_context
        for _ in range(3 * workers):
            assert shows(server, new_context)
            assert not shows(server, old_context)
            with server.client(COMES) as client:
                client.subscribe("orders")
            refused = stack.enter_context(server.websocket(app=GOES))
            assert refused.recv_close()[0] == 4001
        for client in others:
            client.subscribe("a" * 15)  # every one of them, by the new limit
        at_the_end = ticker.stop()
        watchers.end(at_the_end)
        assert all(seen == list(range(at_the_end)) for seen in watchers.numbers)
        for client in watching:
            client.subscribe("a" * 15)
        assert server.api(GOES).get("/channels").status == 404
        print(
            f"\n{workers} process(es), {staying} clients that stay: reloaded everywhere after"
            f" {seconds * 1000:.0f} ms, {going} sent away after {gone_seconds * 1000:.0f} ms;"
            f" longest gap between events {watchers.longest_gap * 1000:.0f} ms,"
            f" before {usual_gap * 1000:.0f} ms, of {1000 / RATE:.0f} ms"
        )


@pytest.mark.parametrize(
    "workers", [1, pytest.param(2, marks=pytest.mark.needs_redis)], ids=["alone", "workers"]
)
def test_a_reload_disturbs_no_client_that_may_stay(
    fizz: Start, tmp_path: Path, workers: int
) -> None:
    reload_under(fizz, tmp_path, workers=workers, staying=60, going=10)


@pytest.mark.long
@pytest.mark.parametrize(
    "workers", [1, pytest.param(2, marks=pytest.mark.needs_redis)], ids=["alone", "workers"]
)
def test_a_reload_disturbs_none_of_a_thousand_clients(
    fizz: Start, tmp_path: Path, workers: int
) -> None:
    reload_under(fizz, tmp_path, workers=workers, staying=1000, going=50)
