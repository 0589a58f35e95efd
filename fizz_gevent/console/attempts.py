"""How often somebody may guess a password."""

from collections import OrderedDict, deque

_WINDOW_SECONDS = 60.0
_PER_ADDRESS = 5
_PER_ADDRESS_IN_A_FLOOD = 1
_FLOOD = 100
_REMEMBERED = 2000


class Attempts:
    """Failed attempts of the last minute, by address and altogether.

    Many addresses that guess together make each of them wait longer, but nobody who has not guessed
    wrong himself: otherwise whoever cannot log in could keep out those who can.
    """

    def __init__(self) -> None:
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._latest: deque[float] = deque(maxlen=_FLOOD)

    def seconds_to_wait(self, address: str, now: float) -> float:
        """How long until this address may try again; 0 where it may at once."""
        own = _recent(self._failures.get(address, []), now)
        allowed = _PER_ADDRESS_IN_A_FLOOD if self._is_flood(now) else _PER_ADDRESS
        return own[-allowed] + _WINDOW_SECONDS - now if len(own) >= allowed else 0.0

    def note_failure(self, address: str, now: float) -> None:
        """Count one wrong password."""
        own = _recent(self._failures.pop(address, []), now)
        own.append(now)
        self._failures[address] = own
        self._latest.append(now)
        while len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)

    def forgive(self, address: str) -> None:
        """The right password came from there."""
        self._failures.pop(address, None)

    def _is_flood(self, now: float) -> bool:
        latest = self._latest
        return len(latest) == _FLOOD and latest[0] > now - _WINDOW_SECONDS


def _recent(moments: list[float], now: float) -> list[float]:
    return [moment for moment in moments if moment > now - _WINDOW_SECONDS]
