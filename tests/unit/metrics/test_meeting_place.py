"""Workers in one folder, played by threads: over real sockets, without a server."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fizz_gevent.metrics import meeting_place
from fizz_gevent.metrics.figures import Figures

SOON = 5.0
AT_ONCE = 0.2


@pytest.fixture
def folder() -> Iterator[Path]:
    # pytest's own folders have names too long for the address of a socket
    made = meeting_place.make_folder(None)
    yield made
    for path in made.iterdir():
        path.unlink()
    made.rmdir()


class Worker:
    """Answers so many times, with these bytes."""

    def __init__(self, folder: Path, answer: bytes, *, times: int = 1) -> None:
        self.listener = meeting_place.listen(folder)
        self.name = Path(self.listener.getsockname()).name
        self._answer = answer
        self._thread = threading.Thread(target=self._work, args=(times,), daemon=True)
        self._thread.start()

    def _work(self, times: int) -> None:
        for _ in range(times):
            connection, _ = self.listener.accept()
            with connection:
                connection.sendall(self._answer)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(SOON)
        self.listener.close()
        assert not self._thread.is_alive()


def files(count: int) -> Figures:
    figures = Figures()
    figures.set("fizz_open_files", count)
    return figures


def test_everybody_is_asked(folder: Path) -> None:
    with Worker(folder, files(1).encode()) as one, Worker(folder, files(2).encode()) as two:
        answers, silent = meeting_place.gather(folder, SOON)
    assert answers == {one.name: files(1), two.name: files(2)}
    assert silent == set()


def test_a_long_answer_arrives_whole(folder: Path) -> None:
    figures = Figures()
    for number in range(20_000):
        figures.set("fizz_connections", number, f"application-{number}")
    with Worker(folder, figures.encode()) as worker:
        answers, _ = meeting_place.gather(folder, SOON)
    assert answers == {worker.name: figures}


def test_who_does_not_answer_in_time_is_named(folder: Path) -> None:
    with Worker(folder, b"", times=0) as hanging, Worker(folder, files(2).encode()) as other:
        answers, silent = meeting_place.gather(folder, AT_ONCE)
    assert silent == {hanging.name}
    assert answers == {other.name: files(2)}


@pytest.mark.parametrize("answer", [b"", b"{", b"nonsense", files(1).encode()[:-5]])
def test_who_answers_nonsense_is_silent(folder: Path, answer: bytes) -> None:
    with Worker(folder, answer) as worker:
        assert meeting_place.gather(folder, SOON) == ({}, {worker.name})


def test_the_dead_are_not_asked_again(folder: Path) -> None:
    gone = meeting_place.listen(folder)
    path = Path(gone.getsockname())
    gone.close()
    dead = path.rename(path.with_name("2147483646-dead"))  # no system has so many processes
    assert meeting_place.gather(folder, SOON) == ({}, set())
    assert not dead.exists()


def test_who_lives_but_does_not_listen_yet_keeps_its_socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as early:
        path = folder / f"{os.getpid()}-early"
        early.bind(str(path))
        assert meeting_place.gather(folder, SOON) == ({}, set())
        assert path.exists()


def test_two_sockets_of_one_process_have_two_names(folder: Path) -> None:
    with ExitStack() as stack:
        listeners = [stack.enter_context(meeting_place.listen(folder)) for _ in range(3)]
        assert len({listener.getsockname() for listener in listeners}) == 3


def test_nobody_else_may_enter_the_folder(folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_too_deep_is_not_used(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    made = meeting_place.make_folder(str(deep))
    assert deep not in made.parents
    made.rmdir()
    assert list(deep.iterdir()) == []
