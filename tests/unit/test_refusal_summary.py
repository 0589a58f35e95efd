"""A thousand refusals are one line."""

import pytest

from fizz_gevent.refusal_summary import RefusalSummary


def summary_of(
    clients: dict[str, int] | None = None,
    messages: dict[str, int] | None = None,
    answers: dict[tuple[str, str], int] | None = None,
) -> RefusalSummary:
    """One that reads these counts, which a test goes on changing."""
    return RefusalSummary(
        *({} if counts is None else counts for counts in (clients, messages)),
        {} if answers is None else answers,
    )


def test_nothing_is_said_while_nobody_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    summary = summary_of(answers={("/apps/<app_id>/events", "200"): 5})
    for now in range(200):
        summary.sweep(now)
    assert caplog.messages == []


def test_it_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """So that it is seen at any level but that of errors."""
    summary_of({"over_quota": 1}).sweep(0.0)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_first_refusal_is_told_at_once_and_the_next_ones_together(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals: dict[str, int] = {}
    summary = summary_of(refusals)
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
    summary = summary_of(refusals)
    summary.sweep(0.0)
    refusals["reconnect"] = 3
    summary.sweep(61.0)
    assert caplog.messages[1] == "clients were refused: reconnect 1"


def test_the_address_that_is_refused_most_is_named(caplog: pytest.LogCaptureFixture) -> None:
    summary = RefusalSummary({"over_quota": 5}, {}, {}, lambda: ("192.0.2.7", 4))
    summary.sweep(0.0)
    assert caplog.messages == ["clients were refused: over_quota 5 (most often 192.0.2.7, 4 times)"]


def test_messages_and_requests_are_told_in_the_same_line(caplog: pytest.LogCaptureFixture) -> None:
    messages, answers = {"auth_error": 2}, {("/apps/<app_id>/events", "401"): 3}
    summary = summary_of({"over_quota": 1}, messages, answers)
    summary.sweep(0.0)
    assert caplog.messages == [
        "clients were refused: over_quota 1; messages were refused: auth_error 2;"
        " requests were refused: 401 3"
    ]
    answers["/apps/<app_id>/channels", "401"] = 1
    answers["/apps/<app_id>/channels", "429"] = 2
    messages["client_event_rate"] = 7
    summary.sweep(59.0)
    summary.sweep(60.0)
    assert caplog.messages[1:] == [
        "messages were refused: client_event_rate 7; requests were refused: 401 1, 429 2"
    ]


def test_strangers_requests_and_faults_of_ours_are_not_its_business(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Anybody may ask for /favicon.ico, and a fault is logged with its traceback."""
    summary_of(answers={("none", "404"): 9, ("/apps/<app_id>/events", "500"): 1}).sweep(0.0)
    assert caplog.messages == []


def test_requests_that_could_not_be_read_are_told(caplog: pytest.LogCaptureFixture) -> None:
    summary_of(answers={("none", "408"): 4, ("none", "400"): 1}).sweep(0.0)
    assert caplog.messages == ["requests were refused: 400 1, 408 4"]


def test_who_was_cut_off_or_held_back_is_told(caplog: pytest.LogCaptureFixture) -> None:
    ends = [{"slow": 2, "client": 70}, {"slow": 1, "protocol_error": 4, "lost": 5}]
    floods = iter([3, 3]).__next__
    summary = RefusalSummary(
        {}, {}, {}, ends=lambda: ends, floods=floods, take_flooder=lambda: ("192.0.2.7", 3)
    )
    summary.sweep(0.0)
    assert caplog.messages == [
        "clients were cut off: protocol_error 4, slow 3;"
        " clients were held back: floods 3 (most often 192.0.2.7, 3 times)"
    ]
    summary.sweep(90.0)
    assert len(caplog.messages) == 1
