"""Start Fizz with what is importable, or else with a ``.venv`` made from ``setup.cfg``.

Only the standard library is used, and pip only when there is something to install, so that the
second call costs a few hundredths of a second. The checkout itself is never installed: it comes
first on ``PYTHONPATH``, so a ``git pull`` or a moved folder needs no step of its own.
"""

import configparser
import contextlib
import fcntl
import hashlib
import importlib.metadata
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UNFINISHED = VENV / "fizz-unfinished"
"""Stands in the folder while pip works; found later, the work was interrupted."""
STAMP = VENV / "fizz-ready"
"""Says with which interpreter and for which requirements pip has finished."""

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[A-Za-z0-9,_-]+\])?>=([0-9.]+)")


def main() -> None:
    requirements = read_requirements()
    if are_met(requirements):
        start(sys.executable)
    wanted = hashlib.sha256("\n".join(requirements).encode()).hexdigest()
    if not is_ready(wanted):
        # An exception, so that pip ends too; the server sets its own handlers later.
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        with one_at_a_time():
            if not is_ready(wanted):  # another first call may have made it meanwhile
                make(requirements, wanted)
    start(str(PYTHON))


def read_requirements() -> list[str]:
    """Return what ``install_requires`` lists, one ``name[extras]>=version`` each."""
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return setup["options"]["install_requires"].split()


def are_met(requirements: list[str]) -> bool:
    """Tell whether this interpreter has every requirement, without importing any of them."""
    for requirement in requirements:
        match = _REQUIREMENT.fullmatch(requirement)
        if match is None:
            fail(f"setup.cfg: {requirement!r} is not of the form name>=version")
        name, lowest = match.groups()
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return False
        if _release(found) < _release(lowest):
            return False
    return True


def _release(version: str) -> tuple[int, ...]:
    """``"6.0.2rc1"`` as ``(6, 0, 2)``: enough to compare with a lower bound."""
    numbers = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()


def is_ready(wanted: str) -> bool:
    """Tell whether ``.venv`` is whole and holds what ``setup.cfg`` asks for today."""
    return is_whole() and read_stamp() == [interpreter(), wanted]


def is_whole() -> bool:
    """Tell whether ``.venv`` can be used or at least mended, so need not be made anew."""
    made_with = read_stamp()[:1]
    return PYTHON.exists() and not UNFINISHED.exists() and made_with in ([], [interpreter()])


def interpreter() -> str:
    """The file behind ``.venv/bin/python``; an upgrade of the system may exchange it."""
    return os.path.realpath(PYTHON)


def read_stamp() -> list[str]:
    return STAMP.read_text().splitlines() if STAMP.exists() else []


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other call works on the environment. The lock dies with its process."""
    descriptor = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def make(requirements: list[str], wanted: str) -> None:
    """Make ``.venv``, or add what is missing to one that stands."""
    if is_whole():
        say("bringing .venv up to date with setup.cfg")
        STAMP.unlink(missing_ok=True)
    else:
        say("making .venv from setup.cfg, once; this may take a minute")
        if VENV.is_symlink() or VENV.is_file():  # some tools leave a pointer to an environment
            VENV.unlink()
        elif VENV.exists():
            shutil.rmtree(VENV)
        VENV.mkdir()
        UNFINISHED.touch()
        create_venv()
    # -I: what PYTHONPATH offers today is no part of the environment.
    pip = [str(PYTHON), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    run([*pip, "install", "--quiet", "--upgrade", *requirements], "cannot install the requirements")
    STAMP.write_text(f"{interpreter()}\n{wanted}\n")
    UNFINISHED.unlink(missing_ok=True)


def create_venv() -> None:
    try:
        import ensurepip  # noqa: F401 (Debian leaves it out of its base package)
        import venv  # noqa: F401
    except ImportError:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        fail(f"{sys.executable} cannot make a .venv; on Debian and Ubuntu: apt install {package}")
    run([sys.executable, "-I", "-m", "venv", str(VENV)], "cannot make a .venv")


def run(command: list[str], failure: str) -> None:
    """Run quietly; what the command printed is shown only if it fails."""
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if result.returncode != 0:
        sys.stderr.write(result.stdout.decode(errors="replace"))
        fail(f"{failure}; what it said stands above")


def start(python: str) -> NoReturn:
    """Become the server: the same process, so signals and the pid are its own."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    # -P: a file of the current folder must not stand in for a library. -m: __main__ patches first.
    os.execv(python, [python, "-P", "-m", "fizz_gevent", *sys.argv[1:]])


def say(text: str) -> None:
    print(f"fizz: {text}", file=sys.stderr, flush=True)


def fail(text: str) -> NoReturn:
    say(text)
    sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        fail(str(error))
