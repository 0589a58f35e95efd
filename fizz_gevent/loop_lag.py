"""How late the event loop comes to what is due: whatever holds it up, holds up every client."""

import time

import gevent

from fizz_gevent.channels.histogram import SECONDS, Histogram

_PAUSE_SECONDS = 0.25


class LoopLag:
    """Sets an alarm again and again and looks how late it rings.

    Attributes:
        seconds: What was seen so far.
    """

    def __init__(self) -> None:
        self.seconds = Histogram(SECONDS)

    def measure_for_ever(self) -> None:
        """Never returns."""
        while True:
            due = time.monotonic() + _PAUSE_SECONDS
            gevent.sleep(_PAUSE_SECONDS)
            self.seconds.observe(max(0.0, time.monotonic() - due))
