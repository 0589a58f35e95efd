"""Every target at once, for ten minutes: nothing falls over, hangs or leaks.

``FIZZ_FUZZ_SECONDS`` is another time, ``FIZZ_FUZZ_TARGETS`` some of the targets. What is found is
left in ``tests/corpora/fuzz``, where the ordinary tests try it again.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.target import NAMES

SECONDS = int(os.environ.get("FIZZ_FUZZ_SECONDS") or 600)
CHOSEN = (os.environ.get("FIZZ_FUZZ_TARGETS") or ",".join(NAMES)).split(",")
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.long
def test_nothing_falls_over_hangs_or_leaks(tmp_path: Path) -> None:
    # All at once, each with what is left of the cores: the time is the same for any number.
    running = {}
    for name in CHOSEN:
        words = [name, f"--seconds={SECONDS}", f"--report={tmp_path / name}.json"]
        with (tmp_path / f"{name}.log").open("wb") as log:
            running[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz", *words],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: os.nice(10) and None,
            )
    try:
        codes = {name: process.wait(SECONDS + 300) for name, process in running.items()}
    finally:
        for process in running.values():
            process.kill()
    for name in CHOSEN:
        said = (tmp_path / f"{name}.log").read_text(errors="replace")
        assert codes[name] == 0, f"{name}\n{said[-3000:]}"
        report = json.loads((tmp_path / f"{name}.json").read_text())
        print(name, report)
        assert report["runs"] > 0
        assert report["is_warm"]
