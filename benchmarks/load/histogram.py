"""Latencies, counted in buckets that are ten microseconds wide at first and then grow."""

from collections import Counter


class Histogram:
    """How often which latency was seen; several processes' add up."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()

    def add(self, seconds: float, count: int = 1) -> None:
        bucket = int(seconds * 1e5)
        if bucket > 1000:  # from 10 ms on, 1 % is fine enough
            bucket -= bucket % 16 if bucket < 10000 else bucket % 128
        self.counts[bucket] += count

    def merge(self, counts: dict[str, int]) -> None:
        self.counts.update({int(bucket): count for bucket, count in counts.items()})

    def quantile(self, share: float) -> float | None:
        """Seconds that this share of all took at most; None where nothing was seen."""
        wanted = share * self.counts.total()
        for bucket, count in sorted(self.counts.items()):
            wanted -= count
            if wanted <= 0:
                return (bucket + 0.5) / 1e5
        return None
