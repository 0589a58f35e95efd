"""What a process and its children use, as Linux tells it; elsewhere nothing is known."""

import os
import sys
from pathlib import Path

_PROC = Path("/proc")
IS_KNOWN = sys.platform.startswith("linux") and _PROC.joinpath("self/smaps_rollup").exists()


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for one in found:  # grows while it is walked
        for path in _PROC.glob(f"{one}/task/*/children"):
            found += map(int, _text(path).split())
    return found


def cpu_seconds(pids: list[int]) -> float:
    """The CPU time that these processes have taken so far, to the nanosecond."""
    paths = [path for pid in pids for path in _PROC.glob(f"{pid}/task/*/schedstat")]
    return sum(int((_text(path).split() or ["0"])[0]) for path in paths) / 1e9


def memory_bytes(pids: list[int]) -> int:
    """Their memory, with what several share divided among them (PSS)."""
    total = 0
    for pid in pids:
        for line in _text(_PROC / str(pid) / "smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                total += 1024 * int(line.split()[1])
    return total


def busy_seconds(cores: set[int]) -> float:
    """How long these cores have been busy or taken away by the host, whoever it was for."""
    ticks = 0
    for line in _text(_PROC / "stat").splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu" and int(name[3:]) in cores:
            user, nice, system, _idle, _wait, irq, softirq, steal = map(int, fields[:8])
            ticks += user + nice + system + irq + softirq + steal
    return ticks / os.sysconf("SC_CLK_TCK")


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # it has ended meanwhile
