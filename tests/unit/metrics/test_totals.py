"""Workers come, hang, die and are replaced; what was counted stays counted."""

from hypothesis import given
from hypothesis import strategies as st

from fizz_gevent.metrics.figures import Buckets, Figures
from fizz_gevent.metrics.totals import Totals


def told(count: int, now: int = 0) -> Figures:
    figures = Figures(resident_bytes=now)
    figures.set("fizz_connections_total", count, "app")
    figures.set("fizz_connections", now, "app")
    figures.histograms["fizz_fanout_seconds"] = Buckets((1,), [count, 0], count / 2)
    return figures


def summary(figures: Figures) -> tuple[float, float, int]:
    return (
        figures.values["fizz_connections_total"][("app",)],
        figures.values.get("fizz_connections", {}).get(("app",), 0),
        figures.histograms["fizz_fanout_seconds"].counts[0],
    )


def test_all_that_answer_are_added() -> None:
    together = Totals().sum({"a": told(5, 2), "b": told(7, 3)}, ())
    assert summary(together) == (12, 5, 12)
    assert together.values["fizz_workers"] == {(): 2}
    assert together.resident_bytes == 5


def test_who_ended_has_counted_for_ever_but_has_nothing_now() -> None:
    totals = Totals()
    totals.sum({"a": told(5, 2), "b": told(7, 3)}, ())
    assert summary(totals.sum({"b": told(8, 3)}, ())) == (13, 3, 13)
    assert summary(totals.sum({"b": told(8, 3), "c": told(1, 1)}, ())) == (14, 4, 14)
    assert summary(totals.sum({"c": told(2, 1)}, ())) == (15, 1, 15)


def test_what_an_application_counted_ends_with_it() -> None:
    totals = Totals()
    totals.sum({"a": told(5, 2), "b": told(7, 3)}, ())
    totals.sum({"b": told(8, 3)}, ())
    other = Figures()
    other.set("fizz_connections_total", 1, "other")
    other.set("fizz_connections", 1, "other")
    assert "app" in str(totals.sum({"b": told(8, 3), "c": other}, ()).values)
    together = totals.sum({"c": other}, ["b"])  # who is silent may serve it
    assert together.values["fizz_connections_total"] == {("app",): 13, ("other",): 1}
    together = totals.sum({"c": other}, ())
    assert together.values["fizz_connections_total"] == {("other",): 1}
    assert summary(totals.sum({"c": other, "d": told(2, 1)}, ())) == (2, 1, 15)


def test_who_is_silent_is_left_out_and_counted() -> None:
    totals = Totals()
    totals.sum({"a": told(5, 2), "b": told(7, 3)}, ())
    together = totals.sum({"b": told(7, 3)}, {"a"})
    assert summary(together) == (12, 3, 12)
    assert together.values["fizz_workers"] == {(): 1}
    assert together.values["fizz_silent_workers_total"] == {(): 1}
    again = totals.sum({"a": told(9, 4), "b": told(7, 3)}, ())
    assert summary(again) == (16, 7, 16)
    assert again.values["fizz_silent_workers_total"] == {(): 1}


def test_who_never_spoke_has_counted_nothing() -> None:
    together = Totals().sum({"a": told(5, 2)}, {"b"})
    assert summary(together) == (5, 2, 5)


STATES = st.lists(
    st.dictionaries(
        st.sampled_from("abcd"),
        st.tuples(st.sampled_from(["answers", "silent", "gone"]), st.integers(0, 9)),
        max_size=4,
    ),
    max_size=12,
)


@given(STATES)
def test_no_counter_ever_falls(history: list[dict[str, tuple[str, int]]]) -> None:
    totals = Totals()
    counts: dict[str, int] = {}
    lives: dict[str, int] = {}
    before = 0.0
    for step in history:
        answers, silent = {}, set()
        for worker, (state, more) in step.items():
            name = f"{worker}{lives.setdefault(worker, 0)}"
            if state == "gone":
                lives[worker] += 1
                continue
            counts[name] = counts.get(name, 0) + more
            if state == "answers":
                answers[name] = told(counts[name])
            else:
                silent.add(name)
        for worker in set("abcd") - step.keys():
            lives[worker] = lives.get(worker, 0) + 1
        values = totals.sum(answers, silent).values
        found = values.get("fizz_connections_total", {}).get(("app",), 0)
        assert before <= found <= sum(counts.values())
        before = found
