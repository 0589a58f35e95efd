"""What waits for Redis: gathered in parcels, bounded, and the same when it has to be sent again."""

from fizz_gevent.cluster.outgoing import Outgoing

LIMIT = 1 << 20


def parcels(outgoing: Outgoing) -> list[tuple[str | int | bytes, ...]]:
    """Channel, number of events, message and milliseconds of each parcel that would leave now."""
    _, _, *arguments = outgoing.arguments()
    return [tuple(arguments[at : at + 4]) for at in range(0, len(arguments), 4)]


def message(
    outgoing: Outgoing, counter: int, body: str, sender: str = "-", kind: str = "-"
) -> bytes:
    return f"{outgoing.publisher_id} {counter} {sender} {kind}\n{body}".encode()


def test_events_that_follow_each_other_in_a_channel_travel_together() -> None:
    outgoing = Outgoing(LIMIT)
    for name, payload in (("a", b"1"), ("a", b"2"), ("b", b"3"), ("a", b"4")):
        assert outgoing.add(name, None, payload)
    assert parcels(outgoing) == [
        ("a", 2, message(outgoing, 1, "1\n2"), 0),
        ("b", 1, message(outgoing, 2, "3"), 0),
        ("a", 1, message(outgoing, 3, "4"), 0),
    ]


def test_what_not_everybody_gets_what_is_cached_and_what_is_no_event_travels_alone() -> None:
    outgoing = Outgoing(LIMIT)
    outgoing.add("a", None, b"1")
    outgoing.add("a", "1.2", b"2")
    outgoing.add("a", None, b"3", milliseconds=500)
    outgoing.add("a", None, b"4")
    outgoing.add("all", None, b"5\n5", is_event=False)
    outgoing.add("all", None, b"6", is_event=False)
    assert parcels(outgoing) == [
        ("a", 1, message(outgoing, 1, "1"), 0),
        ("a", 1, message(outgoing, 2, "2", "1.2"), 0),
        ("a", 1, message(outgoing, 3, "3", kind="c"), 500),
        ("a", 1, message(outgoing, 4, "4"), 0),
        ("all", 1, message(outgoing, 5, "5\n5"), 0),
        ("all", 1, message(outgoing, 6, "6"), 0),
    ]


def test_a_parcel_that_may_have_been_sent_is_the_same_when_it_is_sent_again() -> None:
    outgoing = Outgoing(LIMIT)
    outgoing.add("a", None, b"1")
    first = parcels(outgoing)
    outgoing.add("a", None, b"2")
    assert parcels(outgoing) == [*first, ("a", 1, message(outgoing, 2, "2"), 0)]
    assert outgoing.take().payloads == [b"1"]
    publisher, counter, *_ = outgoing.arguments()
    assert (publisher, counter) == (outgoing.publisher_id, 2)


def test_what_does_not_fit_is_refused_until_there_is_room() -> None:
    outgoing = Outgoing(1000)
    assert outgoing.add("a", None, b"x" * 700)
    assert not outgoing.has_room
    assert not outgoing.add("a", None, b"x" * 700)
    assert parcels(outgoing) == [("a", 1, message(outgoing, 1, "x" * 700), 0)]
    outgoing.take()
    assert (outgoing.size_bytes, len(outgoing), outgoing.has_room) == (0, 0, True)
    assert outgoing.add("a", None, b"x" * 700)


def test_parcels_and_commands_are_bounded_but_one_always_leaves() -> None:
    outgoing = Outgoing(LIMIT * 64)
    for _ in range(300):
        outgoing.add("a", None, b"x" * 10000)
    sizes = [len(body) for _, _, body, _ in parcels(outgoing) if isinstance(body, bytes)]
    assert all(size < 2 * 16384 for size in sizes)
    assert 10 < len(sizes) < 20
    left = 300
    while outgoing:
        for _ in parcels(outgoing):
            left -= len(outgoing.take().payloads)
    assert left == 0

    for number in range(100):
        outgoing.add(f"c{number}", None, b"1")
    assert len(parcels(outgoing)) == 64

    huge = Outgoing(LIMIT)
    huge.add("a", None, b"x" * 600000)
    assert len(parcels(huge)) == 1
