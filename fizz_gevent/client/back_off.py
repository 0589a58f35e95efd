"""Whether and when to connect again. Protocol: §4.2."""

import random
from collections.abc import Callable

_STEADY_SECONDS = 10.0
_LONGEST_SECONDS = 30.0


def is_final(code: int | None) -> bool:
    """Tell whether a close code asks not to come again unchanged.

    4000-4099 is the application's "no". 4300 and up should not be in a close frame at all, and
    clients disagree about them; as in pusher-js they end it here.
    """
    return code is not None and (4000 <= code <= 4099 or code >= 4300)


class BackOff:
    """Counts failures in a row, and says how long to wait after each.

    Args:
        noise: A random number from 0 to 1, so that many clients do not come back as one.
    """

    def __init__(self, *, noise: Callable[[], float] = random.random) -> None:
        self._noise = noise
        self._failures = 0
        self._came_at_once = False

    def after(self, code: int | None, *, lasted: float) -> float:
        """Seconds to wait before the next attempt.

        4200-4299 means at once, but for a server that says so again and again. Otherwise it is a
        second, and twice as long after each further failure.

        Args:
            code: The close code; None where the connection broke, or could not be made.
            lasted: Seconds that the connection was there; 0 where it never was.
        """
        if lasted >= _STEADY_SECONDS:
            self._failures = 0
            self._came_at_once = False
        if code is not None and 4200 <= code <= 4299 and not self._came_at_once:
            self._came_at_once = True
            return 0.0
        seconds: float = min(_LONGEST_SECONDS, 2.0 ** min(self._failures, 10))
        self._failures += 1
        return seconds * (1 + self._noise() / 4)
