"""What the tests need of a machine: programs, npm packages, other Pythons, the Autobahn suite.

Each function makes its part if it may, and hands back lines about what is missing and stays so:
the tests that need it are skipped, or, where ``CI`` is set, nothing runs at all.
"""

import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
MADE = ROOT / ".tox"
"""Beside tox's own environments, so that one folder holds all that can be thrown away."""

PACKAGES = {
    "redis-server": "redis-server",
    "node": "nodejs",
    "npm": "npm",
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
    "nginx": "nginx",
    "supervisord": "supervisor",
    "openssl": "openssl",
}
"""Programs, and the Debian packages they come in."""

AUTOBAHN = "autobahntestsuite==25.10.1"
OLD_VIRTUALENV = "virtualenv<20.22"
"""The last that makes environments for Python 2.7."""

_DAEMONS = os.pathsep.join(["/usr/sbin", "/sbin"])
_ASK = (
    "import json, sys, sysconfig; "
    "print(json.dumps([sys.implementation.name, sys.version_info[:3], "
    "bool(sysconfig.get_config_var('Py_GIL_DISABLED'))]))"
)


class Machine:
    """This machine, or what would be done to it.

    Args:
        is_dry: Say each command instead of running it.
    """

    def __init__(self, *, is_dry: bool = False) -> None:
        self.is_dry = is_dry
        self._installed: set[str] = set()
        """Programs that a dry run takes for installed."""

    def run(self, *command: str | Path, **environ: str) -> None:
        """Run a command, shown first.

        Raises:
            subprocess.CalledProcessError: It failed; what it printed has been shown.
        """
        words = [str(word) for word in command]
        print(f"{'would run' if self.is_dry else '$'} {shlex.join(words)}", flush=True)
        if not self.is_dry:
            subprocess.run(
                words, check=True, env={**os.environ, **environ}, stdin=subprocess.DEVNULL
            )

    def apt(self, packages: Sequence[str]) -> bool:
        """Install Debian packages, if this is root on such a system; False if it is not, or fails.

        Tests start what they need themselves; ``RUNLEVEL`` keeps packages from doing so too.
        """
        if os.geteuid() != 0 or not which("apt-get"):
            return False
        quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        command = ("apt-get", "install", "-q", "-y", "--no-install-recommends")
        try:
            self.run("apt-get", "update", "-q", **quiet)
            self.run(*command, *packages, **quiet)
        except subprocess.CalledProcessError:
            return False
        return True

    def tools(self) -> Path:
        """Return a folder of programs with ``tox`` in it.

        Raises:
            subprocess.CalledProcessError: It cannot be made.
        """
        folder = MADE / "tools"
        if _answers([str(folder / "bin" / "tox"), "--version"]) is None:
            if importlib.util.find_spec("ensurepip") is None:  # Debian has it in a package apart
                self.apt([f"python{sys.version_info.major}.{sys.version_info.minor}-venv"])
            self.run(sys.executable, "-m", "venv", "--clear", folder)
            pip = (folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
            self.run(*pip, "install", "--quiet", "tox>=4.23")
        return folder / "bin"

    def programs(self) -> list[str]:
        """Install the programs that are missing, if that is allowed."""
        missing = [program for program in PACKAGES if not self.has(program)]
        if missing and self.apt([PACKAGES[program] for program in missing]):
            self._installed.update(missing if self.is_dry else ())
            missing = [program for program in missing if not self.has(program)]
        return [f"{program} is missing; {advice(program)}" for program in missing]

    def has(self, program: str) -> bool:
        return program in self._installed or which(program) is not None

    def npm_packages(self) -> list[str]:
        """Install exactly what ``tests/package-lock.json`` lists."""
        if not self.has("npm"):
            return ["the packages of tests/package.json are missing, since npm is"]
        lock = hashlib.sha256((TESTS / "package-lock.json").read_bytes()).hexdigest()
        stamp = TESTS / "node_modules" / ".lock-sha256"
        if not stamp.exists() or stamp.read_text() != lock:
            self.run("npm", "ci", "--prefix", TESTS, "--ignore-scripts", "--no-audit", "--no-fund")
            if not self.is_dry:
                stamp.write_text(lock)
        return []

    def autobahn(self) -> tuple[Path | None, list[str]]:
        """Return the ``wstest`` of an environment for Python 2.7, made if need be."""
        folder = MADE / "autobahn"
        wstest, stamp = folder / "bin" / "wstest", folder / "installed"
        if stamp.exists() and stamp.read_text() == AUTOBAHN:
            return wstest, []
        python = next(iter(interpreters("python2.7")), None)
        if python is None:
            how = "pyenv install 2.7.18" if which("pyenv") else "pyenv, for example, has it"
            return None, [f"python2.7 is missing, which the Autobahn test suite needs; {how}"]
        maker = MADE / "old-virtualenv"
        pip = (self.tools() / "python", "-m", "pip", "--disable-pip-version-check")
        try:
            self.run(*pip, "install", "--quiet", "--upgrade", "--target", maker, OLD_VIRTUALENV)
            make = (sys.executable, "-m", "virtualenv", "--quiet", "--clear", "--no-download")
            self.run(*make, "--python", python, folder, PYTHONPATH=str(maker))
            self.run(
                folder / "bin" / "pip", "install", "--quiet", AUTOBAHN, PYTHONWARNINGS="ignore"
            )
            self.run(wstest, "--help")
        except subprocess.CalledProcessError as error:
            return None, [f"the Autobahn test suite cannot be installed: {error}"]
        if not self.is_dry:
            stamp.write_text(AUTOBAHN)
        return wstest, []


def which(program: str) -> str | None:
    """Return where a program is, also where Debian keeps daemons."""
    return shutil.which(program, path=os.environ.get("PATH", "") + os.pathsep + _DAEMONS)


def advice(program: str) -> str:
    """Return how to install one program here."""
    if which("apt-get"):
        return f"sudo apt-get install {PACKAGES[program]}"
    if which("brew"):
        names = {"redis-server": "redis", "supervisord": "supervisor"}
        return f"brew install {names.get(program, program)}"
    return f"your system's package manager may have it as {PACKAGES[program]}"


def interpreters(name: str) -> Iterator[Path]:
    """Yield every ``name`` on PATH and in pyenv's folder of versions that really runs."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    folders = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    for folder in [*folders, *sorted(pyenv.glob("*/bin"))]:
        path = folder / name
        # pyenv puts a name on PATH for each version it has, whether or not that one is in use.
        if os.access(path, os.X_OK) and _answers([str(path), "-c", ""]) is not None:
            yield path


def other_pythons() -> dict[str, Path]:
    """Return the newest of each other CPython from 3.11 up, by tox's name for it (``py312``)."""
    newest: dict[str, tuple[list[int], Path]] = {}
    for minor in range(11, 20):
        for path in interpreters(f"python3.{minor}"):
            name, version, is_free_threaded = json.loads(_answers([str(path), "-c", _ASK]) or "[]")
            env = f"py3{version[1]}"
            ours = version[1] == sys.version_info.minor
            if name != "cpython" or is_free_threaded or ours or not re.fullmatch(r"py3\d\d", env):
                continue
            if env not in newest or version > newest[env][0]:
                newest[env] = (version, path)
    return {env: path for env, (_, path) in sorted(newest.items())}


def _answers(command: Sequence[str]) -> str | None:
    try:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout if result.returncode == 0 else None
