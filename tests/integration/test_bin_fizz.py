"""``bin/fizz`` in a checkout of its own, with a Python that has nothing installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.server import ROOT, FizzServer

COPIED = ("bin", "fizz_gevent", "setup.cfg")
VERSION = subprocess.check_output(
    [sys.executable, "-m", "fizz_gevent", "version"], cwd=ROOT, text=True
).strip()


class Checkout:
    """A copy of what a clone brings, under a path with spaces, called from elsewhere."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.root = folder / "a checkout"
        self.root.mkdir()
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.root / name, ignore=shutil.ignore_patterns("*.pyc"))
            else:
                shutil.copy(source, self.root / name)
        self.venv = self.root / ".venv"
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        # By a chain of links, one of them relative, as people put commands on their PATH.
        (folder / "first").symlink_to(self.root / "bin" / "fizz")
        self.command = self.elsewhere / "fizz"
        self.command.symlink_to(Path("..", "first"))
        self.environ = {
            **{name: text for name, text in os.environ.items() if not name.startswith("FIZZ_")},
            "PATH": f"{python.parent}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "PYTHONNOUSERSITE": "1",
        }

    def start(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.command), *words],
            cwd=self.elsewhere,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, *words: str, **environ: str) -> tuple[int, str, str]:
        """Run to the end; return the exit code, the output and what went to stderr."""
        process = self.start(*words, **environ)
        out, err = process.communicate(timeout=300)
        return process.returncode, out.strip(), err.strip()


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter without any package, not even pip."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin" / "python3"


@pytest.fixture
def fresh(tmp_path: Path, bare_python: Path) -> Checkout:
    return Checkout(tmp_path, bare_python)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, bare_python: Path) -> Checkout:
    """A checkout whose first call was interrupted and whose next two came at the same time."""
    checkout = Checkout(tmp_path_factory.mktemp("clone"), bare_python)
    checkout.venv.mkdir()
    (checkout.venv / "fizz-unfinished").touch()
    (checkout.venv / "half").touch()
    calls = [checkout.start("version"), checkout.start("version")]
    outcomes = [(call.communicate(timeout=300), call.returncode) for call in calls]
    assert [(out.strip(), code) for (out, _), code in outcomes] == [(VERSION, 0)] * 2, outcomes
    said = [err.strip() for (_, err), _ in outcomes if err]
    assert said == ["fizz: making .venv from setup.cfg, once; this may take a minute"]
    assert not (checkout.venv / "half").exists()
    return checkout


def test_the_second_call_runs_without_pip(made: Checkout) -> None:
    assert made.call("version", PIP_NO_INDEX="1", PIP_FIND_LINKS="") == (0, VERSION, "")


def test_it_becomes_the_server_so_that_signals_reach_it(made: Checkout, tmp_path: Path) -> None:
    server = FizzServer(tmp_path, command=[str(made.command)], environ=made.environ)
    try:
        server.start()
        arguments = Path(f"/proc/{server.pid}/cmdline")
        if arguments.exists():
            assert b"fizz_gevent" in arguments.read_bytes()
        server.stop()
    finally:
        server.kill()


def test_arguments_arrive_as_they_are_and_the_exit_code_comes_back(made: Checkout) -> None:
    code, _, err = made.call("start", "--config=no such file.yaml")
    assert code == 2
    assert "no such file.yaml" in err


def test_a_changed_list_of_requirements_is_installed_by_the_next_call(made: Checkout) -> None:
    setup = made.root / "setup.cfg"
    before = setup.read_text()
    setup.write_text(before.replace("    orjson>=", "    zope.event>=4.0\n    orjson>="))
    try:
        code, out, err = made.call("version")
        assert (code, out) == (0, VERSION), err
        assert err == "fizz: bringing .venv up to date with setup.cfg"
        assert made.call("version", PIP_NO_INDEX="1", PIP_FIND_LINKS="") == (0, VERSION, "")
    finally:
        setup.write_text(before)


def test_a_change_of_setup_cfg_that_installs_nothing_costs_nothing(made: Checkout) -> None:
    assert made.call("version")[0] == 0
    with (made.root / "setup.cfg").open("a") as setup:
        setup.write("\n# a remark\n")
    assert made.call("version", PIP_NO_INDEX="1", PIP_FIND_LINKS="") == (0, VERSION, "")


def test_nothing_is_made_where_the_requirements_are_importable(fresh: Checkout) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{fresh.environ['PATH']}"
    assert fresh.call("version", PATH=path) == (0, VERSION, "")
    assert not fresh.venv.exists()


def test_a_failed_installation_is_told_and_made_anew(fresh: Checkout) -> None:
    code, _, err = fresh.call("version", PIP_NO_INDEX="1", PIP_FIND_LINKS="", PIP_CONFIG_FILE="")
    assert code == 1
    assert err.splitlines()[-1].startswith("fizz: cannot install the requirements")
    assert (fresh.venv / "fizz-unfinished").exists()


def test_a_python_that_cannot_make_environments_is_told_in_one_line(
    fresh: Checkout, tmp_path: Path
) -> None:
    (tmp_path / "ensurepip.py").write_text("raise ImportError")
    code, _, err = fresh.call("version", PYTHONPATH=str(tmp_path))
    assert code == 1
    assert "cannot make a .venv" in err.splitlines()[-1]


def old_python(folder: Path) -> Path:
    """Make a ``python3`` that behaves like one of years ago, and nothing else a PATH needs."""
    folder.mkdir()
    python = folder / "python3"
    python.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.8.10" || exit 1\n')
    python.chmod(0o755)
    for name in ("dirname", "readlink"):
        (folder / name).symlink_to(shutil.which(name) or "")
    return folder


def test_a_python_too_old_is_told_in_one_line(fresh: Checkout, tmp_path: Path) -> None:
    code, _, err = fresh.call("version", PATH=str(old_python(tmp_path / "old")))
    assert code == 1
    assert err == "fizz: needs Python 3.11 or newer on PATH, found Python 3.8.10"


def test_a_newer_python_of_another_name_is_found(fresh: Checkout, tmp_path: Path) -> None:
    folder = old_python(tmp_path / "old")
    newer = folder / f"python3.{sys.version_info.minor}"
    newer.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    newer.chmod(0o755)
    assert fresh.call("version", PATH=str(folder)) == (0, VERSION, "")
