"""How often somebody may guess a password."""

from collections import OrderedDict

_WINDOW_SECONDS = 60.0
_PER_ADDRESS = 5
_ALTOGETHER = 100
_REMEMBERED = 2000


class Attempts:
    """Failed attempts of the last minute, by address and altogether."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._all: list[float] = []

    def seconds_to_wait(self, address: str, now: float) -> float:
        """How long until this address may try again; 0 where it may at once."""
        own = _recent(self._failures.get(address, []), now)
        self._all = _recent(self._all, now)
        waits = [0.0]
        if len(own) >= _PER_ADDRESS:
            waits.append(own[-_PER_ADDRESS] + _WINDOW_SECONDS - now)
        if len(self._all) >= _ALTOGETHER:
            waits.append(self._all[-_ALTOGETHER] + _WINDOW_SECONDS - now)
        return max(waits)

    def note_failure(self, address: str, now: float) -> None:
        """Count one wrong password."""
        own = _recent(self._failures.pop(address, []), now)
        own.append(now)
        self._failures[address] = own
        self._all.append(now)
        while len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)

    def forgive(self, address: str) -> None:
        """The right password came from there."""
        self._failures.pop(address, None)


def _recent(moments: list[float], now: float) -> list[float]:
    return [moment for moment in moments if moment > now - _WINDOW_SECONDS]
