"""Which workers hang: their loops stand still while the machine, and their parent, go on."""

from collections.abc import Callable, Mapping
from pathlib import Path


class Hanging:
    """Looks at what workers show of their loops, once a second.

    A worker counts as hanging when it was seen standing still so often in a row, and each look
    came in time. So a machine that slept, or was so busy that the parent was late itself, begins
    anew with every worker; and one that somebody has stopped on purpose, to look at it, is left.

    Args:
        is_stopped: Whether somebody has stopped a process.
    """

    LOOK_SECONDS = 1.0
    LIMIT = 30.0
    _LATE = 2.5
    """Seconds between two looks, of which the second is no longer in time."""

    def __init__(self, is_stopped: Callable[[int], bool] | None = None) -> None:
        self._is_stopped = is_stopped or _is_stopped
        self._looked_at: float | None = None
        self._seen: dict[int, tuple[int, int]] = {}

    def look(self, now: float, beats: Mapping[int, int]) -> list[int]:
        """Take in what workers show.

        Args:
            now: Monotonic seconds.
            beats: By process, what changes as long as its loop runs; 0 says nothing.

        Returns:
            The processes that hang; each is told once.
        """
        is_late = self._looked_at is not None and now - self._looked_at > self._LATE
        self._looked_at = now
        if is_late:
            self._seen = {}
        hanging = []
        seen: dict[int, tuple[int, int]] = {}
        for pid, beat in beats.items():
            last, count = self._seen.get(pid, (0, 0))
            count = count + 1 if beat and beat == last and not self._is_stopped(pid) else 0
            seen[pid] = beat, count
            if count == int(self.LIMIT / self.LOOK_SECONDS):
                hanging.append(pid)
        self._seen = seen
        return hanging


def _is_stopped(pid: int) -> bool:
    """Whether a process was stopped by a signal, or by whoever looks into it."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] in ("T", "t")
