"""Whether each subscriber gets each event once and in order.

Each publisher numbers its events on a channel from one on, and a subscriber has to see exactly
these numbers. Comparing them one by one costs more than reading them does, but all the subscribers
of a channel get the same bytes: so :class:`Progress` remembers the bytes that have led from one
state to the next, and for all the others one comparison of memory says that they are there too.
"""

from dataclasses import dataclass, field

Token = tuple[bytes, int, float]
"""Publisher and channel, number, and when it was due."""


class Progress:
    """How far a subscriber has got without a flaw; shared by all that have got as far.

    Attributes:
        last: The last number for each publisher and channel.
        memo: Whole frames that somebody has received in this state.
        after: The state that they led to.
        count: How many events they hold.
        sent: When the first of them was due.
    """

    __slots__ = ("after", "count", "last", "memo", "sent")

    def __init__(self, last: dict[bytes, int]) -> None:
        self.last = last
        self.memo = b""
        self.after: Progress = self
        self.count = 0
        self.sent = 0.0

    def advanced(self, tokens: list[Token]) -> dict[bytes, int] | None:
        """The numbers after these events; None where they are not simply the next ones."""
        last = dict(self.last)
        for key, number, _ in tokens:
            if number != last.get(key, 0) + 1:
                return None
            last[key] = number
        return last


@dataclass
class Ledger:
    """The book of one subscriber that has several channels, or had a flaw.

    Attributes:
        duplicated: Events that came once more.
        reordered: Events that came behind a later one.
    """

    last: dict[bytes, int] = field(default_factory=dict)
    missing: set[tuple[bytes, int]] = field(default_factory=set)
    duplicated: int = 0
    reordered: int = 0

    def enter(self, key: bytes, number: int) -> None:
        last = self.last.get(key, 0)
        if number == last + 1:
            self.last[key] = number
        elif number > last:
            self.missing.update((key, one) for one in range(last + 1, number))
            self.last[key] = number
        elif (key, number) in self.missing:
            self.missing.discard((key, number))
            self.reordered += 1
        else:
            self.duplicated += 1
