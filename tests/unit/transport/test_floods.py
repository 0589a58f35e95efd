"""A client that sends more than is dealt with at once takes its turns, and loses nothing."""

import random

import pytest

from fizz_gevent.protocol import frames
from fizz_gevent.transport.body import BodyReader
from tests.harness.websocket import CONTINUATION, PING, TEXT, encode_frame
from tests.unit.transport.test_websocket import GOODBYE, House

MANY = 3000


@pytest.fixture
def flooded() -> House:
    house = House()
    house.peer.send(b"".join(encode_frame(TEXT, b"%d" % number) for number in range(MANY)))
    return house


def wait(house: House, count: int) -> None:
    """Let the loop turn until so many messages were heard."""
    for _ in range(100_000):
        if len(house.script.heard) >= count:
            return
        house.turn(1)
    raise AssertionError(f"heard {len(house.script.heard)} of {count}")


def test_a_flood_is_heard_whole_and_in_order(flooded: House) -> None:
    wait(flooded, MANY)
    assert flooded.script.heard == [b"%d" % number for number in range(MANY)]
    assert flooded.wiring.readers.held_count > 0
    flooded.peer.send(encode_frame(TEXT, b"later"))
    wait(flooded, MANY + 1)


def test_somebody_who_comes_later_is_heard_before_the_flood_is_over(flooded: House) -> None:
    wait(flooded, 1)
    peer, websocket = flooded.connect("2.2")
    peer.send(encode_frame(TEXT, b"me"))
    for _ in range(100_000):
        if b"me" in flooded.script.heard:
            break
        flooded.turn(1)
    assert flooded.script.heard.index(b"me") < MANY / 2
    wait(flooded, MANY + 1)
    websocket.abort()
    peer.close()


def test_fragments_of_one_message_take_turns_too() -> None:
    house = House()
    pieces = [encode_frame(CONTINUATION, b"x", fin=False) for _ in range(MANY)]
    begin, end = encode_frame(TEXT, b"", fin=False), encode_frame(CONTINUATION, b"!")
    house.peer.send(b"".join((begin, *pieces, end)))
    wait(house, 1)
    assert house.script.heard == [b"x" * MANY + b"!"]
    assert house.wiring.readers.held_count > MANY / 32


def test_the_server_may_end_a_flood(flooded: House) -> None:
    wait(flooded, 1)
    flooded.websocket.end(4009, "enough")
    flooded.turn(3)
    assert flooded.script.closed_count == 1, "its channels are left at once"
    heard = len(flooded.script.heard)
    assert heard < MANY
    flooded.peer.send(GOODBYE)
    for _ in range(2000):
        if flooded.closed_sockets:
            break
        flooded.turn(1)
    assert flooded.is_over()
    assert len(flooded.script.heard) == heard


def test_a_flood_whose_sender_is_gone_is_heard_to_its_end(flooded: House) -> None:
    flooded.peer.shutdown(1)
    wait(flooded, MANY)
    flooded.turn()
    assert flooded.is_over()


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_reading_a_few_frames_at_a_time_finds_the_same(cut: int) -> None:
    chance = random.Random(cut)
    stream = b""
    for number in range(200):
        if number % 3:
            stream += encode_frame(TEXT, b"%d" % number)
        else:
            stream += encode_frame(TEXT, b"a", fin=False) + encode_frame(PING, b"p")
            stream += encode_frame(CONTINUATION, b"b" * chance.randrange(300))
    whole = frames.FrameReader().feed(stream, 65536)
    reader = frames.FrameReader()
    found = []
    for at in range(0, len(stream), 997):
        found += reader.feed(stream[at : at + 997], 65536, cut)
        while reader.has_more:
            found += reader.feed(b"", 65536, cut)
    assert found == whole
    assert reader.failed is None


def test_a_body_of_many_chunks_lets_others_in_between() -> None:
    breaths: list[int] = []
    body = b"1\r\nx\r\n" * 1000 + b"0\r\n\r\n"
    reader = BodyReader(body, lambda: b"", 10_000, lambda: breaths.append(1))
    assert reader.read(None) == b"x" * 1000
    assert len(breaths) == 10
