"""One client, as the rooms inside know it."""

import pytest

from fizz_gevent.protocol import frames
from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.protocol.members import Member
from tests.unit.rooms import Node, error, event


@pytest.mark.parametrize("protocol", [6, 7])
def test_the_close_frame_alone_says_why(protocol: int) -> None:
    """Protocol: §4.3, "how an error that closes is sent": after establishment."""
    client = Node().client(protocol=protocol)
    client.connection.end(CloseCode.PONG_NOT_RECEIVED)
    assert client.closed == (4201, "Pong reply not received")
    assert client.frames() == [(frames.CLOSE, b"\x10\x69Pong reply not received")]


def test_protocol_5_is_told_in_an_event_too() -> None:
    """Protocol: §1.2, §4.3."""
    node = Node()
    client = node.client(protocol=5)
    client.connection.end(CloseCode.UNAUTHORIZED, "Connection terminated by the application")
    first, last = client.frames()
    assert first == (
        frames.TEXT,
        b'{"event":"pusher:error","data":'
        b'{"code":4009,"message":"Connection terminated by the application"}}',
    )
    assert last == (frames.CLOSE, b"\x0f\xa9Connection terminated by the application")


@pytest.mark.parametrize("protocol", [5, 6, 7])
def test_a_code_of_websockets_own_is_no_event(protocol: int) -> None:
    client = Node().client(protocol=protocol)
    client.connection.end(CloseCode.INTERNAL_ERROR, "Internal error 1234")
    assert client.frames() == [(frames.CLOSE, b"\x03\xf3Internal error 1234")]


def test_a_connection_ends_once() -> None:
    client = Node().client(protocol=5)
    client.connection.end(CloseCode.RECONNECT)
    client.connection.end(CloseCode.UNAUTHORIZED)
    assert client.closed == (4200, "Generic reconnect immediately")
    assert [opcode for opcode, _ in client.frames()] == [frames.TEXT, frames.CLOSE]


def test_what_was_broadcast_before_goes_before_the_end() -> None:
    node = Node()
    client = node.client(protocol=5)
    client.subscribe("orders")
    node.publish("orders")
    client.connection.end(CloseCode.RECONNECT)
    node.publish("orders")
    assert client.heard() == [event("orders"), error(4200, "Generic reconnect immediately")]


def test_nothing_is_said_after_the_end() -> None:
    client = Node().client()
    client.connection.end(CloseCode.RECONNECT)
    client.connection.send(b"too late")
    assert [opcode for opcode, _ in client.frames()] == [frames.CLOSE]


def test_connections_without_a_channel_share_one_empty_dictionary_and_never_write_to_it() -> None:
    node = Node()
    one, two = node.client().connection, node.client().connection
    assert one.subscriptions is two.subscriptions
    one.note_subscription("presence-room", Member("ann"))
    one.note_subscription("orders", None)
    assert one.subscriptions == {"presence-room": Member("ann"), "orders": None}
    assert two.subscriptions == {}
    assert node.client().connection.subscriptions == {}
