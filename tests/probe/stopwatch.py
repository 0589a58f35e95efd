"""Runs Fizz and measures how long each turn of its event loop holds up everybody.

``python -m tests.probe.stopwatch start ...`` is ``python -m fizz_gevent start ...``. At each
SIGUSR2 it writes the longest turn since the last one, in milliseconds, to the file that
``STOPWATCH_FILE`` names. A turn is from where the loop has waited for its sockets to where it waits
again, everything between included; in CPU time, for what else the machine does is not meant. Not to
be imported by tests: it patches the process it is in.
"""

import os
import runpy
import signal
import sys
import time
from pathlib import Path
from typing import Any

from gevent import monkey

monkey.patch_all()  # as Fizz does first of all; doing it twice changes nothing

import gevent  # noqa: E402


class Stopwatch:
    """Looks at the clock where the loop begins and ends to wait."""

    def __init__(self) -> None:
        loop: Any = gevent.get_hub().loop
        self._woke_at = time.thread_time()
        self._longest = 0.0
        self._woken = loop.check(ref=False, priority=loop.MAXPRI)
        self._woken.start(self._wakes)
        self._waiting = loop.prepare(ref=False, priority=loop.MINPRI)
        self._waiting.start(self._waits)

    def _wakes(self) -> None:
        self._woke_at = time.thread_time()

    def _waits(self) -> None:
        self._longest = max(self._longest, time.thread_time() - self._woke_at)

    def tell(self, path: Path) -> None:
        """Write the longest turn since the last call, all at once."""
        aside = path.with_suffix(".new")
        aside.write_text(f"{1000 * self._longest:.3f}")
        aside.rename(path)
        self._longest = 0.0


if __name__ == "__main__":
    stopwatch = Stopwatch()
    gevent.signal_handler(signal.SIGUSR2, stopwatch.tell, Path(os.environ["STOPWATCH_FILE"]))
    sys.argv[0] = "fizz"
    runpy.run_module("fizz_gevent", run_name="__main__", alter_sys=True)
