"""Who is at the other end of a socket that was accepted."""

from dataclasses import dataclass

from fizz_gevent.transport.places import Place


@dataclass(frozen=True, slots=True)
class Visitor:
    """A peer of which nothing is known but its address.

    Attributes:
        peer: Its address; empty for a Unix socket.
        place: Where the socket is counted, until a back end has proved to be one; None where it
            is not counted.
        was_served: Another program has spoken with it, as with a back end between two requests.
    """

    peer: str
    place: Place | None
    was_served: bool = False
