"""The latest refusals and errors of this node, with their reasons."""

import logging
from collections import deque

from fizz_gevent.ports import Clock

_KEPT = 200
_LONGEST = 300  # characters of one text


class Incidents:
    """Remembers a bounded number; whoever looks later is told what happened before.

    Attributes:
        count: How many there were since the start; the number of the latest.
        ignored: The application whose clients' mistakes are nobody's business.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: deque[dict[str, object]] = deque(maxlen=_KEPT)
        self.count = 0
        self.ignored: str | None = None

    def refused(self, what: str, who: str, why: str, app_id: str | None = None) -> None:
        """Somebody was told no. Never yields."""
        if app_id is not None and app_id == self.ignored:
            return
        self.count += 1
        self._latest.append(
            {
                "number": self.count,
                "time": self._clock.now(),
                "what": what,
                "who": who[:_LONGEST],
                "why": why[:_LONGEST],
                "app": app_id,
            }
        )

    def since(self, number: int) -> list[dict[str, object]]:
        """Those behind a number, of those that are still remembered; the oldest first."""
        missed = min(self.count - number, len(self._latest))
        return list(self._latest)[len(self._latest) - missed :] if missed > 0 else []


class IncidentLog(logging.Handler):
    """Takes down what is logged as a warning or worse."""

    def __init__(self, incidents: Incidents) -> None:
        super().__init__(logging.WARNING)
        self._incidents = incidents

    def emit(self, record: logging.LogRecord) -> None:
        """Without the traceback, which is for the log."""
        text = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            text = f"{text}: {type(error).__name__}: {error}"
        self._incidents.refused(record.levelname.lower(), "server", text)
