"""Clients do not wait for webhooks, however their receivers are. Protocol: §13."""

import contextlib
import statistics
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Start
from tests.harness.eventually import eventually
from tests.harness.pusher_client import PusherClient
from tests.harness.redis_server import RedisServer
from tests.harness.scrape import Scrape
from tests.harness.server import FizzServer, free_port
from tests.harness.signing import App
from tests.probe import receivers

CHANNELS = [f"private-{number}" for number in range(50)]
RATE = 200.0
"""Events a second; each is a webhook for every receiver."""


@contextlib.contextmanager
def addresses(kind: str) -> Iterator[list[str]]:
    with contextlib.ExitStack() as stack:
        if kind == "none":
            yield []
        elif kind == "healthy":
            yield [stack.enter_context(receivers.answering(200))]
        else:
            made = (receivers.answering(500), receivers.refusing(), receivers.hanging())
            yield [stack.enter_context(each) for each in made]


def pass_events(sender: PusherClient, receiver: PusherClient, count: int) -> list[float]:
    """Send numbered events from one client to another, at a steady pace; seconds of each."""
    seconds = []
    due = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, due - time.monotonic()))
        due += 1 / RATE
        channel = CHANNELS[number % len(CHANNELS)]
        began = time.perf_counter()
        sender.trigger("client-n", channel, {"n": number})
        assert receiver.expect("client-n", channel) == {"n": number}
        seconds.append(time.perf_counter() - began)
    return seconds


class Served:
    """A server whose webhooks go to receivers of one kind, and two clients of it."""

    def __init__(self, server: FizzServer, metrics: int, stack: contextlib.ExitStack) -> None:
        self.server = server
        self.metrics = metrics
        self.sender, self.receiver = (stack.enter_context(server.client()) for _ in range(2))
        for client in (self.sender, self.receiver):
            for channel in CHANNELS:
                client.subscribe(channel)
        self.medians: list[float] = []
        self.tails: list[float] = []

    def has_told(self, count: int) -> bool:
        """Whether receivers have taken so many webhooks, and no more."""
        return Scrape.of(self.metrics)("fizz_webhooks_total", outcome="sent") == count

    def round(self, count: int) -> None:
        seconds = sorted(pass_events(self.sender, self.receiver, count))
        self.medians.append(seconds[count // 2])
        self.tails.append(seconds[count * 99 // 100])


def measure(
    fizz: Start, kinds: list[str], server: dict[str, Any], *, rounds: int, count: int
) -> dict[str, Served]:
    """One server for each kind, and events through each in turn, so that noise meets all alike."""
    with contextlib.ExitStack() as stack:
        found = {}
        for kind in kinds:
            hooks = [{"url": url} for url in stack.enter_context(addresses(kind))]
            app = App().settings(webhooks=hooks, max_client_events_per_second=None)
            port = free_port()
            settings = {
                "workers": 1,
                "drain_seconds": 0,
                "metrics": {"enabled": True, "port": port},
                **server,
            }
            if "scaling" in settings:
                settings["scaling"] = {**settings["scaling"], "channel": f"fizz-{kind}"}
            found[kind] = Served(fizz(apps=[app], server=settings), port, stack)
        for _ in range(rounds):
            for served in found.values():
                served.round(count)
        for kind, served in found.items():
            scrape = Scrape.of(served.metrics)
            print(
                f"\n{kind:8} p50 {statistics.median(served.medians) * 1000:6.2f} ms"
                f"  p99 {statistics.median(served.tails) * 1000:6.2f} ms"
                f"  taken {scrape('fizz_webhooks_total', outcome='sent'):.0f}"
                f"  failed {scrape('fizz_webhooks_total', outcome='failed'):.0f}"
                f"  waiting {scrape('fizz_webhook_queue'):.0f}",
                end="",
            )
            if kind == "trouble":
                assert scrape("fizz_webhooks_total", outcome="failed") > 0
                assert scrape("fizz_webhooks_total", outcome="dropped") == 0
                assert scrape("fizz_webhook_queue") >= rounds * count
            if kind == "healthy":
                # each event, and that each channel was occupied
                eventually(
                    partial(served.has_told, rounds * count + len(CHANNELS)),
                    what="all are taken",
                )
            served.server.kill()  # one that has so much to send would take its time
        return found


def test_events_pass_while_receivers_fail_and_hang(fizz: Start) -> None:
    measure(fizz, ["trouble"], {}, rounds=1, count=300)


@pytest.mark.long
@pytest.mark.parametrize("place", ["memory", pytest.param("redis", marks=pytest.mark.needs_redis)])
def test_events_are_no_later_while_receivers_fail_and_hang(
    fizz: Start, tmp_path: Path, place: str
) -> None:
    """Ratios, to be read: of medians over rounds, to a server without webhooks."""
    with contextlib.ExitStack() as stack:
        server: dict[str, Any] = {}
        if place == "redis":
            redis = RedisServer(tmp_path)
            redis.start()
            stack.callback(redis.kill)
            server["scaling"] = {"enabled": True, "server": {"url": redis.url}}
        kinds = ["none", "healthy", "trouble"]
        found = measure(fizz, kinds, server, rounds=9, count=600)
        for kind in kinds[1:]:
            ratios = [
                statistics.median(getattr(found[kind], name))
                / statistics.median(getattr(found["none"], name))
                for name in ("medians", "tails")
            ]
            print(f"\n{place}, {kind} to none: p50 x{ratios[0]:.2f}, p99 x{ratios[1]:.2f}")
