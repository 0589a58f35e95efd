"""What waits in memory: holds, lanes, bounds, and what was given up. Protocol: §13."""

import json
from typing import Any

from fizz_gevent.application import Application, Webhook
from fizz_gevent.protocol import webhooks
from fizz_gevent.protocol.deliveries import Taken, Waiting
from fizz_gevent.webhooks.memory_backlog import MemoryBacklog
from tests.unit.clockwork import UNIX_START, HandClock

ROOM = "presence-room"


class Office:
    """A backlog of one application, and the clock that moves it."""

    def __init__(self, *, hooks: int = 1, batching: bool = False, **settings: Any) -> None:
        self.application: Application | None = Application(
            "app",
            "key",
            "secret",
            webhooks=tuple(Webhook(f"http://{number}.test") for number in range(hooks)),
            webhook_batching=batching,
        )
        self.clock = HandClock()
        self.backlog = MemoryBacklog(self.clock, lambda _: self.application, **settings)
        self.calls = 0
        self.backlog.on_more = self._called

    def _called(self) -> None:
        self.calls += 1

    def take(self, room: int = 100) -> list[Taken]:
        self.backlog.advance()
        return self.backlog.take({}, room, 1000)

    def told(self) -> list[tuple[str, ...]]:
        """Take and finish everything; name and user or channel of each event."""
        found = []
        while batch := self.take():
            for taken in batch:
                for event in json.loads(taken.delivery.body)["events"]:
                    found.append((event["name"], event.get("user_id", event["channel"])))
                self.backlog.done(taken)
        return found

    def miss(self, channel: str = "cache-x") -> None:
        self.backlog.note_miss("app", webhooks.cache_miss(channel))

    def note(self, channel: str) -> None:
        self.backlog.note("app", webhooks.subscription_count(channel, 1))


def channels(batch: list[Taken]) -> list[str]:
    return [json.loads(taken.delivery.body)["events"][0]["channel"] for taken in batch]


def test_who_comes_is_told_at_once_and_who_goes_after_three_seconds() -> None:
    """Protocol: §13, delay."""
    office = Office()
    office.backlog.turned("app", ROOM, True)
    office.backlog.moved("app", ROOM, "ann", True)
    assert office.told() == [("channel_occupied", ROOM), ("member_added", "ann")]
    office.backlog.moved("app", ROOM, "ann", False)
    office.backlog.turned("app", ROOM, False)
    office.clock.advance(2.99)
    assert office.told() == []
    assert 0 < (office.backlog.seconds_to_wait() or 0) < 0.02
    office.clock.advance(0.011)
    assert office.told() == [("member_removed", "ann"), ("channel_vacated", ROOM)]
    assert office.backlog.waiting_count == 0


def test_a_return_cancels_both_what_went_and_what_came() -> None:
    """Protocol: §13, delay."""
    office = Office()
    office.backlog.turned("app", ROOM, False)
    office.backlog.moved("app", ROOM, "ann", False)
    office.clock.advance(2)
    office.backlog.turned("app", ROOM, True)
    office.backlog.moved("app", ROOM, "ann", True)
    office.clock.advance(10)
    assert office.told() == []
    assert office.backlog.waiting_count == 0
    assert office.backlog.seconds_to_wait() is None


def test_another_member_who_comes_cancels_nothing_of_the_one_who_went() -> None:
    office = Office()
    office.backlog.moved("app", ROOM, "ann", False)
    office.backlog.turned("app", ROOM, False)
    office.backlog.turned("app", ROOM, True)
    office.backlog.moved("app", ROOM, "bob", True)
    assert office.told() == [("member_added", "bob")]
    office.clock.advance(3)
    assert office.told() == [("member_removed", "ann")]


def test_channels_of_users_and_applications_without_webhooks_are_not_told_of() -> None:
    """Protocol: §9.2, server-to-user channels are hidden."""
    office = Office()
    office.backlog.turned("app", "#server-to-user-ann", True)
    office.backlog.turned("app", "#server-to-user-ann", False)
    assert office.backlog.waiting_count == 0
    office.application = Application("app", "key", "secret")
    office.backlog.turned("app", ROOM, True)
    assert office.backlog.waiting_count == 0
    assert office.calls == 0


def test_one_cache_miss_in_ten_seconds_for_each_channel() -> None:
    """Protocol: §10."""
    office = Office()
    office.miss()
    office.miss()
    office.miss("cache-y")
    assert office.told() == [("cache_miss", "cache-x"), ("cache_miss", "cache-y")]
    office.clock.advance(9.9)
    office.miss()
    assert office.told() == []
    office.clock.advance(0.1)
    office.miss()
    assert office.told() == [("cache_miss", "cache-x")]
    office.backlog.forget_miss("app", "cache-x")
    office.miss()
    assert office.told() == [("cache_miss", "cache-x")]


def test_events_gather_for_fifty_milliseconds() -> None:
    """Protocol: §13, batching."""
    office = Office(batching=True)
    office.note("a")
    assert office.take() == []
    assert 0 < (office.backlog.seconds_to_wait() or 0) < 0.051
    office.clock.advance(0.03)
    office.note("b")
    assert office.take() == []
    office.clock.advance(0.021)
    (taken,) = office.take()
    assert taken.delivery.event_count == 2
    assert json.loads(taken.delivery.body)["time_ms"] == int(UNIX_START * 1000)


