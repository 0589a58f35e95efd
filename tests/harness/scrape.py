"""What a server's metrics listener tells, read as Prometheus reads it."""

import urllib.request
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from tests.harness.websocket import WITHIN


class Scrape:
    """One scrape: ``scrape("fizz_connections", app="1001")``.

    Attributes:
        text: As it came.
        types: By the name of each metric, what it is: gauge, counter, histogram.
        samples: Name, labels and value, in the order of the text.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.types: dict[str, str] = {}
        self.samples: list[tuple[str, Mapping[str, str], float]] = []
        for family in text_string_to_metric_families(text):
            name = family.name + ("_total" if family.type == "counter" else "")
            self.types[name] = family.type
            for sample in family.samples:
                self.samples.append((sample.name, sample.labels, sample.value))

    @classmethod
    def of(cls, port: int) -> "Scrape":
        """Ask the listener at this port of loopback."""
        return cls(cls.fetch(port))

    @staticmethod
    def fetch(port: int) -> str:
        """The text that the listener at this port of loopback answers with."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=WITHIN) as answer:
            text: str = answer.read().decode()
            return text

    def __call__(self, name: str, **labels: str) -> float:
        """The sum of all samples of this name that have these labels; 0 where there is none."""
        return sum(self.values(name, **labels))

    def values(self, name: str, **labels: str) -> list[float]:
        """Each sample of this name that has these labels."""
        return [
            value
            for found, those, value in self.samples
            if found == name and labels.items() <= those.items()
        ]
