"""One cell on one server: start, load, watch, add up."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks import process
from benchmarks.cells import HALF, Cell
from benchmarks.load.histogram import Histogram
from benchmarks.servers import ROOT, Cores, Running, Server, ServerFailed, running

_MOST_PROCESSES = 8
_SETTLE = 1.0
_FULL = 0.9
_FOREIGN = 0.1

Result = dict[str, Any]


@dataclass(frozen=True)
class Timing:
    """How long a cell takes, beside getting ready, in seconds."""

    warm_up: float = 1.0
    measured: float = 3.0


class LoadFailed(Exception):
    """The generator could not do its work; usually the server's doing."""


class Generator:
    """The processes that make the load of one cell."""

    def __init__(self, cell: Cell, server: Running, cores: Cores) -> None:
        load = sorted(cores.load)
        count = min(max(1, len(load)), _MOST_PROCESSES, *self._most(cell))
        self._processes = []
        for index in range(count):
            task = {
                "mode": cell.mode,
                "target": asdict(server.target),
                "options": cell.options,
                "index": index,
                "of": count,
                "cores": [load[index]] if load else [],
            }
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.load", json.dumps(task)],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )

    def _most(self, cell: Cell) -> list[int]:
        """More processes than there are clients or callers would make more of these."""
        return [
            int(cell.options[name]) for name in ("n", "callers", "pairs") if name in cell.options
        ]

    def hear(self) -> list[dict[str, Any]]:
        """A line of each of them.

        Raises:
            LoadFailed: One of them has trouble.
        """
        lines = []
        for one in self._processes:
            assert one.stdout is not None
            lines.append(json.loads(one.stdout.readline() or '{"trouble": "the generator died"}'))
        for line in lines:
            if "trouble" in line:
                raise LoadFailed(line["trouble"])
        return lines

    def order(self, begin: float, end: float) -> None:
        for one in self._processes:
            assert one.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # hear() says why
                one.stdin.write(json.dumps([begin, end]) + "\n")
                one.stdin.flush()

    def end(self) -> None:
        for one in self._processes:
            one.kill()  # it holds nothing but sockets
            one.communicate()


@contextlib.contextmanager
def _generator(cell: Cell, server: Running, cores: Cores) -> Iterator[Generator]:
    generator = Generator(cell, server, cores)
    try:
        yield generator
    finally:
        generator.end()


def measure(server: Server, cell: Cell, timing: Timing, **labels: Any) -> Result:
    """Run one cell on one server; what goes wrong is in the result as ``trouble``."""
    if cell.options.get("rate") == HALF:
        return _measure_at_half(server, cell, timing, **labels)
    result: Result = {"server": server.name, "cell": cell.name, "unit": cell.unit, **labels}
    cores = Cores.divide(server.workers)
    try:
        with running(server, cores) as started, _generator(cell, started, cores) as generator:
            result.update(_measure(cell, started, generator, cores, timing))
    except (ServerFailed, LoadFailed) as error:
        result["trouble"] = str(error)
    return result


def _measure_at_half(server: Server, cell: Cell, timing: Timing, **labels: Any) -> Result:
    """Find the maximum first, with a server of its own."""
    busy = replace(cell, options={**cell.options, "rate": 0})
    found = measure(server, busy, timing, **labels)
    if has_flaw(found):
        return found
    rate = found["rate"] / cell.fan / 2
    calm = replace(cell, options={**cell.options, "rate": rate})
    return measure(server, calm, timing, maximum=found["rate"], **labels)


def _measure(
    cell: Cell, server: Running, generator: Generator, cores: Cores, timing: Timing
) -> Result:
    generator.hear()  # that all are ready
    pids = process.tree(server.pid) if server.pid is not None and process.IS_KNOWN else []
    result: Result = {}
    is_open_ended = cell.mode == "connect"
    if is_open_ended:
        time.sleep(_SETTLE)
    memory = process.memory_bytes(pids)
    begin = time.monotonic() + (0.05 if is_open_ended else timing.warm_up)
    end = begin + timing.measured
    generator.order(begin, end)
    time.sleep(max(0.0, begin - time.monotonic()))
    cpu, busy = process.cpu_seconds(pids), process.busy_seconds(set(cores.server))
    if is_open_ended:
        parts = generator.hear()
    else:
        time.sleep(max(0.0, end - time.monotonic()))
    cpu = process.cpu_seconds(pids) - cpu
    busy = process.busy_seconds(set(cores.server)) - busy
    if is_open_ended:
        time.sleep(_SETTLE)
        grown = process.memory_bytes(pids) - memory
        if pids:
            result["bytes_per_connection"] = round(grown / cell.options["n"])
    else:
        parts = generator.hear()
    result.update(_added_up(cell, parts))
    if not result["count"]:
        raise LoadFailed(f"no {cell.unit} in {result['seconds']:g} s")
    if pids:
        seconds, width = result["seconds"], max(1, len(cores.server))
        result["server_cpu"] = cpu / seconds / width
        result["cpu_us"] = 1e6 * cpu / result["count"]
        result["others_cpu"] = max(0.0, busy - cpu) / seconds / width
        result["memory_mib"] = memory / 1048576
    result["limit"] = limit(result)
    return result


def _added_up(cell: Cell, parts: list[dict[str, Any]]) -> Result:
    latencies = Histogram()
    for part in parts:
        latencies.merge(part["latencies"])
    seconds = max(part["seconds"] for part in parts)
    count = sum(part["counts"].get(cell.unit, 0) for part in parts)
    result: Result = {
        "seconds": seconds,
        "count": count,
        "rate": count / seconds,
        "load_cpu": max(part["load_cpu"] for part in parts),
        "processes": len(parts),
    }
    for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99)):
        value = latencies.quantile(share)
        result[name] = None if value is None else round(value * 1000, 3)
    if cell.mode == "fanout":
        arrived = sum(part["arrived"] for part in parts)
        result["lost"] = sum(part["published"] for part in parts) * cell.fan - arrived
        for name in ("duplicated", "reordered"):
            result[name] = sum(part[name] for part in parts)
    return result


def limit(result: Result) -> str:
    """Who was at the end of its strength: ``server``, ``load``, another process, or nobody.

    Nobody means that each side waited for the other, as with a single connection.
    """
    server = result.get("server_cpu")
    if server is not None and server >= _FULL:
        return "server"
    if result["load_cpu"] >= _FULL:
        return "load"
    others = result.get("others_cpu", 0.0)
    if others > _FOREIGN and (server or 0.0) + others >= _FULL:
        return "other processes"
    return "nobody" if server is not None else "unknown"


def has_flaw(result: Result) -> bool:
    """Tell whether events were lost, doubled or reordered, or the cell failed altogether."""
    return "trouble" in result or any(result.get(n) for n in ("lost", "duplicated", "reordered"))


def open_files() -> int:
    """How many files this process and its children may open, after asking for all there are."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, 65536)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def revision() -> str:
    """The commit of this checkout, for the record; empty outside of one."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()
