"""Inputs made of other inputs, where nothing guides: the same seed makes the same ones."""

import random
from collections.abc import Sequence

_ODD = (b"\0", b"\xff", b"\x80", b"\n", b"\r\n", b" ", b"%", b"0", b"\x7f", b"\xed\xa0\x80")


class Mutator:
    """Changes inputs at random places in usual ways.

    Args:
        words: What a format is made of.
        most: Bytes of an input.
    """

    def __init__(self, seed: int, words: Sequence[bytes], most: int) -> None:
        self.random = random.Random(seed)
        self._words = (*words, *_ODD)
        self._most = most

    def of(self, inputs: Sequence[bytes]) -> bytes:
        """An input like one of these, or like two of them."""
        data = self.random.choice(inputs)
        if self.random.random() < 0.1:
            other = self.random.choice(inputs)
            data = data[: self._place(data)] + other[self._place(other) :]
        for _ in range(self.random.choice((1, 1, 2, 3, 8))):
            data = self._changed(data)
        return data[: self._most]

    def _place(self, data: bytes) -> int:
        return self.random.randint(0, len(data))

    def _changed(self, data: bytes) -> bytes:
        place = self._place(data)
        before, after = data[:place], data[place:]
        size = self.random.choice((1, 1, 1, 2, 4, 16))
        match self.random.randint(0, 6):
            case 0:
                return before + self.random.randbytes(size) + after
            case 1:
                return before + self.random.randbytes(size) + after[size:]
            case 2:
                return before + after[size:]
            case 3:
                return before + self.random.choice(self._words) + after
            case 4:
                return before + after[:size] * self.random.choice((2, 3, 40)) + after[size:]
            case 5 if after:
                flipped = after[0] ^ (1 << self.random.randint(0, 7))
                return before + bytes((flipped,)) + after[1:]
            case _:
                return before + self.random.choice(self._words) + after[size:]
