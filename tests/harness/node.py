"""JavaScript programs that use the official clients, one JSON value per line each way."""

import json
import os
import queue
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.harness.programs import NODE_MODULES, TESTS

SCRIPTS = TESTS / "integration" / "js"
WITHIN = 15.0


class NodeScript:
    """A running script of ``tests/integration/js``.

    What it prints is read as one JSON value per line, in order; what it gets comes the same way
    on its standard input. ``require`` finds the packages of ``tests/package.json``; laravel-echo
    is an ES module only: ``const { default: Echo } = await import("laravel-echo")``.

    Args:
        script: The name of the file, or its path.
        arguments: Handed over as strings.
        environ: Further variables.
    """

    def __init__(
        self, script: str | Path, *arguments: str | int, environ: Mapping[str, str] | None = None
    ) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._errors: list[str] = []
        self.process = subprocess.Popen(
            ["node", str(SCRIPTS / script), *map(str, arguments)],
            env={**os.environ, "NODE_PATH": str(NODE_MODULES), **(environ or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._readers = [
            threading.Thread(target=self._read_output, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read_output(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self._errors.extend(self.process.stderr)

    @property
    def stderr(self) -> str:
        return "".join(self._errors)

    def receive(self, *, within: float = WITHIN) -> Any:
        """Return the next value it prints."""
        try:
            line = self._lines.get(timeout=within)
        except queue.Empty:
            raise AssertionError(f"node said nothing for {within} s\n{self.stderr}") from None
        if line is None:
            self.process.wait(within)
            self._readers[1].join(within)
            raise AssertionError(f"node ended with {self.process.returncode}\n{self.stderr}")
        return json.loads(line)

    def wait_for(self, *, within: float = WITHIN, **wanted: Any) -> Any:
        """Skip to the next object that has these keys with these values; return it."""
        while True:
            value = self.receive(within=within)
            if isinstance(value, dict) and wanted.items() <= value.items():
                return value

    def send(self, value: Any) -> None:
        """Write one value to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()

    def finish(self, *, within: float = WITHIN) -> list[Any]:
        """Close its input, wait for its end, assert exit 0; return what it still printed."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        code = self.process.wait(within)
        rest = []
        while (line := self._lines.get(timeout=within)) is not None:
            rest.append(json.loads(line))
        self._readers[1].join(within)
        assert code == 0, f"node ended with {code}\n{self.stderr}"
        return rest

    def kill(self) -> None:
        """End it if it still runs, and let go of its pipes."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join(WITHIN)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None and not pipe.closed:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
