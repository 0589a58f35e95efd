"""What the benchmarks conclude: what is missing, how long things took, which commit is dearer."""

import xml.etree.ElementTree as ElementTree
from functools import partial
from typing import Any, cast

import pytest

from benchmarks.load.fanout import FanOut
from benchmarks.load.histogram import Histogram
from benchmarks.load.ledger import Ledger
from benchmarks.load.loop import Loop
from benchmarks.load.mode import Task
from benchmarks.load.sockets import Client, Trouble
from benchmarks.load.wire import Signer, Target, data_of, event_body, split, text_frame
from benchmarks.null_server import frame
from benchmarks.plot import line_chart
from benchmarks.regression import verdict
from benchmarks.report import table
from benchmarks.runner import has_flaw, limit
from benchmarks.servers import fizz
from fizz_gevent.protocol.frames import FrameReader
from fizz_gevent.protocol.signatures import verify_request

TARGET = Target("127.0.0.1", 1, "/prefix", "1001", "key", "secret")


class Subscriber:
    """As much of a client as the fan-out looks at."""

    def __init__(self, mode: FanOut) -> None:
        self.rest = b""
        self.state: Any = None
        self.take: Any = None
        mode._listen(cast(Client, self))

    def other(self, payload: bytes) -> None:
        raise Trouble(payload.decode())

    control = other


def fan_out(**options: int) -> FanOut:
    return FanOut(Task("fanout", TARGET, {"n": 3, **options}), Loop())


def event(number: int, *, publisher: int = 0, channel: int = 0) -> bytes:
    data = data_of(publisher, channel, number, moment=0.0, size=100)
    return frame(b'{"event":"bench","channel":"bench-0","data":"%b"}' % data.encode())


def books(mode: FanOut) -> tuple[int, int, int, int]:
    """Deliveries, and what the ledgers say is missing, doubled and out of order."""
    return (
        mode.counts["deliveries"],
        sum(len(ledger.missing) for ledger in mode.ledgers),
        sum(ledger.duplicated for ledger in mode.ledgers),
        sum(ledger.reordered for ledger in mode.ledgers),
    )


@pytest.mark.parametrize("each", [1, 2], ids=["in lockstep", "several channels"])
@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([1, 2, 3, 4], (4, 0, 0, 0)),
        ([1, 2, 4], (3, 1, 0, 0)),
        ([2, 3], (2, 1, 0, 0)),
        ([1, 2, 2, 3], (4, 0, 1, 0)),
        ([1, 3, 2, 4], (4, 0, 0, 1)),
        ([1, 2, 3, 1], (4, 0, 1, 0)),
    ],
)
def test_every_flaw_in_what_one_subscriber_gets_is_found(
    each: int, numbers: list[int], expected: tuple[int, int, int, int]
) -> None:
    mode = fan_out(each=each, channels=each)
    others = [Subscriber(mode), Subscriber(mode)]
    for number in (1, 2, 3, 4):
        for subscriber in others:
            subscriber.take(event(number))
    assert books(mode) == (8, 0, 0, 0)
    flawed = Subscriber(mode)
    for number in numbers:
        flawed.take(event(number))
    count, *flaws = expected
    assert books(mode) == (8 + count, *flaws)


@pytest.mark.parametrize("size", [1, 7, 100, 100000])
def test_events_are_counted_the_same_however_they_are_cut(size: int) -> None:
    stream = b"".join(
        event(number, publisher=publisher) for number in range(1, 6) for publisher in (0, 1)
    )
    mode = fan_out()
    first, second = Subscriber(mode), Subscriber(mode)
    first.take(stream)
    for start in range(0, len(stream), size):
        second.take(stream[start : start + size])
    assert books(mode) == (20, 0, 0, 0)
    first.take(event(6) + event(6))
    second.take(event(7))
    assert books(mode) == (23, 1, 1, 0)


def test_the_same_bytes_a_second_time_are_not_taken_for_progress() -> None:
    mode = fan_out()
    first, second = Subscriber(mode), Subscriber(mode)
    for subscriber in (first, second):
        subscriber.take(event(1))
    second.take(event(1))
    assert books(mode) == (3, 0, 1, 0)


def test_an_error_of_the_server_is_no_event() -> None:
    subscriber = Subscriber(fan_out())
    with pytest.raises(Trouble, match="went wrong"):
        subscriber.take(frame(b'{"event":"pusher:error","data":{"message":"went wrong"}}'))


def test_what_came_late_is_missing_no_more() -> None:
    ledger = Ledger()
    enter = partial(ledger.enter, b"00:000000")
    enter(1)
    enter(4)
    assert ledger.missing == {(b"00:000000", 2), (b"00:000000", 3)}
    enter(3)
    assert (ledger.missing, ledger.reordered) == ({(b"00:000000", 2)}, 1)


def test_quantiles_of_a_histogram_that_was_sent_in_two_parts() -> None:
    first, second = Histogram(), Histogram()
    first.add(0.001, 98)
    second.add(0.050)
    second.add(2.0)
    first.merge({str(bucket): count for bucket, count in second.counts.items()})
    values = [first.quantile(share) for share in (0.5, 0.985, 1.0)]
    assert values == pytest.approx([0.001, 0.050, 2.0], rel=0.02)
    assert Histogram().quantile(0.5) is None


