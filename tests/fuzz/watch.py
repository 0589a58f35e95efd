"""Counts runs, and notices memory that does not come back."""

import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.target import Target

MOST_BLOCKS = 20_000
"""Blocks of Python's allocator that may be more than after the warm-up: caches fill up late."""
MOST_BYTES = 96 * 2**20
"""What the process may have grown by since then; the fuzzer's own collection is in it."""
_EVERY = 5.0


class Leak(AssertionError):
    """Memory grows while nothing is kept."""


class Watch:
    """Runs a target, and looks every few seconds at what is left of it.

    Args:
        seconds: How long the whole run is; the first quarter of it is the warm-up.
        report: A file that says in JSON how far the run has come.
    """

    def __init__(self, target: Target, seconds: float, report: Path | None) -> None:
        self._run: Callable[[bytes], None] = target.run
        self._report = report
        self._began = time.monotonic()
        self._warm = self._began + seconds / 4
        self._next = self._began + min(_EVERY, seconds / 8)
        self._every = min(_EVERY, seconds / 8)
        self._blocks: int | None = None
        self._bytes = 0
        self.runs = 0

    def __call__(self, data: bytes) -> None:
        """Run one input.

        Raises:
            Leak: Memory has grown; whatever the target raises.
        """
        self.runs += 1
        self._run(data)
        if not self.runs % 32 and time.monotonic() > self._next:
            self.look()
            self._next = time.monotonic() + self._every

    def look(self) -> None:
        """Compare memory with what it was, and report.

        Raises:
            Leak: It has grown.
        """
        gc.collect()
        blocks, size = sys.getallocatedblocks(), _resident()
        if self._blocks is None:
            if time.monotonic() > self._warm:
                self._blocks, self._bytes = blocks, size
            more = larger = 0
        else:
            more, larger = blocks - self._blocks, size - self._bytes
        seconds = time.monotonic() - self._began
        if self._report is not None:
            said = {
                "runs": self.runs,
                "seconds": round(seconds, 1),
                "runs_per_second": round(self.runs / max(seconds, 1e-9)),
                "blocks_grown": more,
                "bytes_grown": larger,
                "is_warm": self._blocks is not None,
            }
            self._report.write_text(json.dumps(said))
        if more > MOST_BLOCKS or larger > MOST_BYTES:
            raise Leak(f"{more} blocks and {larger} bytes more than after the warm-up")


def _resident() -> int:
    """Bytes of memory that this process holds, where the system says so."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * 4096
