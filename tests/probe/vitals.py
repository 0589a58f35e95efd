"""What the kernel knows of a process: memory, open files, watchers and time."""

import os
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Vitals:
    """One look at a process.

    Attributes:
        heap_kb: Anonymous memory in RAM. Unlike the rest it does not depend on other processes.
        rss_kb: All of its memory in RAM.
        files: How many it has open.
        watched: How many files its event loop waits for.
        ticks: Clock ticks that it has spent in all.
    """

    heap_kb: int
    rss_kb: int
    files: int
    watched: int
    ticks: int

    @classmethod
    def of(cls, pid: int) -> "Vitals":
        proc = Path("/proc", str(pid))
        memory = {
            line.split(":")[0]: int(line.split()[1])
            for line in (proc / "smaps_rollup").read_text().splitlines()[1:]
        }
        # Behind the name, which stands in parentheses and may hold anything: fields 3 and up.
        stat = (proc / "stat").read_text().rpartition(")")[2].split()
        return cls(
            heap_kb=memory["Anonymous"],
            rss_kb=memory["Rss"],
            files=len(list((proc / "fd").iterdir())),
            watched=sum(map(_watched, (proc / "fdinfo").iterdir())),
            ticks=int(stat[11]) + int(stat[12]),
        )


def _watched(path: Path) -> int:
    """How many files an epoll descriptor waits for; 0 where it is none, or has just been closed."""
    try:
        return path.read_text().count("tfd:")
    except FileNotFoundError:
        return 0
