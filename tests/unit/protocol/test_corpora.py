"""Every file of ``tests/corpora``; its README says what they are."""

from pathlib import Path

import pytest

from fizz_gevent.application import Application
from fizz_gevent.errors import ApiError, FrameError, ProtocolError
from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.protocol.frames import FrameReader
from fizz_gevent.protocol.messages import INVALID_MESSAGE, Ignored, parse
from fizz_gevent.protocol.triggers import parse_trigger
from tests.fuzz.corpora import frames_of

CORPORA = Path(__file__).resolve().parents[2] / "corpora"
LIMIT = 65536
APP = Application("1001", "fizz-key", "fizz-secret")


def files(folder: str) -> list[object]:
    found = sorted(path for path in (CORPORA / folder).iterdir() if path.is_file())
    assert found, f"{folder} is empty"
    return [pytest.param(path, id=path.stem) for path in found]


@pytest.mark.parametrize("path", files("frames"))
@pytest.mark.parametrize("size", [1, 7, 1_000_000])
def test_frames(path: Path, size: int) -> None:
    """Protocol: RFC 6455; whatever pieces they come in."""
    expected, before, data = frames_of(path)
    reader = FrameReader()
    messages = []
    for start in range(0, len(data), size):
        messages += reader.feed(data[start : start + size], LIMIT)
    assert (None if reader.failed is None else int(reader.failed.code)) == expected
    assert len(messages) == before


@pytest.mark.parametrize("path", files("messages/invalid"))
def test_invalid_messages(path: Path) -> None:
    """Protocol: §2."""
    with pytest.raises(ProtocolError, match=f"^{INVALID_MESSAGE}$") as refusal:
        parse(path.read_bytes())
    assert refusal.value.code is None


@pytest.mark.parametrize("path", files("messages/refused"))
def test_refused_messages(path: Path) -> None:
    """Protocol: §6.3, §8, §9.1."""
    with pytest.raises(ProtocolError) as refusal:
        parse(path.read_bytes())
    assert refusal.value.message != INVALID_MESSAGE
    assert refusal.value.code in (None, CloseCode.UNAUTHORIZED)


@pytest.mark.parametrize("path", files("messages/not-utf8"))
def test_messages_that_are_not_utf8(path: Path) -> None:
    """Protocol: RFC 6455 §8.1."""
    with pytest.raises(FrameError) as violation:
        parse(path.read_bytes())
    assert violation.value.code is CloseCode.INVALID_PAYLOAD


@pytest.mark.parametrize("path", files("messages/ignored"))
def test_ignored_messages(path: Path) -> None:
    """Protocol: §2, unknown events."""
    assert parse(path.read_bytes()) == Ignored()


@pytest.mark.parametrize("path", files("messages/accepted"))
def test_odd_messages_that_mean_something(path: Path) -> None:
    """Protocol: §2."""
    assert parse(path.read_bytes()) != Ignored()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param(param.values[0], status, id=f"{status}-{param.id}")  # type: ignore[attr-defined]
        for status in (400, 413)
        for param in files(f"triggers/{status}")
    ],
)
def test_trigger_bodies(path: Path, status: int) -> None:
    """Protocol: §12.2, §12.3."""
    with pytest.raises(ApiError) as refusal:
        parse_trigger(path.read_bytes(), APP)
    assert refusal.value.status == status
