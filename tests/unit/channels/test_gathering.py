"""What is broadcast in one turn of the loop leaves together, and in order. Protocol: §6.5, §6.6."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from fizz_gevent.channels.channel import Channel
from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.protocol import frames
from fizz_gevent.protocol.names import ChannelKind
from tests.unit.rooms import Client, Node, split


def listeners(node: Node, channel: str, count: int = 2) -> list[Client]:
    clients = [node.client() for _ in range(count)]
    for client in clients:
        node.table().enter(channel, client.connection)
    return clients


def frame(text: str) -> bytes:
    return frames.text_frame(text.encode())


def texts(client: Client) -> list[str]:
    return [payload.decode() for _, payload in client.frames()]


def test_frames_of_one_turn_are_joined_once_for_everybody() -> None:
    node = Node()
    one, two = listeners(node, "orders")
    node.table().broadcast("orders", frame("a"))
    node.table().broadcast("orders", frame("b"))
    assert one.outbox.first is None, "held back until the turn ends"
    node.table().gathering.spread()
    assert one.outbox.first == frame("a") + frame("b")
    assert one.outbox.first is two.outbox.first


def test_a_single_frame_is_not_copied() -> None:
    node = Node()
    one, two = listeners(node, "orders")
    sent = frame("alone")
    node.table().broadcast("orders", sent)
    node.table().gathering.spread()
    assert one.outbox.first is sent
    assert two.outbox.first is sent


def test_the_turn_hands_out_what_was_gathered() -> None:
    node = Node()
    one, two = listeners(node, "orders")
    node.table().broadcast("orders", frame("a"))
    assert node.flusher.is_scheduled
    assert texts(one) == texts(two) == ["a"]
    assert texts(one) == []


def test_events_of_two_channels_keep_their_order() -> None:
    node = Node()
    client = listeners(node, "orders", 1)[0]
    node.table().enter("prices", client.connection)
    for channel, text in [("orders", "1"), ("prices", "2"), ("prices", "3"), ("orders", "4")]:
        node.table().broadcast(channel, frame(text))
    assert texts(client) == ["1", "2", "3", "4"]


def test_a_direct_answer_stands_behind_what_was_broadcast_before_it() -> None:
    node = Node()
    client = listeners(node, "orders", 1)[0]
    node.table().broadcast("orders", frame("event"))
    client.connection.send(b"answer")
    node.table().broadcast("orders", frame("later"))
    assert texts(client) == ["event", "answer", "later"]


def test_who_comes_in_the_middle_of_a_turn_hears_only_what_follows() -> None:
    """Protocol: §6.5, nothing reaches the socket before the confirmation."""
    node = Node()
    early = listeners(node, "orders", 1)[0]
    late = node.client()
    node.table().broadcast("orders", frame("before"))
    node.table().enter("orders", late.connection)
    node.table().broadcast("orders", frame("after"))
    assert texts(early) == ["before", "after"]
    assert texts(late) == ["after"]


def test_who_goes_in_the_middle_of_a_turn_hears_all_until_then() -> None:
    node = Node()
    stays, goes = listeners(node, "orders")
    node.table().broadcast("orders", frame("before"))
    node.table().quit("orders", goes.connection)
    node.table().broadcast("orders", frame("after"))
    assert texts(stays) == ["before", "after"]
    assert texts(goes) == ["before"]


def test_the_last_to_go_takes_what_was_gathered() -> None:
    node = Node()
    client = listeners(node, "orders", 1)[0]
    node.table().broadcast("orders", frame("before"))
    node.table().quit("orders", client.connection)
    node.table().broadcast("orders", frame("to nobody"))
    assert texts(client) == ["before"]


def test_the_one_who_is_left_out_keeps_its_place_among_the_others_events() -> None:
    """Protocol: §6.6, the connection whose socket_id was given is skipped."""
    node = Node()
    one, two = listeners(node, "orders")
    node.table().broadcast("orders", frame("1"))
    node.table().broadcast("orders", frame("2"), except_socket_id=one.socket_id)
    node.table().broadcast("orders", frame("3"), except_socket_id="999.999")
    node.table().broadcast("orders", frame("4"))
    assert texts(one) == ["1", "3", "4"]
    assert texts(two) == ["1", "2", "3", "4"]


def test_a_big_gathering_goes_early() -> None:
    """So that one turn's events do not overflow outboxes in one piece."""
    node = Node()
    client = listeners(node, "orders", 1)[0]
    big = frame("x" * 40_000)
    node.table().broadcast("orders", big)
    assert client.outbox.size_bytes == 0
    node.table().broadcast("orders", big)
    assert client.outbox.size_bytes == 2 * len(big)
    node.table().broadcast("orders", frame("last"))
    assert [len(text) for text in texts(client)] == [40_000, 40_000, 4]