@pytest.mark.parametrize("size", [0, 5, 125, 126, 300, 70])
def test_the_frames_of_the_generator_are_what_fizz_reads(size: int) -> None:
    """Protocol: RFC 6455, section 5."""
    payload = b"x" * size
    assert FrameReader().feed(text_frame(payload), 1000) == [(1, payload)]
    assert split(frame(payload) + frame(b"next")[:3]) == ([(1, payload)], frame(b"next")[:3])


def test_requests_are_signed_as_fizz_checks_it() -> None:
    """Protocol: §12.1."""
    resource, body = event_body([("bench-0", "one"), ("bench-0", "two")])
    assert resource == "batch_events"
    request = Signer(TARGET).post(resource, body)
    head, _, sent = request.partition(b"\r\n\r\n")
    assert sent == body
    pairs = verify_request(
        method="POST",
        target=head.split(b" ")[1].decode(),
        prefix="/prefix",
        body=body,
        credentials=[("key", "secret")],
        now=_timestamp(head),
    )
    assert ("auth_key", "key") in pairs


def _timestamp(head: bytes) -> int:
    return int(head.partition(b"auth_timestamp=")[2].partition(b"&")[0])


def result(server: str, rate: float, **others: Any) -> dict[str, Any]:
    return {
        **{"server": server, "cell": "ping N=1", "unit": "round trips", "rate": rate},
        **{"load_cpu": 0.5, "limit": "server", "round": 0},
        **others,
    }


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({"server_cpu": 0.95, "load_cpu": 0.95}, "server"),
        ({"server_cpu": 0.5, "load_cpu": 0.95}, "load"),
        ({"server_cpu": 0.5, "load_cpu": 0.5, "others_cpu": 0.5}, "other processes"),
        ({"server_cpu": 0.5, "load_cpu": 0.5, "others_cpu": 0.05}, "nobody"),
        ({"load_cpu": 0.5}, "unknown"),
        ({"load_cpu": 1.0}, "load"),
    ],
)
def test_who_was_at_the_end_of_its_strength(figures: dict[str, float], expected: str) -> None:
    assert limit(figures) == expected


def test_the_table_shows_medians_ratios_and_what_the_generator_could() -> None:
    rounds = [result("a", rate) for rate in (100, 300, 200)]
    text = table([*rounds, result("b", 100, load_cpu=0.1), result("nothing", 500)])
    rows = [line for line in text.splitlines() if line.startswith("| ping N=1 ")]
    assert [row.split(" | ")[1:4] for row in rows] == [["a", "200", "1.00×"], ["b", "100", "0.50×"]]
    assert [row.split(" | ")[-1] for row in rows] == ["500 |", "1,000 |"]


@pytest.mark.parametrize(
    "flaw", [{"lost": 1}, {"duplicated": 1}, {"reordered": 1}, {"trouble": "closed"}]
)
def test_a_figure_with_a_flaw_is_not_shown(flaw: dict[str, Any]) -> None:
    flawed = result("a", 12345, **flaw)
    assert has_flaw(flawed)
    assert "12,345" not in table([result("a", 12345), flawed])
    assert not has_flaw(result("a", 1, lost=0, duplicated=0, reordered=0))


@pytest.mark.parametrize(
    ("old", "new", "is_good", "word"),
    [
        ([10, 10, 10], [10.5, 10.5, 10.5], True, "the same"),
        ([10, 10, 10], [12, 12, 12], False, "**dearer**"),
        ([10, 10, 10], [8, 8, 8], True, "cheaper"),
        # one lucky and one unlucky round decide nothing
        ([10, 10, 10], [10, 30, 10], True, "the same"),
        ([10, 30, 10], [12, 12, 12], False, "**dearer**"),
        # a machine that was busy most of the time with the new one is not the new one's fault
        ([10, 10, 10], [10, 14, 14], True, "the same"),
    ],
)
def test_a_commit_is_dearer_by_ratio(
    old: list[float], new: list[float], is_good: bool, word: str
) -> None:
    servers = [fizz("old"), fizz("new")]
    results = [
        result(name, 1000, cpu_us=cost, round=number)
        for name, costs in (("old", old), ("new", new))
        for number, cost in enumerate(costs)
    ]
    text, verdict_is_good = verdict(results, servers, threshold=0.1)
    assert verdict_is_good is is_good
    assert word in text


def test_a_commit_that_loses_events_fails_however_fast_it_is() -> None:
    results = [result("old", 1000), result("new", 9000, lost=3)]
    text, is_good = verdict(results, [fizz("old"), fizz("new")], threshold=0.1)
    assert not is_good
    assert "3 lost" in text


def test_a_plot_is_well_formed_and_holds_every_point() -> None:
    series = [("a & b", [(1.0, 2.0), (10.0, 3.0), (10000.0, 2.5)]), ("c", [(1.0, 0.1)])]
    root = ElementTree.fromstring(line_chart("<title>", series, x_label="x", y_label="y"))
    space = {"svg": "http://www.w3.org/2000/svg"}
    circles = root.findall("svg:circle", space)
    assert len(circles) == 4
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for circle in circles:
        assert 0 < float(circle.attrib["cx"]) < width
        assert 0 < float(circle.attrib["cy"]) < height
