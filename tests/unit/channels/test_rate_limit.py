"""How often something may happen. Protocol: §8, "Bucket"; §12.2, 429."""

import pytest

from fizz_gevent.channels.rate_limit import TokenBucket

NOW = 1000.0


def test_ten_at_once_and_then_ten_a_second() -> None:
    bucket = TokenBucket(10, NOW)
    assert [bucket.take(NOW) for _ in range(12)] == [True] * 10 + [False] * 2
    assert bucket.take(NOW + 0.125)
    assert not bucket.take(NOW + 0.125)
    assert [bucket.take(NOW + 1.125) for _ in range(11)] == [True] * 10 + [False]


def test_a_long_silence_saves_up_one_second_and_no_more() -> None:
    bucket = TokenBucket(4, NOW)
    assert bucket.take(NOW, 4)
    assert [bucket.take(NOW + 3600) for _ in range(5)] == [True] * 4 + [False]


def test_a_steady_sender_within_the_rate_is_never_refused() -> None:
    bucket = TokenBucket(8, NOW)
    assert all(bucket.take(NOW + number / 8) for number in range(200))


def test_what_is_refused_uses_nothing_up() -> None:
    bucket = TokenBucket(10, NOW)
    assert bucket.take(NOW, 8)
    assert not bucket.take(NOW, 3)
    assert bucket.take(NOW, 2)


@pytest.mark.parametrize(("count", "seconds"), [(1, 0.25), (3, 0.75), (4, 1.0), (9, 1.0)])
def test_it_tells_how_long_to_wait(count: int, seconds: float) -> None:
    """What is larger than the bucket waits until it is full."""
    bucket = TokenBucket(4, NOW)
    assert bucket.take(NOW, 4)
    assert bucket.seconds_until(count) == seconds


def test_nobody_waits_for_what_is_there() -> None:
    bucket = TokenBucket(4, NOW)
    assert bucket.seconds_until(4) == 0


def test_to_wait_as_long_as_told_is_enough() -> None:
    bucket = TokenBucket(4, NOW)
    assert bucket.take(NOW, 4)
    assert not bucket.take(NOW, 2)
    assert bucket.take(NOW + bucket.seconds_until(2), 2)
