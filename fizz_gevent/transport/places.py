"""How many sockets each client address has, so that one of them does not take all there are."""

from ipaddress import IPv6Address
from typing import Protocol

_RESERVE = 32
"""Sockets an address may have beyond the limit before anything is known of them: to be refused in
words, a client first needs one."""


class SharedCounts(Protocol):
    """WebSockets by address, of this and of other processes. Nothing here yields."""

    def add(self, address: str, change: int) -> None:
        """This process has one more from there, or one less."""

    def count(self, address: str) -> int:
        """How many all processes have from there; perhaps a few too many, never too few."""


class Place:
    """One address, for as long as something is open from there.

    Attributes:
        address: As ``group_of`` words it.
        sockets: Plain ones, on which nobody has proved to be a back end.
        websockets: Of this process.
    """

    __slots__ = ("address", "sockets", "websockets")

    def __init__(self, address: str) -> None:
        self.address = address
        self.sockets = 0
        self.websockets = 0


class Places:
    """All addresses that something is open from. Nothing here yields.

    It is always counted, so that a limit that is set while the server runs holds for all.

    Args:
        limit: How many WebSockets an address may have; None = as many as there are.
        shared: Where other processes count too.
    """

    def __init__(self, limit: int | None = None, shared: SharedCounts | None = None) -> None:
        self.limit = limit
        self._shared = shared
        self._places: dict[str, Place] = {}

    def __len__(self) -> int:
        return len(self._places)

    def add_socket(self, address: str) -> Place:
        """Count a plain socket."""
        place = self._place(address)
        place.sockets += 1
        return place

    def remove_socket(self, place: Place) -> None:
        """It is closed, or has become something else."""
        place.sockets -= 1
        self._forget(place)

    def is_flooded(self, place: Place) -> bool:
        """Whether so many plain sockets are open from there that the last is to be closed.

        Of this process alone: such sockets live for seconds only.
        """
        return self.limit is not None and place.sockets > self.limit + _RESERVE

    def add_websocket(self, address: str) -> Place:
        """Count a client; before it is admitted, as that may yield."""
        place = self._place(address)
        place.websockets += 1
        if self._shared is not None:
            self._shared.add(place.address, 1)
        return place

    def remove_websocket(self, place: Place) -> None:
        """It is gone, or was not admitted."""
        place.websockets -= 1
        if self._shared is not None:
            self._shared.add(place.address, -1)
        self._forget(place)

    def has_room(self, address: str) -> bool:
        """Whether the client that was counted last may stay; one without an address always may."""
        if self.limit is None or not address:
            return True
        group = group_of(address)
        if self._shared is not None:
            return self._shared.count(group) <= self.limit
        place = self._places.get(group)
        return place is None or place.websockets <= self.limit

    def _place(self, address: str) -> Place:
        group = group_of(address)
        place = self._places.get(group)
        if place is None:
            place = self._places[group] = Place(group)
        return place

    def _forget(self, place: Place) -> None:
        if not (place.sockets or place.websockets):
            self._places.pop(place.address, None)


def group_of(address: str) -> str:
    """The address as whose one is counted.

    That of IPv4, also where it came in the clothes of IPv6; of IPv6 the first 64 bits, since
    whoever has one such address has all that begin so.
    """
    if ":" not in address:
        return address
    try:
        number = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = number.ipv4_mapped
    if mapped is not None:
        return str(mapped)
    return f"{IPv6Address(int(number) >> 64 << 64)}/64"
