"""What nodes say to each other: a header line, then payload bytes untouched.

===========================================  =====================================================
``E <n> <node> <counter> <except>``          an event, ready for subscribers; ``n`` is its place in
                                             the log, ``counter`` counts the node's own, ``except``
                                             is a socket_id or ``-``
``P <previous> <latest> <+ or -> <length>``  a presence transition; the body is the user_id, of
                                             that many bytes, then for ``+`` the user_info
``U <+ or -> <app>``                         a user came online or went offline; the body is the id
``C``                                        a ``subscription_count`` event, ready for subscribers
``M <n> <epoch>``                            how far the log has come; a node's note to itself
===========================================  =====================================================

An event on the channel of all nodes is an order to end a user's connections: its body is the
application's id, a space, and the user's.
"""

from dataclasses import dataclass

from fizz_gevent.errors import FizzError


class EnvelopeError(FizzError):
    """A message on the bus that no node of ours has sent."""


@dataclass(frozen=True, slots=True)
class EventEnvelope:
    """An event of a node.

    Attributes:
        position: Its place in the log of all events.
        counter: Counts the events of this node, from 1; never goes back.
    """

    position: int
    node_id: str
    counter: int
    except_socket_id: str | None
    payload: bytes


@dataclass(frozen=True, slots=True)
class Transition:
    """A member of a presence channel came or went.

    Attributes:
        previous: The number of the channel's transition before this one; 0 for none.
        latest: This one's number; numbers grow, and have gaps.
        user_info: None where the user went.
    """

    previous: int
    latest: int
    user_id: str
    user_info: bytes | None


@dataclass(frozen=True, slots=True)
class UserChange:
    """A user came online or went offline."""

    app_id: str
    user_id: str
    is_online: bool


@dataclass(frozen=True, slots=True)
class CountTold:
    """A ``subscription_count`` event for the subscribers of a channel."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the log has come, in this life of its data."""

    position: int
    epoch: str


Envelope = EventEnvelope | Transition | UserChange | CountTold | Mark


def event_body(node_id: str, counter: int, except_socket_id: str | None, payload: bytes) -> bytes:
    """An event without its position, which the script that publishes it puts in front."""
    return b"%b %d %b\n%b" % (
        node_id.encode(),
        counter,
        (except_socket_id or "-").encode(),
        payload,
    )


def count_told(payload: bytes) -> bytes:
    """A ``subscription_count`` event as a message."""
    return b"C\n" + payload


def parse(message: bytes) -> Envelope:
    """Make a value of one message.

    Raises:
        EnvelopeError: It is none of ours.
    """
    header, newline, body = message.partition(b"\n")
    try:
        match header.decode("ascii").split(" ") if newline else ():
            case ["E", position, node_id, counter, except_socket_id]:
                return EventEnvelope(
                    int(position),
                    node_id,
                    int(counter),
                    None if except_socket_id == "-" else except_socket_id,
                    body,
                )
            case ["P", previous, latest, sign, length] if sign in "+-":
                size = int(length)
                if size > len(body):
                    raise EnvelopeError("a transition is cut")
                info = (body[size:] or b"{}") if sign == "+" else None
                return Transition(int(previous), int(latest), body[:size].decode(), info)
            case ["U", sign, app_id] if sign in "+-":
                return UserChange(app_id, body.decode(), sign == "+")
            case ["C"]:
                return CountTold(body)
            case ["M", position, epoch]:
                return Mark(int(position), epoch)
    except ValueError:
        pass
    raise EnvelopeError(f"not a message of a node: {message[:60]!r}")
