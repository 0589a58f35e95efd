"""The numbers of an application agree with what its clients hear, whatever happens."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fizz_gevent.protocol.names import ChannelKind
from tests.unit.rooms import Node, application


def test_subscriptions_and_channels_are_those_of_now() -> None:
    node = Node()
    tally, one, two = node.table().tally, node.client(), node.client()
    one.subscribe("orders")
    two.subscribe("orders")
    two.subscribe("private-room")
    assert tally.subscriptions == 3
    assert tally.channels == {ChannelKind.PUBLIC: 1, ChannelKind.PRIVATE: 1}
    one.subscribe("orders")  # once more, which changes nothing
    assert tally.subscriptions == 3
    two.unsubscribe("orders")
    one.vanish()
    node.turn()
    assert tally.subscriptions == 1
    assert tally.channels == {ChannelKind.PUBLIC: 0, ChannelKind.PRIVATE: 1}


def test_a_refused_subscription_is_none() -> None:
    node = Node()
    node.client().subscribe("private-room", auth="nonsense")
    assert node.table().tally.subscriptions == 0
    assert node.table().tally.channels == {}


def test_each_subscriber_of_a_broadcast_counts() -> None:
    node = Node()
    tally, clients = node.table().tally, [node.client() for _ in range(3)]
    for client in clients:
        client.subscribe("orders")
    before = tally.sent_messages
    node.publish("orders")
    node.publish("orders")
    node.turn()
    assert tally.sent_messages - before == 6
    node.publish("orders", socket_id=clients[0].socket_id)
    node.turn()
    assert tally.sent_messages - before == 8


def test_an_event_counts_once_for_each_of_its_channels_whether_or_not_anybody_listens() -> None:
    node = Node()
    node.publish(["one", "two", "three"])
    node.publish("four")
    assert node.table().tally.http_events == 4
    assert node.table().tally.sent_messages == 0


def test_only_client_events_that_are_passed_on_count() -> None:
    node = Node()
    tally, one, two = node.table().tally, node.client(), node.client()
    one.subscribe("private-room")
    one.say("client-move", {}, channel="private-room")
    two.say("client-move", {}, channel="private-room")  # not subscribed
    assert tally.client_events == 1
    assert tally.received_messages == 3


def test_messages_count_also_when_they_are_bad() -> None:
    node = Node()
    client = node.client()
    client.send(b"no JSON")
    assert node.table().tally.received_messages == 1
    node.sessions.received_binary(client.connection, b"\0")
    assert node.table().tally.received_messages == 2


def test_mistakes_are_counted_by_what_they_are() -> None:
    node = Node(application(max_client_events_per_second=1, max_watchlist_size=1))
    client = node.client()
    client.send(b"no JSON")
    node.sessions.received_binary(client.connection, b"\0")
    client.subscribe("private-room", auth="fizz-key:forged")
    client.subscribe("no/slashes")
    client.subscribe("private-room")
    client.say("client-move", {}, channel="private-elsewhere")
    for _ in range(3):
        client.say("client-move", {}, channel="private-room")
    client.say("pusher:signin", {"auth": "forged", "user_data": "{}"})
    client.sign_in("ann", watchlist=["bob", "eve"])
    refused = node.table().tally.refused_messages
    assert refused["client_event_rate"] >= 1
    assert {reason: count for reason, count in refused.items() if "rate" not in reason} == {
        "invalid_message": 2,
        "auth_error": 1,
        "invalid_channel": 1,
        "client_event": 1,
        "unauthorized": 1,
        "watchlist_limit": 1,
    }
    told = dict(node.sessions.refusals)
    assert told == {reason: refused[reason] for reason in refused if reason != "watchlist_limit"}


def test_who_was_greeted_was_opened_for_ever() -> None:
    node = Node()
    for _ in range(3):
        node.client().vanish()
    node.turn()
    assert node.table().tally.opened == 3


def test_ends_are_counted_by_reason() -> None:
    tally = Node().table().tally
    for reason in ("client", "lost", "client"):
        tally.note_end(reason)
    assert tally.ended == {"client": 2, "lost": 1}


CHANNELS = ["a", "b", "private-a", "cache-a", "private-cache-a", "presence-x", "presence-cache-x"]
ACTIONS = st.one_of(
    st.tuples(st.just("come")),
    st.tuples(st.sampled_from(["subscribe", "leave", "publish"]), st.sampled_from(CHANNELS)),
    st.tuples(st.just("vanish")),
)


@given(st.lists(st.tuples(st.integers(0, 3), ACTIONS), max_size=40))
def test_the_numbers_are_what_a_walk_through_everything_would_find(
    actions: list[tuple[int, tuple[str, ...]]],
) -> None:
    node = Node()
    table = node.table()
    clients = [node.client() for _ in range(4)]
    heard = 4  # their greetings
    for index, (what, *rest) in actions:
        client = clients[index]
        if what == "come":
            client.vanish()
            heard += sum(len(each.heard()) for each in clients)
            clients[index] = node.client()
            heard += 1
        elif what == "vanish":
            client.vanish()
        elif what == "publish":
            node.publish(rest[0])
        elif client.connection.is_open:
            user_id = f"u{index % 2}" if rest[0].startswith("presence-") else None
            answers = (
                client.subscribe(rest[0], user_id)
                if what == "subscribe"
                else client.unsubscribe(rest[0])
            )
            heard += len(answers)
        heard += sum(len(each.heard()) for each in clients)
    node.turn()
    channels = table.channels.values()
    assert table.tally.subscriptions == sum(len(channel.outboxes) for channel in channels)
    found = Counter(channel.kind for channel in channels)
    assert {kind: count for kind, count in table.tally.channels.items() if count} == dict(found)
    members = sum(len(node.registry.users("1001", channel.name)) for channel in channels)
    assert node.registry.presence_members.get("1001", 0) == members  # type: ignore[attr-defined]
    # Who vanishes takes with it what it had not read yet, so no more is heard than was sent.
    assert heard <= table.tally.sent_messages
    if not any(action[0] in ("vanish", "come") for _, action in actions):
        assert heard == table.tally.sent_messages
