"""An application's back end: signed requests to the HTTP API. Protocol: §12."""

import http.client
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
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
_EXCERPT_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said.

    Attributes:
        content: Its JSON object.
        is_partial: Redis is away, so one node told what it knows by itself.
    """

    content: dict[str, Any]
    is_partial: bool = False


class BackEnd:
    """Speaks for one application.

    Args:
        now: Unix seconds, for the signatures.
    """

    def __init__(
        self,
        address: ServerAddress,
        application: Application,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._address = address
        self._application = application
        self._now = now

    def get(self, *segments: str, parameters: Iterable[tuple[str, str]] = ()) -> Answer:
        """Ask for what stands at this path below the application's.

        Raises:
            CommandError: The server cannot be reached, or refuses; the message is for a person.
        """
        return self._request("GET", segments, parameters, b"")

    def post(self, *segments: str, body: object) -> Answer:
        """Have the server do something; errors as with ``get``."""
        return self._request("POST", segments, (), orjson.dumps(body))

    def _request(
        self,
        method: str,
        segments: tuple[str, ...],
        parameters: Iterable[tuple[str, str]],
        body: bytes,
    ) -> Answer:
        application = self._application
        path = "/".join(
            ("/apps", *(quote(each, safe="") for each in (application.app_id, *segments)))
        )
        query = sign_request(
            method=method,
            path=path,
            key=application.key,
            secret=application.secret,
            timestamp=int(self._now()),
            body=body,
            parameters=parameters,
        )
        address = self._address
        headers = {"Host": address.host_header, "Accept": "application/json"}
        if body:
            headers["Content-Type"] = "application/json"
        connection = _Connection(address)
        try:
            connection.request(method, f"{address.prefix}{path}?{query}", body or None, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(address, _no_answer(error, address)) from None
        finally:
            connection.close()
        if response.status != 200:
            raise CommandError(
                f"{address.url}{path} answers {response.status}:"
                f" {plain(_words(content) or response.reason)}"
            )
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise CommandError(f"{address.url}{path} does not answer as Fizz does")
        return Answer(answer, is_partial=response.getheader("Fizz-Partial") == "1")


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket of ours."""

    def __init__(self, address: ServerAddress) -> None:
        super().__init__(address.name, address.port)
        self._address = address

    def connect(self) -> None:
        self.sock = open_socket(self._address)
        self.sock.settimeout(_ANSWER_TIMEOUT)


def _words(content: bytes) -> str:
    """What an error's body says: Fizz's own words, or the beginning of somebody else's."""
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        text = content.decode(errors="replace")
        return "" if text.lstrip().startswith("<") else text[:_EXCERPT_LENGTH]
    if isinstance(answer, dict) and isinstance(answer.get("error"), str):
        return str(answer["error"])
    return content.decode()[:_EXCERPT_LENGTH]


def _no_answer(error: Exception, address: ServerAddress) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_ANSWER_TIMEOUT:.0f} s"
    if isinstance(error, http.client.BadStatusLine) and not address.is_secure:
        return "no proper HTTP came back; does it want TLS there (FIZZ_SCHEME=https)?"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection broke in the middle of an answer"
    return f"the connection broke ({plain(str(error)) or type(error).__name__})"
