"""The fuzzer finds what was planted, and what it has found can be tried again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import engines
from tests.fuzz.distil import distil
from tests.fuzz.engines import Hang, blind
from tests.fuzz.source import Source, changed, pieces
from tests.fuzz.target import load
from tests.fuzz.watch import Leak

PLANTED = "tests.fuzz.planted"
ROOT = Path(__file__).resolve().parents[2]


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_bug_is_found_and_its_input_falls_over_it_again(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="planted"):
        blind(f"{PLANTED}.bug", seconds=60, runs=200_000, found=tmp_path, report=None, seed=1)
    (saved,) = tmp_path.iterdir()
    assert saved.name.startswith("crash-")
    assert b"bUg" in saved.read_bytes()
    again = command(f"{PLANTED}.bug", str(saved))
    assert again.returncode == 1
    assert "KeyError: 'planted'" in again.stderr
    saved.write_bytes(b"fine")
    assert command(f"{PLANTED}.bug", str(saved)).returncode == 0


def test_the_same_seed_finds_it_with_the_same_input(tmp_path: Path) -> None:
    for name in ("first", "second"):
        with pytest.raises(KeyError):
            blind(
                f"{PLANTED}.bug",
                seconds=60,
                runs=200_000,
                found=tmp_path / name,
                report=None,
                seed=2,
            )
    first, second = (
        [path.name for path in (tmp_path / name).iterdir()] for name in ("first", "second")
    )
    assert first == second


def test_a_leak_is_found(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with pytest.raises(Leak, match="more than after the warm-up"):
        blind(f"{PLANTED}.leak", seconds=4, runs=None, found=tmp_path, report=report, seed=1)
    assert json.loads(report.read_text())["is_warm"]


def test_a_hang_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "HANGS_AFTER", 1)
    with pytest.raises(Hang):
        blind(f"{PLANTED}.hang", seconds=60, runs=None, found=tmp_path, report=None, seed=1)
    (saved,) = tmp_path.iterdir()
    assert len(saved.read_bytes()) % 2


@pytest.mark.long
def test_the_guided_engine_finds_and_keeps_too(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    found = tmp_path / "found"
    done = command(f"{PLANTED}.bug", "--seconds=100", f"--found={found}")
    assert done.returncode != 0
    (saved,) = found.iterdir()
    assert b"bUg" in saved.read_bytes()
    assert "planted" in command(f"{PLANTED}.bug", str(saved)).stderr


def test_what_reaches_nothing_new_is_not_kept() -> None:
    names = load("names")
    kept = distil(names, [b"private-a", b"private-b", b"a", b"1.1", b"presence-a" * 3])
    assert b"a" in kept
    assert b"private-b" not in kept


def test_bytes_decide_the_same_each_time() -> None:
    for data in (b"", b"\x01", bytes(range(200))):
        first, second = Source(data), Source(data)
        assert [first.whole(3, 9), first.text(), first.cuts()] == [
            *(second.whole(3, 9), second.text(), second.cuts())
        ]
    assert pieces(b"hello", [2, 2, 900]) == [b"he", b"llo"]
    assert b"".join(pieces(b"hello", [4, 1])) == b"hello"
    assert changed(b"hello", Source(b"\x00\x01\x01")) == b"hllo"
