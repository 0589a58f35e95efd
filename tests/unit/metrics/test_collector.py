"""What a scrape gets, as the official parser reads it."""

import math
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fizz_gevent.metrics.catalogue import METRICS, Kind
from fizz_gevent.metrics.collector import exposition
from fizz_gevent.metrics.figures import Buckets, Figures

NAMES = [
    "connections",
    "connections_total",
    "disconnections_total",
    "refusals_total",
    "subscriptions",
    "channels",
    "presence_members",
    "users",
    "events_published_total",
    "messages_received_total",
    "messages_sent_total",
    "received_bytes_total",
    "sent_bytes_total",
    "http_requests_total",
    "http_request_seconds",
    "fanout_seconds",
    "outbox_bytes",
    "slow_clients_total",
    "webhooks_total",
    "webhook_queue",
    "redis_up",
    "bus_queue_bytes",
    "bus_dropped_total",
    "loop_lag_seconds",
    "open_files",
    "info",
]
"""What operators rely on, written once more: a rename breaks their alerts."""

LABELS = {
    "disconnections_total": {"reason"},
    "refusals_total": {"reason"},
    "channels": {"kind"},
    "events_published_total": {"source"},
    "http_requests_total": {"route", "status"},
    "webhooks_total": {"outcome"},
    "info": {"version"},
}


def samples(figures: Figures) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = exposition(figures).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_name_that_operators_rely_on_is_there(name: str) -> None:
    metric = METRICS[f"fizz_{name}"]
    assert set(metric.labels) - {"app"} == LABELS.get(name, set())
    assert f"# TYPE fizz_{name} {metric.kind.value}\n" in exposition(Figures()).decode()


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_only_counters_are_called_total(metric: Any) -> None:
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)


def test_values_keep_their_labels_whatever_these_contain() -> None:
    figures = Figures()
    strange = 'back\\slash "quoted"\nsecond line ☃'
    figures.set("fizz_connections", 3, strange)
    figures.set("fizz_disconnections_total", 2, "1001", "client")
    found = samples(figures)
    assert found["fizz_connections", (("app", strange),)] == 3
    assert found["fizz_disconnections_total", (("app", "1001"), ("reason", "client"))] == 2


def test_a_gauge_and_a_counter_of_one_name_stay_apart() -> None:
    figures = Figures()
    figures.set("fizz_connections", 1, "1001")
    figures.set("fizz_connections_total", 5, "1001")
    found = samples(figures)
    assert found["fizz_connections", (("app", "1001"),)] == 1
    assert found["fizz_connections_total", (("app", "1001"),)] == 5


def test_buckets_are_told_cumulated() -> None:
    figures = Figures()
    figures.histograms["fizz_fanout_seconds"] = Buckets((0.5, 1), [4, 0, 3], 12.5)
    found = samples(figures)
    buckets = {
        float(dict(labels)["le"]): value
        for (name, labels), value in found.items()
        if name == "fizz_fanout_seconds_bucket"
    }
    assert buckets == {0.5: 4, 1.0: 4, math.inf: 7}
    assert found["fizz_fanout_seconds_count", ()] == 7
    assert found["fizz_fanout_seconds_sum", ()] == 12.5


def test_large_numbers_stay_exact() -> None:
    figures = Figures()
    figures.set("fizz_sent_bytes_total", 2**53)
    assert samples(figures)["fizz_sent_bytes_total", ()] == 2**53
