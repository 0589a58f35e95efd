"""What this node has to tell the others, until Redis has it."""

import secrets
from collections import deque
from dataclasses import dataclass
from itertools import islice

from fizz_gevent.protocol.envelope import event_body

_MOST_PARCELS = 64
_MOST_BYTES = 262144
"""In one command, so that Redis serves others in between."""
_PARCEL_BYTES = 16384
"""Far less than may wait for a client, who gets all of a parcel at once."""
_OVERHEAD_BYTES = 200


@dataclass(slots=True)
class Parcel:
    """Events that were published one after the other in one channel, and travel as one message.

    Attributes:
        counter: Counts this node's parcels.
        name: Of the channel on the bus.
        payloads: The events; where it is cached, or no event at all, just one.
        milliseconds: How long the channel remembers it; 0 for no cache channel.
        size_bytes: What it counts for in the queue.
    """

    counter: int
    name: str
    except_socket_id: str | None
    payloads: list[bytes]
    milliseconds: int
    size_bytes: int


class Outgoing:
    """A queue of parcels, bounded in bytes.

    What comes while an earlier command is on its way gathers here: ten events for one channel cost
    Redis and the other nodes hardly more than one. A parcel that may have been sent is closed, so
    that it is the same one when it has to be sent again.

    Attributes:
        counter: That of the latest parcel.
        size_bytes: What waits.
        limit_bytes: Most that may wait.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.counter = 0
        self.size_bytes = 0
        self.limit_bytes = limit_bytes
        # Stays the same while the node's name in the membership may change, so that an event
        # sent again after trouble is known for what it is.
        self.publisher_id = secrets.token_hex(8)
        self._queue: deque[Parcel] = deque()
        self._open: Parcel | None = None

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def has_room(self) -> bool:
        """Half of it is free."""
        return self.size_bytes < self.limit_bytes // 2

    def add(
        self,
        name: str,
        except_socket_id: str | None,
        payload: bytes,
        *,
        milliseconds: int = 0,
        is_event: bool = True,
    ) -> bool:
        """Queue one event; False where there is no room for it. Never yields.

        Args:
            is_event: Its payload is JSON, which holds no line feed.
        """
        size = len(payload) + _OVERHEAD_BYTES
        if self.size_bytes + size > self.limit_bytes:
            return False
        self.size_bytes += size
        last = self._open
        if (
            last is not None
            and last.name == name
            and last.except_socket_id == except_socket_id
            and last.size_bytes < _PARCEL_BYTES
            and is_event
            and not milliseconds
        ):
            last.payloads.append(payload)
            last.size_bytes += size
            return True
        self.counter += 1
        parcel = Parcel(self.counter, name, except_socket_id, [payload], milliseconds, size)
        self._queue.append(parcel)
        self._open = parcel if is_event and not milliseconds else None
        return True

    def arguments(self) -> list[bytes | str | int]:
        """The first parcels, as many as fit in one command, as the script takes them."""
        self._open = None
        arguments: list[bytes | str | int] = [self.publisher_id, self._queue[0].counter]
        size = 0
        for parcel in islice(self._queue, _MOST_PARCELS):
            size += parcel.size_bytes
            if size > _MOST_BYTES and len(arguments) > 2:
                break
            payloads = parcel.payloads
            body = event_body(
                self.publisher_id,
                parcel.counter,
                parcel.except_socket_id,
                payloads[0] if len(payloads) == 1 else b"\n".join(payloads),
                is_cached=parcel.milliseconds > 0,
            )
            arguments += (parcel.name, len(payloads), body, parcel.milliseconds)
        return arguments

    def take(self) -> Parcel:
        """The first parcel, which Redis has now."""
        parcel = self._queue.popleft()
        self.size_bytes -= parcel.size_bytes
        return parcel
