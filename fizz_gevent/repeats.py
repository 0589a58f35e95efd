"""Holds back log lines that say the same again and again."""

import logging

_WINDOW_SECONDS = 60.0
_MOST = 20
"""Lines of one kind in that time: enough to see what happens, too few to fill a disk."""
_MOST_KINDS = 1000


class Repeats(logging.Filter):
    """Lets so many warnings and errors of one kind pass in a minute; the next one tells how many
    did not.

    Of one kind are those with the same words, whatever is filled in.

    Args:
        ignored: A logger whose every line somebody has asked for.
    """

    def __init__(self, ignored: str) -> None:
        super().__init__()
        self._ignored = ignored
        self._seen: dict[tuple[str, int, object], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written; ``repeats`` is what there is to say of others like it."""
        if record.levelno < logging.WARNING or record.name == self._ignored:
            return True
        kind = (record.name, record.levelno, record.msg)
        since, count = self._seen.get(kind, (record.created, 0))
        if not 0 <= record.created - since < _WINDOW_SECONDS:
            if count > _MOST:
                record.repeats = f"{count - _MOST} more like this were held back"
            since, count = record.created, 0
        count += 1
        if count == _MOST:
            record.repeats = "more like this are held back for a minute"
        if kind not in self._seen and len(self._seen) >= _MOST_KINDS:
            del self._seen[next(iter(self._seen))]
        self._seen[kind] = since, count
        return count <= _MOST
