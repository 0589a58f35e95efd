"""Who is refused most, by a table that no number of addresses makes larger."""

_KEPT = 256


class Offenders:
    """Counts what is noted, exactly as long as the table has room for every address.

    Beyond that whoever stands for more than one in ``kept`` of all is still in it (Misra and
    Gries), with a count that is too low by no more than that share.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def note(self, address: str) -> None:
        """Count one more from there; nothing without an address. Never yields."""
        if not address:
            return
        counts = self._counts
        if address in counts:
            counts[address] += 1
        elif len(counts) < self._kept:
            counts[address] = 1
        else:
            self._counts = {name: count - 1 for name, count in counts.items() if count > 1}

    def take_worst(self) -> tuple[str, int] | None:
        """The address noted most since the last call, and how often; None where there is none."""
        counts, self._counts = self._counts, {}
        return max(counts.items(), key=lambda item: item[1], default=None)
