"""Looks into a server and breaks it: what ``rigged`` does in the server's process, told from here.

rig = Rig(folder, "fizz_gevent.service.users:Users.sign_in")
server = fizz(command=rig.command)
with rig.armed("fizz_gevent.service.users:Users.sign_in"): ...
"""

import contextlib
import json
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WITHIN = 10.0


@dataclass(frozen=True)
class Held:
    """What a process holds, garbage not counted.

    Attributes:
        watchers: What its event loop waits for: files, timers, signals.
        kinds: How many objects of each kind, of the most frequent ones.
    """

    objects: int
    greenlets: int
    watchers: int
    kinds: dict[str, int]


class Rig:
    """The command of a server that can be broken, and the hands that do it.

    Args:
        folder: An empty one, of this server alone; its path short enough for a socket's name.
        points: What can be broken, as ``module:name`` or ``module:Class.name``.
    """

    def __init__(self, folder: Path, *points: str) -> None:
        self._folder = folder
        self._points = points
        self.command = [sys.executable, "-P", "-W", "error", "-m", "tests.harness.rigged"]
        self.command += [str(folder), *points, "--"]

    @contextlib.contextmanager
    def armed(self, point: str, how: str = "raise RuntimeError") -> Iterator[None]:
        """Let a point fail; ``how`` is ``raise NAME``, ``errno NAME`` or ``hang NAME``."""
        assert point in self._points, point
        file = self._folder / point.replace(":", ".")
        draft = self._folder / "draft"
        draft.write_text(how)
        draft.rename(file)
        try:
            yield
        finally:
            self.disarm(point)

    def disarm(self, point: str) -> None:
        """Let a point work again."""
        (self._folder / point.replace(":", ".")).unlink(missing_ok=True)

    def hits(self, point: str) -> int:
        """How often a point has failed so far."""
        file = self._folder / f"{point.replace(':', '.')}.hits"
        return file.stat().st_size if file.exists() else 0

    @contextlib.contextmanager
    def clock_turned(self, seconds: float) -> Iterator[None]:
        """Let the wall clock jump, and back again at the end."""
        file = self._folder / "clock"
        draft = self._folder / "draft"
        draft.write_text(str(seconds))
        draft.rename(file)
        try:
            yield
        finally:
            file.unlink()

    def look(self) -> Held:
        """What the process holds now."""
        with socket.socket(socket.AF_UNIX) as panel:
            panel.settimeout(WITHIN)
            panel.connect(str(self._folder / "panel"))
            told = b"".join(iter(lambda: panel.recv(65536), b""))
        return Held(**json.loads(told))
