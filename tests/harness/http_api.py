"""A client of the HTTP API whose every byte a test can decide."""

import http.client
import json
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.harness.signing import App, compact
from tests.harness.websocket import WITHIN, Address, open_socket


@dataclass(frozen=True)
class Answer:
    """A response, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class _Connection(http.client.HTTPConnection):
    """``http.client`` over whatever the server listens on."""

    def __init__(self, address: Address, tls: ssl.SSLContext | None) -> None:
        host, port = ("localhost", 80) if isinstance(address, str) else address
        super().__init__(host, port, timeout=WITHIN)
        self._address = address
        self._tls = tls

    def connect(self) -> None:
        self.sock: socket.socket = open_socket(self._address, tls=self._tls)


class HttpApi:
    """One application's back end. Each request has a connection of its own, unless told."""

    def __init__(
        self,
        address: Address,
        app: App,
        *,
        prefix: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.address = address
        self.app = app
        self.prefix = prefix
        self.tls = tls
        self.base = f"/apps/{app.app_id}"

    def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        query: str | None = None,
        timestamp: int | None = None,
        headers: Mapping[str, str] | None = None,
        connection: http.client.HTTPConnection | None = None,
    ) -> Answer:
        """Send one request and return the answer.

        Args:
            path: The whole path behind the prefix, such as ``/apps/1001/events``.
            query: Sent in place of the signed one; ``""`` sends none.
            connection: A kept-alive one, from ``connection()``.
        """
        if query is None:
            query = self.app.signed_query(method, path, params, body, timestamp=timestamp)
        target = f"{self.prefix}{path}" + (f"?{query}" if query else "")
        fields = {"Content-Type": "application/json"} if body else {}
        own = connection or self.connection()
        try:
            own.request(method, target, body or None, {**fields, **(headers or {})})
            response = own.getresponse()
            answer = response.read()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, answer)
        finally:
            if connection is None:
                own.close()

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection to keep alive; the caller closes it."""
        return _Connection(self.address, self.tls)

    def get(self, path: str, **params: str) -> Answer:
        """``GET`` something of this application: ``get("/channels", info="user_count")``."""
        return self.request("GET", self.base + path, params)

    def post(self, path: str, body: Any) -> Answer:
        """``POST`` to this application: bytes as they are, any other value as JSON."""
        data = body if isinstance(body, bytes) else compact(body).encode()
        return self.request("POST", self.base + path, body=data)

    def trigger(
        self, channels: str | Sequence[str], name: str, data: Any = "{}", **others: Any
    ) -> Any:
        """Publish one event as an SDK does, demand 200, return the answer's JSON.

        Args:
            data: A string goes as it is; anything else becomes a string of JSON.
            others: ``socket_id``, ``info``.
        """
        names = [channels] if isinstance(channels, str) else list(channels)
        text = data if isinstance(data, str) else compact(data)
        answer = self.post("/events", {"name": name, "channels": names, "data": text, **others})
        assert answer.status == 200, answer
        return answer.json
