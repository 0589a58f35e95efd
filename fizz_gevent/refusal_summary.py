"""One line now and then about who was refused and why, however often that is."""

import logging
from collections.abc import Callable, Mapping

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 60.0
_NO_ROUTE = "none"
"""Requests to paths that do not exist, which are nobody's back end."""


class RefusalSummary:
    """Tells what has been refused since it last told: clients, their messages, requests.

    Args:
        clients: How many could not connect since the start, by reason; read, never written.
        messages: How many messages of clients were answered with an error, by reason.
        answers: How many requests were answered, by route and status.
        take_worst: The address that was refused most since it was asked last, and how often.
    """

    def __init__(
        self,
        clients: Mapping[str, int],
        messages: Mapping[str, int],
        answers: Mapping[tuple[str, str], int],
        take_worst: Callable[[], tuple[str, int] | None] = lambda: None,
    ) -> None:
        self._clients = _News(clients)
        self._messages = _News(messages)
        self._answers = answers
        self._requests = _News({})
        self._take_worst = take_worst

    def sweep(self, now: float) -> None:
        """Tell what is new, of each kind once a minute at most. Never yields.

        Args:
            now: Monotonic seconds.
        """
        parts = []
        if text := self._clients.take(now):
            worst = self._take_worst()
            often = "" if worst is None else f" (most often {worst[0]}, {worst[1]} times)"
            parts.append(f"clients were refused: {text}{often}")
        if text := self._messages.take(now):
            parts.append(f"messages were refused: {text}")
        self._requests.counts = _refused(self._answers)
        if text := self._requests.take(now):
            parts.append(f"requests were refused: {text}")
        if parts:
            _log.warning("%s", "; ".join(parts))


class _News:
    """What has been added to counts since it was looked at last."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.counts = counts
        self._told: dict[str, int] = {}
        self._quiet_until = float("-inf")

    def take(self, now: float) -> str:
        """Words for what is new; nothing where nothing is, or where some were taken just now."""
        counts = self.counts
        if now < self._quiet_until or counts == self._told:
            return ""
        self._quiet_until = now + _PAUSE_SECONDS
        told, self._told = self._told, dict(counts)
        fresh = {reason: count - told.get(reason, 0) for reason, count in counts.items()}
        return ", ".join(f"{reason} {fresh[reason]}" for reason in sorted(fresh) if fresh[reason])


def _refused(answers: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """The mistakes of callers by status; what went wrong here is logged one by one."""
    found: dict[str, int] = {}
    for (route, status), count in answers.items():
        if status.startswith("4") and route != _NO_ROUTE:
            found[status] = found.get(status, 0) + count
    return found
