"""What nodes say to each other, and what nobody of ours has said."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fizz_gevent.protocol.envelope import (
    CountTold,
    EnvelopeError,
    EventEnvelope,
    Mark,
    Transition,
    UserChange,
    event_body,
    parse,
)

NODES = st.text("0123456789abcdef", min_size=16, max_size=16)
NUMBERS = st.integers(1, 10**14)


@given(
    NODES,
    NUMBERS,
    NUMBERS,
    st.none() | st.from_regex(r"[0-9]{1,10}\.[0-9]{1,10}", fullmatch=True),
    st.binary(max_size=200),
    st.booleans(),
)
def test_an_event_arrives_as_it_was_sent(
    node: str, position: int, counter: int, sender: str | None, payload: bytes, is_cached: bool
) -> None:
    body = event_body(node, counter, sender, payload, is_cached=is_cached)
    assert parse(b"E %d %b" % (position, body)) == EventEnvelope(
        position, node, counter, sender, payload, is_cached
    )


def test_a_payload_may_hold_anything() -> None:
    payload = b'{"data":"E 1 x\\n"}\n\n\xff\x00 P 1 2'
    found = parse(b"E 7 " + event_body("n", 1, None, payload))
    assert isinstance(found, EventEnvelope)
    assert found.payload == payload


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"P 0 4 + 3\nann{}", Transition(0, 4, "ann", b"{}")),
        (b"P 3 4 + 3\nann", Transition(3, 4, "ann", b"{}")),
        (b'P 3 4 + 4\nJos\xc3{"a":1}', None),
        ('P 3 4 + 5\nJosé{"a":1}'.encode(), Transition(3, 4, "José", b'{"a":1}')),
        (b"P 3 4 - 3\nann", Transition(3, 4, "ann", None)),
        (b"P 3 4 - 7\na b\nc d", Transition(3, 4, "a b\nc d", None)),
        (b"U + 1001\nann", UserChange("1001", "ann", True)),
        (b"U - 1001\na b", UserChange("1001", "a b", False)),
        (b"C 12\n", CountTold(12)),
        (b"M 12 abc-1\n", Mark(12, "abc-1")),
    ],
)
def test_each_kind_of_message(message: bytes, expected: object) -> None:
    if expected is None:
        with pytest.raises(EnvelopeError):
            parse(message)
    else:
        assert parse(message) == expected


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\n",
        b"E 1 n 1 - -",  # no end of the header
        b"E one n 1 - -\n{}",
        b"E 1 n one - -\n{}",
        b"E 1 n 1 -\n{}",
        b"E 1 n 1 - x\n{}",
        b"E 1 n 1 - - -\n{}",
        b"E  1 n 1 - -\n{}",
        b"P 0 1 + 4\nann",  # shorter than it says
        b"P 0 1 + -1\nann",
        b"P 0 1 + 0\nann",
        b"P 0 1 * 3\nann",
        b"P 0 1 +- 3\nann",
        b"P 0 1  3\nann",
        b"P 0 one + 3\nann",
        b"P 0 1 - 2\n\xff\xfe",
        b"U ~ 1001\nann",
        b"U + 1001\n\xff",
        b"C\n",
        b"C many\n",
        b"M one epoch\n",
        b"\xff 1\n",
        b"Z 1\n",
        b"hello world",
        b"\0" * 100,
    ],
)
def test_what_no_node_has_sent_is_refused(message: bytes) -> None:
    with pytest.raises(EnvelopeError):
        parse(message)


@given(st.binary(max_size=60))
def test_nothing_else_is_ever_raised(message: bytes) -> None:
    with contextlib.suppress(EnvelopeError):
        parse(message)


@given(st.sampled_from("EPUCM"), st.lists(st.text(max_size=5), max_size=6), st.binary(max_size=20))
def test_nothing_else_is_ever_raised_for_what_looks_like_ours(
    kind: str, fields: list[str], body: bytes
) -> None:
    with contextlib.suppress(EnvelopeError):
        parse(" ".join([kind, *fields]).encode() + b"\n" + body)
