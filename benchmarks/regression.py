"""Two commits side by side: has anything become dearer?"""

import configparser
import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.cells import Cell
from benchmarks.report import flaws_of, middle, number
from benchmarks.runner import Result, Timing, measure
from benchmarks.servers import ROOT, Server, fizz


class NoSuchRevision(Exception):
    """Git does not know it, or it has no ``bin/fizz``."""


@contextlib.contextmanager
def checked_out(revisions: Sequence[str]) -> Iterator[list[Server]]:
    """Yield the Fizz of each revision, in a work tree that is gone afterwards.

    A tree borrows the environment of this checkout if it asks for the same libraries; otherwise
    its ``bin/fizz`` makes one of its own.

    Raises:
        NoSuchRevision: There is none to run.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        trees = []
        try:
            servers = []
            for index, revision in enumerate(revisions):
                tree = Path(folder) / str(index)
                _git("worktree", "add", "--detach", "--quiet", str(tree), revision)
                trees.append(tree)
                if not (tree / "bin" / "fizz").exists():
                    raise NoSuchRevision(f"{revision} has no bin/fizz")
                if _requirements(tree) == _requirements(ROOT) and (ROOT / ".venv").exists():
                    (tree / ".venv").symlink_to(ROOT / ".venv")
                # makes the environment now, if there is none, and not while a cell is waiting
                make = [str(tree / "bin" / "fizz"), "version"]
                subprocess.run(make, check=True, cwd=folder, stdout=subprocess.DEVNULL)
                servers.append(fizz(f"{'old' if index == 0 else 'new'} {revision}", root=tree))
            yield servers
        finally:
            for tree in trees:
                _git("worktree", "remove", "--force", str(tree))


def compare(
    servers: Sequence[Server],
    cells: Sequence[Cell],
    timing: Timing,
    *,
    rounds: int,
    note: Callable[[Result], None],
) -> list[Result]:
    """Measure both, in turns: what disturbs the machine for a while then disturbs both."""
    results = []
    for turn in range(rounds):
        for cell in cells:
            for server in servers if turn % 2 == 0 else list(reversed(servers)):
                result = measure(server, cell, timing, round=turn)
                note(result)
                results.append(result)
    return results


def verdict(
    results: Sequence[Result], servers: Sequence[Server], *, threshold: float
) -> tuple[str, bool]:
    """A table of the ratios, and whether nothing is dearer than it may be.

    Args:
        threshold: How much dearer a cell may be, as a share: 0.1 is ten percent.
    """
    old, new = (server.name for server in servers)
    lines = [f"| cell | {old} | {new} | cost | |", "|---|---:|---:|---:|---|"]
    is_good = True
    for cell in dict.fromkeys(one["cell"] for one in results):
        before = [one for one in results if one["cell"] == cell and one["server"] == old]
        after = [one for one in results if one["cell"] == cell and one["server"] == new]
        if flaws := flaws_of([*before, *after]):
            lines.append(f"| {cell} | | | | {flaws} |")
            is_good = is_good and not flaws_of(after)
            continue
        ratio = middle(
            [{"ratio": _cost(two) / _cost(one)} for one, two in _pairs(before, after)], "ratio"
        )
        assert ratio is not None
        # noise only ever adds: what is dearer at its best too is not just unlucky
        at_best = min(map(_cost, after)) / min(map(_cost, before))
        is_dearer = min(ratio, at_best) > 1 + threshold
        is_good = is_good and not is_dearer
        rates = [number(middle(ones, "rate")) for ones in (before, after)]
        word = "**dearer**" if is_dearer else "cheaper" if ratio < 1 - threshold else "the same"
        lines.append(f"| {cell} | {rates[0]} | {rates[1]} | {ratio:.2f}× | {word} |")
    lines += [
        "",
        "Cost is the server's CPU time for each unit, where it is known; rates are a second.",
    ]
    return "\n".join(lines), is_good


def _pairs(before: Sequence[Result], after: Sequence[Result]) -> list[tuple[Result, Result]]:
    """The two of each round, which saw about the same machine."""
    by_round = {one["round"]: one for one in after}
    return [(one, by_round[one["round"]]) for one in before if one["round"] in by_round]


def _cost(one: Result) -> float:
    return float(one.get("cpu_us") or 1e6 / max(one["rate"], 1e-9))


def _requirements(tree: Path) -> list[str]:
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(tree / "setup.cfg", encoding="utf-8")
    return setup.get("options", "install_requires", fallback="").split()


def _git(*words: str) -> None:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise NoSuchRevision(done.stderr.strip() or f"git {words[0]} failed")
