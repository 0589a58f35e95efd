"""Makes the requests: one try each, within a time limit, without following anybody anywhere."""

import logging
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import gevent
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import make_headers

from fizz_gevent.webhooks import addresses

TRY_SECONDS = 10.0
_POOLS = 32
_KEPT_PER_POOL = 16
_READ_BYTES = 65536
"""Of an answer; what a receiver says beyond this costs it the connection."""

# What goes wrong with a receiver is said by the sender, once, and not by the library each time.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class NotReached(Exception):
    """There was no answer; says why."""


class HttpClient(Protocol):
    """Makes one try of a request."""

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool
    ) -> int:
        """The status of the answer. Yields.

        Raises:
            NotReached: There was none.
        """


class PooledClient:
    """Keeps connections to receivers open between requests.

    Args:
        seconds: From the look-up of the name to the status line of the answer.
    """

    def __init__(self, seconds: float = TRY_SECONDS) -> None:
        self._seconds = seconds
        # Connections made under one rule are never used under the other.
        self._pools = {
            False: _manager(_PublicPool, _PublicTlsPool),
            True: _manager(_AnyPool, _AnyTlsPool),
        }

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool
    ) -> int:
        """The status of the answer, a redirect too. Yields.

        Raises:
            NotReached: There was none in time.
        """
        limit = gevent.Timeout(self._seconds)
        try:
            with limit:
                response = self._pools[allow_private].urlopen(
                    "POST",
                    url,
                    body=body,
                    headers=_with_credentials(url, headers),
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    timeout=self._seconds,
                )
                status = response.status
        except gevent.Timeout as timeout:
            if timeout is not limit:
                raise
            raise NotReached(f"no answer within {self._seconds:g} s") from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise NotReached(_told(error)) from None
        self._finish(response)
        return status

    def _finish(self, response: urllib3.BaseHTTPResponse) -> None:
        """Read the answer's body, so that the connection can be used again, if that is quick."""
        limit = gevent.Timeout(self._seconds)
        is_done = False
        try:
            with limit:
                is_done = len(response.read(_READ_BYTES + 1)) <= _READ_BYTES
        except gevent.Timeout as timeout:
            if timeout is not limit:
                raise
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            pass  # it has taken the webhook, as its status said
        if not is_done:
            response.close()
        response.release_conn()


def _manager(pool: type[HTTPConnectionPool], tls: type[HTTPSConnectionPool]) -> urllib3.PoolManager:
    manager = urllib3.PoolManager(num_pools=_POOLS, maxsize=_KEPT_PER_POOL)
    manager.pool_classes_by_scheme = {"http": pool, "https": tls}
    return manager


def _with_credentials(url: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers, with those of a name and password that stand in the address."""
    parts = urlsplit(url)
    if parts.username is None or any(name.lower() == "authorization" for name in headers):
        return dict(headers)
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {**make_headers(basic_auth=pair), **headers}


def _told(error: BaseException) -> str:
    """What to tell an operator: the innermost reason, on one line."""
    while True:
        inner = next((each for each in error.args if isinstance(each, BaseException)), None)
        inner = inner or error.__cause__
        if inner is None:
            break
        error = inner
    return " ".join(f"{error}".split())[:300] or type(error).__name__


class _AnyConnection(HTTPConnection):
    def _new_conn(self) -> Any:
        return _connect(self, allow_private=True)


class _AnyTlsConnection(HTTPSConnection):
    def _new_conn(self) -> Any:
        return _connect(self, allow_private=True)


class _PublicConnection(HTTPConnection):
    def _new_conn(self) -> Any:
        return _connect(self, allow_private=False)


class _PublicTlsConnection(HTTPSConnection):
    def _new_conn(self) -> Any:
        return _connect(self, allow_private=False)


def _connect(connection: HTTPConnection, *, allow_private: bool) -> Any:
    """Connect to what the name stands for now; TLS checks the certificate for the name itself.

    Raises:
        NewConnectionError: As the library wants it: a plain reset it would pass over, and then
            read from a connection that is none.
    """
    seconds = connection.timeout
    try:
        return addresses.connect(
            connection.host.strip("[]"),
            connection.port,
            seconds=seconds if isinstance(seconds, (int, float)) else TRY_SECONDS,
            allow_private=allow_private,
            options=connection.socket_options or (),
        )
    except OSError as error:
        raise urllib3.exceptions.NewConnectionError(connection, str(error)) from error


class _AnyPool(HTTPConnectionPool):
    ConnectionCls = _AnyConnection


class _AnyTlsPool(HTTPSConnectionPool):
    ConnectionCls = _AnyTlsConnection


class _PublicPool(HTTPConnectionPool):
    ConnectionCls = _PublicConnection


class _PublicTlsPool(HTTPSConnectionPool):
    ConnectionCls = _PublicTlsConnection
