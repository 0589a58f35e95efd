"""What every ``Clock`` promises: the server's own, and the one that unit tests move by hand."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import gevent
import pytest
from gevent.event import Event

from fizz_gevent.clock import SystemClock
from fizz_gevent.ports import Clock
from tests.harness.eventually import WITHIN
from tests.unit.clockwork import HandClock

SOON = 0.01


@dataclass
class Time:
    """A clock, and how a test lets time pass until something has happened."""

    clock: Clock
    until: Callable[[Callable[[], object]], None]


def _until_by_hand(clock: HandClock) -> Callable[[Callable[[], object]], None]:
    def until(happened: Callable[[], object]) -> None:
        for _ in range(1000):
            if happened():
                return
            clock.advance(SOON / 10)
        raise AssertionError("it never happens")

    return until


def _until_in_truth(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN
    while not happened():
        assert time.monotonic() < deadline, "it never happens"
        gevent.sleep(SOON / 10)  # lets the loop turn


@pytest.fixture(params=["system", "hand"])
def passing(request: pytest.FixtureRequest) -> Time:
    if request.param == "system":
        return Time(SystemClock(), _until_in_truth)
    by_hand = HandClock()
    return Time(by_hand, _until_by_hand(by_hand))


def test_both_readings_go_on_and_never_back(passing: Time) -> None:
    clock = passing.clock
    monotonic, now = clock.monotonic(), clock.now()
    assert clock.monotonic() >= monotonic
    passing.until(lambda: clock.monotonic() >= monotonic + SOON)
    assert clock.now() > now


@pytest.mark.parametrize("seconds", [0, SOON])
def test_a_call_comes_later_and_once(passing: Time, seconds: float) -> None:
    """Not before the caller is done, even where no time has to pass."""
    clock = passing.clock
    began, calls = clock.monotonic(), list[float]()
    clock.later(seconds, lambda: calls.append(clock.monotonic()))
    assert calls == []
    passing.until(lambda: clock.monotonic() > began + 3 * SOON and calls)
    assert len(calls) == 1


def test_calls_come_in_the_order_of_their_times(passing: Time) -> None:
    calls: list[str] = []
    passing.clock.later(2 * SOON, lambda: calls.append("second"))
    passing.clock.later(SOON, lambda: calls.append("first"))
    passing.until(lambda: len(calls) == 2)
    assert calls == ["first", "second"]


def test_a_cancelled_call_never_comes(passing: Time) -> None:
    calls: list[str] = []
    timer = passing.clock.later(SOON, lambda: calls.append("cancelled"))
    passing.clock.later(2 * SOON, lambda: calls.append("kept"))
    timer.cancel()
    timer.cancel()
    passing.until(lambda: calls)
    assert calls == ["kept"]


def test_to_cancel_what_has_happened_does_nothing(passing: Time) -> None:
    calls: list[str] = []
    timer = passing.clock.later(0, lambda: calls.append("done"))
    passing.until(lambda: calls)
    timer.cancel()
    assert calls == ["done"]


def test_a_call_may_cancel_another(passing: Time) -> None:
    calls: list[str] = []

    def first() -> None:
        calls.append("first")
        second.cancel()

    passing.clock.later(SOON, first)
    second = passing.clock.later(1.5 * SOON, lambda: calls.append("second"))
    passing.clock.later(2 * SOON, lambda: calls.append("third"))
    passing.until(lambda: "third" in calls)
    assert calls == ["first", "third"]


def test_the_servers_calls_come_in_a_greenlet_and_may_wait() -> None:
    """Never in the hub, where nothing may yield."""
    released, done = Event(), Event()

    def callback() -> None:
        released.wait(WITHIN)
        done.set()

    SystemClock().later(0, callback)
    gevent.spawn(released.set)
    assert done.wait(WITHIN)


def test_the_servers_readings_are_the_machines() -> None:
    clock = SystemClock()
    assert time.time() - 60 < clock.now() < time.time() + 60
    assert time.monotonic() - 60 < clock.monotonic() < time.monotonic() + 60
