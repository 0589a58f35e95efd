"""What the image is made of is pinned: each package, its version, its hashes, and nothing else."""

import importlib.metadata
import re
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[([a-z]+)\])?(?:>=([0-9.]+))?")
_PIN = re.compile(r"([a-z0-9-]+)==([0-9a-z.]+)((?: --hash=sha256:[0-9a-f]{64})+)")


def pins(name: str) -> dict[str, str]:
    """The versions in a file of requirements, every line of which has to be a pin with hashes."""
    text = (ROOT / "etc" / name).read_text()
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    found = {}
    for line in lines:
        if not line.startswith("#"):
            pin = _PIN.fullmatch(line)
            assert pin is not None, line
            found[pin[1]] = pin[2]
    return found


def wanted() -> list[tuple[str, str, str]]:
    """Name, extra and lowest version of what ``setup.cfg`` asks for."""
    setup = ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"].split()
    found = [match.groups(default="") for line in lines if (match := _REQUIREMENT.fullmatch(line))]
    assert len(found) == len(lines)
    return [(name.lower(), extra, lowest) for name, extra, lowest in found]


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def needed(name: str, extra: str = "") -> set[str]:
    """A package and all that it needs, as the installed one says, normalized names."""
    found = {re.sub(r"[-_.]+", "-", name).lower()}
    for line in importlib.metadata.requires(name) or ():
        requirement, _, marker = line.partition(";")
        is_wanted = not marker or (extra and re.search(rf"extra == .{extra}.", marker))
        if is_wanted and (match := _REQUIREMENT.match(requirement)):
            found |= needed(match[1])
    return found


@pytest.mark.parametrize(("name", "extra", "lowest"), wanted())
def test_what_is_asked_for_is_pinned_and_new_enough(name: str, extra: str, lowest: str) -> None:
    assert numbers(pins("requirements-image.txt")[name]) >= numbers(lowest)


def test_all_that_those_need_is_pinned_and_nothing_besides() -> None:
    names = set().union(*(needed(name, extra) for name, extra, _ in wanted()))
    # What only PyPy or Windows want has a marker, and is not wanted here.
    pinned = set(pins("requirements-image.txt"))
    assert names <= pinned
    assert pinned - names <= {"greenlet"}  # gevent's, by a marker for CPython


def test_the_image_is_built_of_nothing_else() -> None:
    assert set(pins("requirements-build.txt")) == {"setuptools"}
    (image,) = re.findall(r"ARG PYTHON_IMAGE=(\S+)", DOCKERFILE)
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${PYTHON_IMAGE}"] * 2
    assert image.startswith("python:3.")
    text = DOCKERFILE.replace("\\\n", " ")
    for file in ("requirements-build.txt", "requirements-image.txt"):
        assert f"--require-hashes -r {file}" in text
        # No host: whoever builds chooses the index.
        assert "://" not in (ROOT / "etc" / file).read_text()
    assert text.count("--no-deps --no-build-isolation") == 2
