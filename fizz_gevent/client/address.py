"""Where the running server is: where variables say, or else where it was configured to listen."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from fizz_gevent.config import Config
from fizz_gevent.errors import ConfigError

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """How to reach a server.

    Attributes:
        scheme: ``http`` or ``https``.
        host: An address or a name, an IPv6 address without brackets; ``unix:/path`` for a socket.
        port: Of no meaning for a Unix socket.
        prefix: What stands in front of every path: ``""``, or such as ``/fizz``.
        name: The host name that a certificate has to be valid for.
        certificate: The file of the certificate that the server is configured to show; that very
            one is trusted whoever signed it.
        origin: How this address was found, for whoever cannot reach it.
    """

    scheme: str
    host: str
    port: int
    prefix: str
    name: str
    certificate: str | None
    origin: str

    @property
    def is_secure(self) -> bool:
        """Tell whether the server speaks TLS there."""
        return self.scheme == "https"

    @property
    def socket_path(self) -> str | None:
        """The path of the Unix socket; None where there is a host and a port."""
        return self.host.removeprefix("unix:") if self.host.startswith("unix:") else None

    @property
    def host_header(self) -> str:
        """What an HTTP request names as its host."""
        if self.socket_path is not None:
            return _bracketed(self.name)
        host = _bracketed(self.host)
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address for people."""
        if self.socket_path is not None:
            return f"{self.scheme} on {self.host}{self.prefix}"
        return f"{self.scheme}://{_bracketed(self.host)}:{self.port}{self.prefix}"


def locate(config: Config, environ: Mapping[str, str]) -> ServerAddress:
    """Find out where commands shall send what they have to say.

    ``FIZZ_HOST``, ``FIZZ_PORT`` and ``FIZZ_SCHEME`` each replace their part of what is configured;
    a host and a scheme without a port mean the usual port of the scheme.

    Raises:
        ConfigError: A variable makes no sense, or the configuration leaves the port to the system.
    """
    server = config.server
    values = {name: environ.get(name, "").strip() for name in ("FIZZ_HOST", "FIZZ_PORT")}
    if values["FIZZ_PORT"].startswith("tcp://"):  # the link of a Kubernetes service called "fizz"
        values["FIZZ_PORT"] = ""
    told_scheme = environ.get("FIZZ_SCHEME", "").strip()
    scheme = "http" if server.tls.cert is None else "https"
    if told_scheme:
        scheme = _scheme(told_scheme)
    origins: dict[str, str] = {}

    if values["FIZZ_HOST"]:
        host = _host(values["FIZZ_HOST"])
        origins["host"] = "FIZZ_HOST"
    elif server.socket_path is not None and values["FIZZ_PORT"]:
        host = "127.0.0.1"
        origins["host"] = "loopback, as FIZZ_PORT is set"
    else:
        host = _LOOPBACK.get(server.host, server.host)
        origins["host"] = _origin(config, "host")

    port = server.port
    if host.startswith("unix:"):
        pass
    elif values["FIZZ_PORT"]:
        port = _port(values["FIZZ_PORT"])
        origins["port"] = "FIZZ_PORT"
    elif told_scheme and values["FIZZ_HOST"]:
        port = _DEFAULT_PORTS[scheme]
        origins["port"] = "usual for FIZZ_SCHEME"
    else:
        origins["port"] = _origin(config, "port")
        if not port:
            raise ConfigError(
                "it is 0, so the system chose one that is not known here; set FIZZ_PORT",
                where=origins["port"],
                key=f"servers.{config.name}.port",
            )
    if told_scheme:
        origins["scheme"] = "FIZZ_SCHEME"

    is_told = bool(values["FIZZ_HOST"]) and not host.startswith("unix:")
    return ServerAddress(
        scheme=scheme,
        host=host,
        port=port,
        prefix=server.path,
        name=host if is_told else server.hostname or _name(host),
        certificate=server.tls.cert,
        origin=", ".join(f"{part}: {origin}" for part, origin in origins.items()),
    )


def _origin(config: Config, key: str) -> str:
    return config.origins.get(f"servers.{config.name}.{key}", "default")


def _name(host: str) -> str:
    return "localhost" if host.startswith("unix:") else host


def _scheme(value: str) -> str:
    try:
        return _SCHEMES[value.lower()]
    except KeyError:
        raise ConfigError(f"expected http or https, not {value!r}", where="FIZZ_SCHEME") from None


def _port(value: str) -> int:
    if value.isascii() and value.isdigit() and 0 < int(value[:9]) < 65536:
        return int(value)
    raise ConfigError(f"expected a port, 1 to 65535, not {value!r}", where="FIZZ_PORT")


def _host(value: str) -> str:
    if value.startswith("unix:/"):
        return value
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    try:
        ip_address(bare)
    except ValueError:
        if any(not (letter.isalnum() or letter in ".-_") for letter in value):
            raise ConfigError(
                f"expected a name or an address alone, without scheme, port or path, not {value!r}",
                where="FIZZ_HOST",
            ) from None
    return _LOOPBACK.get(bare, bare)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
