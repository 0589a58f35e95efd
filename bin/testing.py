"""Run the tests of Fizz: everything, some suites, or what a path names.

usage: bin/test [--long] [--dry-run] [SUITE...] [PYTEST ARGUMENT...]

  bin/test                              everything but what takes minutes
  bin/test --long                       that too
  bin/test lint types unit              some suites: lint, types, unit, contract, integration,
                                        long, fuzz, coverage, or another Python's, as in py312
  bin/test tests/unit/test_names.py -k cache
  bin/test --dry-run                    what would be installed and run

Programs that tests need are installed as root on Debian-like systems. Elsewhere what is missing
is named and its tests are skipped; with CI=true it is an error.
"""

import os
import re
import subprocess
import sys

from machine import MADE, ROOT, Machine, other_pythons

SUITES = {
    "lint": "",
    "types": "",
    "unit": "tests/unit",
    "contract": "tests/contract",
    "integration": "tests",
    "long": "tests",
    "fuzz": "tests/fuzz",
    "coverage": "tests",
}
"""tox's environments, and the folder that each one's pytest looks at."""

EVERYTHING = ["lint", "types", "unit", "contract", "integration"]
BARE = {"lint", "types", "unit", "fuzz"}
"""Suites that need nothing but Python."""

_COUNTS = re.compile(r"(\d+) (passed|failed|errors?|skipped)\b")
_SUMMARY = re.compile(r"^(=+ )?.*\d+ (passed|failed|errors?|skipped|deselected)\b.* in [\d.]+s")


def main(arguments: list[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        print(__doc__)
        return 0
    is_dry, is_long = "--dry-run" in arguments, "--long" in arguments
    words = [word for word in arguments if word not in ("--dry-run", "--long")]
    suites = []
    while words and (words[0] in SUITES or re.fullmatch(r"py3\d\d", words[0])):
        suites.append(words.pop(0))

    pythons = other_pythons()
    if not suites and not words:
        suites = [*EVERYTHING, *pythons]
        if is_long:
            suites.append("long")
    elif not suites:
        suites = [suite_of(words)]
    if unknown := [name for name in suites if name not in SUITES and name not in pythons]:
        print(f"bin/test: no such Python here: {', '.join(unknown)}", file=sys.stderr)
        return 2
    if words:
        words = pytest_arguments(suites, words, is_long=is_long)

    machine = Machine(is_dry=is_dry)
    environ = dict(os.environ)
    try:
        if not set(suites) <= BARE and not prepare(machine, environ):
            return 1
        tox = str(machine.tools() / "tox")
    except subprocess.CalledProcessError as error:
        print(f"bin/test: {error}", file=sys.stderr)
        return 1
    command = [tox, "run", "--workdir", str(MADE), "-e", ",".join(suites)]
    command += ["--discover", sys.executable, *map(str, pythons.values())]
    if sys.stdout.isatty():
        command += ["--colored", "yes"]
    if words:
        command += ["--", *words]
    if is_dry:
        machine.run(*command)
        return 0
    return run_tox(command, environ)


def suite_of(words: list[str]) -> str:
    """Return the suite that a path among pytest's arguments belongs to."""
    paths = [word for word in words if word.startswith("tests")]
    for suite in ("unit", "contract"):
        if paths and all(path.startswith(f"tests/{suite}") for path in paths):
            return suite
    return "integration"


def pytest_arguments(suites: list[str], words: list[str], *, is_long: bool) -> list[str]:
    """Add what tox's own arguments would have said and these replace."""
    if not any((ROOT / word.split("::")[0]).exists() for word in words):
        folders = dict.fromkeys(SUITES.get(suite) or "tests" for suite in suites)
        words = [*folders, *words]
    return [*words, "--long"] if is_long and "long" not in suites else words


def prepare(machine: Machine, environ: dict[str, str]) -> bool:
    """Make what tests need beside Python; tell what is missing. False: do not run."""
    missing = machine.programs() + machine.npm_packages()
    wstest, lines = machine.autobahn()
    if wstest is not None:
        environ["FIZZ_WSTEST"] = str(wstest)
    missing += lines
    is_ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
    for line in missing:
        print(f"{'error' if is_ci else 'skipping tests'}: {line}", file=sys.stderr, flush=True)
    return not (missing and is_ci)


def run_tox(command: list[str], environ: dict[str, str]) -> int:
    """Run tox, pass on what it prints, and end with one line that adds up every suite's tests."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as tox:
        assert tox.stdout is not None
        for line in tox.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            text = re.sub(r"\x1b\[[\d;]*m", "", line.decode(errors="replace"))
            if _SUMMARY.match(text):
                for number, outcome in _COUNTS.findall(text):
                    name = "failed" if outcome.startswith("error") else outcome
                    counts[name] += int(number)
    if any(counts.values()):
        print("tests: {passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return tox.returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
