"""How often a quantity was how large."""

from fizz_gevent.channels.histogram import Histogram


def test_a_value_falls_into_the_first_bucket_that_is_large_enough() -> None:
    histogram = Histogram((1, 10))
    for value in (0, 0.5, 1, 1.5, 10, 11, 1000):
        histogram.observe(value)
    assert histogram.counts == [3, 2, 2]
    assert histogram.total == 1024


def test_what_nobody_has_seen_is_nothing() -> None:
    histogram = Histogram((1, 10))
    assert (histogram.counts, histogram.total) == ([0, 0, 0], 0)
