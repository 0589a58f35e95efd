"""How often a quantity was how large, as plain integers."""

from bisect import bisect_left
from collections.abc import Sequence

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Bounds for what should take no time, and for what takes longer than anybody would wait."""


class Histogram:
    """Counts per bucket; who watches reads them whenever it likes. Nothing here yields.

    Attributes:
        bounds: The largest value of each bucket but the last, which takes what is larger.
        counts: How many values fell into each bucket, and into no earlier one.
        total: All values together.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total: float = 0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
