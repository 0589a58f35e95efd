"""The two ways to measure: that they run, count what they say they count, and find what is wrong.

How fast anything is, is not looked at here.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Start
from tests.harness.server import ROOT, FizzServer, clean_environ

SHORT = ("--seconds=0.3", "--warm-up=0.1")


@pytest.fixture(scope="module")
def server(module_fizz: Start) -> FizzServer:
    app = {"app_id": "1001", "key": "bench-key", "secret": "bench-secret"}
    return module_fizz(apps=[{**app, "max_client_events_per_second": None}])


def bin_bench(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # the interpreter of the tests comes first, so that no environment has to be made
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        [str(ROOT / "bin" / "bench"), *words],
        cwd=cwd,
        env=clean_environ(PATH=path),
        capture_output=True,
        text=True,
        timeout=120,
    )


def results(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("cells", "unit"),
    [
        ("^fan-out N=100 ", "deliveries"),
        ("^rooms", "deliveries"),
        ("^fan-out in batches", "deliveries"),
        ("^publish kept alive x16", "requests"),
        ("^publish connection each", "requests"),
        ("^publish batches", "requests"),
        ("^client events", "round trips"),
        ("^ping N=100", "round trips"),
        ("^presence churn", "sessions"),
        ("^connect N=1000$", "connections"),
        (r"^connect \+ subscribe N=5000", "connections"),
    ],
)
def test_each_mode_runs_against_a_server_given_by_url(
    server: FizzServer, tmp_path: Path, cells: str, unit: str
) -> None:
    path = tmp_path / "results.jsonl"
    done = bin_bench(
        "--workers=0",
        f"--server=here=http://127.0.0.1:{server.port}",
        "--no-self-check",
        f"--only={cells}",
        f"--json={path}",
        *SHORT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (result,) = results(path)
    assert (result["server"], result["unit"]) == ("here", unit)
    assert result["count"] > 0
    assert {result.get(name, 0) for name in ("lost", "duplicated", "reordered")} == {0}
    assert f"| {result['cell']} | here |" in done.stdout


def test_fizz_is_started_and_measured_beside_a_peer_that_does_nothing(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    done = bin_bench("--only=^fan-out N=100 ", f"--json={path}", *SHORT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [result["server"] for result in results(path)] == ["fizz", "nothing"]
    for result in results(path):
        assert result["lost"] == 0
        assert result["limit"] in ("server", "load", "other processes", "nobody", "unknown")
        if sys.platform.startswith("linux"):
            assert result["cpu_us"] > 0
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("| fan-out N=100 ")]
    assert row.startswith("| fan-out N=100 100 B | fizz |")


def test_a_server_that_does_not_start_is_named_and_fails_the_run() -> None:
    done = bin_bench("--workers=0", "--server=broken=echo no such luck", "--only=^ping N=1$")
    assert done.returncode == 1
    assert "broken does not start: no such luck" in done.stdout


def test_wrong_credentials_are_found_and_not_measured(server: FizzServer) -> None:
    done = bin_bench(
        "--workers=0",
        f"--server=here=http://127.0.0.1:{server.port}",
        "--app-secret=wrong",
        "--no-self-check",
        "--only=^publish kept alive x1$",
        *SHORT,
    )
    assert done.returncode == 1
    assert "an event was refused" in done.stdout
    assert "401" in done.stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--only=nonsense"], "no cell matches"),
        (["--only=("], "--only"),
        (["--server=nameless"], "is not NAME=COMMAND"),
        (["--server=a=https://127.0.0.1"], "no TLS here"),
        (["--server=a=http://127.0.0.1:port"], "port"),
        (["--server=a=b --at={socket}"], "cannot be filled in: 'socket'"),
        (["--workers=two"], "--workers"),
    ],
)
def test_wrong_words_are_refused_with_the_reason(words: list[str], reason: str) -> None:
    done = bin_bench(*words)
    assert done.returncode == 2
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_two_commits_are_compared_and_no_work_tree_is_left() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("compares commits, and this is no repository")
    done = bin_bench(
        "--compare",
        "HEAD",
        "HEAD",
        "--only=^ping",
        "--rounds=1",
        "--threshold=100000",
        *SHORT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| ping N=100 |" in done.stdout
    assert "/bench-" not in git("worktree", "list")


def test_a_commit_that_is_not_there_is_named() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("compares commits, and this is no repository")
    done = bin_bench("--compare", "HEAD", "no-such-commit")
    assert done.returncode == 2
    assert "no-such-commit" in done.stderr


def git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def fizz_bench(server: FizzServer, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    variables = {
        "PYTHONPATH": str(ROOT),
        "FIZZ_HOST": "127.0.0.1",
        "FIZZ_PORT": str(server.port),
        "FIZZ_APP_ID": server.app.app_id,
        "FIZZ_APP_KEY": server.app.key,
        "FIZZ_APP_SECRET": server.app.secret,
    }
    return subprocess.run(
        [sys.executable, "-P", "-W", "error", "-m", "fizz_gevent", "bench", *words],
        cwd=server.folder,
        env=clean_environ(**{**variables, **environ}),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_operators_measure_the_configured_server(server: FizzServer) -> None:
    done = fizz_bench(server, "--connections=20", "--seconds=0.3", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["connections"] == 20
    assert (figures["lost"], figures["repeated"]) == (0, 0)
    assert figures["deliveries_per_second"] > 0
    assert figures["publishes_per_second"] > 0
    assert figures["delivery_p50_ms"] <= figures["delivery_p99_ms"]


def test_what_operators_see_is_a_table(server: FizzServer) -> None:
    done = fizz_bench(server, "--connections=3", "--seconds=0.2")
    assert done.returncode == 0, done.stderr
    first, _, *rows = done.stdout.splitlines()
    assert first == f"http://127.0.0.1:{server.port}, 3 connections, 0.2 s each"
    assert any(row.startswith("deliveries a second ") for row in rows)


@pytest.mark.parametrize(
    ("words", "environ", "code", "reason"),
    [
        (["--connections=0"], {}, 2, "--connections"),
        (["--connections=1.5"], {}, 2, "a whole number"),
        (["--seconds=nan"], {}, 2, "--seconds"),
        (["--seconds=soon"], {}, 2, "not 'soon'"),
        (["--app=77"], {}, 2, "no application has the id '77'"),
        ([], {"FIZZ_APP_SECRET": "wrong"}, 1, "401"),
        ([], {"FIZZ_APP_KEY": "wrong"}, 1, "4001"),
        ([], {"FIZZ_PORT": "1"}, 1, "cannot reach"),
    ],
)
def test_a_measurement_that_cannot_be_made_ends_with_one_line(
    server: FizzServer, words: list[str], environ: dict[str, str], code: int, reason: str
) -> None:
    done = fizz_bench(server, *words, **environ)
    assert done.returncode == code, done.stdout + done.stderr
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
