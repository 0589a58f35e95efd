"""Two ways to make inputs: guided by what they reach, with atheris, or not at all."""

import hashlib
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from tests.fuzz.mutation import Mutator
from tests.fuzz.target import inputs, load
from tests.fuzz.watch import Watch

HANGS_AFTER = 20
"""Seconds that one input may take, on a machine that does much else."""


class Hang(AssertionError):
    """One input takes for ever."""


def has_atheris() -> bool:
    """Whether the coverage-guided engine is installed here."""
    try:
        import atheris  # noqa: F401
    except ImportError:
        return False
    return True


def guided(
    name: str, *, seconds: int, found: Path, collected: Path, report: Path | None, seed: int
) -> None:
    """Run atheris, which ends the process; a finding is written into ``found``.

    Args:
        collected: A folder for the inputs that reach something new.
    """
    import atheris

    with atheris.instrument_imports(include=["fizz_gevent"]):
        target = load(name)
    collected.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    for data in inputs(name, target):
        (collected / _digest(data)).write_bytes(data)
    words = collected.parent / "words.dict"
    lines = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.DICTIONARY)
    words.write_text("".join(f'"{line}"\n' for line in lines))
    arguments = [
        *(sys.argv[0], str(collected)),
        *(f"-max_total_time={seconds}", f"-max_len={target.MAX_SIZE}", f"-timeout={HANGS_AFTER}"),
        *(f"-artifact_prefix={found}/", f"-dict={words}", f"-seed={seed}", "-rss_limit_mb=1024"),
        *("-print_final_stats=1", "-reload=0"),
    ]
    watch = Watch(target, seconds, report)
    atheris.Setup(arguments, watch)
    atheris.Fuzz()


def blind(
    name: str, *, seconds: float, runs: int | None, found: Path, report: Path | None, seed: int
) -> Watch:
    """Try changed inputs for so long, or so many; a finding is written into ``found`` and raised.

    The same seed, without a limit of time, tries the same inputs.
    """
    target = load(name)
    start = inputs(name, target)
    mutator = Mutator(seed, target.DICTIONARY, target.MAX_SIZE)
    watch = Watch(target, seconds, report)
    until = time.monotonic() + seconds
    before = signal.signal(signal.SIGALRM, _hang)
    try:
        while watch.runs < runs if runs is not None else time.monotonic() < until:
            data = mutator.of(start)
            signal.alarm(HANGS_AFTER)
            try:
                watch(data)
            except Exception:
                found.mkdir(parents=True, exist_ok=True)
                (found / f"crash-{_digest(data)}").write_bytes(data)
                raise
        signal.alarm(HANGS_AFTER)
        watch.look()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return watch


def _hang(number: int, frame: FrameType | None) -> None:
    raise Hang(f"one input took {HANGS_AFTER} seconds")


def _digest(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
