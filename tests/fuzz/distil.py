"""The few of many inputs that together reach as much: what is worth keeping."""

import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.target import Target

_PACKAGE = str(Path(__file__).resolve().parents[2] / "fizz_gevent")
MOST_KEPT = 120

Step = tuple[object, int, int]


def distil(target: Target, found: Iterable[bytes]) -> list[bytes]:
    """Return small inputs, each of which takes a step in Fizz that those before it do not."""
    seen: set[Step] = set()
    kept = []
    for data in sorted(set(found), key=lambda data: (len(data), data)):
        steps = _steps(target, data)
        if not steps <= seen:
            seen |= steps
            kept.append(data)
    return kept[:MOST_KEPT]


def _steps(target: Target, data: bytes) -> set[Step]:
    """From which line to which other the target goes with this input."""
    steps: set[Step] = set()

    def follow(frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            return None
        last = 0

        def line(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal last
            steps.add((frame.f_code, last, frame.f_lineno))
            last = frame.f_lineno
            return line

        return line

    sys.settrace(follow)
    try:
        target.run(data)
    finally:
        sys.settrace(None)
    return steps
