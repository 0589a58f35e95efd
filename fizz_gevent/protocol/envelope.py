"""What nodes say to each other: a header line, then payload bytes untouched.

===========================================  =====================================================
``E <n> <node> <counter> <except> <c or ->`` an event, ready for subscribers; ``n`` is its place in
                                             the log, ``counter`` counts the node's own, ``except``
                                             is a socket_id or ``-``; with ``c`` it is cached
``P <previous> <latest> <+ or -> <length>``  a presence transition; the body is the user_id, of
                                             that many bytes, then for ``+`` the user_info
``U <+ or -> <app>``                         a user came online or went offline; the body is the id
``C <count>``                                how many subscriptions the channel has
``A``                                        an application was added, changed or removed in Redis
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
        is_cached: The channel remembers it.
    """

    position: int
    node_id: str
    counter: int
    except_socket_id: str | None
    payload: bytes
    is_cached: bool = False


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
    """How many subscriptions a channel has, for its subscribers."""

    count: int


@dataclass(frozen=True, slots=True)
class ApplicationsChanged:
    """Applications in Redis are not what they were; which, and what they are now, is not said."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the log has come, in this life of its data."""

    position: int
    epoch: str


Envelope = EventEnvelope | Transition | UserChange | CountTold | ApplicationsChanged | Mark


def event_body(
    node_id: str,
    counter: int,
    except_socket_id: str | None,
    payload: bytes,
    *,
    is_cached: bool = False,
) -> bytes:
    """An event without its position, which the script that publishes it puts in front."""
    return b"%b %d %b %b\n%b" % (
        node_id.encode(),
        counter,
        (except_socket_id or "-").encode(),
        b"c" if is_cached else b"-",
        payload,
    )


def parse(message: bytes) -> Envelope:
    """Make a value of one message.

    Raises:
        EnvelopeError: It is none of ours.
    """
    header, newline, body = message.partition(b"\n")
    try:
        match header.decode("ascii").split(" ") if newline else ():
            case ["E", position, node_id, counter, except_socket_id, "c" | "-" as cached]:
                return EventEnvelope(
                    int(position),
                    node_id,
                    int(counter),
                    None if except_socket_id == "-" else except_socket_id,
                    body,
                    cached == "c",
                )
            case ["P", previous, latest, "+" | "-" as sign, length]:
                size = int(length)
                if not 0 < size <= len(body):
                    raise EnvelopeError("a transition is cut")
                info = (body[size:] or b"{}") if sign == "+" else None
                return Transition(int(previous), int(latest), body[:size].decode(), info)
            case ["U", "+" | "-" as sign, app_id]:
                return UserChange(app_id, body.decode(), sign == "+")
            case ["C", count]:
                return CountTold(int(count))
            case ["A"]:
                return ApplicationsChanged()
            case ["M", position, epoch]:
                return Mark(int(position), epoch)
    except ValueError:
        pass
    raise EnvelopeError(f"not a message of a node: {message[:60]!r}")
