"""One line now and then about clients that could not connect, however many there are."""

import logging
from collections.abc import Mapping

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 60.0


class RefusalSummary:
    """Tells what has been refused since it last told.

    Args:
        refusals: How many were refused since the start, by reason; read, never written.
    """

    def __init__(self, refusals: Mapping[str, int]) -> None:
        self._refusals = refusals
        self._told: dict[str, int] = {}
        self._quiet_until = float("-inf")

    def sweep(self, now: float) -> None:
        """Tell what is new, at once where nothing was told for a while. Never yields.

        Args:
            now: Monotonic seconds.
        """
        if now < self._quiet_until or self._refusals == self._told:
            return
        fresh = {
            reason: count - self._told.get(reason, 0)
            for reason, count in self._refusals.items()
            if count > self._told.get(reason, 0)
        }
        self._told = dict(self._refusals)
        self._quiet_until = now + _PAUSE_SECONDS
        _log.info(
            "clients were refused: %s",
            ", ".join(f"{reason} {fresh[reason]}" for reason in sorted(fresh)),
        )
