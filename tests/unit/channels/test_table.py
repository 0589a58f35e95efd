"""What one application has on this node."""

from dataclasses import replace

from tests.unit.rooms import Node


def test_a_channel_is_there_while_it_has_a_subscriber() -> None:
    node = Node()
    table, one, two = node.table(), node.client(), node.client()
    table.enter("orders", one.connection)
    channel = table.channels["orders"]
    table.enter("orders", two.connection)
    assert table.channels == {"orders": channel}
    assert table.quit("orders", one.connection) is channel
    assert table.quit("orders", two.connection) is None
    assert table.channels == {}


def test_to_quit_what_nobody_is_in_does_nothing() -> None:
    node = Node()
    table, client = node.table(), node.client()
    assert table.quit("orders", client.connection) is None
    table.enter("orders", client.connection)
    assert table.quit("orders", node.client().connection) is table.channels["orders"]
    assert table.channels["orders"].outboxes == {client.socket_id: client.outbox}


def test_to_broadcast_to_nobody_does_nothing() -> None:
    node = Node()
    node.table().broadcast("orders", b"frame")
    assert not node.flusher.is_scheduled


def test_back_ends_wait_when_the_rate_is_used_up() -> None:
    """Protocol: §12.2, 429."""
    table = Node(max_backend_events_per_second=4).table()
    assert table.wait_for_events(3, 100.0) == 0
    assert table.wait_for_events(3, 100.0) == 0.5
    assert table.wait_for_events(1, 100.0) == 0
    assert table.wait_for_events(3, 100.75) == 0


def test_more_events_than_the_rate_wait_for_a_full_bucket_and_then_go() -> None:
    table = Node(max_backend_events_per_second=4).table()
    assert table.wait_for_events(10, 100.0) == 0
    assert table.wait_for_events(10, 100.0) == 1
    assert table.wait_for_events(10, 101.0) == 0


def test_reads_have_a_rate_of_their_own() -> None:
    table = Node(max_backend_events_per_second=1, max_read_requests_per_second=2).table()
    assert table.wait_for_events(1, 100.0) == 0
    assert [table.wait_for_read(100.0) for _ in range(3)] == [0, 0, 0.5]
    assert table.wait_for_events(1, 100.0) == 1


def test_without_a_limit_nobody_waits() -> None:
    table = Node().table()
    assert {table.wait_for_events(1000, 100.0) for _ in range(100)} == {0}
    assert {table.wait_for_read(100.0) for _ in range(100)} == {0}


def test_a_new_rate_holds_at_once() -> None:
    """After a reload, which is one assignment."""
    table = Node(max_backend_events_per_second=1, max_read_requests_per_second=1).table()
    assert table.wait_for_events(1, 100.0) == table.wait_for_read(100.0) == 0
    table.application = replace(
        table.application, max_backend_events_per_second=2, max_read_requests_per_second=2
    )
    assert table.wait_for_events(2, 100.0) == 0
    assert table.wait_for_events(1, 100.0) == 0.5
    assert [table.wait_for_read(100.0) for _ in range(3)] == [0, 0, 0.5]
