"""The console as a program sees it that knows what the page knows."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.harness.http_api import Answer
from tests.harness.http_socket import HttpSocket
from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.signing import App

PAGE = "X-Fizz-Console: 1"
"""The header without which nothing is changed or signed."""


class Console:
    """Asks as the page does; ``headers`` go with each request."""

    def __init__(self, server: FizzServer, *headers: str, host: str | None = None) -> None:
        self.server = server
        self.headers = headers
        self.host = host or f"127.0.0.1:{server.port}"

    def ask(self, method: str, path: str, *headers: str, body: bytes = b"") -> Answer:
        """Send one request below ``/console``."""
        lines = [
            f"{method} {self.server.prefix}/console{path} HTTP/1.1",
            f"Host: {self.host}",
            f"Content-Length: {len(body)}",
            *self.headers,
            *headers,
        ]
        with HttpSocket.open(self.server.address) as connection:
            return connection.ask("\r\n".join([*lines, "", ""]).encode() + body)

    def get(self, path: str) -> Any:
        """The JSON of a question, which has to be answered."""
        answer = self.ask("GET", f"/api/{path}")
        assert answer.status == 200, answer
        return answer.json

    def post(self, path: str, content: Mapping[str, object], *headers: str) -> Answer:
        """Have something done, as the page does."""
        return self.ask("POST", f"/api/{path}", PAGE, *headers, body=json.dumps(content).encode())

    @contextlib.contextmanager
    def watching(self, *channels: str) -> Iterator[PusherClient]:
        """A connection to the hidden application that is subscribed to some of its channels."""
        key = self.get("setup")["key"]
        with self.server.client(App(".console", key, "")) as client:
            for channel in channels:
                answer = self.post("auth", {"socket_id": client.socket_id, "channel": channel})
                assert answer.status == 200, answer
                client.request_subscription(channel, auth=answer.json["auth"])
                client.wait_for("pusher_internal:subscription_succeeded", channel)
            yield client
