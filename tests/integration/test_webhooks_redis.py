"""The backlog in Redis, by itself: its scripts, and several hands on it. Protocol: §13."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from fizz_gevent.application import Application, Webhook
from fizz_gevent.cluster import redis_webhooks
from fizz_gevent.cluster.commands import Commands
from fizz_gevent.cluster.redis_link import RedisLink
from fizz_gevent.cluster.redis_webhooks import RedisBacklog
from fizz_gevent.config import RedisConfig, ScalingConfig
from fizz_gevent.protocol import webhooks
from fizz_gevent.protocol.deliveries import Taken, Waiting
from tests.harness.redis_server import RedisServer

pytestmark = pytest.mark.needs_redis
ROOM = "presence-room"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


class Office:
    """One node's hand on the backlog, and the scripts that decide who is where."""

    def __init__(self, redis: RedisServer, *, batching: bool = False, **settings: Any) -> None:
        self.application: Application | None = Application(
            "app",
            "key",
            "secret",
            webhooks=(Webhook("http://0.test/a b"), Webhook("http://1.test")),
            webhook_batching=batching,
        )
        link = RedisLink(ScalingConfig(enabled=True, server=RedisConfig(url=redis.url)))
        self.commands = Commands(link)
        self.commands.connect()
        self.commands.ask("HSET", "fizz:nodes", "node", 1)
        self.backlog = RedisBacklog(
            self.commands,
            "fizz",
            lambda _: self.application,
            lambda: filter(None, [self.application]),
            **settings,
        )

    def subscribe(self, channel: str, count: int, user_id: str | None = None) -> None:
        """Hold so many subscriptions, all of them the user's."""
        arguments: list[str | int] = ["node", "app", channel, count]
        if user_id is not None:
            arguments += [user_id, count, "{}", ""]
        self.commands.script("hold_subscription", *arguments, self.backlog.news_of("app", channel))

    def note(self, channel: str, count: int = 1) -> None:
        self.backlog.note("app", webhooks.subscription_count(channel, count))
        self.settle()

    def settle(self) -> None:
        """Let what was noted here reach Redis."""
        for _ in range(200):
            if not self.backlog._notes and self.backlog._noting is None:
                return
            gevent.sleep(0.005)
        raise AssertionError("the notes do not go")

    def take(self, most: int = 100) -> list[Taken]:
        """Requests of the first webhook; those of the second are finished at once."""
        self.backlog.advance()
        found = []
        for taken in self.backlog.take({}, most, 1000):
            if "1.test" in taken.delivery.target:
                self.backlog.done(taken)
            else:
                found.append(taken)
        return found

    def told(self) -> list[tuple[str, ...]]:
        found = []
        while batch := self.take():
            for taken in batch:
                for event in events_of(taken):
                    found.append((event["name"], event.get("user_id", event["channel"])))
                self.backlog.done(taken)
        return found

    def wait(self, taken_from: Callable[[], Any]) -> Any:
        """The first answer that is not empty."""
        for _ in range(400):
            if found := taken_from():
                return found
            gevent.sleep(0.01)
        raise AssertionError("nothing comes")


def events_of(taken: Taken) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(taken.delivery.body)["events"]
    return found


def assert_nothing_is_left(redis: RedisServer) -> None:
    with redis.client() as client:
        left = {key for key in client.keys("fizz:w:*") if not key.startswith("fizz:w:miss:")}
        assert left <= {"fizz:w:n"}
        assert int(client.get("fizz:w:n") or 0) == 0


def test_each_change_is_noted_by_the_script_that_decides_it(redis: RedisServer) -> None:
    office = Office(redis, hold_seconds=0)
    odd = "ä b\n{"
    office.subscribe(ROOM, 1, odd)
    office.subscribe(ROOM, 2, odd)
    office.subscribe(ROOM, 1, odd)
    assert office.told() == [("channel_occupied", ROOM), ("member_added", odd)]
    office.subscribe(ROOM, 0, odd)
    assert office.wait(office.told) == [("member_removed", odd), ("channel_vacated", ROOM)]
    office.subscribe("orders", 1)
    office.note("orders")
    assert office.told() == [("channel_occupied", "orders"), ("subscription_count", "orders")]
    assert_nothing_is_left(redis)


