"""One conversation: greeted, answered, told its mistakes, undone once. Protocol: §1.4, §2-§4."""

import logging

import pytest

from fizz_gevent.cluster.memory import MemoryRegistry
from fizz_gevent.protocol import frames
from fizz_gevent.protocol.members import Joined, Left, Member
from tests.unit.clockwork import HandClock
from tests.unit.rooms import APP, Node, error, removed

INVALID = error(None, "Invalid message format")
PONG = {"event": "pusher:pong", "data": {}}


def test_the_greeting_is_the_first_event_and_names_the_socket() -> None:
    """Protocol: §1.4, byte for byte."""
    client = Node(activity_timeout=17).newcomer()
    assert client.frames() == [
        (
            frames.TEXT,
            b'{"event":"pusher:connection_established","data":'
            b'"{\\"socket_id\\":\\"%b\\",\\"activity_timeout\\":17}"}' % client.socket_id.encode(),
        )
    ]
    assert client.node.table().connections == {client.socket_id: client.connection}


@pytest.mark.parametrize("protocol", [5, 6, 7])
def test_every_protocol_is_told_the_activity_timeout(protocol: int) -> None:
    """Protocol: §1.2."""
    (greeting,) = Node().newcomer(protocol=protocol).heard()
    assert greeting["data"]["activity_timeout"] == 30


@pytest.mark.parametrize("data", [{}, "{}", None, "", [], 7, "x" * 1000])
def test_a_ping_is_answered_whatever_it_brings(data: object) -> None:
    """Protocol: §2, §3."""
    assert Node().client().say("pusher:ping", data) == [PONG]


@pytest.mark.parametrize(
    "message",
    [
        b'{"event":"pusher:pong","data":{}}',
        b'{"event":"pusher:unknown","data":{}}',
        b'{"event":"pusher_internal:member_added","channel":"presence-x","data":"{}"}',
        b'{"event":"pusher_internal:subscription_succeeded","channel":"orders","data":"{}"}',
        b'{"event":"news","channel":"orders","data":"{}"}',
        b'{"event":"Client-wave","channel":"orders","data":"{}"}',
        b'{"event":""}',
    ],
)
def test_what_means_nothing_to_a_server_is_met_by_silence(message: bytes) -> None:
    """Protocol: §2."""
    node = Node()
    client, other = node.client(), node.client()
    other.subscribe("orders")
    assert client.send(message) == []
    assert other.heard() == []
    assert client.connection.subscriptions == {}


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"pusher:ping"',
        b"{}",
        b'{"event":7}',
        b'{"event":null,"data":{}}',
        b'{"event":"pusher:ping"}}',
    ],
)
def test_what_is_no_message_is_told_so_and_the_connection_stays(message: bytes) -> None:
    """Protocol: §2."""
    client = Node().client()
    assert client.send(message) == [INVALID]
    assert client.closed is None
    assert client.say("pusher:ping") == [PONG]


def test_a_binary_message_is_no_message_either() -> None:
    """Protocol: §2."""
    client = Node().client()
    client.node.sessions.received_binary(client.connection, b"\x00")
    assert client.heard() == [INVALID]


def test_text_that_is_no_utf_8_ends_the_connection() -> None:
    """RFC 6455, 1007."""
    client = Node().client()
    client.send(b'{"event":"pusher:ping\xff"}')
    assert client.closed is not None
    assert client.closed[0] == 1007


def test_a_refused_subscription_is_told_on_the_channel_and_on_the_connection() -> None:
    """Protocol: §6.3, the two frames byte for byte."""
    client = Node().client()
    data = {"auth": "fizz-key:00", "channel": "private-orders.42"}
    client.node.sessions.received(
        client.connection,
        b'{"event":"pusher:subscribe","data":{"auth":"%b","channel":"%b"}}'
        % (data["auth"].encode(), data["channel"].encode()),
    )
    text = b"Invalid signature for channel private-orders.42"
    assert [payload for _, payload in client.frames()] == [
        b'{"event":"pusher:subscription_error","channel":"private-orders.42","data":'
        b'{"type":"AuthError","error":"%b","status":401}}' % text,
        b'{"event":"pusher:error","data":{"code":4009,"message":"%b"}}' % text,
    ]


class BrokenRegistry(MemoryRegistry):
    """A registry with a bug that one channel brings out."""

    def join(
        self,
        app_id: str,
        channel: str,
        socket_id: str,
        *,
        member: Member | None = None,
        max_members: int | None = None,
    ) -> Joined | None:
        if channel == "bug":
            raise ZeroDivisionError("a bug")
        return super().join(app_id, channel, socket_id, member=member, max_members=max_members)


