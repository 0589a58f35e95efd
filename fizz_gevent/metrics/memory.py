"""How much memory this process has, and how much there is."""

import contextlib
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path


def resident_bytes() -> int:
    """What this process holds in memory now; at most so far, where the system tells no more."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def limit_bytes() -> int:
    """What processes here may have: the machine's memory, or less where a container has less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_limits_of_control_groups()])


def usage(used: int, total: int) -> dict[str, dict[str, float]]:
    """The answer of ``/usage``. Protocol: §12.10."""
    return {
        "memory": {
            "free": max(0, total - used),
            "used": used,
            "total": total,
            "percent": round(100 * used / total, 2),
        }
    }


def _limits_of_control_groups() -> Iterator[int]:
    root = Path("/sys/fs/cgroup")
    places = [root / "memory.max", root / "memory" / "memory.limit_in_bytes"]
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                places.append(root / path.lstrip("/") / "memory.max")
            elif "memory" in controllers.split(","):
                places.append(root / "memory" / path.lstrip("/") / "memory.limit_in_bytes")
    for place in places:
        with contextlib.suppress(OSError, ValueError):  # no such file, or no limit: "max"
            yield int(place.read_text())
