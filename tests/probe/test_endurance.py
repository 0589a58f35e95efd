"""For as long as one likes under everything at once: nothing grows, and nothing is left of it.

``FIZZ_TEST_ENDURANCE_MINUTES`` says how long, two minutes if not; a night is 600.
Protocol: §15, "CLOSED"; §7.3.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.harness.eventually import eventually
from tests.harness.receiver import Receiver
from tests.harness.redis_server import RedisServer
from tests.harness.rig import Held, Rig
from tests.harness.scrape import Scrape
from tests.harness.server import FizzServer, free_port
from tests.harness.signing import App
from tests.probe.mixed_load import MixedLoad
from tests.probe.vitals import TICKS_PER_SECOND, Vitals

MINUTES = float(os.environ.get("FIZZ_TEST_ENDURANCE_MINUTES") or 2)
ROUND_SECONDS = 0.5
"""For each server, so that two need no more of the machine than one."""

WARM_UP = max(45.0, min(300.0, MINUTES * 60 * 0.2))
"""Seconds in which caches, pools and arenas may grow to what a busy server needs."""

SAMPLES = 40
DRIFT = 1.02
FEW_OBJECTS = 300
"""What is on its way in one moment and not in another."""

CACHE_SECONDS = 5
IDLE_GREENLETS = 64
"""Kept for the next connections: those that read, see ``transport/readers``."""

KEPT_CONNECTIONS = 16
"""To the receiver of webhooks, for the next ones, see ``webhooks/http_client``."""

BOOKKEEPING = {"epoch", "n", "g", "log", "nodes", "sent"}
"""What stays in Redis as long as there are nodes, by the word behind the prefix."""

WAITING = "fizz:w:n"
"""How many webhooks wait: none."""

pytestmark = [pytest.mark.long, pytest.mark.timeout(MINUTES * 60 * 1.5 + 600)]

Start = Callable[..., FizzServer]


@dataclass(frozen=True)
class Sample:
    """One look at a server under load."""

    seconds: float
    vitals: Vitals
    held: Held

    def __str__(self) -> str:
        vitals, held = self.vitals, self.held
        return (
            f"{self.seconds:6.0f} s: heap {vitals.heap_kb} kB, RSS {vitals.rss_kb} kB, "
            f"{vitals.files} files, {held.watchers} watchers, {held.greenlets} greenlets, "
            f"{held.objects} objects, {vitals.ticks / TICKS_PER_SECOND:.1f} s of CPU"
        )


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
def folder() -> Iterator[Path]:
    """With a short name, as the sockets in it must not have long ones."""
    with TemporaryDirectory(prefix="fizz") as found:
        yield Path(found)


def servers(
    fizz: Start, folder: Path, receiver: Receiver, count: int, scaling: dict[str, Any] | None
) -> list[tuple[FizzServer, Rig]]:
    webhooks = [{"url": receiver.url}]
    mixed = App().settings(subscription_counts=True, webhooks=webhooks, cache_ttl=CACHE_SECONDS)
    plain = App("1002", "other-key", "other-secret").settings(
        webhooks=webhooks, webhook_batching=True
    )
    found = []
    for number in range(count):
        place = folder / str(number)
        place.mkdir()
        rig = Rig(place)
        settings: dict[str, Any] = {"workers": 1, "metrics": {"enabled": True, "port": free_port()}}
        if scaling is not None:
            settings["scaling"] = scaling
        found.append((fizz(apps=[mixed, plain], server=settings, command=rig.command), rig))
    return found


def endure(
    pairs: list[tuple[FizzServer, Rig]], receiver: Receiver, say: Callable[[str], None]
) -> None:
    """Load the servers; at the end nothing may have grown, and nothing may be left."""
    # A server that nobody has used yet holds less than one that is empty again.
    first = MixedLoad([server for server, _ in pairs], receiver, seed=1)
    first.round(ROUND_SECONDS)
    first.close()
    for server, _ in pairs:
        is_empty_again(server)
    fresh = [Sample(0, Vitals.of(server.pid), rig.look()) for server, rig in pairs]
    for each in fresh:
        say(f"fresh {each}")
    samples: list[list[Sample]] = [[] for _ in pairs]
    load = MixedLoad([server for server, _ in pairs], receiver, seed=2)
    began = time.monotonic()
    between = (MINUTES * 60 - WARM_UP) / SAMPLES
    due = WARM_UP
    while (seconds := time.monotonic() - began) < MINUTES * 60:
        load.round(ROUND_SECONDS * len(pairs))
        if seconds < due:
            continue
        due += between
        for number, (server, rig) in enumerate(pairs):
            samples[number].append(Sample(seconds, Vitals.of(server.pid), rig.look()))
            say(f"{number} {samples[number][-1]}")
    lag = [lag_p99(server) for server, _ in pairs]
    load.close()
    say(f"{load.rounds} rounds, {load.visited} visitors; p99 of the loop's lag: {lag} s")
    for number, (server, rig) in enumerate(pairs):
        is_empty_again(server)
        nothing_is_left(fresh[number], server, rig, say)
        is_flat(samples[number], say)


def lag_p99(server: FizzServer) -> str:
    """Below which of the histogram's bounds 99 % of the loop's alarms came."""
    scrape = Scrape.of(server.settings["metrics"]["port"])
    buckets = sorted(
        (float(labels["le"]), value)
        for name, labels, value in scrape.samples
        if name == "fizz_loop_lag_seconds_bucket"
    )
    whole = buckets[-1][1]
    return f"<= {next(bound for bound, count in buckets if count >= 0.99 * whole):g}"


def is_empty_again(server: FizzServer) -> None:
    api = server.api()
    eventually(lambda: api.get("/connections").json == {"connections": 0}, within=60)
    eventually(lambda: api.get("/channels").json == {"channels": {}}, within=60)


def nothing_is_left(
    fresh: Sample, server: FizzServer, rig: Rig, say: Callable[[str], None]
) -> None:
    def is_gone() -> bool:
        now = Sample(0, Vitals.of(server.pid), rig.look())
        kinds = {kind: n - fresh.held.kinds.get(kind, 0) for kind, n in now.held.kinds.items()}
        grown = dict(sorted(kinds.items(), key=lambda each: -each[1])[:8])
        more = KEPT_CONNECTIONS + 1  # the one that looks
        assert now.vitals.files <= fresh.vitals.files + more, f"{now} {grown}"
        assert now.vitals.watched <= fresh.vitals.watched + more, f"{now} {grown}"
        assert now.held.watchers <= fresh.held.watchers + 2, f"{now} {grown}"
        assert now.held.greenlets <= fresh.held.greenlets + IDLE_GREENLETS, f"{now} {grown}"
        return True

    # Webhooks that were refused are tried again for a while.
    eventually(is_gone, within=120, what="all is given back")
    samples: list[tuple[float, int]] = []
    eventually(lambda: is_idle(server.pid, samples), within=60, what="the server is idle")
    say(f"after {Sample(0, Vitals.of(server.pid), rig.look())}")


def is_idle(pid: int, samples: list[tuple[float, int]]) -> bool:
    """Whether the process has spent less than 3 % of a core over a second or more until now."""
    now, ticks = time.monotonic(), Vitals.of(pid).ticks
    samples.append((now, ticks))
    while len(samples) > 2 and now - samples[1][0] >= 1:
        del samples[0]
    since, before = samples[0]
    return now - since >= 1 and ticks - before < 0.03 * TICKS_PER_SECOND * (now - since)


def is_flat(samples: list[Sample], say: Callable[[str], None]) -> None:
    """The last fifth of the time needs no more than the first fifth after the warm-up did."""
    fifth = max(1, len(samples) // 5)
    grown = []
    looks: dict[str, Callable[[Sample], int]] = {
        "heap": lambda each: each.vitals.heap_kb,
        "RSS": lambda each: each.vitals.rss_kb,
        "objects": lambda each: each.held.objects,
        "files": lambda each: each.vitals.files,
    }
    for name, of in looks.items():
        first = statistics.median(of(each) for each in samples[:fifth])
        last = statistics.median(of(each) for each in samples[-fifth:])
        say(f"{name}: {first:.0f} -> {last:.0f}, {100 * (last / first - 1):+.2f} %")
        if last > first * DRIFT + (FEW_OBJECTS if name == "objects" else 0):
            grown.append(f"{name} {first:.0f} -> {last:.0f}")
    before, after = samples[0].held.kinds, samples[-1].held.kinds
    kinds = {kind: count - before.get(kind, 0) for kind, count in after.items()}
    more = sorted(((count, kind) for kind, count in kinds.items() if count), reverse=True)[:8]
    say(f"more objects of these kinds: {more}")
    assert not grown, f"{grown}; {more}"


def test_one_server_endures(
    fizz: Start, folder: Path, receiver: Receiver, record_property: Callable[[str, object], None]
) -> None:
    pairs = servers(fizz, folder, receiver, 1, None)
    endure(pairs, receiver, teller(record_property))
    assert "fault" not in pairs[0][0].stderr, pairs[0][0].stderr


@pytest.mark.needs_redis
def test_two_nodes_endure(
    fizz: Start, folder: Path, receiver: Receiver, record_property: Callable[[str, object], None]
) -> None:
    redis = RedisServer(folder)
    redis.start()
    say = teller(record_property)
    try:
        scaling = {"enabled": True, "server": {"url": redis.url}}
        pairs = servers(fizz, folder, receiver, 2, scaling)
        endure(pairs, receiver, say)
        with redis.client() as admin:

            def only_bookkeeping() -> bool:
                keys = {str(key) for key in admin.scan_iter()}
                left = {key for key in keys if key.split(":")[1] not in BOOKKEEPING}
                assert left <= {WAITING}, left
                assert admin.get(WAITING) in (None, "0")
                return True

            eventually(only_bookkeeping, within=30)
            for server, _ in pairs:
                assert "fault" not in server.stderr, server.stderr
                server.stop()
            say(f"Redis: {sorted(admin.scan_iter())}")
    finally:
        redis.kill()


def teller(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Tells figures at once (``-s`` shows them), and in the report."""
    told: list[str] = []

    def say(text: str) -> None:
        told.append(text)
        record_property("endurance", text)
        print(text, flush=True)

    return say
