"""A thousand refusals are one line."""

import pytest

from fizz_gevent.refusal_summary import RefusalSummary


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "fizz_gevent")


def test_nothing_is_said_while_nobody_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    summary = RefusalSummary({})
    for now in range(200):
        summary.sweep(now)
    assert caplog.messages == []


def test_the_first_refusal_is_told_at_once_and_the_next_ones_together(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals: dict[str, int] = {}
    summary = RefusalSummary(refusals)
    refusals["over_quota"] = 1
    summary.sweep(100.0)
    assert caplog.messages == ["clients were refused: over_quota 1"]
    for number in range(1000):
        refusals["over_quota"] += 1
        refusals["unknown_application"] = number
        summary.sweep(100.0 + number / 20)
    assert len(caplog.messages) == 1
    summary.sweep(160.0)
    assert caplog.messages[1:] == ["clients were refused: over_quota 1000, unknown_application 999"]
    summary.sweep(500.0)
    assert len(caplog.messages) == 2


def test_only_what_is_new_is_told(caplog: pytest.LogCaptureFixture) -> None:
    refusals = {"over_quota": 5, "reconnect": 2}
    summary = RefusalSummary(refusals)
    summary.sweep(0.0)
    refusals["reconnect"] = 3
    summary.sweep(61.0)
    assert caplog.messages[1] == "clients were refused: reconnect 1"


def test_the_address_that_was_refused_most_is_named(caplog: pytest.LogCaptureFixture) -> None:
    refusals = {"address_limit": 5}
    summary = RefusalSummary(refusals, iter([("192.0.2.7", 4), None]).__next__)
    summary.sweep(0.0)
    refusals["address_limit"] = 6
    summary.sweep(61.0)
    assert caplog.messages == [
        "clients were refused: address_limit 5; most often 192.0.2.7, 4 times",
        "clients were refused: address_limit 1",
    ]
