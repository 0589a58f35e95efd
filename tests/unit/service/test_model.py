"""Clients come, talk and go in any order, beside a model that says what each of them has to hear.

The model is written from the protocol's text and knows nothing of how the rooms do it: who is in
which channel as whom, who is signed in, and until when a page that reloads counts as online.

Protocol: §6, §7, §8, §9.3, §10, §11.
"""

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.protocol.members import ChannelCounts
from tests.unit.rooms import (
    APP,
    Client,
    Node,
    added,
    count,
    event,
    refusal,
    removed,
    roster,
    succeeded,
)

Event = dict[str, Any]

CHANNELS = st.sampled_from(
    ["orders", "cache-prices", "private-x", "presence-a", "presence-b", "presence-cache-c"]
)
USERS = st.sampled_from(["ann", "bob", "cid"])
WATCHLISTS = st.lists(USERS, max_size=3, unique=True)
WHO = st.integers(0, 5)
"""Which of the clients: taken modulo their number, so that any number will do."""


class Peer:
    """A client, and what the model knows of it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.channels: dict[str, str | None] = {}
        self.user: str | None = None
        self.watchlist: list[str] = []
        self.expected: list[Event] = []


class Rooms(RuleBasedStateMachine):
    """The real rooms and the model, moved by the same hand."""

    def __init__(self) -> None:
        super().__init__()
        self.node = Node(subscription_counts=True, max_client_events_per_second=None)
        self.peers = [Peer(self.node.client()) for _ in range(2)]
        self.present: dict[str, dict[str, Any]] = {}
        self.cached: dict[str, Event] = {}
        self.returning: dict[str, float] = {}
        self.number = 0

    # What the model says.

    def peer(self, who: int) -> Peer:
        return self.peers[who % len(self.peers)]

    def tell(self, channel: str, told: Event, but: Peer | None = None) -> None:
        for peer in self.peers:
            if channel in peer.channels and peer is not but:
                peer.expected.append(told)

    def tell_count(self, channel: str) -> None:
        if not channel.startswith("presence-"):
            self.tell(channel, count(channel, self.subscribers(channel)))

    def subscribers(self, channel: str) -> int:
        return sum(channel in peer.channels for peer in self.peers)

    def tell_watchers(self, user: str, status: str) -> None:
        data = {"events": [{"name": status, "user_ids": [user]}]}
        for peer in self.peers:
            if user in peer.watchlist:
                told = {"event": "pusher_internal:watchlist_events", "data": data}
                peer.expected.append(told)

    def is_signed_in(self, user: str) -> bool:
        return any(peer.user == user for peer in self.peers)

    def leave(self, peer: Peer, channel: str) -> None:
        user = peer.channels.pop(channel)
        if user is not None and not any(
            other.channels.get(channel) == user for other in self.peers
        ):
            del self.present[channel][user]
            self.tell(channel, removed(channel, user))
        self.tell_count(channel)

    def next_number(self) -> int:
        self.number += 1
        return self.number

    # What happens.

    @rule()
    @precondition(lambda self: len(self.peers) < 6)
    def connect(self) -> None:
        self.peers.append(Peer(self.node.client()))

    @rule(who=WHO, channel=CHANNELS, user=USERS)
    @precondition(lambda self: self.peers)
    def subscribe(self, who: int, channel: str, user: str) -> None:
        peer, info = self.peer(who), {"n": self.next_number()}
        is_presence = channel.startswith("presence-")
        is_repeat = channel in peer.channels
        if is_presence and is_repeat and peer.channels[channel] != user:
            text = f"Already subscribed to channel {channel} as another user"
            peer.expected += refusal(channel, text)
        else:
            if is_presence:
                present = self.present.setdefault(channel, {})
                is_new = user not in present
                present[user] = info
                peer.expected.append(roster(channel, **present))
            else:
                peer.expected.append(succeeded(channel))
            if "cache-" in channel:
                miss = event(channel, "pusher:cache_miss")
                peer.expected.append(self.cached.get(channel, miss))
            if not is_repeat:
                peer.channels[channel] = user if is_presence else None
                if is_presence and is_new:
                    self.tell(channel, added(channel, user, info), but=peer)
                self.tell_count(channel)
        member = (user, info) if is_presence else ()
        self.said(peer, peer.client.subscribe(channel, *member))

    @rule(who=WHO, channel=CHANNELS)
    @precondition(lambda self: self.peers)
    def unsubscribe(self, who: int, channel: str) -> None:
        peer = self.peer(who)
        if channel in peer.channels:
            self.leave(peer, channel)
        self.said(peer, peer.client.unsubscribe(channel))

    @rule(who=WHO, user=USERS, watchlist=WATCHLISTS)
    @precondition(lambda self: self.peers)
    def sign_in(self, who: int, user: str, watchlist: list[str]) -> None:
        peer = self.peer(who)
        if peer.user in (None, user):
            peer.watchlist = []
            is_first = not self.is_signed_in(user)
            peer.user = user
            if is_first and self.returning.pop(user, None) is None:
                self.tell_watchers(user, "online")
        told = peer.client.sign_in(user, watchlist=watchlist)
        if peer.user != user:
            assert [each["event"] for each in told] == ["pusher:error"]
            return
        assert told.pop(0)["event"] == "pusher:signin_success"
        if watchlist:
            groups = {each["name"]: each["user_ids"] for each in told.pop()["data"]["events"]}
            online = [
                each for each in watchlist if self.is_signed_in(each) or each in self.returning
            ]
            assert groups.get("online", []) == online
            assert groups.get("offline", []) == [each for each in watchlist if each not in online]
        peer.watchlist = watchlist
        self.said(peer, told)

    @rule(who=WHO, is_polite=st.booleans())
    @precondition(lambda self: self.peers)
    def close(self, who: int, is_polite: bool) -> None:
        peer = self.peer(who)
        if is_polite:
            peer.client.connection.end(CloseCode.RECONNECT)
        else:
            peer.client.vanish()
        self.node.turn()
        self.peers.remove(peer)
        for channel in list(peer.channels):
            self.leave(peer, channel)
        user, peer.user = peer.user, None
        if user is not None and not self.is_signed_in(user):
            self.returning[user] = self.node.clock.elapsed + 3

    @rule(channels=st.lists(CHANNELS, min_size=1, max_size=3, unique=True), who=WHO)
    def publish(self, channels: list[str], who: int) -> None:
        """One in two events leaves out a client."""
        number = self.next_number()
        left_out = self.peer(who) if self.peers and who % 2 else None
        self.node.publish(
            channels,
            "news",
            str(number),
            socket_id=None if left_out is None else left_out.client.socket_id,
        )
        for channel in channels:
            told = event(channel, "news", number)
            self.tell(channel, told, but=left_out)
            if "cache-" in channel:
                self.cached[channel] = told

    @rule(who=WHO, channel=CHANNELS)
    @precondition(lambda self: self.peers)
    def client_event(self, who: int, channel: str) -> None:
        peer, number = self.peer(who), self.next_number()
        is_allowed = channel in peer.channels and channel.startswith(("private-", "presence-"))
        if is_allowed:
            told = event(channel, "client-wave", number)
            user = peer.channels[channel]
            self.tell(channel, told if user is None else told | {"user_id": user}, but=peer)
        answer = peer.client.say("client-wave", number, channel=channel)
        if not is_allowed:
            assert answer.pop()["event"] == "pusher:error"
        self.said(peer, answer)

    @rule(seconds=st.sampled_from([0.5, 1, 2, 4]))
    def wait(self, seconds: float) -> None:
        self.node.clock.advance(seconds)
        for user, at in sorted(self.returning.items(), key=lambda item: item[1]):
            if at <= self.node.clock.elapsed:
                del self.returning[user]
                self.tell_watchers(user, "offline")

    # What has to be true.

    def said(self, peer: Peer, heard: list[Event]) -> None:
        """The answers to ``peer`` are what was expected; forget them."""
        assert heard == peer.expected
        peer.expected.clear()

    @invariant()
    def everybody_has_heard_what_concerns_them(self) -> None:
        for peer in self.peers:
            assert peer.client.closed is None
            self.said(peer, peer.client.heard())

    @invariant()
    def the_registry_agrees(self) -> None:
        expected: dict[str, ChannelCounts] = {}
        for channel in {name for peer in self.peers for name in peer.channels}:
            users = {peer.channels[channel] for peer in self.peers if channel in peer.channels}
            is_presence = channel.startswith("presence-")
            if is_presence:
                assert users == self.present[channel].keys()
                assert self.node.registry.users(APP.app_id, channel) == list(self.present[channel])
            expected[channel] = ChannelCounts(
                self.subscribers(channel), len(users) if is_presence else None
            )
        assert self.node.registry.channels(APP.app_id, "") == expected
        assert self.node.registry.connections(APP.app_id) == len(self.peers)
        now = self.node.clock.elapsed
        assert self.node.registry.online(APP.app_id, ["ann", "bob", "cid"]) == {
            user: pytest.approx(at - now) for user, at in self.returning.items()
        } | {peer.user: math.inf for peer in self.peers if peer.user is not None}

    @invariant()
    def the_tables_agree(self) -> None:
        table = self.node.table()
        assert table.connections.keys() == {peer.client.socket_id for peer in self.peers}
        assert {name: set(channel.outboxes) for name, channel in table.channels.items()} == {
            name: {peer.client.socket_id for peer in self.peers if name in peer.channels}
            for name in {name for peer in self.peers for name in peer.channels}
        }
        watchers = Counter(user for peer in self.peers for user in peer.watchlist)
        assert {user: len(found) for user, found in table.watchers.items()} == watchers

    def teardown(self) -> None:
        """When all have gone, nothing is left of them."""
        while self.peers:
            self.close(0, is_polite=True)
            self.everybody_has_heard_what_concerns_them()
        self.node.assert_nothing_is_left()
        self.node.clock.advance(60)
        assert self.node.clock.pending == 0


TestRooms = Rooms.TestCase
TestRooms.settings = settings(deadline=None, database=None, max_examples=60, stateful_step_count=40)