def test_the_turn_of_a_slow_client_ends_for_the_others_as_usual() -> None:
    """Protocol: §15, slow consumers: 4100."""
    node = Node()
    fast = listeners(node, "orders", 1)[0]
    slow = node.client(limit_bytes=200)
    node.table().enter("orders", slow.connection)
    slow.is_reading = False
    for number in range(30):
        node.table().broadcast("orders", frame(f"{number:020d}"))
        node.turn()
    assert slow.closed == (4100, "Over capacity")
    assert len(texts(fast)) == 30
    assert fast.closed is None
    assert slow.socket_id not in node.table().connections


def test_tables_gather_apart() -> None:
    node = Node()
    client = listeners(node, "orders", 1)[0]
    other = ChannelTable(client.connection.table.application, node.flusher)
    assert other.gathering is not node.table().gathering
    node.table().broadcast("orders", frame("event"))
    other.broadcast("orders", frame("nobody's"))
    assert texts(client) == ["event"]


def test_a_cached_event_that_was_shown_is_not_told_again() -> None:
    """Protocol: §15, a live event is not repeated as the cached one."""
    node = Node()
    table = node.table()
    plain, shown = node.client(), node.client()
    table.enter("cache-prices", plain.connection)
    table.enter("cache-prices", shown.connection, shown=7)
    channel = table.channels["cache-prices"]
    for position in (6, 7, 8, 9):
        channel.broadcast_at(position, frame(str(position)))
    assert texts(plain) == ["6", "7", "8", "9"]
    assert texts(shown) == ["8", "9"]


def test_a_position_excludes_beside_the_sender() -> None:
    node = Node()
    table = node.table()
    sender, shown, plain = node.client(), node.client(), node.client()
    table.enter("cache-prices", sender.connection)
    table.enter("cache-prices", shown.connection, shown=7)
    table.enter("cache-prices", plain.connection)
    channel = table.channels["cache-prices"]
    channel.broadcast_at(7, frame("7"), except_socket_id=sender.socket_id)
    channel.broadcast_at(8, frame("8"), except_socket_id=sender.socket_id)
    assert texts(sender) == []
    assert texts(shown) == ["8"]
    assert texts(plain) == ["7", "8"]


def test_a_channel_knows_its_kind() -> None:
    node = Node()
    node.table().enter("presence-room", node.client().connection)
    channel = node.table().channels["presence-room"]
    assert isinstance(channel, Channel)
    assert channel.kind is ChannelKind.PRESENCE


Action = tuple[str, int, int]
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("broadcast"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("except"), st.integers(0, 2), st.integers(0, 2)),
        st.tuples(st.just("send"), st.just(0), st.integers(0, 2)),
        st.tuples(st.just("enter"), st.integers(0, 2), st.integers(0, 2)),
        st.tuples(st.just("quit"), st.integers(0, 2), st.integers(0, 2)),
        st.tuples(st.just("turn"), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@settings(deadline=None, database=None)
@given(ACTIONS)
def test_gathering_changes_nothing_that_a_client_could_see(actions: Sequence[Action]) -> None:
    """The same as writing each frame to each subscriber at once, whatever happens in a turn."""
    node = Node()
    clients = [node.client() for _ in range(3)]
    expected: list[list[bytes]] = [[], [], []]
    members: list[set[int]] = [set(), set(), set()]
    for number, (action, channel, who) in enumerate(actions):
        name, payload = f"channel-{channel}", str(number).encode()
        if action == "enter":
            node.table().enter(name, clients[who].connection)
            members[channel].add(who)
        elif action == "quit":
            node.table().quit(name, clients[who].connection)
            members[channel].discard(who)
        elif action == "send":
            clients[who].connection.send(payload)
            expected[who].append(payload)
        elif action == "turn":
            node.turn()
        else:
            left_out = clients[who].socket_id if action == "except" else None
            node.table().broadcast(name, frames.text_frame(payload), except_socket_id=left_out)
            for member in members[channel] - ({who} if left_out else set()):
                expected[member].append(payload)
    node.turn()
    for client, payloads in zip(clients, expected, strict=True):
        assert [payload for _, payload in split(client.received)] == payloads
    assert {*node.table().channels} == {f"channel-{n}" for n in range(3) if members[n]}
