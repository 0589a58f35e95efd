"""When a request is made, made again, and given up. Protocol: §13, retries."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gevent
import pytest

from fizz_gevent.application import Application, Webhook
from fizz_gevent.protocol import webhooks
from fizz_gevent.webhooks import sender as module
from fizz_gevent.webhooks.http_client import NotReached
from fizz_gevent.webhooks.memory_backlog import MemoryBacklog
from fizz_gevent.webhooks.sender import LAST_TRY_AT, WAITS, Sender
from tests.unit.clockwork import HandClock

URL = "http://user:secret@shop.test/hook?token=secret"
HEADERS = {"X-Token": "abc", "content-type": "text/plain", "x-pusher-key": "forged"}


class FakeClient:
    """Answers as it is told, and keeps what it was asked for."""

    def __init__(self) -> None:
        self.answers: Callable[[str], int] = lambda channel: 200
        self.tries: list[tuple[float, str, bytes, dict[str, str], bool]] = []
        self.clock: HandClock
        self.running = 0
        self.most_running = 0

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool
    ) -> int:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        gevent.sleep(0)
        self.running -= 1
        self.tries.append((self.clock.elapsed, url, body, dict(headers), allow_private))
        return self.answers(json.loads(body)["events"][0]["channel"])


class House:
    """A sender on a backlog whose clock the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        self.application: Application | None = Application(
            "app", "key", "secret", webhooks=(Webhook(URL, headers=HEADERS),), **settings
        )
        self.clock = HandClock()
        self.backlog = MemoryBacklog(self.clock, lambda _: self.application)
        self.client = FakeClient()
        self.client.clock = self.clock
        monkeypatch.setattr(module.random, "uniform", lambda low, high: (low + high) / 2)
        self.sender = Sender(self.backlog, self.client, lambda _: self.application)
        self.sender.start()
        self.settle()

    def note(self, channel: str = "orders", count: int = 1) -> None:
        self.backlog.note("app", webhooks.subscription_count(channel, count))

    def settle(self) -> None:
        """Let the greenlets do all that is to be done at this moment."""
        for _ in range(12):
            gevent.sleep(0)

    def pass_time(self, seconds: float, step: float = 0.5) -> None:
        for _ in range(int(seconds / step)):
            self.clock.advance(step)
            self.backlog.on_more()
            self.settle()

    def times(self) -> list[float]:
        return [when for when, *_ in self.client.tries]


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    made = House(monkeypatch)
    yield made
    made.sender.drain(0)


def test_what_is_taken_is_sent_once_with_the_headers_that_receivers_rely_on(house: House) -> None:
    """Protocol: §13, the three headers, which nothing configured may replace."""
    house.note()
    house.settle()
    ((_, url, body, headers, allow_private),) = house.client.tries
    assert url == URL
    assert allow_private
    assert headers == {
        "User-Agent": "Fizz",
        "X-Token": "abc",
        "Content-Type": "application/json",
        "X-Pusher-Key": "key",
        "X-Pusher-Signature": webhooks.sign_webhook("secret", body),
    }
    assert (house.sender.sent_count, house.sender.failed_count) == (1, 0)
    assert house.backlog.waiting_count == 0


def test_nine_failures_and_success_at_the_end(house: House) -> None:
    """Body and signature are the same each time."""
    left = iter([500] * 9 + [200])
    house.client.answers = lambda channel: next(left)
    house.note()
    house.settle()
    house.pass_time(300)
    assert house.times() == [0, 1, 3, 7, 15, 31, 63, 127, 255, LAST_TRY_AT]
    assert len({(body, str(headers)) for _, _, body, headers, _ in house.client.tries}) == 1
    assert (house.sender.sent_count, house.sender.failed_count) == (1, 9)
    assert (house.sender.retried_count, house.sender.given_up_count) == (9, 0)


def test_what_is_never_taken_is_given_up_and_kept(house: House) -> None:
    house.client.answers = lambda channel: 503
    house.note()
    house.settle()
    house.pass_time(600)
    assert house.times()[-1] == LAST_TRY_AT
    assert (house.sender.given_up_count, house.sender.sent_count) == (1, 0)
    (failed,) = house.backlog.failed()
    assert failed.why == "status 503"
    assert house.backlog.waiting_count == 0
    house.client.answers = lambda channel: 204
    assert house.backlog.send_again() == 1
    house.settle()
    assert house.sender.sent_count == 1


@pytest.mark.parametrize("status", [199, 300, 301, 302, 307, 308, 400, 404, 410, 429, 500, 503])
def test_any_status_but_2xx_is_a_failure(house: House, status: int) -> None:
    house.client.answers = lambda channel: status
    house.note()
    house.settle()
    assert house.sender.failed_count == 1
    assert house.backlog.waiting_count == 1


def test_no_answer_is_a_failure(house: House) -> None:
    def nobody(channel: str) -> int:
        raise NotReached("refused")

    house.client.answers = nobody
    house.note()
    house.settle()
    assert house.sender.failed_count == 1
    house.client.answers = lambda channel: 200
    house.pass_time(2)
    assert house.sender.sent_count == 1


