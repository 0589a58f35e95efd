"""Who is silent is asked, and who does not answer is closed. Protocol: §3, §4.3."""

from dataclasses import replace

from fizz_gevent.protocol import frames
from tests.unit.rooms import Client, Node

SILENT = (4201, "Pong reply not received")


def sweep(node: Node, seconds: int) -> None:
    """Let time pass, with a sweep every second, as the server does it."""
    for _ in range(seconds):
        node.clock.advance(1)
        node.janitor.sweep()
        node.turn()


def pings(client: Client) -> int:
    found = client.frames()
    assert all(frame == (frames.PING, b"") for frame in found), found
    return len(found)


def speak(client: Client) -> None:
    """Send any frame, as the transport notes it."""
    client.connection.last_heard = client.node.clock.monotonic()


def test_silence_is_met_by_one_ping_frame() -> None:
    node = Node()
    client = node.client()
    sweep(node, 24)
    assert pings(client) == 0
    sweep(node, 1)
    assert pings(client) == 1
    sweep(node, 9)
    assert pings(client) == 0
    assert client.closed is None


def test_whoever_does_not_answer_is_closed() -> None:
    node = Node()
    client = node.client()
    client.subscribe("presence-room", "ann")
    sweep(node, 34)
    assert client.closed is None
    sweep(node, 1)
    assert client.closed == SILENT
    node.assert_nothing_is_left()


def test_any_frame_is_an_answer_and_the_next_silence_is_met_by_another_ping() -> None:
    node = Node()
    client = node.client()
    for _ in range(3):
        sweep(node, 25)
        assert pings(client) == 1
        sweep(node, 5)
        speak(client)
        assert pings(client) == 0
    sweep(node, 25)
    assert pings(client) == 1
    sweep(node, 10)
    assert client.closed == SILENT


def test_an_answer_within_the_same_moment_is_an_answer() -> None:
    node = Node()
    client = node.client()
    sweep(node, 25)
    speak(client)
    assert pings(client) == 1
    sweep(node, 25)
    assert pings(client) == 1
    assert client.closed is None


def test_who_speaks_is_not_asked() -> None:
    node = Node()
    client = node.client()
    for _ in range(10):
        sweep(node, 20)
        client.say("pusher:ping", {})
    assert client.closed is None
    assert pings(client) == 0


def test_to_be_sent_events_is_no_sign_of_life() -> None:
    """A client on a busy channel never sends anything by itself."""
    node = Node()
    client = node.client()
    client.subscribe("orders")
    for _ in range(35):
        node.publish("orders")
        sweep(node, 1)
    assert client.closed == SILENT


def test_the_times_are_the_applications_and_may_change() -> None:
    node = Node(ping_interval=5, pong_timeout=2)
    client, patient = node.client(), node.client()
    sweep(node, 5)
    speak(patient)
    assert (pings(client), pings(patient)) == (1, 1)
    table = node.table()
    table.application = replace(table.application, ping_interval=60)
    sweep(node, 20)
    assert (client.closed, patient.closed) == (None, None)
    table.application = replace(table.application, ping_interval=5)
    sweep(node, 1)
    assert (client.closed, patient.closed) == (SILENT, None)
    assert pings(patient) == 1


def test_a_connection_has_to_prove_itself_in_time_where_that_is_wanted() -> None:
    """Protocol: §4.3, authorized connections."""
    node = Node(authorization_timeout=10)
    nobody, user, member, failed = (node.client() for _ in range(4))
    nobody.subscribe("orders")
    user.sign_in("ann")
    member.subscribe("private-orders")
    member.unsubscribe("private-orders")
    failed.sign_in("ann", auth="fizz-key:00")
    sweep(node, 9)
    assert nobody.closed is None
    sweep(node, 1)
    refused = (4009, "Connection not authorized within timeout")
    assert [client.closed for client in (nobody, user, member, failed)] == [
        refused,
        None,
        None,
        refused,
    ]


def test_by_default_nobody_has_to() -> None:
    node = Node()
    client = node.client()
    for _ in range(10):
        sweep(node, 20)
        speak(client)
    assert client.closed is None


def test_who_is_both_silent_and_unknown_is_closed_once() -> None:
    node = Node(authorization_timeout=35)
    client = node.client(protocol=5)
    sweep(node, 35)
    assert client.closed == SILENT
    assert client.names() == ["pusher:error"]


def test_a_client_that_reads_nothing_is_closed_all_the_same() -> None:
    node = Node()
    client = node.client()
    client.is_reading = False
    sweep(node, 35)
    assert client.closed == SILENT
