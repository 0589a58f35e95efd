"""Presence: users, not connections."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.pusher_client import PusherClient
from tests.harness.refusals import expect_refusal
from tests.harness.server import FizzServer
from tests.harness.signing import App, compact

OPEN = App("1001", "open-key", "open-secret")
SMALL = App("1002", "small-key", "small-secret")

ADDED = "pusher_internal:member_added"
REMOVED = "pusher_internal:member_removed"


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(
        apps=[
            OPEN.settings(),
            SMALL.settings(
                max_presence_members=2, max_presence_member_size=20, max_user_id_length=5
            ),
        ]
    )


def presence(**users: Any) -> dict[str, Any]:
    """The decoded reply to a joiner."""
    return {"presence": {"count": len(users), "ids": list(users), "hash": users}}


def test_the_reply_and_the_events_byte_for_byte(server: FizzServer) -> None:
    """Protocol: §7.1, §7.2."""
    with server.client(OPEN) as bob:
        bob.subscribe("presence-room.1", user_id="u-9", user_info={"name": "Bo"})
        ada = server.client(OPEN)
        text = '{"user_id":"u-7","user_info":{"name":"Ada"}}'
        ada.request_subscription("presence-room.1", channel_data=text)
        roster = {"u-9": {"name": "Bo"}, "u-7": {"name": "Ada"}}
        data = compact({"presence": {"count": 2, "ids": ["u-9", "u-7"], "hash": roster}})
        assert ada.websocket.recv_text() == (
            '{"event":"pusher_internal:subscription_succeeded","channel":"presence-room.1",'
            f'"data":{json.dumps(data)}}}'
        )
        assert bob.websocket.recv_text() == (
            '{"event":"pusher_internal:member_added","channel":"presence-room.1",'
            r'"data":"{\"user_id\":\"u-7\",\"user_info\":{\"name\":\"Ada\"}}"}'
        )
        ada.expect_nothing()  # not told of itself
        ada.close()
        assert bob.websocket.recv_text() == (
            '{"event":"pusher_internal:member_removed","channel":"presence-room.1",'
            r'"data":"{\"user_id\":\"u-7\"}"}'
        )


def test_a_user_is_one_member_however_many_connections(server: FizzServer) -> None:
    """Protocol: §7.3, first rule: 0 → 1 and 1 → 0 only."""
    with server.client(OPEN) as bob:
        bob.subscribe("presence-tabs", user_id="bob")
        tabs = [server.client(OPEN) for _ in range(3)]
        for tab in tabs:
            reply = tab.subscribe("presence-tabs", user_id="ann")
            assert reply == presence(bob={}, ann={})
        assert bob.expect(ADDED, "presence-tabs") == {"user_id": "ann", "user_info": {}}
        bob.expect_nothing()
        for tab in tabs:
            tab.expect_nothing()
        tabs[0].unsubscribe("presence-tabs")
        tabs[0].expect_nothing()
        tabs[1].close()
        bob.expect_nothing()
        users = server.api(OPEN).get("/channels/presence-tabs/users").json
        assert users == {"users": [{"id": "bob"}, {"id": "ann"}]}
        tabs[2].close()
        assert bob.expect(REMOVED, "presence-tabs") == {"user_id": "ann"}
        bob.expect_nothing()
        tabs[0].close()
        bob.expect_nothing()


def test_leaving_is_not_told_to_who_leaves(server: FizzServer) -> None:
    """Protocol: §7.3, "Not sent to the connection that causes it"."""
    with server.client(OPEN) as ann, server.client(OPEN) as bob:
        ann.subscribe("presence-leave", user_id="ann")
        bob.subscribe("presence-leave", user_id="bob")
        ann.expect(ADDED)
        ann.unsubscribe("presence-leave")
        ann.expect_nothing()
        assert bob.expect(REMOVED, "presence-leave") == {"user_id": "ann"}
        assert ann.subscribe("presence-leave", user_id="ann") == presence(bob={}, ann={})
        assert bob.expect(ADDED)["user_id"] == "ann"


@pytest.mark.parametrize(
    ("user_id", "sent"),
    [(10, "10"), (0, "0"), (-3, "-3"), (2**53 + 1, str(2**53 + 1)), ("10", "10"), (" ä ", " ä ")],
)
def test_an_id_is_a_string_everywhere(server: FizzServer, user_id: str | int, sent: str) -> None:
    """Protocol: §7.3, numeric user_id; §14 "numeric user_id"."""
    with server.client(OPEN) as bob, server.client(OPEN) as client:
        bob.subscribe("presence-ids", user_id="bob")
        reply = client.subscribe("presence-ids", user_id=user_id)
        assert reply == presence(**{"bob": {}, sent: {}})
        assert bob.expect(ADDED) == {"user_id": sent, "user_info": {}}
        client.trigger("client-hi", "presence-ids", "")
        event = bob.next_event()
        assert (event["event"], event["user_id"]) == ("client-hi", sent)
        users = server.api(OPEN).get("/channels/presence-ids/users").json
        assert users == {"users": [{"id": "bob"}, {"id": sent}]}
        client.close()
        assert bob.expect(REMOVED) == {"user_id": sent}


def test_a_number_and_its_string_are_the_same_user(server: FizzServer) -> None:
    """Protocol: §7.3."""
    with server.client(OPEN) as first, server.client(OPEN) as second:
        first.subscribe("presence-same", user_id=10)
        assert second.subscribe("presence-same", user_id="10") == presence(**{"10": {}})
        first.expect_nothing()


@pytest.mark.parametrize("text", ['{"user_id":"ann"}', '{"user_id":"ann","user_info":null}'])
def test_without_user_info_it_is_an_empty_object(server: FizzServer, text: str) -> None:
    """Protocol: §7.3, "Missing user_info"."""
    with server.client(OPEN) as bob, server.client(OPEN) as ann:
        bob.subscribe("presence-info", user_id="bob")
        assert ann.subscribe("presence-info", channel_data=text) == presence(bob={}, ann={})
        assert bob.expect(ADDED) == {"user_id": "ann", "user_info": {}}


@pytest.mark.parametrize("info", [{"näme": "Ä 𝄞", "n": [1, None, {"x": 1.5}]}, "text", 7, []])
def test_user_info_is_handed_on_as_it_is(server: FizzServer, info: Any) -> None:
    """Protocol: §7.1, §7.2."""
    with server.client(OPEN) as bob, server.client(OPEN) as ann:
        bob.subscribe("presence-any", user_id="bob")
        assert ann.subscribe("presence-any", user_id="ann", user_info=info) == presence(
            bob={}, ann=info
        )
        assert bob.expect(ADDED) == {"user_id": "ann", "user_info": info}


def test_the_newest_user_info_counts_for_later_joiners(server: FizzServer) -> None:
    """Protocol: §7.3, different user_info of one user; no event."""
    with server.client(OPEN) as bob, server.client(OPEN) as old, server.client(OPEN) as new:
        bob.subscribe("presence-news", user_id="bob")
        old.subscribe("presence-news", user_id="ann", user_info={"v": 1})
        bob.expect(ADDED)
        reply = new.subscribe("presence-news", user_id="ann", user_info={"v": 2})
        assert reply == presence(bob={}, ann={"v": 2})
        bob.expect_nothing()
        old.expect_nothing()
        with server.client(OPEN) as late:
            reply = late.subscribe("presence-news", user_id="eve")
            assert reply == presence(bob={}, ann={"v": 2}, eve={})


def test_a_repeat_with_other_user_info_replaces_it_in_silence(server: FizzServer) -> None:
    """Protocol: §6.4, "a changed user_info with the same id"."""
    with server.client(OPEN) as bob, server.client(OPEN) as ann:
        bob.subscribe("presence-again", user_id="bob")
        ann.subscribe("presence-again", user_id="ann", user_info={"v": 1})
        bob.expect(ADDED)
        reply = ann.subscribe("presence-again", user_id="ann", user_info={"v": 2})
        assert reply == presence(bob={}, ann={"v": 2})
        bob.expect_nothing()
        assert bob.subscribe("presence-again", user_id="bob") == presence(bob={}, ann={"v": 2})
        ann.close()
        assert bob.expect(REMOVED) == {"user_id": "ann"}


def test_a_repeat_as_another_user_is_refused(server: FizzServer) -> None:
    """Protocol: §6.4, "the first membership stays"."""
    with server.client(OPEN) as bob, server.client(OPEN) as ann:
        bob.subscribe("presence-mask", user_id="bob")
        ann.subscribe("presence-mask", user_id="ann")
        bob.expect(ADDED)
        ann.request_subscription("presence-mask", user_id="eve")
        expect_refusal(ann, "presence-mask", "AuthError", 401, 4009)
        bob.expect_nothing()
        ann.trigger("client-hi", "presence-mask", 1)
        assert bob.next_event()["user_id"] == "ann"
        ann.close()
        assert bob.expect(REMOVED) == {"user_id": "ann"}
        bob.expect_nothing()


def test_a_hundred_users_and_no_more(server: FizzServer) -> None:
    """Protocol: §5, §6.3 "presence channel full", §7.3 "Limit 100 counts distinct users"."""
    clients: list[PusherClient] = []
    try:
        for number in range(100):
            clients.append(server.client(OPEN))
            clients[-1].subscribe("presence-full", user_id=number)
        clients.append(server.client(OPEN))
        extra = clients[-1]
        extra.request_subscription("presence-full", user_id="one more")
        expect_refusal(extra, "presence-full", "LimitReached", 403, None)
        reply = extra.subscribe("presence-full", user_id=42)  # a present user is let in
        assert reply["presence"]["count"] == 100
        clients[7].close()
        clients.append(server.client(OPEN))
        reply = clients[-1].subscribe("presence-full", user_id="one more")
        assert (reply["presence"]["count"], reply["presence"]["ids"][-1]) == (100, "one more")
    finally:
        for client in clients:
            client.websocket.abandon()


def test_the_limits_are_the_applications(server: FizzServer) -> None:
    """Protocol: §5 "Fizz": all numbers are per-app settings; §6.3, 403 and 413."""
    with server.client(SMALL) as a, server.client(SMALL) as b, server.client(SMALL) as c:
        a.subscribe("presence-small", user_id="abcde", user_info="x" * 18)
        b.request_subscription("presence-small", user_id="abcdef")
        expect_refusal(b, "presence-small", "LimitReached", 413, None)
        b.request_subscription("presence-small", user_id="b", user_info="x" * 19)
        expect_refusal(b, "presence-small", "LimitReached", 413, None)
        b.subscribe("presence-small", user_id="b")
        c.request_subscription("presence-small", user_id="c")
        expect_refusal(c, "presence-small", "LimitReached", 403, None)
        c.subscribe("presence-other", user_id="c")


@pytest.mark.parametrize(
    ("user_id", "info", "fits"),
    [
        ("x" * 128, None, True),
        ("x" * 129, None, False),
        ("ä" * 128, None, True),
        ("ann", "x" * 1022, True),
        ("ann", "x" * 1023, False),
        ("ann", "ä" * 511, True),
        ("ann", "ä" * 512, False),
    ],
)
def test_ids_and_infos_have_limits(
    server: FizzServer, user_id: str, info: str | None, fits: bool
) -> None:
    """Protocol: §5, user_id 128 characters, user_info 1,024 bytes of compact JSON; §6.3."""
    with server.client(OPEN) as client:
        client.request_subscription("presence-limits", user_id=user_id, user_info=info)
        if fits:
            client.expect("pusher_internal:subscription_succeeded")
        else:
            expect_refusal(client, "presence-limits", "LimitReached", 413, None)


def test_white_space_in_user_info_is_not_counted(server: FizzServer) -> None:
    """Protocol: §5, "of compact JSON"."""
    text = '{"user_id":"ann","user_info":{' + " " * 2000 + '"a" :  1 }}'
    with server.client(OPEN) as client:
        assert client.subscribe("presence-wide", channel_data=text) == presence(ann={"a": 1})


def test_the_signed_in_user_is_the_member_without_channel_data(server: FizzServer) -> None:
    """Protocol: §7.4; §14 "presence without channel_data"."""
    with server.client(OPEN) as bob, server.client(OPEN) as ann:
        bob.subscribe("presence-signed", user_id="bob")
        ann.signin("ann", user_info={"name": "Ann"})
        reply = ann.subscribe("presence-signed")
        assert reply == presence(bob={}, ann={"name": "Ann"})
        assert bob.expect(ADDED) == {"user_id": "ann", "user_info": {"name": "Ann"}}
        ann.trigger("client-hi", "presence-signed", 1)
        assert bob.next_event()["user_id"] == "ann"
        ann.close()
        assert bob.expect(REMOVED) == {"user_id": "ann"}


def test_a_signed_in_user_without_user_info_is_an_empty_object(server: FizzServer) -> None:
    """Protocol: §7.4."""
    with server.client(OPEN) as ann:
        ann.signin("ann")
        assert ann.subscribe("presence-plain") == presence(ann={})


def test_channel_data_wins_over_the_signed_in_user(server: FizzServer) -> None:
    """Protocol: §7.4, "channel_data, if given, wins"."""
    with server.client(OPEN) as ann:
        ann.signin("ann", user_info={"name": "Ann"})
        assert ann.subscribe("presence-wins", user_id="nick") == presence(nick={})


def test_a_signed_in_user_too_large_for_presence_is_refused(server: FizzServer) -> None:
    """Protocol: §7.4 and §6.3."""
    with server.client(OPEN) as ann:
        ann.signin("ann", user_info="x" * 1023)
        ann.request_subscription("presence-large")
        expect_refusal(ann, "presence-large", "LimitReached", 413, None)


def test_a_cache_channel_knows_its_members_too(server: FizzServer) -> None:
    """Protocol: §5 presence-cache; §6.5 the order of frames."""
    with server.client(OPEN) as bob, server.client(OPEN) as ann:
        bob.subscribe("presence-cache-room", user_id="bob")
        bob.expect("pusher:cache_miss", "presence-cache-room")
        server.api(OPEN).trigger("presence-cache-room", "price", "7")
        bob.expect("price")
        assert ann.subscribe("presence-cache-room", user_id="ann") == presence(bob={}, ann={})
        assert ann.expect("price", "presence-cache-room") == 7
        assert bob.expect(ADDED) == {"user_id": "ann", "user_info": {}}


def test_one_connection_may_be_different_members_of_different_channels(
    server: FizzServer,
) -> None:
    """Protocol: §7.3, a user = one user_id in one channel."""
    with server.client(OPEN) as bob, server.client(OPEN) as client:
        for room in ("a", "b"):
            bob.subscribe(f"presence-{room}", user_id="bob")
            client.subscribe(f"presence-{room}", user_id=f"as-{room}")
            assert bob.expect(ADDED, f"presence-{room}")["user_id"] == f"as-{room}"
        client.close()
        gone = [bob.next_event() for _ in range(2)]
        assert [(event["channel"], event["data"]["user_id"]) for event in gone] == [
            ("presence-a", "as-a"),
            ("presence-b", "as-b"),
        ]
