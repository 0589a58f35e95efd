"""An application: its credentials over time, and the pages that may connect to it."""

import re
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fizz_gevent.application import Application, PreviousCredentials, Webhook


def app(*origins: str) -> Application:
    return Application("1001", "fizz-key", "fizz-secret", allowed_origins=origins)


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        ("example.com", "https://example.com"),
        ("example.com", "http://example.com:8080"),
        ("example.com", "https://EXAMPLE.com"),
        ("Example.COM", "https://example.com"),
        ("*.example.com", "https://shop.example.com"),
        ("*.example.com", "https://a.b.example.com"),
        ("shop-*.example.com", "https://shop-7.example.com"),
        ("*example*", "https://www.example.org"),
        ("localhost", "http://localhost:3000"),
        ("127.0.0.1", "http://127.0.0.1"),
        ("::1", "http://[::1]:3000"),
        ("xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("localhost", "capacitor://localhost"),
    ],
)
def test_a_page_of_an_allowed_host_may_connect(entry: str, origin: str) -> None:
    """Protocol: §1.3, origin rule."""
    assert app("unrelated.test", entry).allows_origin(origin)


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        ("example.com", "https://example.org"),
        ("example.com", "https://evil-example.com"),
        ("example.com", "https://example.com.evil.test"),
        ("example.com", "https://shop.example.com"),
        ("example.com", "https://evil.test/example.com"),
        ("example.com", "https://example.com@evil.test"),
        ("example.com", "https://evil.test#example.com"),
        ("example.com", "example.com"),
        ("*.example.com", "https://example.com"),
        ("*.example.com", "https://evilexample.com"),
        ("*.example.com", "https://x.example.com.evil.test"),
        # Only the star is special: neither what shells nor what regular expressions know.
        ("example.com", "https://examplescom"),
        ("shop?.example.com", "https://shop1.example.com"),
        ("shop[12].example.com", "https://shop1.example.com"),
        ("[!a]", "https://b"),
        ("a|b", "https://a"),
    ],
)
def test_a_page_of_another_host_may_not(entry: str, origin: str) -> None:
    """Protocol: §1.3, origin rule."""
    assert not app(entry).allows_origin(origin)


@settings(deadline=None, database=None)
@given(st.text("ab*", min_size=1, max_size=6), st.text("ab", min_size=1, max_size=8))
def test_a_star_stands_for_any_characters(entry: str, host: str) -> None:
    """Protocol: §1.3, origin rule."""
    meant = re.fullmatch(".*".join(map(re.escape, entry.split("*"))), host) is not None
    assert app(entry).allows_origin(f"https://{host}") == meant


def test_many_stars_and_a_long_host_take_no_longer_than_others() -> None:
    """An expression would try for longer than any test waits."""
    hosts = ["a" * 15_000 + "b", "ab" * 7_000]
    for host in hosts:
        assert not app("*a" * 20 + "*.test", "*".join("ab" * 9) + "c").allows_origin(
            f"http://{host}"
        )


@pytest.mark.parametrize("origin", [None, "", "null", "https://", "https://[::1", "http://:80"])
def test_without_a_host_only_the_star_matches(origin: str | None) -> None:
    """Protocol: §1.3, "a list without * also refuses a missing Origin"."""
    assert not app("example.com", "*.example.com", "**").allows_origin(origin)
    assert app("example.com", "*").allows_origin(origin)


@pytest.mark.parametrize("origin", [None, "null", "https://anything.test"])
def test_an_empty_list_is_the_star(origin: str | None) -> None:
    """Protocol: §1.3."""
    assert app().allows_origin(origin)
    assert Application("1001", "fizz-key", "fizz-secret").allows_origin(origin)


def test_the_previous_credentials_are_good_until_their_moment() -> None:
    until = datetime(2027, 1, 31, 12, tzinfo=UTC)
    previous = PreviousCredentials("old", "old-secret", until)
    application = Application("1001", "new", "new-secret", previous=previous)
    new, old = ("new", "new-secret"), ("old", "old-secret")
    assert application.credentials((until - timedelta(seconds=1)).timestamp()) == (new, old)
    assert application.credentials(until.timestamp()) == (new,)
    assert application.credentials((until + timedelta(days=1)).timestamp()) == (new,)


def test_without_a_rotation_there_is_one_pair() -> None:
    assert Application("1", "k", "s").credentials(0) == (("k", "s"),)


def test_no_secret_is_ever_shown() -> None:
    previous = PreviousCredentials("old", "hidden-previous", datetime(2027, 1, 1, tzinfo=UTC))
    webhook = Webhook("https://shop.test/hook", headers={"Authorization": "hidden-header"})
    application = Application(
        "1001", "fizz-key", "hidden-secret", previous=previous, webhooks=(webhook,)
    )
    for shown in (repr(application), str(application)):
        assert "fizz-key" in shown
        assert "hidden" not in shown


def test_an_application_does_not_change() -> None:
    """A reload makes a new one."""
    with pytest.raises(FrozenInstanceError):
        app().enabled = False  # type: ignore[misc]
