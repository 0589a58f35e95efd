"""Falls over inputs that hold three bytes in a row."""

from collections.abc import Iterator

MAX_SIZE = 20
DICTIONARY = (b"U",)


def seeds() -> Iterator[bytes]:
    """Something near."""
    yield b"a bag"


def run(data: bytes) -> None:
    """Deal with everything but one word."""
    if b"bUg" in data:
        raise KeyError("planted")
