"""How the cost of a delivery grows with connections and with channels, as two plots."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.cells import (
    CHANNELS,
    CONNECTIONS,
    SUBSCRIBERS_OF_EACH,
    calm_rate,
    fan_out,
    growing_channels,
)
from benchmarks.plot import Series, line_chart
from benchmarks.runner import Result, Timing, has_flaw, measure
from benchmarks.servers import Server

_SPARE_FILES = 200
"""What a process has open beside its clients."""


def measure_growth(
    servers: Sequence[Server],
    timing: Timing,
    *,
    rounds: int,
    open_files: int,
    note: Callable[[Result], None],
) -> list[Result]:
    """Run the cells of both plots; those that need more open files than there are left out."""
    cells = []
    for n in CONNECTIONS:
        if n + _SPARE_FILES <= open_files:
            cells.append(("connections", n, "busy", fan_out(f"fan-out to {n}", n)))
            calm = fan_out(f"fan-out to {n}, calm", n, rate=calm_rate(n))
            cells.append(("connections", n, "calm", calm))
    cells += [("channels", count, "busy", growing_channels(count)) for count in CHANNELS]
    results = []
    for number in range(rounds):
        for axis, x, load, cell in cells:
            for server in servers:
                labels = {"axis": axis, "x": x, "load": load, "round": number}
                result = measure(server, cell, timing, **labels)
                note(result)
                results.append(result)
    return results


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """Write the plots; return where."""
    folder.mkdir(parents=True, exist_ok=True)
    charts = {
        "cost-by-connections.svg": line_chart(
            "Server CPU for each delivery, by subscribers of one channel",
            _series(results, "connections"),
            x_label="connections",
            y_label="µs of CPU",
        ),
        "cost-by-channels.svg": line_chart(
            f"Server CPU for each delivery, by channels of {SUBSCRIBERS_OF_EACH} subscribers",
            _series(results, "channels"),
            x_label="channels",
            y_label="µs of CPU",
        ),
    }
    for name, chart in charts.items():
        (folder / name).write_text(chart)
    return [folder / name for name in charts]


def _series(results: Sequence[Result], axis: str) -> list[Series]:
    """A line for each server and load: medians of the rounds that had no flaw.

    Raises:
        ValueError: There is nothing to draw.
    """
    values: dict[str, dict[int, list[float]]] = {}
    for one in results:
        if one.get("axis") == axis and not has_flaw(one) and one.get("cpu_us"):
            name = f"{one['server']}, {one['load']}"
            values.setdefault(name, {}).setdefault(one["x"], []).append(one["cpu_us"])
    if not values:
        raise ValueError(f"no figures by {axis}: the servers' CPU time is not known")
    return [
        (name, [(x, statistics.median(ys)) for x, ys in sorted(points.items())])
        for name, points in values.items()
    ]
