"""Results into Markdown: one row for each cell and server, medians of the rounds."""

import statistics
from collections.abc import Iterable, Sequence

from benchmarks.runner import Result

GENERATOR = "nothing"
"""The name of the peer that does next to nothing, which is no row but a column."""

_HEAD = (
    *("cell", "server", "a second", "ratio", "CPU µs each", "p50 ms", "p99 ms"),
    *("server's cores", "generator's core", "limit", "generator could"),
)

NOTE = """\
*a second*: deliveries, connections, requests, round trips or sessions. *ratio*: to the first
server of the cell. *CPU µs each*: of the server's processes. *generator could*: the higher of what
the generator reached with a peer that does next to nothing and of this row's rate, scaled up to the
whole of the generator's core; a figure well below it is the server's. *limit*: who had no more
strength. `nobody` means that both sides waited for each other, `load` or `other processes` that the
figure is too low. A figure with a flaw is not a figure."""


def table(results: Iterable[Result]) -> str:
    """A Markdown table; several results of a cell and a server become their median."""
    grouped: dict[str, dict[str, list[Result]]] = {}
    for result in results:
        servers = grouped.setdefault(result["cell"], {})
        servers.setdefault(result["server"], []).append(result)
    lines = ["| " + " | ".join(_HEAD) + " |", "|---" * 2 + "|---:" * (len(_HEAD) - 2) + "|"]
    for cell, servers in grouped.items():
        alone = middle(servers.pop(GENERATOR, []), "rate")
        first = None
        for server, ones in servers.items():
            rate = middle(ones, "rate")
            first = first or rate
            lines.append(_row(cell, server, ones, first, alone))
        if not servers and alone is not None:
            lines.append(f"| {cell} | | | | | | | | | | {alone:,.0f} |")
    return "\n".join([*lines, "", NOTE, "", *_memory(grouped)])


def _row(
    cell: str, server: str, ones: list[Result], first: float | None, alone: float | None
) -> str:
    if flaws := flaws_of(ones):
        return f"| {cell} | {server} | {flaws} |" + " |" * (len(_HEAD) - 3)
    rate = middle(ones, "rate")
    limits = sorted({one["limit"] for one in ones})
    values = [
        cell,
        server,
        number(rate),
        "" if not first or rate is None else f"{rate / first:.2f}×",
        number(middle(ones, "cpu_us"), 2),
        number(middle(ones, "p50_ms"), 2),
        number(middle(ones, "p99_ms"), 2),
        share(middle(ones, "server_cpu")),
        share(middle(ones, "load_cpu")),
        ", ".join(limits),
        number(_reach(alone, rate, middle(ones, "load_cpu"))),
    ]
    return "| " + " | ".join(values) + " |"


def _reach(alone: float | None, rate: float | None, load_cpu: float | None) -> float | None:
    values = [] if alone is None else [alone]
    if rate is not None and load_cpu:
        values.append(rate / min(1.0, load_cpu))
    return max(values, default=None)


def _memory(grouped: dict[str, dict[str, list[Result]]]) -> list[str]:
    rows = []
    for cell, servers in grouped.items():
        for server, ones in servers.items():
            value = middle(ones, "bytes_per_connection")
            if value is not None:
                rows.append(f"| {cell} | {server} | {value:,.0f} |")
    if not rows:
        return []
    return [
        "| memory (PSS) after | server | bytes for each connection |",
        "|---|---|---:|",
        *rows,
        "",
    ]


def flaws_of(ones: Sequence[Result]) -> str:
    """What was wrong in any of the rounds; empty if nothing was."""
    found = dict.fromkeys(str(one["trouble"]) for one in ones if "trouble" in one)
    for name in ("lost", "duplicated", "reordered"):
        if count := sum(one.get(name) or 0 for one in ones):
            found[f"{count} {name}"] = None
    return "; ".join(found).replace("|", "/").replace("\n", " ")


def middle(ones: Sequence[Result], name: str) -> float | None:
    """The median of a figure over the rounds that have it."""
    values = [one[name] for one in ones if one.get(name) is not None]
    return statistics.median(values) if values else None


def number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
