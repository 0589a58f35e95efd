"""Official JavaScript packages that do what a test tells them, line by line."""

import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from tests.harness.node import WITHIN, NodeScript
from tests.harness.server import FizzServer
from tests.harness.signing import App

Run = Callable[..., NodeScript]
"""The ``node`` fixture."""


class CommandFailed(Exception):
    """The package has thrown; where a response was the reason, with its status and body."""

    def __init__(self, message: str, status: int | None, body: str | None) -> None:
        super().__init__(f"{message} {status} {body}")
        self.status = status
        self.body = body


class Scripted:
    """A script of ``tests/integration/js`` that obeys commands, connected to a server on loopback.

    What it tells meanwhile is kept, in order, until a test asks for it.
    """

    def __init__(
        self,
        run: Run,
        script: str,
        server: FizzServer,
        app: App | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        app = app or server.app
        where: Mapping[str, Any] = {
            "app_id": app.app_id,
            "key": app.key,
            "secret": app.secret,
            "host": "127.0.0.1",
            "port": server.port,
        }
        self.node = run(script, json.dumps({**where, **settings}), environ=environ or {})
        self._told: deque[dict[str, Any]] = deque()

    def do(self, command: str, *arguments: Any) -> Any:
        """Have one command carried out; return its answer.

        Raises:
            CommandFailed: It threw.
        """
        self.node.send([command, *arguments])
        while True:
            value = self.node.receive()
            if value.get("done") != command:
                self._told.append(value)
            elif "failed" in value:
                raise CommandFailed(value["failed"], value.get("status"), value.get("body"))
            else:
                return value["answer"]

    def told(self, *, within: float = WITHIN) -> dict[str, Any]:
        """Return the next thing that it told on its own."""
        if self._told:
            return self._told.popleft()
        value: dict[str, Any] = self.node.receive(within=within)
        return value

    def wait_for(self, *, within: float = WITHIN, **wanted: Any) -> dict[str, Any]:
        """Skip to the next thing told that has these keys with these values."""
        while True:
            value = self.told(within=within)
            if wanted.items() <= value.items():
                return value

    def all_told(self) -> list[dict[str, Any]]:
        """Return everything told up to now, what the server has sent already included."""
        self.do("settle")
        values = list(self._told)
        self._told.clear()
        return values

    def finish(self) -> None:
        """Let it end by itself; assert that it ends well."""
        self.node.finish()
