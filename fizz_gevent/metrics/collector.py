"""Figures in the text format of Prometheus."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from fizz_gevent.metrics.catalogue import METRICS, Kind, Metric
from fizz_gevent.metrics.figures import Buckets, Figures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Never OpenMetrics, where a gauge and a counter cannot share a name but for ``_total``."""


class FiguresCollector(Collector):
    """Shows figures to prometheus-client, which words and escapes them."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Family]:
        """A family for each metric of the catalogue, also for those without a value."""
        for metric in METRICS.values():
            if metric.kind is Kind.HISTOGRAM:
                yield _histogram(metric, self._figures.histograms.get(metric.name))
                continue
            family: CounterMetricFamily | GaugeMetricFamily
            if metric.kind is Kind.COUNTER:
                family = CounterMetricFamily(metric.name, metric.text, labels=metric.labels)
            else:
                family = GaugeMetricFamily(metric.name, metric.text, labels=metric.labels)
            for labels, value in sorted(self._figures.values.get(metric.name, {}).items()):
                family.add_metric(labels, value)
            yield family


def exposition(figures: Figures) -> bytes:
    """What a scrape gets."""
    registry = CollectorRegistry()
    registry.register(FiguresCollector(figures))
    return generate_latest(registry)


def _histogram(metric: Metric, buckets: Buckets | None) -> HistogramMetricFamily:
    family = HistogramMetricFamily(metric.name, metric.text)
    if buckets is None:
        return family
    names = [*(repr(float(bound)) for bound in buckets.bounds), "+Inf"]
    family.add_metric((), list(zip(names, accumulate(buckets.counts), strict=True)), buckets.total)
    return family
