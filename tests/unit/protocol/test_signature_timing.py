"""How long a check takes tells nothing of the right signature. Protocol: §6.2, §9.1, §12.1.

What is looked at is what is done, not how long it takes: the interpreter tells of each call.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from fizz_gevent.errors import ApiError, ProtocolError
from fizz_gevent.protocol.signatures import verify_channel_auth, verify_request, verify_signin
from tests.harness.signing import App

APP = App()
OTHER = App(secret="another secret")
STRANGER = App(key="unknown")
SOCKET_ID = "123.456"
NOW = 1_700_000_000
PACKAGE = Path(__file__).resolve().parents[3] / "fizz_gevent"


def native_calls(call: Callable[[], object]) -> list[str]:
    """The names of the built-in functions that are called, in order; an error is the call's own."""
    names: list[str] = []

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call":
            names.append(argument.__name__)

    for profile in (None, note):  # the first time fills caches
        sys.setprofile(profile)
        try:
            call()
        except (ProtocolError, ApiError):
            pass
        finally:
            sys.setprofile(None)
    return names


def comparisons(call: Callable[[], object]) -> int:
    return sum("compare_digest" in name for name in native_calls(call))


def joins(auth: str, *secrets: str) -> Callable[[], None]:
    credentials = [(APP.key, secret) for secret in secrets or (APP.secret,)]
    return lambda: verify_channel_auth(
        auth,
        credentials=credentials,
        socket_id=SOCKET_ID,
        channel="private-x",
        channel_data=None,
    )


def signs_in(auth: str) -> Callable[[], None]:
    return lambda: verify_signin(
        auth, credentials=[(APP.key, APP.secret)], socket_id=SOCKET_ID, user_data="{}"
    )


def asks(app: App, signature: str | None = None) -> Callable[[], object]:
    query = app.signed_query("GET", "/apps/1001/channels", timestamp=NOW)
    if signature is not None:
        query = query[: -len(signature)] + signature
    return lambda: verify_request(
        method="GET",
        target=f"/apps/1001/channels?{query}",
        prefix="",
        body=b"",
        credentials=[(APP.key, APP.secret)],
        now=NOW,
    )


CHANNEL = [
    APP.channel_auth(SOCKET_ID, "private-x"),
    OTHER.channel_auth(SOCKET_ID, "private-x"),
    STRANGER.channel_auth(SOCKET_ID, "private-x"),
    f"{APP.key}:{'0' * 64}",
    f"unknown:{'0' * 64}",
    f"{APP.key}:",
    f"{APP.key}:é",
]
USER = [app.user_auth(SOCKET_ID, "{}") for app in (APP, OTHER, STRANGER)]


@pytest.mark.parametrize("check", [*map(joins, CHANNEL), *map(signs_in, USER)])
def test_right_wrong_and_unknown_are_all_compared_once(check: Callable[[], None]) -> None:
    assert comparisons(check) == 1


def test_a_wrong_signature_and_an_unknown_key_take_the_same_steps() -> None:
    """As far as the protocol's own words go, which tell one from the other. Protocol: §6.3."""
    wrong = native_calls(joins(f"{APP.key}:{'0' * 64}"))
    unknown = native_calls(joins(f"{'u' * len(APP.key)}:{'0' * 64}"))
    steps = [[name for name in names if name != "append"] for names in (wrong, unknown)]
    assert steps[0] == steps[1]


def test_signatures_that_are_wrong_early_and_late_take_the_same_steps() -> None:
    right = APP.channel_auth(SOCKET_ID, "private-x")
    early = right.replace(right[-64], "f" if right[-64] != "f" else "0", 1)
    late = right[:-1] + ("f" if right[-1] != "f" else "0")
    assert native_calls(joins(early)) == native_calls(joins(late))


def test_after_a_rotation_both_secrets_are_tried() -> None:
    assert comparisons(joins(f"{APP.key}:{'0' * 64}", APP.secret, "the one before")) == 2


@pytest.mark.parametrize("check", [asks(APP), asks(OTHER), asks(APP, "0" * 64), asks(APP, "0")])
def test_requests_are_compared_so_too(check: Callable[[], None]) -> None:
    assert comparisons(check) == 1


_SECRET_WORDS = ("signature", "digest", "password", "hmac", "_sign(")
_HARMLESS = {
    "body_md5 != received",  # a digest without any secret
    "name != 'auth_signature'",  # a name
}


def equalities() -> Iterator[tuple[str, str]]:
    """Every ``==`` and ``!=`` of the package, as file and words."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and any(
                isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops
            ):
                yield path.name, ast.unparse(node)


def test_nothing_secret_is_compared_by_equality() -> None:
    found = [
        f"{file}: {words}"
        for file, words in equalities()
        if any(word in words.lower() for word in _SECRET_WORDS) and words not in _HARMLESS
    ]
    assert found == []


def test_the_search_for_equalities_finds_some() -> None:
    assert ("signatures.py", "body_md5 != received") in list(equalities())
