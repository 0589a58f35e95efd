"""One line now and then about who was refused and why, however often that is."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 60.0
_NO_ROUTE = "none"
"""Requests to paths that do not exist, which are nobody's back end; or none that can be read."""
_UNREAD = ("400", "408", "413", "414", "431")
_CUT_OFF = ("slow", "message_too_big", "protocol_error", "invalid_payload")
"""Ends that clients bring about by what they send, or do not read."""

Worst = Callable[[], tuple[str, int] | None]
"""The address that was noted most since it was asked last, and how often."""


class RefusalSummary:
    """Tells what has been refused since it last told: clients, their messages, requests; and whom
    it was too much of.

    Args:
        clients: How many could not connect since the start, by reason; read, never written.
        messages: How many messages of clients were answered with an error, by reason.
        answers: How many requests were answered, by route and status.
        take_worst: Of those who could not connect.
        ends: How many connections ended, by reason, for each application.
        floods: How many sent more than is read at once.
        take_flooder: Of those.
    """

    def __init__(
        self,
        clients: Mapping[str, int],
        messages: Mapping[str, int],
        answers: Mapping[tuple[str, str], int],
        take_worst: Worst = lambda: None,
        ends: Callable[[], Iterable[Mapping[str, int]]] = tuple,
        floods: Callable[[], int] = int,
        take_flooder: Worst = lambda: None,
    ) -> None:
        self._clients = _News(clients)
        self._messages = _News(messages)
        self._answers = answers
        self._requests = _News({})
        self._take_worst = take_worst
        self._ends = ends
        self._cut_off = _News({})
        self._count_floods = floods
        self._floods = _News({})
        self._take_flooder = take_flooder

    def sweep(self, now: float) -> None:
        """Tell what is new, of each kind once a minute at most. Never yields.

        Args:
            now: Monotonic seconds.
        """
        parts = []
        if text := self._clients.take(now):
            parts.append(f"clients were refused: {text}{_most(self._take_worst())}")
        if text := self._messages.take(now):
            parts.append(f"messages were refused: {text}")
        self._requests.counts = _refused(self._answers)
        if text := self._requests.take(now):
            parts.append(f"requests were refused: {text}")
        self._cut_off.counts = _cut_off(self._ends())
        if text := self._cut_off.take(now):
            parts.append(f"clients were cut off: {text}")
        count = self._count_floods()
        self._floods.counts = {"floods": count} if count else {}
        if text := self._floods.take(now):
            parts.append(f"clients were held back: {text}{_most(self._take_flooder())}")
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
        if status.startswith("4") and (route != _NO_ROUTE or status in _UNREAD):
            found[status] = found.get(status, 0) + count
    return found


def _cut_off(ends: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for counts in ends:
        for reason in _CUT_OFF:
            if reason in counts:
                found[reason] += counts[reason]
    return dict(found)


def _most(worst: tuple[str, int] | None) -> str:
    return "" if worst is None else f" (most often {worst[0]}, {worst[1]} times)"
