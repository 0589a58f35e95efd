"""Waiting without sleeping for a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

WITHIN = 10.0
"""Seconds after which something that ought to happen has not. Generous: the machine is shared."""


def eventually(condition: Callable[[], T], *, within: float = WITHIN, what: str = "") -> T:
    """Return the first true answer of ``condition``, asked again and again.

    An ``AssertionError`` that it raises counts as "not yet" and is told if the time runs out, so
    a condition may be written as plain asserts followed by ``return True``.

    Raises:
        AssertionError: It was never true within that many seconds.
    """
    deadline = time.monotonic() + within
    pause = 0.005
    while True:
        reason: AssertionError | None = None
        answer: T | None = None
        try:
            answer = condition()
            if answer:
                return answer
        except AssertionError as error:
            reason = error
        if time.monotonic() > deadline:
            name = what or getattr(condition, "__name__", repr(condition))
            raise AssertionError(
                f"not within {within} s: {name}; at last {reason or answer!r}"
            ) from reason
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
