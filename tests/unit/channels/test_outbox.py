"""What waits for one client, and for many at once. Protocol: §15, "Slow consumers"."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from fizz_gevent.channels.outbox import Outbox, spread
from tests.unit.clockwork import HandFlusher


class Nobody:
    """Owns an outbox and is never asked for anything."""

    def end(self, code: int, reason: str) -> None:
        raise AssertionError("an outbox closes nobody by itself")


def outbox(limit_bytes: int = 100, flusher: HandFlusher | None = None) -> Outbox:
    return Outbox(flusher or HandFlusher(), limit_bytes, Nobody())


def state(box: Outbox) -> tuple[bytes | None, list[bytes] | None, int, int]:
    return box.first, box.rest, box.size_bytes, box.limit_bytes


def test_frames_leave_in_one_piece_in_the_order_of_their_coming() -> None:
    box = outbox()
    assert box.waiting() == b""
    assert all(box.put(frame) for frame in (b"one", b"two", b"three"))
    assert box.waiting() == b"onetwothree"
    assert box.size_bytes == 11


def test_the_only_frame_is_held_and_handed_on_without_a_copy() -> None:
    box, frame = outbox(), b"the same for all subscribers"
    box.put(frame)
    assert box.waiting() is frame


def test_the_flusher_is_told_once_until_all_is_sent() -> None:
    flusher = HandFlusher()
    box = outbox(flusher=flusher)
    box.put(b"one")
    assert flusher.is_scheduled
    box.put(b"two")
    assert flusher.dirty == [box]
    box.sent(box.waiting(), 6)
    box.put(b"three")
    assert flusher.dirty == [box, box]


def test_what_was_sent_is_forgotten() -> None:
    box = outbox()
    box.put(b"one")
    box.put(b"two")
    box.sent(box.waiting(), 6)
    assert state(box) == (None, None, 0, 100)
    assert box.put(bytes(100)), "all of the room is free again"


def test_what_is_left_of_a_half_sent_piece_goes_first() -> None:
    flusher = HandFlusher()
    box = outbox(10, flusher)
    box.put(b"abc")
    box.put(b"def")
    box.sent(box.waiting(), 4)
    assert box.put(b"ghi")
    assert flusher.dirty == [box], "its socket is full, and is being watched already"
    assert box.waiting() == b"efghi"
    assert box.size_bytes == 5
    assert not box.put(b"sixsix")


def test_a_frame_fits_to_the_last_byte_and_not_beyond() -> None:
    box = outbox(6)
    assert box.put(b"abc")
    assert box.put(b"def")
    assert not box.put(b"!")
    assert box.waiting() == b"abcdef"


def test_an_overflow_is_told_once_and_nothing_is_taken_after_it() -> None:
    flusher = HandFlusher()
    box = outbox(4, flusher)
    box.put(b"abcd")
    flusher.is_scheduled = False
    assert not box.put(b"e")
    assert flusher.is_scheduled
    assert not box.put(b"f")
    spread(b"g", [box], flusher)
    assert flusher.overflowing == [box]
    box.sent(b"abcd", 4)
    assert not box.put(b"h"), "room again, but a frame is missing already"
    assert flusher.overflowing == [box]


def test_a_close_in_the_turn_of_an_overflow_is_still_said() -> None:
    box = outbox(6)
    box.put(b"abc")
    box.put(b"def")
    assert not box.put(b"!")
    box.finish(b"close")
    assert box.waiting() == b"abcclose"
    assert not box.put(b"x")


def test_the_last_frame_is_taken_though_there_is_no_room() -> None:
    flusher = HandFlusher()
    box = outbox(4, flusher)
    box.put(b"abcd")
    box.finish(b"close")
    assert box.waiting() == b"abcdclose"
    assert not box.put(b"more")
    assert flusher.overflowing == [], "to speak after the end is no overflow"


def test_there_is_one_last_frame() -> None:
    box = outbox()
    box.finish(b"close")
    box.finish(b"again")
    assert box.waiting() == b"close"
    assert box.size_bytes == 5


def test_a_client_that_is_cut_off_gets_what_was_begun_and_the_close_frame() -> None:
    """Protocol: §15; a frame that has gone out in part cannot be taken back."""
    flusher = HandFlusher()
    box = outbox(20, flusher)
    box.put(b"abcdef")
    box.sent(box.waiting(), 2)
    box.put(b"long")
    box.put(b"longer")
    box.cut(b"close")
    assert box.waiting() == b"cdefclose"
    assert box.size_bytes == 9
    assert not box.put(b"!")
    assert flusher.overflowing == []


def test_a_client_that_is_cut_off_with_nothing_waiting_gets_the_close_frame() -> None:
    box = outbox()
    box.cut(b"close")
    assert (box.waiting(), box.size_bytes) == (b"close", 5)


def test_nothing_waits_for_a_client_that_is_gone() -> None:
    flusher = HandFlusher()
    box = outbox(10, flusher)
    box.put(b"one")
    box.put(b"two")
    box.discard()
    assert not box.put(b"three")
    box.finish(b"close")
    assert state(box) == (None, None, 0, -1)
    assert flusher.overflowing == []


def test_many_hold_the_same_bytes() -> None:
    flusher, frame = HandFlusher(), b"one event for a thousand"
    boxes = [outbox(flusher=flusher) for _ in range(3)]
    spread(frame, boxes, flusher)
    assert all(box.first is frame for box in boxes)
    assert flusher.dirty == boxes
    assert flusher.is_scheduled


def test_the_slow_one_pays_and_not_the_others() -> None:
    flusher = HandFlusher()
    boxes = [outbox(5, flusher) for _ in range(3)]
    boxes[1].put(b"slow")
    spread(b"event", boxes, flusher)
    assert [box.waiting() for box in boxes] == [b"event", b"slow", b"event"]
    assert flusher.overflowing == [boxes[1]]


Step = tuple[str, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("frame"), st.integers(0, 12)),
        st.tuples(st.just("sent"), st.integers(0, 30)),
        st.tuples(st.just("finish"), st.integers(1, 12)),
        st.tuples(st.just("cut"), st.integers(1, 12)),
        st.tuples(st.just("discard"), st.just(0)),
    ),
    max_size=30,
)


@settings(deadline=None, database=None)
@given(STEPS, st.integers(0, 40))
def test_to_spread_is_to_put_into_each(steps: Sequence[Step], limit_bytes: int) -> None:
    """The loop that is written out for speed does what the method does, in any state."""
    by_put, by_spread = HandFlusher(), HandFlusher()
    one, other = outbox(limit_bytes, by_put), outbox(limit_bytes, by_spread)
    for number, (step, size) in enumerate(steps):
        frame = bytes([number % 256]) * size
        if step == "frame":
            one.put(frame)
            spread(frame, [other], by_spread)
        else:
            for box in (one, other):
                if step == "sent":
                    data = box.waiting()
                    box.sent(data, min(size, len(data)))
                elif step == "discard":
                    box.discard()
                else:
                    getattr(box, step)(frame)
        assert state(one) == state(other)
        assert one.size_bytes == len(one.waiting())
        assert [box is one for box in by_put.dirty] == [box is other for box in by_spread.dirty]
        assert len(by_put.overflowing) == len(by_spread.overflowing) <= 1


@settings(deadline=None, database=None)
@given(st.lists(st.tuples(st.binary(min_size=1, max_size=9), st.integers(0, 20))))
def test_no_byte_is_lost_doubled_or_moved_however_little_a_socket_takes(
    pieces: Sequence[tuple[bytes, int]],
) -> None:
    box = outbox(10_000)
    received = b""
    for frame, room in pieces:
        assert box.put(frame)
        data = box.waiting()
        count = min(room, len(data))
        received += data[:count]
        box.sent(data, count)
    assert received + box.waiting() == b"".join(frame for frame, _ in pieces)