@pytest.mark.parametrize("protocol", [5, 7])
def test_a_bug_of_ours_costs_one_connection_and_is_found_in_the_log(
    protocol: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Architecture: logged with an id, closed with 1011."""
    node = Node(registry=BrokenRegistry(HandClock()))
    unlucky, other = node.client(protocol=protocol), node.client()
    unlucky.subscribe("presence-room", "ann")
    other.subscribe("presence-room", "bob")
    with caplog.at_level(logging.ERROR):
        assert unlucky.subscribe("bug") == [
            {"event": "pusher_internal:member_added", "channel": "presence-room"}
            | {"data": {"user_id": "bob", "user_info": {}}}
        ]
    assert unlucky.closed is not None
    code, reason = unlucky.closed
    assert code == 1011
    assert reason.startswith("Internal error ")
    fault = reason.removeprefix("Internal error ")
    (record,) = caplog.records
    assert fault in record.getMessage()
    assert unlucky.socket_id in record.getMessage()
    assert record.exc_info is not None
    assert other.heard() == [removed("presence-room", "ann")]
    assert other.say("pusher:ping") == [PONG]


def test_two_bugs_have_two_ids(caplog: pytest.LogCaptureFixture) -> None:
    node = Node(registry=BrokenRegistry(HandClock()))
    reasons = set()
    for _ in range(2):
        client = node.client()
        client.subscribe("bug")
        assert client.closed is not None
        reasons.add(client.closed[1])
    assert len(reasons) == 2
    assert len(caplog.records) == 2


def test_a_mistake_of_a_client_is_no_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    client = Node().client()
    with caplog.at_level(logging.INFO):
        client.subscribe("private-orders", auth="")
        client.sign_in("ann", auth="")
        client.send(b"{")
        client.say("client-wave", 1, channel="orders")
    assert caplog.records == []


def test_a_connection_is_undone_once() -> None:
    node = Node()
    client, other = node.client(), node.client()
    client.subscribe("presence-room", "ann")
    client.sign_in("ann", watchlist=["bob"])
    other.subscribe("presence-room", "bob")
    client.vanish()
    assert other.heard() == [removed("presence-room", "ann")]
    node.sessions.closed(client.connection)
    assert other.heard() == []
    assert node.registry.connections(APP.app_id) == 1
    other.vanish()
    node.assert_nothing_is_left()


class Diary:
    """A tap that writes everything down."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, ...]] = []

    def received(self, socket_id: str, payload: bytes) -> None:
        self.lines.append(("<", socket_id, payload.decode()))

    def sent(self, socket_id: str, payload: bytes) -> None:
        self.lines.append((">", socket_id, payload.decode()))

    def state(self, socket_id: str, what: str) -> None:
        self.lines.append(("=", socket_id, what))

    def request(self, method: str, target: str, status: str) -> None:
        raise AssertionError("a session serves no requests")


def test_who_watches_the_stream_sees_it() -> None:
    node = Node()
    node.sessions.tap = diary = Diary()
    client = node.client()
    client.send(b'{"event":"pusher:ping"}')
    client.send(b"{")
    client.vanish()
    node.turn()
    node.sessions.closed(client.connection)
    assert diary.lines == [
        ("=", client.socket_id, "opened 1001"),
        ("<", client.socket_id, '{"event":"pusher:ping"}'),
        ("<", client.socket_id, "{"),
        ("=", client.socket_id, "closed 1001"),
    ]


class StubbornRegistry(MemoryRegistry):
    """A registry that does what it is asked and complains of it."""

    def leave(
        self, app_id: str, channel: str, socket_id: str, *, user_id: str | None = None
    ) -> Left:
        super().leave(app_id, channel, socket_id, user_id=user_id)
        raise ZeroDivisionError("a bug")

    def sign_out(self, app_id: str, user_id: str, socket_id: str) -> bool:
        super().sign_out(app_id, user_id, socket_id)
        raise ZeroDivisionError("another")


def test_a_fault_on_the_way_out_does_not_keep_the_rest() -> None:
    """Or the quota would shrink with each of them."""
    node = Node(registry=StubbornRegistry(HandClock()))
    client = node.client()
    client.subscribe("orders")
    client.sign_in("ann", watchlist=["bob"])
    client.connection.is_open = False
    with pytest.raises(ZeroDivisionError):
        node.sessions.closed(client.connection)
    node.assert_nothing_is_left()