def test_a_return_within_the_hold_cancels_both(redis: RedisServer) -> None:
    office = Office(redis)
    office.subscribe(ROOM, 1, "ann")
    office.told()
    office.subscribe(ROOM, 0, "ann")
    assert office.told() == []
    assert office.backlog.waiting_count == 2
    office.subscribe(ROOM, 1, "ann")
    assert office.told() == []
    assert_nothing_is_left(redis)


def test_a_return_after_the_hold_cancels_nothing_though_nobody_looked_meanwhile(
    redis: RedisServer,
) -> None:
    office = Office(redis, hold_seconds=0)
    office.subscribe("orders", 1)
    office.subscribe("orders", 0)
    gevent.sleep(0.01)
    office.subscribe("orders", 1)
    assert office.told() == [
        *[("channel_occupied", "orders"), ("channel_vacated", "orders")],
        ("channel_occupied", "orders"),
    ]


def test_channels_of_users_and_applications_without_webhooks_are_not_noted(
    redis: RedisServer,
) -> None:
    office = Office(redis)
    office.subscribe("#server-to-user-ann", 1)
    assert office.backlog.news_wanted()[1:] == ["app"]
    office.application = Application("app", "key", "secret")
    office.subscribe("orders", 1)
    assert office.backlog.news_wanted()[1:] == []
    assert office.backlog.seconds_to_wait() is None
    assert_nothing_is_left(redis)


def test_what_a_dead_node_held_is_noted(redis: RedisServer) -> None:
    office = Office(redis, hold_seconds=0)
    office.subscribe(ROOM, 1, "ann b")
    office.subscribe("#server-to-user-ann", 1)
    office.told()
    asked = ("node", "", 500, 3000, *office.backlog.news_wanted())
    while office.commands.script("reap", *asked)[0] == 1:
        pass
    assert office.wait(office.told) == [("member_removed", "ann b"), ("channel_vacated", ROOM)]
    assert_nothing_is_left(redis)


def test_only_one_node_makes_requests_of_an_event(redis: RedisServer) -> None:
    first, second = Office(redis), Office(redis)
    first.note("orders")
    jobs = [gevent.spawn(office.backlog.advance) for office in (first, second)]
    gevent.joinall(jobs, raise_error=True)
    assert len(first.take()) + len(second.take()) == 1


def test_a_node_that_dies_over_making_requests_is_replaced(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_webhooks, "_MAKE_MS", 200)
    first, second = Office(redis), Office(redis)
    first.note("orders")
    shown: list[Any] = []
    make = first.backlog._make_requests
    monkeypatch.setattr(
        first.backlog, "_make_requests", lambda found, now: shown.append((list(found), now))
    )
    first.backlog.advance()
    assert second.take() == []
    (taken,) = second.wait(second.take)
    assert events_of(taken)[0]["channel"] == "orders"
    second.backlog.done(taken)
    make(*shown[0])  # it was not dead after all, but comes too late
    assert second.told() == []
    assert_nothing_is_left(redis)


def test_a_request_is_handed_out_again_if_nobody_says_how_it_ended(redis: RedisServer) -> None:
    """And whoever comes too late with the end of it changes nothing."""
    first, second = Office(redis, lease_ms=200), Office(redis, lease_ms=200)
    first.note("orders", 1)
    first.note("orders", 2)
    (lost,) = first.take()
    assert second.take() == []
    (again,) = second.wait(second.take)
    assert again.delivery == lost.delivery
    second.backlog.done(again)
    first.backlog.done(lost)
    first.backlog.give_up(lost, "too late")
    (following,) = second.wait(second.take)
    assert events_of(following)[0]["subscription_count"] == 2
    assert first.backlog.failed() == []


def test_of_a_channel_one_request_is_out_at_a_time_and_in_order(redis: RedisServer) -> None:
    office = Office(redis)
    for channel in ("a", "a", "b"):
        office.note(channel)
    first = office.take()
    assert [events_of(taken)[0]["channel"] for taken in first] == ["a", "b"]
    assert office.take() == []
    office.backlog.again(first[0], 0.2)
    office.backlog.done(first[1])
    assert office.take() == []
    (again,) = office.wait(office.take)
    assert again.delivery == first[0].delivery
    assert again.tries == 1
    assert 0.2 <= again.age < 100
    office.backlog.done(again)
    (second,) = office.wait(office.take)
    assert second.tries == 0
    office.backlog.done(second)
    office.told()
    assert_nothing_is_left(redis)


