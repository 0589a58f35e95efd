"""User, password, session, and whose requests may change something."""

import base64
from collections.abc import Mapping

import pytest

from fizz_gevent.config import ConsoleConfig
from fizz_gevent.console.guard import Guard, NotLoggedIn
from fizz_gevent.errors import ApiError
from tests.unit.clockwork import HandClock

LOOPBACK = {
    "REMOTE_ADDR": "127.0.0.1",
    "HTTP_HOST": "localhost:8080",
    "SERVER_PROTOCOL": "HTTP/1.1",
}
REMOTE = {"REMOTE_ADDR": "192.0.2.7", "HTTP_HOST": "fizz.example.com"}
OWN = {"HTTP_X_FIZZ_CONSOLE": "1"}


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def guard(clock: HandClock, password: str | None = "pass wörd", key: bytes = b"key") -> Guard:
    config = ConsoleConfig(username="ann", password=password)
    return Guard(config, key, clock, lambda environ: str(environ["REMOTE_ADDR"]))


def basic(username: str, password: str) -> Mapping[str, object]:
    text = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {**REMOTE, "HTTP_AUTHORIZATION": f"Basic {text}"}


def test_without_a_password_only_direct_requests(clock: HandClock) -> None:
    unguarded = guard(clock, None)
    unguarded.admit(LOOPBACK, None)
    with pytest.raises(ApiError, match="FIZZ_CONSOLE_PASSWORD") as caught:
        unguarded.admit(REMOTE, None)
    assert caught.value.status == 403
    with pytest.raises(ApiError):
        unguarded.admit({**LOOPBACK, "HTTP_VIA": "x"}, unguarded.new_session())


def test_with_a_password_loopback_has_to_log_in_too(clock: HandClock) -> None:
    with pytest.raises(NotLoggedIn):
        guard(clock).admit(LOOPBACK, None)


def test_basic_authentication(clock: HandClock) -> None:
    guard(clock).admit(basic("ann", "pass wörd"), None)
    for wrong in (("ann", "password"), ("bob", "pass wörd"), ("ann", ""), ("", "pass wörd")):
        with pytest.raises(NotLoggedIn):
            guard(clock).admit(basic(*wrong), None)
    for header in ("Basic", "Basic ????", "Basic YQ==", "Bearer x", ""):
        with pytest.raises(NotLoggedIn):
            guard(clock).admit({**REMOTE, "HTTP_AUTHORIZATION": header}, None)


def test_who_guesses_too_often_waits_even_with_the_right_password(clock: HandClock) -> None:
    guarded = guard(clock)
    for _ in range(5):
        with pytest.raises(NotLoggedIn):
            guarded.admit(basic("ann", "guess"), None)
    with pytest.raises(ApiError) as caught:
        guarded.admit(basic("ann", "pass wörd"), None)
    assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "60"})
    clock.advance(60)
    guarded.admit(basic("ann", "pass wörd"), None)


def test_a_session_lasts_for_a_time_and_on_every_worker(clock: HandClock) -> None:
    cookie = guard(clock).new_session()
    guard(clock).admit(REMOTE, cookie)
    clock.advance(12 * 3600 - 1)
    guard(clock).admit(REMOTE, cookie)
    clock.advance(1)
    with pytest.raises(NotLoggedIn):
        guard(clock).admit(REMOTE, cookie)


def test_a_session_cannot_be_made_or_changed(clock: HandClock) -> None:
    cookie = guard(clock).new_session()
    until, rest = cookie.split(".", 1)
    signature = cookie.rpartition(".")[2]
    for forged in (
        f"{int(until) + 1}.{rest}",
        cookie[:-1],
        "",
        ".",
        f".{signature}",
        "9999999999.aa.",
        "9999999999.aa.\u00ff",
        guard(clock, key=b"another").new_session(),
    ):
        with pytest.raises(NotLoggedIn):
            guard(clock).admit(REMOTE, forged)


def test_what_changes_something_has_to_come_from_the_page(clock: HandClock) -> None:
    unguarded = guard(clock, None)
    for fields in (
        {},
        {"HTTP_SEC_FETCH_SITE": "same-origin"},
        {"HTTP_ORIGIN": "http://localhost:8080"},
    ):
        unguarded.admit_change({**LOOPBACK, **OWN, **fields}, None)
    for fields in (
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_SEC_FETCH_SITE": "same-site"},
        {"HTTP_ORIGIN": "http://evil.example.com"},
        {"HTTP_ORIGIN": "http://localhost:9090"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": "http://[bad"},
    ):
        with pytest.raises(ApiError):
            unguarded.admit_change({**LOOPBACK, **OWN, **fields}, None)
    guarded = guard(clock)
    inside = guarded.new_session()
    behind_a_proxy = {"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_ORIGIN": "https://fizz.test"}
    guarded.admit_change({**REMOTE, **OWN, **behind_a_proxy}, inside)
    for fields in ({"HTTP_SEC_FETCH_SITE": "cross-site"}, {"HTTP_ORIGIN": "http://evil.test"}):
        with pytest.raises(ApiError, match="another site"):
            guarded.admit_change({**REMOTE, **OWN, **fields}, inside)
    with pytest.raises(ApiError, match="X-Fizz-Console"):
        unguarded.admit_change(LOOPBACK, None)
    with pytest.raises(NotLoggedIn):
        guard(clock).admit_change({**LOOPBACK, **OWN}, None)
