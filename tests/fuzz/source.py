"""Bytes of a fuzzer, spent on decisions: the same bytes decide the same, whoever found them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


class Source:
    """Hands out its bytes from the front; behind their end everything is zero or empty."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        """Up to so many bytes."""
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(len(self._data))

    def whole(self, low: int, high: int) -> int:
        """A number from ``low`` to ``high``, of two bytes at most."""
        span = high - low + 1
        return low + int.from_bytes(self.take(1 if span <= 256 else 2), "big") % span

    def choice(self, options: Sequence[T]) -> T:
        """One of these."""
        return options[self.whole(0, len(options) - 1)]

    def chunk(self, most: int = 255) -> bytes:
        """Some bytes; one says how many."""
        return self.take(self.whole(0, most))

    def text(self, most: int = 255) -> str:
        """Some text; what is not UTF-8 becomes what a decoder puts in its place."""
        return self.chunk(most).decode(errors="replace")

    def cuts(self, most: int = 7) -> list[int]:
        """Some places, to cut something there."""
        return [self.whole(0, 65535) for _ in range(self.whole(0, most))]


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Cut ``data`` as a network might; none of the pieces is empty."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


def changed(data: bytes, source: Source) -> bytes:
    """``data`` with a byte put in another's place, taken out, put in, or with its end cut off."""
    place = source.whole(0, 65535) % (len(data) + 1)
    before, after = data[:place], data[place:]
    match source.whole(0, 4):
        case 0:
            return before + source.take(1) + after[1:]
        case 1:
            return before + after[1:]
        case 2:
            return before + source.chunk(8) + after
        case 3:
            return before
        case _:
            flipped = bytes((after[0] ^ (1 << source.whole(0, 7)),)) if after else b""
            return before + flipped + after[1:]
