"""How to reach Redis: addresses, credentials, TLS, Sentinel; and what no further try will mend."""

import ssl
import sys
from typing import Any
from urllib.parse import unquote, urlsplit

from redis.backoff import NoBackoff
from redis.connection import (
    Connection,
    ConnectionInterface,
    ConnectionPool,
    SSLConnection,
)
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry
from redis.sentinel import Sentinel

from fizz_gevent.config import RedisConfig, ScalingConfig
from fizz_gevent.errors import ConfigError

_OLDEST = (6, 2)
_SENTINEL_SCHEMES = ("redis+sentinel", "rediss+sentinel")
_SENTINEL_PORT = 26379

LOST = (RedisError, OSError)
"""What a connection raises when the other side is gone, silent or confused."""


class RedisLink:
    """Makes connections to the one Redis that the nodes share.

    Each is made anew by name: after a failover Sentinel names another master.

    Attributes:
        prefix: Stands before every key and channel.
    """

    def __init__(self, config: ScalingConfig) -> None:
        self.prefix = config.channel
        self._server = config.server
        # Beyond this an answer is taken for lost. Heartbeats must fit in a lease several times.
        self._timeout = max(0.5, min(2.0, config.lease_seconds / 5))
        self._sentinel: tuple[list[tuple[str, int]], str, dict[str, Any]] | None = None
        self._pool: ConnectionPool | None = None
        self._prepare()

    def connect(self) -> ConnectionInterface:
        """A new connection, authenticated, with an answer time limit. Yields.

        Raises:
            RedisError, OSError: Redis cannot be reached now, or refuses.
        """
        if self._sentinel is None:
            assert self._pool is not None
            connection = self._pool.make_connection()
        else:
            hosts, service, settings = self._sentinel
            sentinel = Sentinel(
                hosts,
                sentinel_kwargs={
                    "socket_timeout": self._timeout,
                    "socket_connect_timeout": self._timeout,
                    "retry": Retry(NoBackoff(), 0),  # the next one is asked instead
                },
            )
            try:
                host, port = sentinel.discover_master(service)
            finally:
                for each in sentinel.sentinels:
                    each.close()
            kind = SSLConnection if "ssl_cert_reqs" in settings else Connection
            connection = kind(host=host, port=port, **settings)
        connection.connect()
        return connection

    def check(self) -> None:
        """Find out at start what would never work; a Redis that is merely away is no error. Yields.

        Raises:
            ConfigError: A wrong password or certificate, a Redis that is too old, Redis Cluster.
        """
        try:
            connection = self.connect()
        except (AuthenticationError, AuthorizationError, NoPermissionError) as error:
            raise self._error(f"Redis refuses the credentials: {error}") from None
        except ResponseError as error:
            raise self._error(f"Redis refuses: {error}") from None
        except LOST as error:
            if _is_certificate_error(error):
                raise self._error(f"the certificate of Redis is not accepted: {error}") from None
            return
        try:
            self._check_kind(connection)
        except AuthenticationError as error:
            raise self._error(f"Redis asks for credentials: {error}") from None
        except LOST:
            return
        finally:
            connection.disconnect()

    def _check_kind(self, connection: ConnectionInterface) -> None:
        connection.send_command("INFO", "server")
        server = _info(connection.read_response(disable_decoding=True))
        version = server.get("redis_version", "")
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
        if numbers and numbers < _OLDEST:
            raise self._error(f"Redis {version} is too old; 6.2 is the oldest that works")
        connection.send_command("INFO", "cluster")
        if _info(connection.read_response(disable_decoding=True)).get("cluster_enabled") == "1":
            raise self._error(
                "this is a Redis Cluster, which is not supported; name a single Redis, or a"
                " master through redis+sentinel://"
            )

    def _prepare(self) -> None:
        server = self._server
        settings: dict[str, Any] = {
            "protocol": 2,
            "socket_timeout": self._timeout,
            "socket_connect_timeout": self._timeout,
            "socket_keepalive": True,
            # A hidden reconnect would lose what was published meanwhile without a word.
            "retry": Retry(NoBackoff(), 0),
            "health_check_interval": 0,
        }
        url = server.url
        if url is None:
            settings |= {
                "host": server.host,
                "port": server.port,
                "username": server.username,
                "password": server.password,
                "db": server.db,
            }
            self._pool = _pool_without_end(ConnectionPool(**settings))
            return
        scheme = url.partition("://")[0]
        if scheme in _SENTINEL_SCHEMES:
            self._sentinel = _parse_sentinel(url, settings, self._error)
            if scheme.startswith("rediss"):
                self._sentinel[2].update(_tls_settings(server))
            return
        if scheme == "rediss":
            settings |= _tls_settings(server)
        if scheme == "unix":
            del settings["socket_keepalive"], settings["socket_connect_timeout"]
        try:
            path = urlsplit(url).path.strip("/")
            if scheme != "unix" and path and not path.isdigit():
                # Passed over else. Not shown: behind a stray slash it may be half a password.
                raise self._error("not a Redis URL: the database is a number")
            self._pool = _pool_without_end(ConnectionPool.from_url(url, **settings))
            self._pool.make_connection()  # says no to parameters that it does not know
        except (ValueError, TypeError, RedisError) as error:
            # What else is said about values quotes the URL, and with it the password.
            is_plain = type(error) is not ValueError or str(error).startswith("Invalid value for")
            told = error if is_plain else "check the port, and escape what is odd in the password"
            raise self._error(f"not a Redis URL: {told}") from None

    def _error(self, message: str) -> ConfigError:
        key = "scaling.server" if self._server.url is None else "scaling.server.url"
        return ConfigError(message, key=key)


def _pool_without_end(pool: ConnectionPool) -> ConnectionPool:
    """A pool that has made many connections makes more; it counts all, and those that failed."""
    pool.max_connections = sys.maxsize
    return pool


def _tls_settings(server: RedisConfig) -> dict[str, Any]:
    return {
        "ssl_cert_reqs": "required" if server.tls_verify else "none",
        "ssl_check_hostname": server.tls_verify,
        "ssl_ca_certs": server.tls_ca,
    }


def _parse_sentinel(
    url: str, settings: dict[str, Any], error: Any
) -> tuple[list[tuple[str, int]], str, dict[str, Any]]:
    """Take ``redis+sentinel://[user:password@]host:port[,host:port...]/SERVICE/DB`` apart."""
    expected = "expected redis+sentinel://[user:password@]host:port[,host:port...]/SERVICE/DB"
    location, _, path = url.partition("://")[2].partition("/")
    credentials, at, names = location.rpartition("@")
    service, _, db = path.partition("?")[0].partition("/")
    if not names or not service or (db and not db.isdigit()):
        raise error(expected)
    hosts = []
    for name in names.split(","):
        try:
            parts = urlsplit(f"//{name}")
            hosts.append((parts.hostname or "", parts.port or _SENTINEL_PORT))
        except ValueError:
            raise error(expected) from None
    settings = settings | {"db": int(db or 0)}
    if at:
        user, _, password = credentials.partition(":")
        settings |= {"username": unquote(user) or None, "password": unquote(password) or None}
    return hosts, unquote(service), settings


def _is_certificate_error(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return True
        if "CERTIFICATE_VERIFY_FAILED" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _info(answer: Any) -> dict[str, str]:
    text = answer.decode() if isinstance(answer, bytes) else str(answer)
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name: value for name, _, value in pairs}