def test_a_hundred_events_do_not_wait() -> None:
    """Protocol: §13, batching."""
    office = Office(batching=True)
    for number in range(100):
        office.note(f"c{number}")
    (taken,) = office.take()
    assert taken.delivery.event_count == 100


def test_of_a_channel_one_request_is_out_at_a_time_and_in_order() -> None:
    office = Office()
    for channel in ("a", "a", "b"):
        office.note(channel)
    first = office.take()
    assert channels(first) == ["a", "b"]
    assert office.take() == []
    office.backlog.again(first[0], 5.0)
    office.backlog.done(first[1])
    assert office.take() == []
    assert office.backlog.seconds_to_wait() == 5.0
    office.clock.advance(5)
    (again,) = office.take()
    assert again.delivery == first[0].delivery
    assert (again.tries, again.age) == (1, 5.0)
    office.backlog.done(again)
    (second,) = office.take()
    assert (second.tries, second.delivery.delivery_id) != (1, first[0].delivery.delivery_id)
    office.backlog.done(second)
    assert office.backlog.waiting_count == 0


def test_there_are_no_more_requests_to_a_target_than_there_is_room() -> None:
    office = Office(hooks=2)
    for number in range(5):
        office.note(f"c{number}")
    office.backlog.advance()
    batch = office.backlog.take({("app", "0 http://0.test"): 3}, 5, 100)
    assert len(batch) == 7
    assert office.backlog.take({}, 0, 100) == []
    assert office.backlog.take({("app", "0 http://0.test"): 9}, 5, 100) == []
    assert office.backlog.take({}, 5, 0) == []
    assert len(office.backlog.take({}, 5, 1)) == 1
    assert len(office.take(10)) == 2


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    office = Office(most_waiting=3)
    for number in range(5):
        office.note(f"c{number}")
    office.backlog.turned("app", "d", False)
    assert (office.backlog.waiting_count, office.backlog.dropped_count) == (3, 3)
    assert len(office.told()) == 3
    office.note("e")
    assert office.backlog.waiting_count == 1


def test_the_bound_in_bytes_holds_too() -> None:
    office = Office(most_waiting_bytes=150)
    for number in range(5):
        office.note(f"c{number}")
    assert office.backlog.dropped_count > 0
    kept = office.backlog.waiting_count
    assert len(office.told()) == kept
    office.note("e")
    assert office.backlog.waiting_count == 1


def test_what_was_given_up_is_kept_and_can_be_sent_again_with_a_new_time() -> None:
    office = Office(most_failed=2)
    for channel in ("a", "b", "c"):
        office.note(channel)
    for taken in office.take():
        office.backlog.give_up(taken, "status 500")
    assert [channels([Taken(each.delivery, 0, 0)])[0] for each in office.backlog.failed()] == [
        *("c", "b"),
    ]
    assert office.backlog.failed()[0].why == "status 500"
    office.clock.advance(600)
    assert office.backlog.send_again() == 2
    batch = office.take()
    assert channels(batch) == ["b", "c"]
    assert {taken.delivery.time_ms for taken in batch} == {int((UNIX_START + 600) * 1000)}
    assert {taken.age for taken in batch} == {0}
    assert office.backlog.failed() == []


def test_what_waits_is_told_for_each_webhook() -> None:
    office = Office(hooks=2)
    for channel in ("a", "a", "b"):
        office.note(channel)
    assert office.backlog.waiting() == []
    office.take()
    assert office.backlog.waiting() == [
        Waiting("app", "0 http://0.test", 3),
        Waiting("app", "0 http://1.test", 3),
    ]


def test_what_is_of_no_webhook_any_more_is_not_sent_again() -> None:
    office = Office()
    office.note("a")
    (taken,) = office.take()
    office.backlog.give_up(taken, "status 500")
    office.application = Application("app", "key", "secret")
    assert office.backlog.send_again() == 0
    assert office.backlog.dropped_count == 1


def test_events_of_an_application_that_is_gone_are_dropped() -> None:
    office = Office()
    office.note("a")
    office.application = None
    assert office.take() == []
    assert (office.backlog.waiting_count, office.backlog.dropped_count) == (0, 1)


def test_at_the_end_nothing_is_held_back() -> None:
    office = Office(batching=True)
    office.backlog.moved("app", ROOM, "ann", False)
    office.note("a")
    office.backlog.hurry()
    office.backlog.turned("app", ROOM, False)
    assert {name for name, _ in office.told()} == {
        *("member_removed", "subscription_count", "channel_vacated"),
    }
    assert office.backlog.left_here() == 0


def test_nothing_is_kept_of_what_is_over() -> None:
    office = Office()
    for number in range(50):
        office.backlog.turned("app", f"c{number}", True)
        office.miss(f"cache-{number}")
        office.backlog.turned("app", f"c{number}", False)
    office.clock.advance(60)
    office.told()
    office.miss("cache-last")
    office.told()
    kept = {
        name: value
        for name, value in vars(office.backlog).items()
        if isinstance(value, dict | list) and value
    }
    assert list(kept) == ["_misses"]
    assert len(kept["_misses"]) == 1
    assert office.backlog._waiting_bytes == 0
