"""Operators' files speak of metrics that exist, and of every one."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fizz_gevent.metrics.catalogue import METRICS, Kind

ROOT = Path(__file__).resolve().parents[3]
DASHBOARD = ROOT / "etc" / "grafana.json"
MONITORING = ROOT / "docs" / "monitoring.md"

_NAME = re.compile(r"\bfizz_[a-z_]+")
_SELECTOR = re.compile(r"\b(fizz_[a-z_]+)\{([^}]*)\}")
_GROUPING = re.compile(r"\bby \(([^)]*)\)")
_SERIES = ("_bucket", "_sum", "_count")
_FROM_PROMETHEUS = {"instance", "job", "le"}


def metric_of(name: str) -> str | None:
    """The metric that a series belongs to."""
    for suffix in _SERIES:
        base = name.removesuffix(suffix)
        if base != name and base in METRICS and METRICS[base].kind is Kind.HISTOGRAM:
            return base
    return name if name in METRICS and METRICS[name].kind is not Kind.HISTOGRAM else None


def strings(value: Any, key: str) -> Iterator[str]:
    """Every string under this key, at any depth."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name == key and isinstance(item, str):
                yield item
            yield from strings(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item, key)


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return loaded


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dashboard()["panels"]
    return found


EXPRESSIONS = sorted(set(strings(dashboard(), "expr")))
VARIABLES = sorted(strings(dashboard()["templating"], "query"))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_query_asks_for_what_there_is(expression: str) -> None:
    names = _NAME.findall(expression)
    assert names
    metrics = [metric_of(name) for name in names]
    assert None not in metrics, names
    labels = {label for name in metrics if name for label in METRICS[name].labels}
    asked = {part.strip() for text in _GROUPING.findall(expression) for part in text.split(",")}
    for name, selectors in _SELECTOR.findall(expression):
        selected = set(re.findall(r"(\w+)(?:=~|!=|=)", selectors))
        assert selected <= {*METRICS[metric_of(name) or ""].labels, *_FROM_PROMETHEUS}
    assert asked <= labels | _FROM_PROMETHEUS
    assert expression.count("(") == expression.count(")")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_counters_are_shown_as_rates_and_gauges_as_they_are(expression: str) -> None:
    for match in _NAME.finditer(expression):
        is_rated = re.search(r"rate\($", expression[: match.start()]) is not None
        metric = METRICS[metric_of(match[0]) or ""]
        assert is_rated == (metric.kind is not Kind.GAUGE), match[0]


def test_every_metric_has_a_place_on_the_dashboard() -> None:
    shown = {metric_of(name) for text in EXPRESSIONS for name in _NAME.findall(text)}
    assert shown == METRICS.keys()


def test_the_variables_are_filled_by_what_there_is() -> None:
    asked = [re.fullmatch(r"label_values\((\w+), (\w+)\)", query) for query in VARIABLES]
    found = [match for match in asked if match is not None]
    assert {match[2] for match in found} == {"instance", "app"}
    assert all(match[1] in METRICS for match in found)


def test_panels_have_names_and_explanations_and_overlap_nowhere() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        assert panel["title"]
        assert panel["type"] == "row" or panel["description"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_documentation_explains_every_metric_and_no_other() -> None:
    text = MONITORING.read_text()
    tables = "\n".join(line for line in text.splitlines() if line.startswith("| `fizz_"))
    explained = {name for line in tables.splitlines() for name in _NAME.findall(line.split("|")[1])}
    assert explained >= METRICS.keys()
    mentioned = set(_NAME.findall(text))
    unknown = {name for name in mentioned if name not in METRICS and metric_of(name) is None}
    assert unknown == set()


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_the_documentation_names_the_labels(metric: Any) -> None:
    text = MONITORING.read_text()
    if metric.labels:
        assert f"`{metric.name}{{{','.join(metric.labels)}}}`" in text
    else:
        assert f"`{metric.name}`" in text
