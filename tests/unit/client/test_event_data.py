"""``--data``: what is sent as given, what is made JSON, and what is refused."""

import io
import sys

import pytest

from fizz_gevent.client.event_data import read_data
from fizz_gevent.errors import ConfigError


@pytest.mark.parametrize(
    "given",
    ['{"a": 1}', "[]", "1.50", "null", '"text"', '{"a":\t"ü"}', "12345678901234567890123", "{} "],
)
def test_json_is_sent_as_given(given: str) -> None:
    assert read_data(given) == given


@pytest.mark.parametrize(
    ("given", "sent"),
    [("hello", '"hello"'), ("it's 5 o'clock", "\"it's 5 o'clock\""), ("007", '"007"')],
)
def test_other_text_becomes_a_json_string(given: str, sent: str) -> None:
    assert read_data(given) == sent


@pytest.mark.parametrize("given", ["{a:1}", "{'a': 1}", "[1,", '"open', '{"a": NaN}'])
def test_broken_json_is_a_mistake(given: str) -> None:
    with pytest.raises(ConfigError, match=r"^--data: not JSON: "):
        read_data(given)


@pytest.mark.parametrize("given", ["", "  "])
def test_nothing_is_a_mistake(given: str) -> None:
    with pytest.raises(ConfigError, match="there is nothing"):
        read_data(given)


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("piped", "sent"),
    [
        (b'{"a":\n 1}\n', '{"a":\n 1}'),
        ('"grüße"\r\n'.encode(), '"grüße"'),
        (b"hello\n", '"hello"'),
    ],
)
def test_a_dash_reads_standard_input(
    monkeypatch: pytest.MonkeyPatch, piped: bytes, sent: str
) -> None:
    stdin(monkeypatch, piped)
    assert read_data("-") == sent


@pytest.mark.parametrize(
    ("piped", "reason"),
    [(b"", "there is nothing"), (b"\xff", "not UTF-8"), (b"{", "not JSON")],
)
def test_mistakes_name_standard_input(
    monkeypatch: pytest.MonkeyPatch, piped: bytes, reason: str
) -> None:
    stdin(monkeypatch, piped)
    with pytest.raises(ConfigError, match=f"^standard input: .*{reason}"):
        read_data("-")
