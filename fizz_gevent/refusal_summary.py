"""One line now and then about clients that could not connect, however many there are."""

import logging
from collections.abc import Callable, Mapping

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 60.0


class RefusalSummary:
    """Tells what has been refused since it last told.

    Args:
        refusals: How many were refused since the start, by reason; read, never written.
        take_worst: The address that was refused most since it was asked last, and how often.
    """

    def __init__(
        self,
        refusals: Mapping[str, int],
        take_worst: Callable[[], tuple[str, int] | None] = lambda: None,
    ) -> None:
        self._refusals = refusals
        self._take_worst = take_worst
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
        worst = self._take_worst()
        _log.info(
            "clients were refused: %s%s",
            ", ".join(f"{reason} {fresh[reason]}" for reason in sorted(fresh)),
            "" if worst is None else f"; most often {worst[0]}, {worst[1]} times",
        )
