"""``fizz`` as an operator types it, beside a server that runs."""

import json
import queue
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from tests.harness.eventually import WITHIN, eventually
from tests.harness.server import FizzServer

RUNS_WITHIN = 30.0


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout of a command that succeeded without a word on stderr."""
        assert (self.code, self.err) == (0, ""), self
        assert self.out.count("\n") == 1, self
        return json.loads(self.out)

    @property
    def lines(self) -> list[list[str]]:
        """The words of each line that is not empty, of a command that succeeded."""
        assert (self.code, self.err) == (0, ""), self
        return [line.split() for line in self.out.splitlines() if line.strip()]

    @property
    def complaint(self) -> str:
        """The one line on stderr of a command that failed with 1 and printed nothing else."""
        assert (self.code, self.out) == (1, ""), self
        assert self.err.count("\n") == 1, self
        return self.err.rstrip("\n")


def _how(server: FizzServer, words: tuple[str, ...], environ: Mapping[str, str]) -> dict[str, Any]:
    """How to start the command: with the server's configuration, unless it is told otherwise."""
    named = any(word.startswith("--config") for word in words)
    config = [] if named else [f"--config={server.folder / 'fizz.yaml'}"]
    return {
        "args": [*server.command, *words, *config],
        "cwd": server.folder / "run",  # where no other configuration lies
        "env": {**server.environ, **environ},
    }


def run_command(
    server: FizzServer,
    *words: str,
    environ: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    within: float = RUNS_WITHIN,
) -> Outcome:
    """Run one command to its end."""
    how = _how(server, words, environ or {})
    done = subprocess.run(**how, input=stdin, capture_output=True, timeout=within, check=False)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


class Listening:
    """``fizz listen`` while it runs; leave the ``with`` block to end it.

    Args:
        reader: A program that reads what it prints, and whose output is read in its place.
    """

    def __init__(
        self,
        server: FizzServer,
        *words: str,
        environ: Mapping[str, str] | None = None,
        reader: Sequence[str] = (),
    ) -> None:
        self.process = subprocess.Popen(
            **_how(server, ("listen", *words), environ or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._printed = self.process.stdout
        self._reader: subprocess.Popen[bytes] | None = None
        if reader:
            assert self._printed is not None
            self._reader = subprocess.Popen(reader, stdin=self._printed, stdout=subprocess.PIPE)
            self._printed.close()  # so that the program alone holds it
            self._printed = self._reader.stdout
        self._events: queue.Queue[str] = queue.Queue()
        self.said: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, take), daemon=True)
            for stream, take in (
                (self._printed, self._events.put),
                (self.process.stderr, self.said.append),
            )
        ]
        for thread in self._readers:
            thread.start()

    @staticmethod
    def _read(stream: IO[bytes], take: Any) -> None:
        for line in stream:
            take(line.decode().rstrip("\n"))

    def event(self) -> str:
        """The next line on stdout."""
        try:
            return self._events.get(timeout=WITHIN)
        except queue.Empty:
            raise AssertionError(f"no event arrives; said: {self.said}") from None

    def no_events(self) -> bool:
        """Tell whether everything that was printed has been taken."""
        return self._events.empty()

    def wait_for(self, words: str, *, times: int = 1) -> None:
        """Wait until so many lines on stderr contain these words."""

        def is_said() -> bool:
            found = sum(words in line for line in self.said)
            assert found >= times, self.said
            return True

        eventually(is_said, within=20, what=f"{words!r} is said")

    def wait_for_reader(self) -> None:
        """Wait until the program that reads has seen enough."""
        assert self._reader is not None
        self._reader.wait(WITHIN)

    def wait(self) -> int:
        """Wait until it has ended; return its exit code."""
        code = self.process.wait(WITHIN)
        for thread in self._readers:
            thread.join(WITHIN)
        assert not any("Traceback" in line for line in self.said), self.said
        return code

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop, as Ctrl+C does; return its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def __enter__(self) -> "Listening":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for thread in self._readers:
            thread.join(WITHIN)
        if self._reader is not None:
            self._reader.wait(WITHIN)
        for stream in (self._printed, self.process.stderr):
            assert stream is not None
            stream.close()
