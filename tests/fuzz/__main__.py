"""Fuzz one target, or try inputs again.

    python -m tests.fuzz TARGET --seconds=600      until then, or until something is found
    python -m tests.fuzz TARGET FILE...            try these inputs
    python -m tests.fuzz --list                    the targets, one a line

A finding is written into ``tests/corpora/fuzz/TARGET/``, where the ordinary tests try it again.
"""

import argparse
import tempfile
from pathlib import Path

from tests.fuzz import engines
from tests.fuzz.corpora import KEPT, kept
from tests.fuzz.distil import distil
from tests.fuzz.target import NAMES, load


def main() -> None:
    """Do what the words of the command line say."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target", nargs="?", help=f"one of {', '.join(NAMES)}, or a module")
    parser.add_argument("files", nargs="*", type=Path, help="inputs to try once, and nothing more")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--found", type=Path, help="where findings go")
    parser.add_argument("--report", type=Path, help="where figures go")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--blind", action="store_true", help="not guided, though atheris is here")
    parser.add_argument("--distil", type=Path, help="keep what is worth it of this folder's inputs")
    parser.add_argument("--collect", type=Path, help="where inputs that reach something new go")
    parser.add_argument("--list", action="store_true")
    words = parser.parse_args()
    if words.list:
        print("\n".join(NAMES))
        return
    if words.target is None:
        parser.error("which target?")
    found = words.found or KEPT / words.target
    if words.files:
        target = load(words.target)
        for path in words.files:
            target.run(path.read_bytes())
    elif words.distil is not None:
        _keep(words.target, words.distil)
    elif words.blind or not engines.has_atheris():
        watch = engines.blind(
            words.target,
            seconds=words.seconds,
            runs=None,
            found=found,
            report=words.report,
            seed=words.seed,
        )
        print(f"{words.target}: {watch.runs} runs, nothing found")
    else:
        with tempfile.TemporaryDirectory() as scratch:
            engines.guided(
                words.target,
                seconds=words.seconds,
                found=found,
                collected=words.collect or Path(scratch) / "collected",
                report=words.report,
                seed=words.seed,
            )


def _keep(name: str, folder: Path) -> None:
    target = load(name)
    collected = [path.read_bytes() for path in sorted(folder.iterdir())]
    old = [data for where, data in kept(name) if where.startswith("kept.txt")]
    seeds = set(target.seeds())
    worth = [data for data in distil(target, [*collected, *old]) if data not in seeds]
    print(f"{name}: {len(worth)} of {len(collected)} kept")
    if not worth:
        return
    (KEPT / name).mkdir(parents=True, exist_ok=True)
    (KEPT / name / "kept.txt").write_text("".join(f"{data.hex()}\n" for data in worth))


if __name__ == "__main__":
    main()
