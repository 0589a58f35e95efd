"""Errors are data: each knows what its reader is told."""

import pytest

from fizz_gevent import errors
from fizz_gevent.errors import (
    ApiError,
    ConfigError,
    ConnectionRejected,
    FizzError,
    FrameError,
    ProtocolError,
    SubscriptionError,
)
from fizz_gevent.protocol.close_codes import CloseCode


def test_every_error_is_one_of_fizz() -> None:
    """So that an edge can tell what was meant from what is a bug."""
    found = [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, Exception)
    ]
    assert len(found) >= 8
    assert all(issubclass(each, FizzError) for each in found)
    assert not issubclass(FrameError, ProtocolError), "one ends the connection, the other does not"
    assert issubclass(SubscriptionError, ProtocolError)


def test_the_tree_in_the_docstring_names_every_error() -> None:
    assert errors.__doc__ is not None
    for name, each in vars(errors).items():
        if isinstance(each, type) and issubclass(each, FizzError):
            assert f"{name} " in errors.__doc__ or f"{name}\n" in errors.__doc__, name


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConfigError("expected a number"), "expected a number"),
        (
            ConfigError("expected a number", where="fizz.yaml:3", key="servers.fizz.port"),
            "fizz.yaml:3: servers.fizz.port: expected a number",
        ),
        (ConfigError("not set", where="FIZZ_APP_KEY"), "FIZZ_APP_KEY: not set"),
        (ConnectionRejected(CloseCode.OVER_CAPACITY), "4100 Over capacity"),
        (
            ConnectionRejected(CloseCode.UNAUTHORIZED, "Origin not allowed"),
            "4009 Origin not allowed",
        ),
        (FrameError(CloseCode.MESSAGE_TOO_BIG, "Too big"), "1009 Too big"),
        (ProtocolError("Invalid message format"), "Invalid message format"),
        (ApiError(404, "No such application"), "No such application"),
    ],
)
def test_an_error_says_on_one_line_what_was_wrong(error: FizzError, text: str) -> None:
    assert str(error) == text


def test_a_rejection_brings_the_protocols_own_text_for_its_code() -> None:
    """Protocol: §4.3."""
    rejection = ConnectionRejected(CloseCode.OVER_QUOTA)
    assert (rejection.code, rejection.reason) == (4004, "Application is over connection quota")
    assert ConnectionRejected(CloseCode.UNAUTHORIZED, "").reason == ""


def test_a_refused_subscription_is_bad_authorization_unless_told() -> None:
    """Protocol: §6.3."""
    refused = SubscriptionError("Not you", channel="private-orders")
    assert (refused.message, refused.channel) == ("Not you", "private-orders")
    assert (refused.type, refused.status, refused.code) == ("AuthError", 401, None)


def test_an_api_error_carries_headers_of_its_own() -> None:
    """Protocol: §12.2."""
    refused = ApiError(429, "Too many", headers={"Retry-After": "3"})
    assert (refused.status, refused.message, refused.headers) == (
        429,
        "Too many",
        {"Retry-After": "3"},
    )
    assert ApiError(400, "Bad").headers == {}


@pytest.mark.parametrize("code", list(CloseCode))
def test_every_reason_fits_a_close_frame(code: CloseCode) -> None:
    """Protocol: §4.3, at most 123 bytes."""
    assert len(code.reason.encode()) <= 123


@pytest.mark.parametrize("odd", ["\n", "\r\n", "\x1b[31m", "\x85", "\u2028", "\udc80"])
def test_what_a_configuration_error_quotes_stays_on_one_line(odd: str) -> None:
    """Nor does it reach a terminal as anything but text."""
    shown = str(ConfigError(f"unknown key '{odd}'", where="a.yaml:1", key=f"b.{odd}"))
    assert shown.splitlines() == [shown]
    assert shown.isprintable()
    assert shown.startswith("a.yaml:1: b.\\")
