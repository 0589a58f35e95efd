"""Sockets are counted for the address that they come from."""

import os
import tempfile
from collections.abc import Iterator

import pytest

from fizz_gevent.transport.places import Places, group_of
from fizz_gevent.transport.shared_places import SharedPlaces, size_for, sow


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:207", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("no:address", "no:address"),
    ],
)
def test_an_address_stands_for_all_that_one_guest_has(address: str, group: str) -> None:
    assert group_of(address) == group


def test_as_many_websockets_as_the_limit_says_have_room() -> None:
    places = Places(limit=2)
    first = places.add_websocket("2001:db8::1")
    assert places.has_room("2001:db8::1")
    places.add_websocket("2001:db8::2")
    assert places.has_room("2001:db8::3")
    third = places.add_websocket("2001:db8::3")
    assert not places.has_room("2001:db8::3")
    assert places.has_room("2001:db8:0:1::1"), "somebody else's"
    places.remove_websocket(third)
    places.remove_websocket(first)
    places.add_websocket("2001:db8::3")
    assert places.has_room("2001:db8::3")


def test_without_a_limit_everybody_has_room_and_is_counted_all_the_same() -> None:
    places = Places()
    for _ in range(1000):
        place = places.add_websocket("192.0.2.7")
    assert places.has_room("192.0.2.7")
    assert not places.is_flooded(place)
    places.limit = 999  # as a reload does
    assert not places.has_room("192.0.2.7")


def test_who_has_no_address_has_room() -> None:
    places = Places(limit=1)
    assert places.has_room("")


def test_plain_sockets_may_be_some_more_than_the_limit_and_no_flood() -> None:
    places = Places(limit=3)
    opened = [places.add_socket("192.0.2.7") for _ in range(3 + 32)]
    assert not places.is_flooded(opened[-1])
    assert places.is_flooded(places.add_socket("192.0.2.7"))
    assert not places.is_flooded(places.add_socket("192.0.2.8"))
    assert places.has_room("192.0.2.7"), "they are no WebSockets"


def test_an_address_is_forgotten_with_its_last_socket() -> None:
    places = Places(limit=3)
    plain = places.add_socket("192.0.2.7")
    places.add_websocket("192.0.2.7")
    places.remove_socket(plain)
    assert len(places) == 1
    places.remove_websocket(plain)
    assert len(places) == 0


@pytest.fixture
def workers() -> Iterator[list[SharedPlaces]]:
    with tempfile.TemporaryFile() as file:
        file.truncate(size_for(3))
        sow(file.fileno())
        views = [SharedPlaces(file.fileno(), index) for index in range(3)]
        yield views
        for view in views:
            view.close()


def test_the_limit_is_of_all_workers_together(workers: list[SharedPlaces]) -> None:
    every = [Places(limit=3, shared=worker) for worker in workers]
    taken = [places.add_websocket("192.0.2.7") for places in every]
    assert all(places.has_room("192.0.2.7") for places in every)
    fourth = every[0].add_websocket("192.0.2.7")
    assert not any(places.has_room("192.0.2.7") for places in every)
    every[0].remove_websocket(fourth)
    every[1].remove_websocket(taken[1])
    assert workers[2].count("192.0.2.7") == 2


def test_what_a_dead_worker_has_counted_is_taken_back(workers: list[SharedPlaces]) -> None:
    for worker in workers:
        worker.add("192.0.2.7", 5)
    workers[0].forget(1)
    assert workers[2].count("192.0.2.7") == 10


def test_thousands_of_addresses_hardly_disturb_each_other(workers: list[SharedPlaces]) -> None:
    addresses = [f"10.{number >> 8}.{number & 255}.1" for number in range(5000)]
    for number, address in enumerate(addresses):
        workers[number % 3].add(address, 1)
    counts = [workers[0].count(address) for address in addresses]
    assert min(counts) == 1, "never too few"
    assert sum(counts) < 1.01 * len(addresses)
    for number, address in enumerate(addresses):
        workers[number % 3].add(address, -1)
    assert sum(workers[1].count(address) for address in addresses) == 0


def test_nobody_knows_which_addresses_share_cells() -> None:
    with tempfile.TemporaryFile() as one, tempfile.TemporaryFile() as other:
        for file in (one, other):
            file.truncate(size_for(1))
            sow(file.fileno())
            view = SharedPlaces(file.fileno(), 0)
            view.add("192.0.2.7", 1)
            view.close()
        size = size_for(1)
        assert os.pread(one.fileno(), size, 64) != os.pread(other.fileno(), size, 64)
