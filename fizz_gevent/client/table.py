"""Text for a terminal."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Lines with their columns below each other.

    Args:
        rows: All of the same length; a heading, if any, is the first of them.
        right: Which columns hold numbers.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def plain(text: str) -> str:
    """The text with what would move the cursor, colour or hide something made visible.

    What others publish is not to play with the operator's terminal.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def counted(count: int, noun: str) -> str:
    """A number with its noun: ``1 user``, ``2 users``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
