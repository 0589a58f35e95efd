"""Does not come back from an input that is odd."""

from collections.abc import Iterator

MAX_SIZE = 20
DICTIONARY = ()


def seeds() -> Iterator[bytes]:
    """Something even."""
    yield b"even"


def run(data: bytes) -> None:
    """Wait for what never comes."""
    while len(data) % 2:
        pass
