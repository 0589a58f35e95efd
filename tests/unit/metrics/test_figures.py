"""What several processes have to tell, put together and sent around."""

import pytest

from fizz_gevent.metrics.figures import Buckets, Figures


def figures(**values: float) -> Figures:
    made = Figures()
    for name, value in values.items():
        made.set(f"fizz_{name}", value)
    return made


def test_values_add_up_by_their_labels() -> None:
    one, two = Figures(), Figures()
    one.set("fizz_connections", 3, "a")
    one.set("fizz_connections", 5, "b")
    two.set("fizz_connections", 4, "a")
    two.set("fizz_connections", 1, "c")
    one.add(two)
    assert one.values["fizz_connections"] == {("a",): 7, ("b",): 5, ("c",): 1}
    assert two.values["fizz_connections"] == {("a",): 4, ("c",): 1}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("open_files", 3), ("redis_up", 1), ("bus_queue_bytes", 3), ("webhook_queue", 2)],
)
def test_each_metric_has_its_own_way_of_being_put_together(name: str, expected: float) -> None:
    one = figures(**{name: 1})
    one.add(figures(**{name: 2}))
    assert one.values[f"fizz_{name}"] == {(): expected}


def test_the_version_is_told_once() -> None:
    one, two = Figures(), Figures()
    one.set("fizz_info", 1, "1.2.3")
    two.set("fizz_info", 1, "1.2.3")
    one.add(two)
    assert one.values["fizz_info"] == {("1.2.3",): 1}


def test_redis_is_down_when_one_process_does_not_reach_it() -> None:
    one = figures(redis_up=1)
    one.add(figures(redis_up=0))
    one.add(figures(redis_up=1))
    assert one.values["fizz_redis_up"] == {(): 0}


def test_histograms_add_up_and_share_nothing() -> None:
    one, two, three = Figures(), Figures(), Figures()
    two.histograms["fizz_fanout_seconds"] = Buckets((1, 2), [1, 2, 3], 9.5)
    three.histograms["fizz_fanout_seconds"] = Buckets((1, 2), [10, 0, 1], 4)
    one.add(two)
    one.add(three)
    assert one.histograms["fizz_fanout_seconds"] == Buckets((1, 2), [11, 2, 4], 13.5)
    assert two.histograms["fizz_fanout_seconds"].counts == [1, 2, 3]


def test_memory_adds_up() -> None:
    one = Figures(resident_bytes=10)
    one.add(Figures(resident_bytes=5))
    assert one.resident_bytes == 15


def test_what_was_counted_is_all_that_outlives_a_process() -> None:
    one = figures(connections_total=5, connections=3, redis_up=1, open_files=9)
    one.histograms["fizz_fanout_seconds"] = Buckets((1,), [1, 0], 0.5)
    one.resident_bytes = 10
    kept = one.counted()
    assert set(kept.values) == {"fizz_connections_total"}
    assert set(kept.histograms) == {"fizz_fanout_seconds"}
    assert kept.resident_bytes == 0


def test_another_process_reads_what_one_has_said() -> None:
    one = Figures(resident_bytes=123)
    one.set("fizz_http_requests_total", 4, "/apps/<app_id>/events", "200")
    one.set("fizz_connections", 2, 'a "strange" ☃ id')
    one.set("fizz_sent_bytes_total", 2**60)
    one.histograms["fizz_outbox_bytes"] = Buckets([1024, 4096], [1, 2, 3], 99)
    assert Figures.decode(one.encode()) == one


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"values": 1}', b"\xff"])
def test_noise_is_none(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each kind of noise has words of its own
        Figures.decode(data)
