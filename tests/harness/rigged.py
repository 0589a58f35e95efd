"""A Fizz that a test can look into and break; runs in place of ``-m fizz_gevent``, see ``rig``.

``python -m tests.harness.rigged FOLDER POINT... -- start ...``: in the folder appear a socket that
tells what the process holds, and, by the test's hand, the files that arm a fault or turn the clock.
"""

from gevent import monkey

monkey.patch_all()

import builtins  # noqa: E402
import errno  # noqa: E402
import gc  # noqa: E402
import importlib  # noqa: E402
import inspect  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.server import StreamServer  # noqa: E402
from greenlet import greenlet  # noqa: E402

_native_sleep = monkey.get_original("time", "sleep")
_MOST_TYPES = 25
_IMMUTABLE = 1 << 8
"""The flag of a type that is written in C and lets nobody change it."""


def turn_clock(folder: Path) -> None:
    """Have the wall clock go wrong by as many seconds as stand in the file ``clock``."""
    real = time.time
    file = folder / "clock"

    def wrong() -> float:
        return real() + (float(file.read_text()) if file.exists() else 0.0)

    time.time = wrong


def rig(folder: Path, point: str) -> None:
    """Have ``module:name`` or ``module:Class.name`` fail while the file of its name exists.

    The text of the file says how: ``raise NAME`` of an exception, ``errno NAME`` of an error of
    the system, ``hang NAME`` (the thread, until the file is gone, where the first argument is this
    one).
    """
    module_name, _, path = point.partition(":")
    module = importlib.import_module(module_name)
    *above, name = path.split(".")
    owner: Any = module
    for each in above:
        owner = getattr(owner, each)
    if isinstance(owner, type) and owner.__flags__ & _IMMUTABLE:
        owner = type(owner.__name__, (owner,), {})
        setattr(module, above[-1], owner)
    is_static = isinstance(inspect.getattr_static(owner, name), staticmethod)
    broken = _broken(getattr(owner, name), folder / point.replace(":", "."))
    setattr(owner, name, staticmethod(broken) if is_static else broken)


def _broken(original: Callable[..., Any], file: Path) -> Callable[..., Any]:
    hits = file.with_name(f"{file.name}.hits")

    def broken(*args: Any, **kwargs: Any) -> Any:
        try:
            how, _, what = file.read_text().partition(" ")
        except FileNotFoundError:
            return original(*args, **kwargs)
        if how == "hang" and args[0] not in (what, what.encode()):
            return original(*args, **kwargs)
        with hits.open("a") as note:
            note.write(".")
        if how == "errno":
            number = getattr(errno, what)
            raise OSError(number, os.strerror(number))
        if how == "raise":
            raise getattr(builtins, what)("a fault that a test has put here")
        while file.exists():
            _native_sleep(0.01)
        return original(*args, **kwargs)

    return broken


def look() -> dict[str, Any]:
    """What the process holds, garbage not counted."""
    gc.collect()
    objects = gc.get_objects()
    kinds = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in objects)
    return {
        "objects": len(objects),
        "greenlets": sum(isinstance(each, greenlet) and not each.dead for each in objects),
        "watchers": gevent.get_hub().loop.activecnt,
        "kinds": dict(kinds.most_common(_MOST_TYPES)),
    }


def _tell(connection: Any, address: object) -> None:
    with connection:
        connection.sendall(json.dumps(look()).encode())


def main() -> int:
    folder = Path(sys.argv[1])
    end = sys.argv.index("--")
    turn_clock(folder)
    for point in sys.argv[2:end]:
        rig(folder, point)
    sys.argv = ["fizz", *sys.argv[end + 1 :]]
    panel = gevent.socket.socket(gevent.socket.AF_UNIX)
    panel.bind(str(folder / "panel"))
    panel.listen()
    StreamServer(panel, _tell).start()
    from fizz_gevent.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
