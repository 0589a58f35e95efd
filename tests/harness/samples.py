"""The files in ``etc/`` that operators start from, made to run inside a test's own folder."""

from collections.abc import Mapping

from tests.harness.server import ROOT


def sample(name: str) -> str:
    """Return the text of ``etc/NAME``."""
    return (ROOT / "etc" / name).read_text()


def adapted(text: str, changes: Mapping[str, str]) -> str:
    """Replace pieces of a text, each of which has to stand there exactly once.

    So a test that runs a sample with other ports and folders breaks when the sample no longer
    says what the test believes, and changes nothing else.
    """
    for piece, other in changes.items():
        found = text.count(piece)
        assert found == 1, f"{piece!r} stands {found} times in the sample"
        text = text.replace(piece, other)
    return text