def test_no_target_has_more_requests_than_there_is_room(redis: RedisServer) -> None:
    office = Office(redis)
    for number in range(5):
        office.note(f"c{number}")
    office.backlog.advance()
    batch = office.backlog.take({("app", "0 http://0.test/a b"): 3}, 4, 100)
    targets = sorted(taken.delivery.target for taken in batch)
    assert targets == ["0 http://0.test/a b"] + ["0 http://1.test"] * 4
    assert office.backlog.take({}, 4, 0) == []
    assert len(office.backlog.take({}, 4, 3)) == 3


def test_events_gather_for_a_while(redis: RedisServer) -> None:
    """Protocol: §13, batching."""
    office = Office(redis, batching=True)
    for number in range(3):
        office.backlog.note("app", webhooks.subscription_count(f"c{number}", 1))
    office.settle()
    (taken,) = office.wait(office.take)
    assert [event["channel"] for event in events_of(taken)] == ["c0", "c1", "c2"]


def test_one_cache_miss_in_ten_seconds_until_something_is_published(redis: RedisServer) -> None:
    """Protocol: §10, whichever node it was."""
    first, second = Office(redis), Office(redis)
    miss = webhooks.cache_miss("cache-x")
    for office in (first, second, first):
        office.backlog.note_miss("app", miss)
        office.settle()
    assert first.told() == [("cache_miss", "cache-x")]
    second.backlog.forget_miss("app", "cache-x")
    second.backlog.note_miss("app", miss)
    second.settle()
    assert first.told() == [("cache_miss", "cache-x")]


def test_what_was_given_up_is_kept_and_can_be_sent_again(redis: RedisServer) -> None:
    office = Office(redis)
    for channel in ("a", "b"):
        office.note(channel)
        (taken,) = office.take()
        office.backlog.give_up(taken, "status\n500")
    failed = office.backlog.failed()
    assert [json.loads(each.delivery.body)["events"][0]["channel"] for each in failed] == ["b", "a"]
    assert failed[0].why == "status 500"
    assert failed[0].failed_ms >= failed[0].delivery.time_ms
    assert office.backlog.send_again() == 2
    batch = office.wait(office.take)
    assert len(batch) == 2
    assert {taken.delivery.delivery_id for taken in batch}.isdisjoint(
        each.delivery.delivery_id for each in failed
    )
    for taken in batch:
        office.backlog.done(taken)
    assert office.backlog.failed() == []
    office.told()
    assert_nothing_is_left(redis)


def test_what_waits_is_told_for_each_webhook(redis: RedisServer) -> None:
    office = Office(redis)
    for channel in ("a", "a", "b"):
        office.note(channel)
    office.backlog.advance()
    office.backlog.take({}, 100, 100)
    assert sorted(office.backlog.waiting(), key=lambda each: each.target) == [
        Waiting("app", "0 http://0.test/a b", 3),
        Waiting("app", "0 http://1.test", 3),
    ]


def test_what_does_not_fit_is_dropped_and_counted_once(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_webhooks, "MOST_WAITING", 3)
    first, second = Office(redis), Office(redis)
    for number in range(3):
        first.note(f"c{number}")
    first.subscribe("orders", 1)
    first.note("d")
    first.backlog.advance()
    second.backlog.advance()
    assert (first.backlog.dropped_count, second.backlog.dropped_count) == (2, 0)


def test_events_of_an_application_that_only_others_know_are_left_to_them(
    redis: RedisServer,
) -> None:
    """Two nodes may be configured differently for a while."""
    first, second = Office(redis), Office(redis)
    first.note("orders")
    second.application = None
    assert second.take() == []
    assert len(first.wait(first.take)) == 1


def test_notes_wait_for_a_redis_that_is_away(redis: RedisServer) -> None:
    office = Office(redis)
    office.commands.disconnect()
    office.backlog.note("app", webhooks.subscription_count("a", 1))
    office.backlog.note("app", webhooks.subscription_count("a", 2))
    gevent.sleep(0.05)
    assert office.backlog.left_here() == 2
    office.commands.connect()
    office.settle()
    assert office.told() == [("subscription_count", "a")] * 2


def test_a_private_redis_is_emptied_at_the_end(redis: RedisServer) -> None:
    office = Office(redis, is_private=True)
    office.subscribe("orders", 1)
    office.subscribe("orders", 0)
    office.backlog.advance()
    assert office.backlog.left_here() > 0
    office.backlog.hurry()
    assert ("channel_vacated", "orders") in office.told()
    office.backlog.advance()
    assert office.backlog.left_here() == 0
