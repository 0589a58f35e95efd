"""Users who are told when others come online and go offline."""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.signing import App

OPEN = App("1001", "open-key", "open-secret")
OTHER = App("1002", "other-key", "other-secret")
OFF = App("1003", "off-key", "off-secret")
SHORT = App("1004", "short-key", "short-secret")
CLOCK = App("1005", "clock-key", "clock-secret")
"""Whoever connects is closed about a second later."""

EVENTS = "pusher_internal:watchlist_events"


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(
        apps=[
            OPEN.settings(),
            OTHER.settings(),
            OFF.settings(watchlist=False),
            SHORT.settings(max_watchlist_size=2),
            CLOCK.settings(authorization_timeout=1),
        ]
    )


def statuses(online: Iterable[str] = (), offline: Iterable[str] = ()) -> dict[str, Any]:
    """The decoded data of one frame; a group without anybody is left out."""
    groups = {"online": list(online), "offline": list(offline)}
    return {"events": [{"name": name, "user_ids": ids} for name, ids in groups.items() if ids]}


def expect_silence(*clients: PusherClient) -> None:
    for client in clients:
        client.expect_nothing()


def test_the_present_statuses_follow_the_signin_in_one_frame(server: FizzServer) -> None:
    """Protocol: §9.3, at signin; the frame byte for byte; §14 "watchlist"."""
    with server.client(OPEN) as bob, server.client(OPEN) as ann:
        bob.signin("u-8")
        ann.signin("u-7", watchlist=["u-8", "u-9"])
        assert ann.websocket.recv_text() == (
            '{"event":"pusher_internal:watchlist_events","data":"{\\"events\\":['
            '{\\"name\\":\\"online\\",\\"user_ids\\":[\\"u-8\\"]},'
            '{\\"name\\":\\"offline\\",\\"user_ids\\":[\\"u-9\\"]}]}"}'
        )
        expect_silence(ann, bob)


def test_groups_without_anybody_are_left_out(server: FizzServer) -> None:
    """Protocol: §9.3 "Fizz"."""
    with server.client(OPEN) as bob, server.client(OPEN) as ann, server.client(OPEN) as eve:
        bob.signin("bob-1")
        ann.signin("ann-1", watchlist=["bob-1"])
        assert ann.expect(EVENTS) == statuses(online=["bob-1"])
        eve.signin("eve-1", watchlist=["nobody"])
        assert eve.expect(EVENTS) == statuses(offline=["nobody"])


def test_changes_go_to_every_connection_of_each_watcher(server: FizzServer) -> None:
    """Protocol: §9.3 "Fizz"; online = signed in on one connection or more."""
    with (
        server.client(OPEN) as first,
        server.client(OPEN) as second,
        server.client(OPEN) as eve,
        server.client(OPEN) as stranger,
        server.client(OTHER) as elsewhere,
    ):
        for client, user_id in ((first, "ann-2"), (second, "ann-2"), (eve, "eve-2")):
            client.signin(user_id, watchlist=["bob-2"])
            assert client.expect(EVENTS) == statuses(offline=["bob-2"])
        elsewhere.signin("ann-2", watchlist=["bob-2"])
        assert elsewhere.expect(EVENTS) == statuses(offline=["bob-2"])
        stranger.signin("stranger")
        bob = server.client(OPEN)
        bob.subscribe("presence-room", user_id="bob-2")  # present is not signed in
        expect_silence(first)
        bob.signin("bob-2")
        for client in (first, second, eve):
            assert client.expect(EVENTS) == statuses(online=["bob-2"])
        tab = server.client(OPEN)
        tab.signin("bob-2")
        tab.close()
        expect_silence(first, second, eve, stranger, elsewhere, bob)
        bob.close()
        for client in (first, second, eve):
            assert client.expect(EVENTS) == statuses(offline=["bob-2"])
        expect_silence(first, second, eve, stranger, elsewhere)


def test_a_user_who_returns_was_never_gone(server: FizzServer) -> None:
    """Protocol: §9.3, offline is held back 3 s and dropped if the user returns."""
    with server.client(OPEN) as ann, server.client(OPEN) as late:
        ann.signin("ann-3", watchlist=["bob-3"])
        assert ann.expect(EVENTS) == statuses(offline=["bob-3"])
        bob = server.client(OPEN)
        bob.signin("bob-3")
        bob.close()
        server.client(CLOCK).expect_close()  # a second passes
        late.signin("late-3", watchlist=["bob-3"])
        assert late.expect(EVENTS) == statuses(online=["bob-3"])
        bob = server.client(OPEN)
        bob.signin("bob-3")
        bob.close()
        # One coming and one going in the end, whatever was between.
        assert ann.expect(EVENTS) == statuses(online=["bob-3"])
        assert ann.expect(EVENTS) == statuses(offline=["bob-3"])
        assert late.expect(EVENTS) == statuses(offline=["bob-3"])
        with server.client(OPEN) as again:
            again.signin("bob-3")
            assert ann.expect(EVENTS) == statuses(online=["bob-3"])


