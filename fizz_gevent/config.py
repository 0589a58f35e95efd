"""What the server was told, as frozen values: one :class:`Config`, made once, read by every room.

The field names are the keys of ``etc/fizz.yaml`` (``options.tls`` is :attr:`ServerConfig.tls`) and
the defaults are its values, which a test proves. Times are seconds, sizes bytes, and ``None`` is
YAML's ``null``. How a value got here is the business of :mod:`fizz_gevent.config_file`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from fizz_gevent.application import Application

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """The certificate to serve with; plain sockets where :attr:`cert` is None."""

    cert: str | None = None
    key: str | None = None
    passphrase: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RedisConfig:
    """Where Redis is; :attr:`url` wins over the rest."""

    url: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    port: int = 6379
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    tls_verify: bool = True
    tls_ca: str | None = None


@dataclass(frozen=True, slots=True)
class ScalingConfig:
    """Several servers as one, over Redis."""

    enabled: bool = False
    channel: str = "fizz"
    lease_seconds: float = 10
    queue_size: int = 67108864
    replay_size: int = 10000
    server: RedisConfig = field(default_factory=RedisConfig)


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """The listener for ``/metrics`` and ``/usage``."""

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = 9601


@dataclass(frozen=True, slots=True)
class ConsoleConfig:
    """The operators' page; without a password it answers direct loopback requests only."""

    enabled: bool = True
    username: str = "fizz"
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """One entry of ``servers``: where to listen and how much to bear.

    Attributes:
        host: An address, a name, or ``unix:/path``; an IPv6 address without brackets.
        path: ``""``, or a prefix such as ``/fizz``: a leading slash, none at the end.
        workers: A number; ``auto`` has become the number of cores.
        run_directory: An existing or makeable directory; ``load`` replaces None by the best one.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    path: str = ""
    hostname: str | None = None
    workers: int = 1
    max_connections: int | None = None
    max_connections_per_address: int | None = None
    max_request_size: int = 1048576
    max_outbox_size: int = 1048576
    request_head_timeout: float = 10
    request_body_timeout: float = 30
    keep_alive_timeout: float = 75
    tls_handshake_timeout: float = 10
    close_timeout: float = 5
    run_directory: str | None = None
    drain_seconds: float = 20
    trusted_proxies: tuple[Network, ...] = ()
    tls: TlsConfig = field(default_factory=TlsConfig)
    scaling: ScalingConfig = field(default_factory=ScalingConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    console: ConsoleConfig = field(default_factory=ConsoleConfig)

    @property
    def socket_path(self) -> str | None:
        """The path of the Unix socket to listen on; None where :attr:`host` is an address."""
        return self.host.removeprefix("unix:") if self.host.startswith("unix:") else None


@dataclass(frozen=True, slots=True)
class LoggingConfig:
    """What is logged (``debug``, ``info``, ``warning``, ``error``), as ``text`` or ``json``."""

    level: str = "info"
    format: str = "text"


@dataclass(frozen=True, slots=True)
class Config:
    """Everything, for the one server that runs.

    Attributes:
        name: Which of ``servers`` this is.
        provider: Where applications are kept: ``config`` or ``redis``.
        origins: Key path (``servers.fizz.port``) to where its value was found; a key that is
            missing here has its default.
        notices: What the operator should be warned of once, a line each.
        is_made_up: Nobody configured an application, so one with random credentials is here.
        seed: Random; the same in all workers of a server, as it is handed down with the rest.
    """

    server: ServerConfig = field(default_factory=ServerConfig)
    logging: LoggingConfig = field(default_factory=LoggingConfig)
    provider: str = "config"
    applications: tuple[Application, ...] = ()
    name: str = "fizz"
    origins: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    notices: tuple[str, ...] = field(default=(), repr=False, compare=False)
    is_made_up: bool = False
    seed: bytes = field(default_factory=lambda: os.urandom(32), repr=False, compare=False)
