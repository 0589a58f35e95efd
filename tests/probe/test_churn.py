"""Thousands of clients come, subscribe and go in every way; nothing is left of them.

Protocol: §15, "CLOSED" and "leaving must be idempotent"; §7.3.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator

from tests.harness.eventually import eventually
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.probe.crowd import WAYS_OUT, Crowd, Visit
from tests.probe.vitals import TICKS_PER_SECOND, Vitals

VISITS = 40_000
SUBSCRIBED = 20_000
"""So many of them at least get into their channels; the others go too early."""

AT_ONCE = 200
LOBBY = "presence-lobby"
WITHIN = 120.0

Start = Callable[..., FizzServer]


def visits(count: int) -> Iterator[Visit]:
    """As mixed a crowd as can be, and always the same one."""
    chance = random.Random(20_000)  # 90 users, for a presence channel takes 100
    for number in range(count):
        user_id = f"user-{chance.randrange(90)}"
        rooms = (LOBBY, f"presence-{chance.randrange(50)}", f"presence-cache-{number}")
        channels = {
            0: (),
            1: (f"orders-{chance.randrange(1000)}", f"cache-{number}"),
            2: (f"private-{number}", f"private-encrypted-cache-{chance.randrange(100)}"),
            3: (chance.choice(rooms),),
            4: (LOBBY, f"presence-{chance.randrange(50)}"),
            5: (LOBBY, "orders"),
        }[number % 6]
        yield Visit(
            way_out=chance.choice(WAYS_OUT),
            channels=channels,
            user_id=user_id,
            signs_in_as=f"user-{number}" if number % 4 == 0 else "",
        )


def is_idle(pid: int, samples: list[tuple[float, int]]) -> bool:
    """Whether the process has spent less than 3 % of a core over a second or more until now."""
    now, ticks = time.monotonic(), Vitals.of(pid).ticks
    samples.append((now, ticks))
    while len(samples) > 2 and now - samples[1][0] >= 1:
        del samples[0]
    since, before = samples[0]
    return now - since >= 1 and ticks - before < 0.03 * TICKS_PER_SECOND * (now - since)


def test_nothing_is_left_of_a_crowd_that_has_gone(
    fizz: Start, record_property: Callable[[str, object], None]
) -> None:
    server = fizz(apps=[App().settings(subscription_counts=True)])
    api = server.api()
    address = "127.0.0.1", server.port
    fresh = Vitals.of(server.pid)

    def connections() -> int:
        answer = api.get("/connections")
        assert answer.status == 200, answer
        number = answer.json["connections"]
        assert isinstance(number, int)
        return number

    # What a first crowd leaves behind is what a busy server needs: caches, arenas, greenlets.
    with contextlib.closing(Crowd(address, server.app)) as crowd:
        crowd.send_through(visits(2_000), at_once=AT_ONCE, within=WITHIN)
    eventually(lambda: connections() == 0, within=30)
    warm = Vitals.of(server.pid)

    with contextlib.closing(Crowd(address, server.app)) as crowd:
        witness = crowd.witness(LOBBY, within=10)
        began = time.monotonic()
        crowd.send_through(visits(VISITS), at_once=AT_ONCE, within=WITHIN)
        seconds = time.monotonic() - began
        eventually(lambda: connections() == 1, within=30, what="only the witness is connected")
        eventually(
            lambda: crowd.watch(0.05) or witness.members == {"witness"},
            what="the witness was told of everybody who has gone",
        )
        assert witness.changes > VISITS / 20
        assert api.get("/channels").json == {"channels": {LOBBY: {}}}
        assert api.get(f"/channels/{LOBBY}/users").json == {"users": [{"id": "witness"}]}

    assert crowd.subscribed >= SUBSCRIBED
    assert all(crowd.counts[way] > VISITS / 50 for way in WAYS_OUT), crowd.counts
    eventually(lambda: connections() == 0)
    assert api.get("/channels").json == {"channels": {}}
    eventually(lambda: Vitals.of(server.pid).files <= fresh.files, what="files are closed")
    eventually(lambda: Vitals.of(server.pid).watched <= fresh.watched, what="nothing is watched")
    samples: list[tuple[float, int]] = []
    eventually(lambda: is_idle(server.pid, samples), within=20, what="the server is idle")
    after = Vitals.of(server.pid)
    figures = (
        f"{VISITS} visits, {crowd.subscribed} of them subscribed, in {seconds:.1f} s;"
        f" fresh: {fresh}; warm: {warm}; after: {after}"
    )
    record_property("churn", figures)
    print(figures)
    assert after.heap_kb <= warm.heap_kb * 1.05, figures
    assert after.rss_kb <= warm.rss_kb * 1.05, figures
    assert "fault" not in server.stderr, server.stderr
