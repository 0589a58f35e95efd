"""Where inputs are kept, and how they are read."""

from collections.abc import Iterator
from pathlib import Path

CORPORA = Path(__file__).resolve().parents[1] / "corpora"
KEPT = CORPORA / "fuzz"
"""A folder for each target: ``kept.txt`` holds an input a line, in hexadecimal; any other file is
one input as it is, and was a finding once."""


def frames_of(path: Path) -> tuple[int | None, int, bytes]:
    """Return the code to expect, how many messages come before, and the bytes."""
    expected: int | None = None
    before, data = 0, b""
    for line in path.read_text().splitlines():
        word, _, rest = line.partition(" ")
        if word == "expect":
            expected = None if rest == "nothing" else int(rest)
        elif word == "after":
            before = int(rest)
        elif word != "#":
            for token in line.split():
                byte, _, count = token.partition("*")
                data += bytes.fromhex(byte) * int(count or 1)
    return expected, before, data


def files_below(*folders: str) -> Iterator[bytes]:
    """The contents of the files of some folders of the corpora."""
    for folder in folders:
        for path in sorted((CORPORA / folder).iterdir()):
            if path.is_file():
                yield path.read_bytes()


def kept(target: str, folder: Path = KEPT) -> Iterator[tuple[str, bytes]]:
    """Every input that is kept for a target, and what to call it."""
    if not (folder / target).is_dir():
        return
    for path in sorted((folder / target).iterdir()):
        if path.name == "kept.txt":
            for number, line in enumerate(path.read_text().splitlines(), 1):
                yield f"kept.txt:{number}", bytes.fromhex(line)
        else:
            yield path.name, path.read_bytes()
