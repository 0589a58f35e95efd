"""Log lines: one each, whatever clients send."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from fizz_gevent import logs
from fizz_gevent.config import LoggingConfig


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """Fizz's logger; the handlers of the test runner come back afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("fizz_gevent")
    kept = root.handlers[:], root.level, ours.level
    yield logging.getLogger("fizz_gevent.somewhere")
    root.handlers[:] = kept[0]
    root.setLevel(kept[1])
    ours.setLevel(kept[2])


def setup(level: str = "info", format: str = "text", *, debug: bool = False) -> io.StringIO:
    stream = io.StringIO()
    logs.setup(LoggingConfig(level, format), debug=debug, stream=stream)
    return stream


def test_text_is_time_level_message(log: logging.Logger) -> None:
    stream = setup()
    log.warning("lost %d", 3)
    time, rest = stream.getvalue().split(" ", 1)
    assert rest == "warning lost 3\n"
    assert len(time) == len("2026-01-31T00:00:00.000Z")
    assert time.endswith("Z")


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize("text", ["a\nb", "a\r\nfake error b", "\x1b[31m", "\u2028", "\x85"])
def test_a_client_cannot_write_a_line_of_its_own(
    log: logging.Logger, format: str, text: str
) -> None:
    stream = setup(format=format)
    log.warning("%s", text)
    lines = stream.getvalue()
    assert lines.endswith("\n")
    assert lines[:-1].isprintable()


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_traceback_is_one_line_too(log: logging.Logger, format: str) -> None:
    stream = setup(format=format)
    try:
        raise KeyError("why")
    except KeyError:
        log.exception("fault %s", "id7")
    (line,) = stream.getvalue().splitlines()
    for part in ("error", "fault id7", "Traceback", "KeyError: 'why'"):
        assert part in line


def test_json_has_named_fields(log: logging.Logger) -> None:
    stream = setup(format="json")
    log.error("gone", extra={"app": "1001", "peer": object()})
    fields = json.loads(stream.getvalue())
    assert fields["level"] == "error"
    assert fields["logger"] == "fizz_gevent.somewhere"
    assert (fields["message"], fields["app"]) == ("gone", "1001")
    assert fields.keys() == {"time", "level", "logger", "message", "app", "peer"}


@pytest.mark.parametrize(
    ("level", "debug", "expected"),
    [
        ("debug", False, ["debug", "info", "warning", "error"]),
        ("info", False, ["info", "warning", "error"]),
        ("warning", False, ["warning", "error"]),
        ("error", False, ["error"]),
        ("error", True, ["debug", "info", "warning", "error"]),
    ],
)
def test_the_level_decides(
    log: logging.Logger, level: str, debug: bool, expected: list[str]
) -> None:
    stream = setup(level, debug=debug)
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)("x")
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == expected


def test_of_other_libraries_only_warnings_are_shown(log: logging.Logger) -> None:
    stream = setup("debug")
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("trouble")
    assert [line.split()[2] for line in stream.getvalue().splitlines()] == ["trouble"]


def test_a_second_setup_replaces_the_first(log: logging.Logger) -> None:
    first, second = setup(), setup()
    log.warning("x")
    assert first.getvalue() == ""
    assert second.getvalue().count("\n") == 1


@pytest.mark.parametrize("debug", [True, False])
def test_the_stream_shows_direction_and_socket(log: logging.Logger, debug: bool) -> None:
    """At any level: a signal may ask for it long after the start."""
    stream = setup("error", debug=debug)
    tap = logs.StreamTap()
    tap.received("1.2", b'{"event":"pusher:ping"}')
    tap.sent("1.2", b'{"event":"\xff"}')
    tap.state("1.2", "opened")
    tap.request("GET", "/up", "200")
    shown = [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()]
    assert shown == [
        '< 1.2 {"event":"pusher:ping"}',
        '> 1.2 {"event":"\ufffd"}',
        "= 1.2 opened",
        "= http GET /up 200",
    ]


def test_the_stream_masks_signatures_and_secrets(log: logging.Logger) -> None:
    stream = setup(debug=True)
    tap = logs.StreamTap(["secret-one", "secret-one-longer", ""])
    signature = "5b87f1d6f15d340650cf957b409f964ef6db17ef7e883049f60a54d9b0a50e40"
    tap.received("1.2", f'{{"auth":"fizz-key:{signature}"}}'.encode())
    tap.request("POST", f"/apps/1/events?auth_key=k&auth_signature={signature}&a=1", "200")
    tap.received("1.2", b"secret-one-longer and secret-one")
    text = stream.getvalue()
    assert signature not in text
    assert "secret" not in text
    assert "longer" not in text
    assert '"auth":"fizz-key:********"' in text
    assert "auth_key=k&auth_signature=********&a=1" in text


def test_a_long_frame_is_cut(log: logging.Logger) -> None:
    stream = setup(debug=True)
    logs.StreamTap().sent("1.2", b"x" * 100_000)
    assert len(stream.getvalue()) < 5000
    assert stream.getvalue().endswith("... (100000 characters)\n")


def at(log: logging.Logger, seconds: float, message: str, *arguments: object) -> None:
    """Log a warning as of this moment."""
    record = log.makeRecord(log.name, logging.WARNING, "", 0, message, arguments, None)
    record.created = 1_000_000 + seconds
    log.handle(record)


def test_what_is_said_again_and_again_is_held_back_and_counted(log: logging.Logger) -> None:
    stream = setup()
    for number in range(100):
        at(log, number / 10, "fault %d", number)
        at(log, number / 10, "other")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 40
    assert [line for line in lines if "held back" in line] == lines[-2:]
    assert lines[-2].endswith("warning fault 19 (more like this are held back for a minute)")
    at(log, 59.9, "fault %d", 100)
    assert len(stream.getvalue().splitlines()) == 40
    at(log, 60, "fault %d", 101)
    at(log, 61, "fault %d", 102)
    first, second = stream.getvalue().splitlines()[40:]
    assert first.endswith("warning fault 101 (81 more like this were held back)")
    assert second.endswith("warning fault 102")


def test_what_is_no_warning_is_never_held_back(log: logging.Logger) -> None:
    stream = setup("debug")
    for _ in range(100):
        log.debug("refused")
        logging.getLogger(logs.STREAM).info("< 1.1 {}")
    assert len(stream.getvalue().splitlines()) == 200


def test_words_without_number_do_not_fill_the_memory(
    log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fizz_gevent.repeats._MOST_KINDS", 10)
    stream = setup(format="json")
    for number in range(100):
        at(log, 0, f"word {number}")
    for _ in range(30):
        at(log, 0, "word 99")
    told = [json.loads(line).get("repeats") for line in stream.getvalue().splitlines()]
    assert len(told) == 119
    assert set(told[:-1]) == {None}
    assert told[-1] == "more like this are held back for a minute"
