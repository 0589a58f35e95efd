"""Bodies of HTTP/1, however the network cuts them.

Protocol: RFC 9112 §6, §7.1.
"""

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fizz_gevent.transport.body import BodyReader, IncompleteBody
from fizz_gevent.transport.request import BadRequest

LIMIT = 1000
NEXT = b"GET /up HTTP/1.1\r\n"


def source(data: bytes, cuts: list[int]) -> tuple[bytes, Callable[[], bytes]]:
    """What is in the buffer already, and what gives the rest, cut at these places."""
    places = sorted({0, *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[a:b] for a, b in zip(places, [*places[1:], len(data)], strict=True) if a < b]
    first = pieces.pop(0) if pieces else b""
    return first, lambda: pieces.pop(0) if pieces else b""


def reader(data: bytes, cuts: list[int] | None = None, limit: int = LIMIT) -> BodyReader:
    buffered, receive = source(data, cuts or [])
    return BodyReader(buffered, receive, limit)


def chunked(pieces: list[bytes]) -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return chunks + b"0\r\n\r\n"


def remaining(bodies: BodyReader) -> bytes:
    """All that follows the body, received or not."""
    rest = bodies.rest
    while more := bodies._receive():
        rest += more
    return rest


pieces_of_a_body = st.lists(st.binary(min_size=1, max_size=40), max_size=20)
cuts_anywhere = st.lists(st.integers(min_value=0, max_value=5000), max_size=30)


@given(pieces_of_a_body, cuts_anywhere)
def test_a_body_of_known_length_is_taken_exactly(pieces: list[bytes], cuts: list[int]) -> None:
    body = b"".join(pieces)
    bodies = reader(body + NEXT, cuts)
    assert bodies.read(len(body)) == body
    assert remaining(bodies) == NEXT


@given(pieces_of_a_body, cuts_anywhere)
def test_a_chunked_body_is_taken_exactly(pieces: list[bytes], cuts: list[int]) -> None:
    bodies = reader(chunked(pieces) + NEXT, cuts)
    assert bodies.read(None) == b"".join(pieces)
    assert remaining(bodies) == NEXT


@given(pieces_of_a_body, cuts_anywhere, st.data())
def test_a_chunked_body_that_ends_too_early_is_incomplete(
    pieces: list[bytes], cuts: list[int], data: st.DataObject
) -> None:
    whole = chunked(pieces)
    end = data.draw(st.integers(min_value=0, max_value=len(whole) - 1))
    with pytest.raises(IncompleteBody):
        reader(whole[:end], cuts).read(None)


@given(st.binary(max_size=300), cuts_anywhere)
def test_noise_is_read_or_refused_and_nothing_else(noise: bytes, cuts: list[int]) -> None:
    try:
        body = reader(noise, cuts).read(None)
    except (BadRequest, IncompleteBody):
        return
    assert len(body) <= len(noise)


@given(st.integers(min_value=0, max_value=LIMIT * 2), cuts_anywhere)
def test_the_limit_is_exact(size: int, cuts: list[int]) -> None:
    body = b"x" * size
    for data, length in ((body, size), (chunked([body] if body else []), None)):
        try:
            assert reader(data, cuts).read(length) == body
            assert size <= LIMIT
        except BadRequest as refusal:
            assert refusal.status.startswith("413 ")
            assert size > LIMIT


def test_too_large_is_known_before_a_byte_of_it_has_come() -> None:
    def receive() -> bytes:
        raise AssertionError("nothing has to be received for that")

    with pytest.raises(BadRequest, match="larger"):
        BodyReader(b"", receive, LIMIT).read(LIMIT + 1)
    with pytest.raises(BadRequest, match="larger"):
        BodyReader(b"%x\r\n" % (LIMIT + 1), receive, LIMIT).read(None)


def test_tiny_chunks_take_no_more_memory_than_their_bytes() -> None:
    count = 100_000
    wire = b"2\r\nxy\r\n" * count + b"0\r\n\r\n"
    bodies = reader(wire, limit=2 * count)
    tracemalloc.start()
    try:
        assert len(bodies.read(None)) == 2 * count
        assert tracemalloc.get_traced_memory()[1] < 10 * count
    finally:
        tracemalloc.stop()
