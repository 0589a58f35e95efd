"""Publishes event after event over a connection that is kept alive. Protocol: §12.3."""

import http.client
import socket
import time
from typing import Any
from urllib.parse import quote

import orjson

from fizz_gevent.application import Application
from fizz_gevent.client.address import ServerAddress
from fizz_gevent.client.connect import open_socket, unreachable
from fizz_gevent.client.table import plain
from fizz_gevent.errors import CommandError
from fizz_gevent.protocol.signatures import sign_request

_ANSWER_TIMEOUT = 30.0
_EXCERPT_LENGTH = 200


class Publisher:
    """One connection of a back end. ``BackEnd`` has one for each request, which costs more."""

    def __init__(self, address: ServerAddress, application: Application) -> None:
        self._address = address
        self._application = application
        self._path = f"/apps/{quote(application.app_id, safe='')}/events"
        self._connection = _Connection(address)

    def publish(self, channel: str, name: str, data: str) -> None:
        """Publish one event, and wait for the answer.

        Raises:
            CommandError: The server cannot be reached, or refuses.
        """
        body = orjson.dumps({"name": name, "channel": channel, "data": data})
        query = sign_request(
            method="POST",
            path=self._path,
            key=self._application.key,
            secret=self._application.secret,
            timestamp=int(time.time()),
            body=body,
        )
        address = self._address
        headers: dict[str, Any] = {
            "Host": address.host_header,
            "Content-Type": "application/json",
        }
        try:
            target = f"{address.prefix}{self._path}?{query}"
            self._connection.request("POST", target, body, headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            reason = f"the connection broke ({str(error) or type(error).__name__})"
            raise unreachable(address, reason) from None
        if response.status != 200:
            said = plain(content.decode(errors="replace")[:_EXCERPT_LENGTH])
            raise CommandError(f"{address.url}{self._path} answers {response.status}: {said}")

    def close(self) -> None:
        self._connection.close()


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket of ours, opened again when the server has closed it."""

    sock: socket.socket | None

    def __init__(self, address: ServerAddress) -> None:
        super().__init__(address.name, address.port)
        self._address = address

    def connect(self) -> None:
        self.sock = open_socket(self._address)
        self.sock.settimeout(_ANSWER_TIMEOUT)
