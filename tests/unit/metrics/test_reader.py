"""The figures are those of the rooms."""

from collections.abc import Mapping
from typing import Any

from fizz_gevent.channels.histogram import Histogram
from fizz_gevent.metrics.collector import exposition
from fizz_gevent.metrics.reader import Reader
from tests.harness.signing import App
from tests.unit.rooms import Node, application

OTHER = App("1002", "other-key", "other-secret")


class Pieces:
    """Whatever of the outer rooms has figures."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


def reader(node: Node, **others: Any) -> Reader:
    flusher = Pieces(sent_bytes=11, fanout=Histogram((1,)), backlog=Histogram((1024,)))
    listener = Pieces(
        refusals={"over_quota": 2},
        answers={("/up", "200"): 3},
        answer_seconds=Histogram((1,)),
    )
    return Reader(
        "1.2.3",
        node.tables,
        flusher,
        listener,
        Pieces(received_bytes=7, readers=Pieces(flood_count=5)),
        node.registry,  # type: ignore[arg-type]
        Histogram((1,)),
        others.pop("bus", None),
        lambda: True,
        **others,
    )


def read(node: Node, **others: Any) -> Mapping[str, Mapping[tuple[str, ...], float]]:
    return reader(node, **others).read().values


def test_each_application_has_its_own_figures() -> None:
    node = Node(application(), application(OTHER))
    one, two = node.client(), node.client()
    one.subscribe("presence-room", "ann")
    two.subscribe("presence-room", "ann")
    two.subscribe("#server-to-user-x")  # refused
    two.sign_in("ann")
    two.subscribe("#server-to-user-ann")
    node.client(OTHER).subscribe("private-encrypted-cache-x")
    node.publish("presence-room")
    node.turn()
    found = read(node)
    assert found["fizz_connections"] == {("1001",): 2, ("1002",): 1}
    assert found["fizz_connections_total"] == {("1001",): 2, ("1002",): 1}
    assert found["fizz_subscriptions"] == {("1001",): 3, ("1002",): 1}
    assert found["fizz_channels"] == {
        ("1001", "presence"): 1,
        ("1001", "server-to-user"): 1,
        ("1002", "private-encrypted-cache"): 1,
    }
    assert found["fizz_presence_members"] == {("1001",): 1, ("1002",): 0}
    assert found["fizz_users"] == {("1001",): 1, ("1002",): 0}
    assert found["fizz_message_refusals_total"] == {("1001", "auth_error"): 1}
    assert found["fizz_events_published_total"]["1001", "http"] == 1
    assert found["fizz_events_published_total"]["1002", "http"] == 0


def test_what_happens_outside_is_read_too() -> None:
    found = read(Node())
    assert found["fizz_info"] == {("1.2.3",): 1}
    assert found["fizz_refusals_total"] == {("over_quota",): 2}
    assert found["fizz_http_requests_total"] == {("/up", "200"): 3}
    assert found["fizz_received_bytes_total"] == {(): 7}
    assert found["fizz_sent_bytes_total"] == {(): 11}
    assert found["fizz_floods_total"] == {(): 5}
    assert found["fizz_open_files"][()] > 2


def test_who_is_alone_says_nothing_of_redis() -> None:
    """So that nobody is woken because a Redis that does not exist is down."""
    assert not {"fizz_redis_up", "fizz_bus_queue_bytes", "fizz_bus_dropped_total"} & set(
        read(Node())
    )


def test_the_bus_is_read_where_there_is_one() -> None:
    found = read(Node(), bus=Pieces(queue_bytes=10, dropped_count=4))
    assert found["fizz_redis_up"] == {(): 1}
    assert found["fizz_bus_queue_bytes"] == {(): 10}
    assert found["fizz_bus_dropped_total"] == {(): 4}


def test_webhooks_are_read_where_there_are_any() -> None:
    sender = Pieces(sent_count=5, failed_count=4, given_up_count=1)
    backlog = Pieces(waiting_count=3, dropped_count=2)
    found = read(Node(), webhooks=(sender, backlog))
    assert found["fizz_webhooks_total"] == {
        ("sent",): 5,
        ("failed",): 4,
        ("given_up",): 1,
        ("dropped",): 2,
    }
    assert found["fizz_webhook_queue"] == {(): 3}


def test_what_was_read_does_not_change_any_more() -> None:
    source = reader(Node())
    figures = source.read()
    source.loop_lag.counts[0] += 1
    assert figures.histograms["fizz_loop_lag_seconds"].counts == [0, 0]


def test_all_of_it_can_be_told() -> None:
    assert b'fizz_info{version="1.2.3"} 1.0' in exposition(reader(Node()).read())
