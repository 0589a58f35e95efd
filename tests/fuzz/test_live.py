"""A real server among visitors who do anything, while two clients go on as if nothing were.

``FIZZ_FUZZ_SECONDS`` is how long the long one takes, by default 600.
"""

import itertools
import os
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from tests.fuzz.visitor import Visitors
from tests.harness.eventually import eventually
from tests.harness.server import FizzServer
from tests.harness.signing import App

SECONDS = int(os.environ.get("FIZZ_FUZZ_SECONDS") or 600)
FIRST = int(os.environ.get("FIZZ_FUZZ_FIRST") or 0)
"""The number of the first visitor: the same number does the same."""
AT_ONCE = 4
MOST_GROWN = 48 * 2**20
Start = Callable[..., FizzServer]


@pytest.fixture
def server(fizz: Start) -> FizzServer:
    return fizz(apps=[App().settings(max_client_events_per_second=None)])


def test_events_arrive_in_order_among_a_thousand(server: FizzServer) -> None:
    among_visitors(server, range(FIRST, FIRST + 1000))


@pytest.mark.long
def test_events_arrive_in_order_among_visitors_for_minutes(server: FizzServer) -> None:
    until = time.monotonic() + SECONDS
    numbers = itertools.takewhile(lambda _: time.monotonic() < until, itertools.count(FIRST + 1000))
    print(among_visitors(server, numbers), "visitors")


def among_visitors(server: FizzServer, numbers: "range | itertools.takewhile[int]") -> int:
    """Send an event for each visitor that has gone; return how many have come."""
    visitors = Visitors(server.address)
    api = server.api()
    connection = api.connection()
    count, grown_from = 0, 0
    with server.client() as healthy, ThreadPoolExecutor(AT_ONCE) as pool:
        healthy.subscribe("healthy")
        coming = iter(numbers)
        present = {pool.submit(visitors.visit, n): n for n in itertools.islice(coming, AT_ONCE)}
        while present:
            gone, _ = wait(present, return_when=FIRST_COMPLETED)
            for visit in gone:
                number = present.pop(visit)
                assert visit.exception() is None, f"visitor {number}: {visit.exception()}"
                count += 1
                body = b'{"name":"n","channel":"healthy","data":"%d"}' % count
                path = f"{api.base}/events"
                answer = api.request("POST", path, body=body, connection=connection)
                assert answer.status == 200, f"visitor {number}: {answer}"
                assert healthy.expect("n", "healthy") == count, f"visitor {number}"
                if count % 50 == 0:
                    assert "Traceback" not in server.stderr, f"at visitor {number}"
                if count == 200:
                    grown_from = resident(server.pid)
                present |= {pool.submit(visitors.visit, n): n for n in itertools.islice(coming, 1)}
        # Nobody is left behind, and nothing of them.
        eventually(lambda: api.get("/connections").json["connections"] == 1, within=30)
        eventually(lambda: set(api.get("/channels").json["channels"]) == {"healthy"})
        assert api.request("GET", "/up", query="").status == 200
        healthy.ping()
    connection.close()
    assert "Traceback" not in server.stderr
    assert resident(server.pid) - grown_from < MOST_GROWN
    return count


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where nobody says."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    except OSError:
        return 0
