"""Receivers in every kind of trouble, and a node that dies: each webhook arrives, in order.

Protocol: §13.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Start
from tests.harness.cluster import Cluster
from tests.harness.eventually import eventually
from tests.harness.node import NodeScript
from tests.harness.receiver import Failing, Receiver
from tests.harness.redis_server import RedisServer
from tests.harness.signing import App
from tests.harness.webhook_helpers import WebhookHelpers

pytestmark = pytest.mark.needs_redis

NINE = [f"private-nine-{number}" for number in range(10)]
CHANNELS = [f"private-{number}" for number in range(240)] + NINE
WHOLE = ["channel_occupied", 0, 1, 2, "channel_vacated"]


class Until:
    """Does harm until a moment that the test sets."""

    def __init__(self, harm: Callable[[float], object]) -> None:
        self.moment = float("inf")
        self.harmed = 0
        self._harm = harm

    def __call__(self, body: object) -> int:
        if time.monotonic() < self.moment:
            self.harmed += 1
            self._harm(min(15.0, self.moment - time.monotonic()))
            return 500
        return 200


def break_off(_: float) -> None:
    raise ConnectionResetError  # ends the receiver's thread: the connection closes unanswered


def orders(receiver: Receiver) -> dict[str, list[Any]]:
    """What was told of each channel, in order; what came more than once, where it came first."""
    told: dict[str, list[Any]] = {}
    for request in receiver.taken:
        for event in request.events:
            what = json.loads(event["data"])["n"] if "data" in event else event["name"]
            found = told.setdefault(event["channel"], [])
            if what not in found:
                found.append(what)
    return told


def wait_for_all(receiver: Receiver, channels: list[str], within: float) -> None:
    wanted = dict.fromkeys(channels, WHOLE)
    eventually(
        lambda: sum(map(len, orders(receiver).values())) >= len(channels) * len(WHOLE),
        within=within,
        what="everything is taken",
    )
    found = orders(receiver)
    assert {channel: told for channel, told in found.items() if told != WHOLE} == {}
    assert set(found) == set(wanted)


@pytest.mark.long
def test_every_webhook_arrives_from_a_node_that_dies_with_a_thousand_unsent(
    fizz: Start, tmp_path: Path, node: Callable[..., NodeScript]
) -> None:
    """To one that hangs, one that breaks off, one that answers 500 nine times, and a good one."""
    may_go_on = threading.Event()
    hangs, breaks, fails = Until(may_go_on.wait), Until(break_off), Until(lambda _: None)
    with contextlib.ExitStack() as stack:
        good, broken, hanging, nine = (stack.enter_context(Receiver()) for _ in range(4))
        good.answer, broken.answer, hanging.answer = fails, breaks, hangs
        nine.answer = Failing(9)
        redis = RedisServer(tmp_path)
        redis.start()
        stack.callback(redis.kill)
        hooks: list[dict[str, Any]] = [{"url": each.url} for each in (good, broken, hanging)]
        hooks.append({"url": nine.url, "channel_prefix": "private-nine-"})
        app = App().settings(webhooks=hooks, max_client_events_per_second=None)
        first, second = Cluster(fizz, redis, 2, apps=[app]).nodes
        helpers = WebhookHelpers(node, second)
        stack.callback(helpers.close)
        client = stack.enter_context(first.client())
        for channel in CHANNELS:
            client.request_subscription(channel)
        client.pending()
        for number in range(3):
            for channel in CHANNELS:
                client.trigger("client-n", channel, {"n": number})
        client.ping()
        with redis.client() as admin:
            eventually(lambda: int(admin.get("fizz:w:n") or 0) >= 3000, what="thousands wait")
        assert good.taken == broken.taken == hanging.taken == []
        assert hangs.harmed > 0
        first.kill()
        killed_at = time.monotonic()
        fails.moment = killed_at
        breaks.moment = killed_at + 5
        hangs.moment = killed_at + 12
        for receiver in (good, broken, hanging):
            wait_for_all(receiver, CHANNELS, within=150)
            print(f"\nall of one receiver after {time.monotonic() - killed_at:.0f} s", end="")
        may_go_on.set()
        helpers.check([*good.taken, *broken.taken, *hanging.taken])
        wait_for_all(nine, NINE, within=330)
        helpers.check(nine.taken)
        print(f"\nthe tenth try was taken after {time.monotonic() - killed_at:.0f} s", end="")
        for channel in NINE:
            mine = [each for each in nine.requests if each.events[0]["channel"] == channel]
            assert [each.status for each in mine[:10]] == [500] * 9 + [200]
            assert len({each.body for each in mine[:10]}) == 1
        with redis.client() as admin:
            eventually(lambda: int(admin.get("fizz:w:n") or 0) == 0, what="nothing waits")
            assert admin.llen("fizz:w:failed") == 0
