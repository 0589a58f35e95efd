"""What a scrape costs a server with many clients: a few sums, and a look at none of them."""

import contextlib
import statistics
import time
from collections.abc import Callable

import pytest

from tests.harness import processes
from tests.harness.eventually import eventually
from tests.harness.scrape import Scrape
from tests.harness.server import FizzServer, free_port
from tests.probe.vitals import TICKS_PER_SECOND, Vitals

Start = Callable[..., FizzServer]
SCRAPES = 100


def ticks_of(server: FizzServer) -> int:
    """Clock ticks that the server has spent, all its processes together."""
    return sum(Vitals.of(pid).ticks for pid in (server.pid, *processes.children(server.pid)))


def scrape_a_crowd(fizz: Start, count: int, workers: int) -> None:
    """Each client in a channel of its own."""
    port = free_port()
    server = fizz(server={"workers": workers, "metrics": {"enabled": True, "port": port}})
    with contextlib.ExitStack() as stack:
        for number in range(count):
            client = stack.enter_context(server.websocket())
            data = {"channel": f"orders-{number}", "auth": ""}
            client.send_event("pusher:subscribe", data)
        eventually(
            lambda: Scrape.of(port)("fizz_subscriptions") == count,
            within=60,
            what="all are subscribed",
        )
        seconds, ticks = [], ticks_of(server)
        for _ in range(SCRAPES):
            began = time.perf_counter()
            text = Scrape.fetch(port)
            seconds.append(time.perf_counter() - began)
        ticks = ticks_of(server) - ticks
        scrape = Scrape(text)
        assert scrape("fizz_connections") == scrape("fizz_channels", kind="public") == count
        assert scrape("fizz_connections_total") == count
        assert scrape("fizz_workers") == workers
        print(
            f"\n{workers} process(es), {count} clients in as many channels: a scrape of"
            f" {len(text)} bytes took {statistics.median(seconds) * 1000:.1f} ms,"
            f" at most {max(seconds) * 1000:.1f} ms, and cost"
            f" {ticks / TICKS_PER_SECOND / SCRAPES * 1000:.1f} ms of CPU"
        )


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.needs_redis)])
def test_a_scrape_looks_at_none_of_ten_thousand_clients(fizz: Start, workers: int) -> None:
    scrape_a_crowd(fizz, 10_000, workers)
