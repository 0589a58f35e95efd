"""What one process, or several together, have to tell at one moment."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from fizz_gevent.metrics.catalogue import METRICS, Kind, Merge

Labels = tuple[str, ...]

_MERGING: dict[Merge, Callable[[float, float], float]] = {
    Merge.SUM: lambda a, b: a + b,
    Merge.LEAST: min,
    Merge.MOST: max,
}


@dataclass(slots=True)
class Buckets:
    """A histogram: how many values fell into each bucket, not cumulated, and their sum."""

    bounds: Sequence[float]
    counts: list[int]
    total: float


@dataclass(slots=True)
class Figures:
    """Values by metric and labels.

    Attributes:
        resident_bytes: Memory of the processes.
    """

    values: dict[str, dict[Labels, float]] = field(default_factory=dict)
    histograms: dict[str, Buckets] = field(default_factory=dict)
    resident_bytes: int = 0

    def set(self, name: str, value: float, *labels: str) -> None:
        """Note one value; the labels' order is that of the catalogue."""
        self.values.setdefault(name, {})[labels] = value

    def add(self, other: "Figures") -> None:
        """Take in what another process has to tell, each metric in its own way."""
        for name, samples in other.values.items():
            own = self.values.setdefault(name, {})
            merge = _MERGING[METRICS[name].merge]
            for labels, value in samples.items():
                own[labels] = merge(own[labels], value) if labels in own else value
        for name, theirs in other.histograms.items():
            ours = self.histograms.get(name)
            if ours is None or ours.bounds != theirs.bounds:
                self.histograms[name] = Buckets(theirs.bounds, list(theirs.counts), theirs.total)
            else:
                ours.counts = [a + b for a, b in zip(ours.counts, theirs.counts, strict=True)]
                ours.total += theirs.total
        self.resident_bytes += other.resident_bytes

    def counted(self) -> "Figures":
        """Only what never falls: it stays true when the process that told it is gone."""
        values = {
            name: dict(samples)
            for name, samples in self.values.items()
            if METRICS[name].kind is Kind.COUNTER
        }
        return Figures(values, dict(self.histograms))

    def forget_applications(self, *, except_for: Collection[str]) -> None:
        """Drop what belongs to an application that is none of these."""
        for name, samples in self.values.items():
            if METRICS[name].labels[:1] == ("app",):
                gone = [labels for labels in samples if labels[0] not in except_for]
                for labels in gone:
                    del samples[labels]

    def encode(self) -> bytes:
        """As bytes that another process of the same version can read."""
        return json.dumps(
            {
                "values": {name: list(samples.items()) for name, samples in self.values.items()},
                "histograms": {
                    name: (buckets.bounds, buckets.counts, buckets.total)
                    for name, buckets in self.histograms.items()
                },
                "resident_bytes": self.resident_bytes,
            }
        ).encode()

    @classmethod
    def decode(cls, data: bytes) -> "Figures":
        """What ``encode`` made.

        Raises:
            ValueError: It made no such thing.
        """
        parsed = json.loads(data)
        try:
            values = {
                name: {tuple(labels): value for labels, value in samples}
                for name, samples in parsed["values"].items()
                if name in METRICS
            }
            histograms = {
                name: Buckets(bounds, counts, total)
                for name, (bounds, counts, total) in parsed["histograms"].items()
                if name in METRICS
            }
            return cls(values, histograms, parsed["resident_bytes"])
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"these are no figures: {error!r}") from None
