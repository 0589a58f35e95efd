"""Counts that workers show each other: who is ahead, who is waited for, what all have together."""

import os
from collections.abc import Iterator

import pytest

from fizz_gevent.transport import balance as module
from fizz_gevent.transport.balance import Balance, open_memory, size_for

COUNT = 3


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    now = [1_000_000]
    monkeypatch.setattr(module, "_now_ms", lambda: now[0])
    return now


@pytest.fixture
def memory() -> Iterator[int]:
    fd = open_memory(size_for(COUNT))
    yield fd
    os.close(fd)


@pytest.fixture
def workers(memory: int, clock: list[int]) -> Iterator[list[Balance]]:
    """The views of three workers that accept clients, all within a limit of ten."""
    views = [Balance(memory, index, 10) for index in range(COUNT)]
    for view in views:
        view.beat()
    yield views
    for view in views:
        view.close()


def test_nobody_is_ahead_of_equals(workers: list[Balance]) -> None:
    for view in workers:
        view.show(100, 100)
    assert not any(view.is_ahead() for view in workers)


def test_two_more_than_the_least_is_ahead(workers: list[Balance]) -> None:
    first, second, third = workers
    second.show(2, 0)
    third.show(1, 0)
    first.show(1, 0)
    assert not first.is_ahead()
    first.show(2, 0)
    assert not first.is_ahead()
    first.show(3, 0)
    assert first.is_ahead()
    assert not second.is_ahead()
    assert not third.is_ahead()


def test_among_many_a_few_do_not_matter(workers: list[Balance]) -> None:
    first, second, third = workers
    second.show(3200, 0)
    third.show(3200, 0)
    first.show(3301, 0)
    assert not first.is_ahead()
    first.show(3302, 0)
    assert first.is_ahead()


def test_who_has_not_been_heard_of_is_not_waited_for(
    workers: list[Balance], clock: list[int]
) -> None:
    first, second, third = workers
    for view in (first, second):
        view.show(50, 50)
    assert first.is_ahead()  # of the third
    clock[0] += 1400
    first.beat()
    second.beat()
    assert first.is_ahead()
    clock[0] += 200
    assert not first.is_ahead()
    third.beat()
    assert first.is_ahead()


def test_who_rests_is_not_waited_for(workers: list[Balance]) -> None:
    first, second, third = workers
    first.show(50, 50)
    second.rest()
    assert first.is_ahead()
    third.rest()
    assert not first.is_ahead()


def test_the_limit_is_of_all_together(workers: list[Balance]) -> None:
    first, second, third = workers
    first.show(9, 4)
    second.show(9, 4)
    third.show(9, 2)
    assert all(view.has_room() for view in workers)
    third.show(9, 3)
    assert not any(view.has_room() for view in workers)
    second.show(9, 3)
    assert first.has_room()


def test_without_a_limit_there_is_room(memory: int) -> None:
    view = Balance(memory, 0)
    view.show(10**9, 10**9)
    assert view.has_room()
    view.close()


def test_what_a_dead_worker_had_is_forgotten(workers: list[Balance]) -> None:
    first, second, _ = workers
    second.show(30, 10)
    first.show(30, 1)
    assert not first.has_room()
    first.forget(1)
    assert first.has_room()
    assert first.counts() == [(30, 1), (0, 0), (0, 0)]