def test_who_is_held_back_is_online_for_whoever_asks_meanwhile(server: FizzServer) -> None:
    """Protocol: §9.3, offline is held back 3 s, whether or not somebody watched before."""
    with contextlib.ExitStack() as stack:
        # So many that each worker of several has some.
        watchers = [stack.enter_context(server.client(OPEN)) for _ in range(12)]
        bob = server.client(OPEN)
        bob.signin("bob-10")
        bob.close()
        server.client(CLOCK).expect_close()  # a second passes
        for watcher in watchers:
            watcher.signin("watcher-10", watchlist=["bob-10"])
            assert watcher.expect(EVENTS) == statuses(online=["bob-10"])
        for watcher in watchers:
            assert watcher.expect(EVENTS) == statuses(offline=["bob-10"])
        expect_silence(*watchers)


def test_a_terminated_user_goes_offline_too(server: FizzServer) -> None:
    """Protocol: §9.3, §9.4."""
    with server.client(OPEN) as ann, server.client(OPEN) as bob:
        bob.signin("bob-4")
        ann.signin("ann-4", watchlist=["bob-4"])
        assert ann.expect(EVENTS) == statuses(online=["bob-4"])
        server.api(OPEN).post("/users/bob-4/terminate_connections", {})
        bob.expect_close()
        assert ann.expect(EVENTS) == statuses(offline=["bob-4"])


def test_two_who_watch_each_other(server: FizzServer) -> None:
    """Protocol: §9.3."""
    with server.client(OPEN) as ann, server.client(OPEN) as bob:
        ann.signin("ann-5", watchlist=["bob-5"])
        assert ann.expect(EVENTS) == statuses(offline=["bob-5"])
        bob.signin("bob-5", watchlist=["ann-5"])
        assert bob.expect(EVENTS) == statuses(online=["ann-5"])
        assert ann.expect(EVENTS) == statuses(online=["bob-5"])
        expect_silence(ann, bob)


def test_who_watches_himself_is_online(server: FizzServer) -> None:
    """Protocol: §9.3."""
    with server.client(OPEN) as ann:
        ann.signin("ann-6", watchlist=["ann-6", "ann-6"])
        assert ann.expect(EVENTS) == statuses(online=["ann-6"])
        ann.expect_nothing()


def test_a_second_signin_replaces_the_watchlist(server: FizzServer) -> None:
    """Protocol: §9.1 "Fizz": replace watchlist."""
    with server.client(OPEN) as ann, server.client(OPEN) as bob, server.client(OPEN) as eve:
        ann.signin("ann-7", watchlist=["bob-7"])
        assert ann.expect(EVENTS) == statuses(offline=["bob-7"])
        ann.signin("ann-7", watchlist=["eve-7"])
        assert ann.expect(EVENTS) == statuses(offline=["eve-7"])
        bob.signin("bob-7")
        expect_silence(ann)
        eve.signin("eve-7")
        assert ann.expect(EVENTS) == statuses(online=["eve-7"])


def test_only_the_first_hundred_are_watched(server: FizzServer) -> None:
    """Protocol: §9.3, more than 100; §4.3, 4302."""
    watched = [f"w-{number}" for number in range(101)]
    with server.client(OPEN) as ann, server.client(OPEN) as last, server.client(OPEN) as dropped:
        ann.signin("ann-8", watchlist=watched)
        assert ann.expect("pusher:error") == {
            "code": 4302,
            "message": "Watchlist limit exceeded. Only the first 100 user IDs are accepted.",
        }
        assert ann.expect(EVENTS) == statuses(offline=watched[:100])
        dropped.signin("w-100")
        expect_silence(ann)
        last.signin("w-99")
        assert ann.expect(EVENTS) == statuses(online=["w-99"])


def test_exactly_a_hundred_is_no_error(server: FizzServer) -> None:
    """Protocol: §9.3, "more than 100"."""
    watched = [f"v-{number}" for number in range(100)]
    with server.client(OPEN) as ann:
        ann.signin("ann-9", watchlist=watched)
        assert ann.expect(EVENTS) == statuses(offline=watched)
        ann.expect_nothing()


def test_the_limit_is_the_applications(server: FizzServer) -> None:
    """Protocol: §5 "Fizz"."""
    with server.client(SHORT) as ann:
        ann.signin("ann", watchlist=["a", "b", "c"])
        assert ann.expect("pusher:error") == {
            "code": 4302,
            "message": "Watchlist limit exceeded. Only the first 2 user IDs are accepted.",
        }
        assert ann.expect(EVENTS) == statuses(offline=["a", "b"])


def test_an_application_may_switch_it_off(server: FizzServer) -> None:
    """Protocol: §9.3 "Fizz", per-app switch."""
    with server.client(OFF) as ann, server.client(OFF) as bob:
        ann.signin("ann", watchlist=["bob"])
        bob.signin("bob")
        expect_silence(ann, bob)
