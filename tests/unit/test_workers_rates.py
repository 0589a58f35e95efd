"""Rates that workers keep together: they are those of one bucket, whoever takes."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fizz_gevent.channels.rate_limit import TokenBucket
from fizz_gevent.transport import shared_rates as module
from fizz_gevent.transport.balance import open_memory
from fizz_gevent.transport.shared_rates import SIZE, SharedRates

NOW = 1000.0


@pytest.fixture
def workers() -> Iterator[list[SharedRates]]:
    """Three views of one memory."""
    fd = open_memory(SIZE)
    views = [SharedRates(os.dup(fd)) for _ in range(3)]
    os.close(fd)
    yield views
    for view in views:
        view.close()


def test_what_one_takes_the_others_have_not(workers: list[SharedRates]) -> None:
    first, second, third = (view.bucket("1001 events", 10, NOW) for view in workers)
    assert first.take(NOW, 6)
    assert second.take(NOW, 4)
    assert not third.take(NOW)
    assert third.seconds_until() == pytest.approx(0.1)
    assert third.take(NOW + 0.1)
    assert not first.take(NOW + 0.1)


def test_they_are_as_one_bucket(workers: list[SharedRates]) -> None:
    dice = random.Random(7)
    alone = TokenBucket(20, NOW)
    shared = [view.bucket("1001 events", 20, NOW) for view in workers]
    now = NOW
    for _ in range(500):
        now += dice.random() / 10
        count = dice.randint(1, 5)
        one = dice.choice(shared)
        assert one.take(now, count) is alone.take(now, count)
        assert one.seconds_until(count) == pytest.approx(alone.seconds_until(count))


def test_each_name_has_its_own(workers: list[SharedRates]) -> None:
    names = [f"{number} {kind}" for number in range(500) for kind in ("events", "reads")]
    for name in names:
        assert workers[0].bucket(name, 1, NOW).take(NOW)
    for name in names:
        assert not workers[1].bucket(name, 1, NOW).take(NOW)


def test_another_rate_begins_full(workers: list[SharedRates]) -> None:
    first, second, _ = workers
    assert first.bucket("1001 events", 2, NOW).take(NOW, 2)
    changed = second.bucket("1001 events", 3, NOW)
    assert changed.take(NOW, 3)
    assert not first.bucket("1001 events", 3, NOW).take(NOW)


def test_a_clock_that_was_read_earlier_gives_no_tokens(workers: list[SharedRates]) -> None:
    first, second, _ = (view.bucket("1001 events", 10, NOW) for view in workers)
    assert first.take(NOW + 1, 10)
    assert not second.take(NOW)
    assert not first.take(NOW + 1)


def test_where_there_is_no_place_left_each_limits_alone(
    workers: list[SharedRates], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SLOTS", 2)
    first, second, _ = workers
    for name in ("a", "b"):
        assert first.bucket(name, 1, NOW).take(NOW)
        assert not second.bucket(name, 1, NOW).take(NOW)
    assert first.bucket("c", 1, NOW).take(NOW)
    assert second.bucket("c", 1, NOW).take(NOW)


def test_a_worker_stopped_in_the_middle_stops_nobody(workers: list[SharedRates]) -> None:
    """A lock is a process's own, so another process has to hold it."""
    bucket = workers[0].bucket("1001 events", 1, NOW)
    fd = workers[1]._fd
    script = (
        "import fcntl, sys\n"
        f"fcntl.lockf({fd}, fcntl.LOCK_EX)\n"
        "print('!', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-I", "-c", script]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, pass_fds=(fd,), stdin=pipe, stdout=pipe) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"!\n"
        assert bucket.take(NOW)
        assert not bucket.take(NOW)