def test_a_fault_of_ours_is_logged_and_tried_again(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(channel: str) -> int:
        raise RuntimeError("bug")

    house.client.answers = broken
    house.note()
    house.settle()
    assert "fault while a webhook was sent" in caplog.text
    house.client.answers = lambda channel: 200
    house.pass_time(2)
    assert house.sender.sent_count == 1


def test_a_channel_waits_for_its_own_failures_and_others_do_not(house: House) -> None:
    """Protocol: §13, order per channel."""
    failing = [500, 500, 200]
    house.client.answers = lambda channel: failing.pop(0) if channel == "a" and failing else 200
    for number in (1, 2, 3):
        house.note("a", number)
        house.note("b", number)
    house.settle()
    assert house.sender.sent_count == 3
    house.pass_time(10)
    order = [json.loads(body)["events"][0] for _, _, body, *_ in house.client.tries]
    counts = [each["subscription_count"] for each in order if each["channel"] == "a"]
    assert counts == [1, 1, 1, 2, 3]
    assert house.sender.sent_count == 6


def test_what_waited_too_long_behind_others_is_given_up_untried(house: House) -> None:
    """Receivers refuse what is older than 300 s."""
    house.client.answers = lambda channel: 500
    house.note(count=1)
    house.note(count=2)
    house.settle()
    house.pass_time(284, step=4)
    house.clock.advance(20)  # the machine was asleep
    house.backlog.on_more()
    house.settle()
    assert house.sender.given_up_count == 2
    bodies = [json.loads(body) for _, _, body, *_ in house.client.tries]
    assert {body["events"][0]["subscription_count"] for body in bodies} == {1}


def test_only_so_many_requests_run_at_once(house: House) -> None:
    for number in range(100):
        house.note(f"c{number}")
    for _ in range(50):
        house.settle()
    assert house.sender.sent_count == 100
    assert house.client.most_running == 16


def test_only_two_requests_run_where_they_are_not_taken(house: House) -> None:
    """A receiver that hangs must not take the room of others."""
    house.client.answers = lambda channel: 500
    for number in range(100):
        house.note(f"c{number}")
    house.settle()
    house.client.most_running = 0
    house.pass_time(20)
    assert house.client.most_running == 2
    house.client.answers = lambda channel: 200
    house.pass_time(60)
    assert house.sender.sent_count == 100
    assert house.client.most_running == 16


def test_a_webhook_that_is_configured_no_more_gets_nothing_more(house: House) -> None:
    house.client.answers = lambda channel: 500
    house.note()
    house.settle()
    house.application = Application("app", "key", "secret")
    house.pass_time(2)
    assert len(house.client.tries) == 1
    assert house.backlog.dropped_count == 1
    assert house.backlog.waiting_count == 0


def test_a_change_of_headers_reaches_what_waits(house: House) -> None:
    house.client.answers = lambda channel: 500
    house.note()
    house.settle()
    house.application = Application(
        "app", "key", "other", webhooks=(Webhook(URL, headers={"X-Token": "new"}),)
    )
    house.client.answers = lambda channel: 200
    house.pass_time(2)
    first, second = house.client.tries
    assert second[3] == {**first[3], "X-Token": "new"}


def test_trouble_is_told_once_and_nothing_secret_of_the_address(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    house.client.answers = lambda channel: 500
    house.note("a")
    house.note("b")
    house.settle()
    house.client.answers = lambda channel: 200
    house.pass_time(2)
    house.client.answers = lambda channel: 500  # and soon once more, of which nobody wants to read
    house.note("c")
    house.settle()
    house.client.answers = lambda channel: 200
    house.pass_time(2)
    assert house.sender.sent_count == 3
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "webhook http://shop.test/hook of application app fails: status 500;"
        " it is tried again for 285 s",
        "webhook http://shop.test/hook of application app works again",
    ]


def test_the_schedule_is_the_documented_one() -> None:
    assert WAITS == (1, 2, 4, 8, 16, 32, 64, 128)
    assert LAST_TRY_AT == 285


def test_waits_differ_by_a_tenth_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, float]] = []
    house = House(monkeypatch)

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    monkeypatch.setattr(module.random, "uniform", uniform)
    house.client.answers = lambda channel: 500
    house.note()
    house.settle()
    assert asked == [(0.9, 1.1)]
    house.pass_time(0.9, step=0.45)
    assert len(house.client.tries) == 2
    house.sender.drain(0)


def test_at_the_end_all_that_waits_is_sent(house: House) -> None:
    house.backlog.turned("app", "orders", False)
    house.note()
    house.sender.drain(5)
    assert house.sender.sent_count == 2


def test_what_cannot_be_sent_at_the_end_is_told(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.client.answers = lambda channel: 500
    house.note()
    house.sender.drain(0.1)
    assert "webhooks lost, for they could not be sent in time: 1" in caplog.text
