"""From where in the log on a channel's events matter to the clients here."""

import contextlib

from fizz_gevent.cluster.redis_link import RedisLink
from fizz_gevent.cluster.redis_listener import RedisListener
from fizz_gevent.config import ScalingConfig
from fizz_gevent.errors import ClusterUnavailable

NAME = "fizz:e:app:orders"


def watching() -> RedisListener:
    """A listener that has no connection, and somebody who wants to hear a channel."""
    listener = RedisListener(RedisLink(ScalingConfig()), lambda: [])
    watch(listener)
    return listener


def watch(listener: RedisListener) -> None:
    with contextlib.suppress(ClusterUnavailable):
        listener.watch("app", "orders")


def test_what_nobody_wants_does_not_matter() -> None:
    assert watching().start_of("fizz:e:app:others") is None


def test_the_first_subscriber_says_from_where_on() -> None:
    listener = watching()
    listener.note_start("app", "orders", 7)
    watch(listener)
    listener.note_start("app", "orders", 9)
    assert listener.start_of(NAME) == 7


def test_a_later_subscriber_hides_nothing_from_one_who_came_while_redis_was_away() -> None:
    listener = watching()
    listener.note_start("app", "orders", 0)
    watch(listener)
    listener.note_start("app", "orders", 9)
    assert listener.start_of(NAME) == 0


def test_a_later_subscriber_hides_nothing_of_a_new_log() -> None:
    listener = watching()
    listener.note_start("app", "orders", 700)
    listener.forget_starts()
    assert listener.start_of(NAME) == 0
    watch(listener)
    listener.note_start("app", "orders", 9)
    assert listener.start_of(NAME) == 0


def test_bus_channels_are_named_after_channels_and_back() -> None:
    listener = watching()
    assert listener.name_of("app", "orders") == NAME
    assert listener.place_of(NAME) == ("app", "orders")
    assert listener.place_of("fizz:e:app:#server-to-user-a") == ("app", "#server-to-user-a")
    assert listener.place_of("fizz:all") is None
