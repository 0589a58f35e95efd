"""Environment variables into settings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fizz_gevent.application import Webhook
from fizz_gevent.errors import ConfigError
from fizz_gevent.kind import Many, Scalar, Setting, flatten
from fizz_gevent.layer import ANY, Layer, read_applications
from fizz_gevent.node import from_json, unknown
from fizz_gevent.schema import APPLICATION, LOGGING, ORIGINS, SERVER, SERVER_NAME, WEBHOOK

SERVER_VARIABLES = {
    "FIZZ_SERVER_HOST": "host",
    "FIZZ_SERVER_PORT": "port",
    "FIZZ_SERVER_PATH": "path",
    "FIZZ_HOSTNAME": "hostname",
    "FIZZ_WORKERS": "workers",
    "FIZZ_DRAIN_SECONDS": "drain_seconds",
    "FIZZ_MAX_REQUEST_SIZE": "max_request_size",
    "FIZZ_TRUSTED_PROXIES": "trusted_proxies",
    "FIZZ_TLS_CERT": "options.tls.cert",
    "FIZZ_TLS_KEY": "options.tls.key",
    "FIZZ_TLS_PASSPHRASE": "options.tls.passphrase",
    "FIZZ_MAX_CONNECTIONS": "max_connections",
    "FIZZ_RUN_DIRECTORY": "run_directory",
    "FIZZ_SCALING_ENABLED": "scaling.enabled",
    "FIZZ_SCALING_CHANNEL": "scaling.channel",
    "REDIS_URL": "scaling.server.url",
    "REDIS_HOST": "scaling.server.host",
    "REDIS_PORT": "scaling.server.port",
    "REDIS_USERNAME": "scaling.server.username",
    "REDIS_PASSWORD": "scaling.server.password",
    "REDIS_DB": "scaling.server.db",
    "FIZZ_METRICS_ENABLED": "metrics.enabled",
    "FIZZ_METRICS_HOST": "metrics.host",
    "FIZZ_METRICS_PORT": "metrics.port",
    "FIZZ_CONSOLE_ENABLED": "console.enabled",
    "FIZZ_CONSOLE_USERNAME": "console.username",
    "FIZZ_CONSOLE_PASSWORD": "console.password",
}
LOGGING_VARIABLES = {"FIZZ_LOG_LEVEL": "level", "FIZZ_LOG_FORMAT": "format"}
FILE_VARIABLES = {
    f"{name}_FILE": name for name in ("FIZZ_APP_SECRET", "REDIS_PASSWORD", "FIZZ_CONSOLE_PASSWORD")
}
CREDENTIALS = {"FIZZ_APP_ID": "app_id", "FIZZ_APP_KEY": "key", "FIZZ_APP_SECRET": "secret"}
APP_VARIABLES = {
    f"FIZZ_APP_{name.upper()}": name
    for name, kind in APPLICATION.items()
    if isinstance(kind, Scalar) and name not in CREDENTIALS.values()
}
CLIENT_VARIABLES = ("FIZZ_HOST", "FIZZ_PORT", "FIZZ_SCHEME")
"""Where applications send their messages; never where the server listens."""

KNOWN = frozenset(
    (
        *SERVER_VARIABLES,
        *LOGGING_VARIABLES,
        *FILE_VARIABLES,
        *CREDENTIALS,
        *APP_VARIABLES,
        *CLIENT_VARIABLES,
        *("FIZZ_SERVER", "PORT", "FIZZ_ALLOWED_ORIGINS", "FIZZ_APP_WEBHOOK_URL", "FIZZ_APPS"),
    )
)

# What Kubernetes gives to each container for a service that is called "fizz".
_SERVICE_LINK = re.compile(r"FIZZ_(SERVICE_(HOST|PORT)(_\w+)?|PORT_[0-9]+_(TCP|UDP)(_\w+)?)")


@dataclass(slots=True)
class Environment:
    """What the variables say.

    Attributes:
        layer: The settings proper.
        port: ``PORT``, weaker than a port of ``layer``.
        origins: ``FIZZ_ALLOWED_ORIGINS``.
        extras: The keys that ``FIZZ_APP_<KEY>`` sets, where the variables hold no credentials.
        notices: What the operator should be warned of.
    """

    layer: Layer = field(default_factory=Layer)
    port: Setting | None = None
    origins: Setting | None = None
    extras: dict[str, Setting] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


def read(environ: Mapping[str, str]) -> Environment:
    """Understand all variables that are Fizz's; an empty one is unset.

    Raises:
        ConfigError: A value is not of its kind, or two variables contradict each other.
    """
    result = Environment()
    values = {name: value for name, value in environ.items() if value.strip()}
    for name in sorted(values):
        if name.startswith("FIZZ_") and name not in KNOWN and not _SERVICE_LINK.fullmatch(name):
            result.notices.append(f"{unknown(name, _fizz_names(), what='variable')}; it is ignored")
    origins = {name: name for name in values}
    for name, target in FILE_VARIABLES.items():
        if name in values:
            if target in values:
                raise ConfigError(f"{target} is set too; which one holds?", where=name)
            values[target] = _content(values[name], name)
            origins[target] = name
    _forget_service_link(values, "REDIS_PORT", result)

    def put(variables: Mapping[str, str], kinds: Mapping[str, object], prefix: str) -> None:
        for name, path in variables.items():
            if name in values:
                kind = kinds[path]
                assert isinstance(kind, Scalar | Many)
                value = _read(kind, values[name], origins[name])
                result.layer.settings[prefix + path] = Setting(value, origins[name])

    put(SERVER_VARIABLES, flatten(SERVER), f"servers.{ANY}.")
    put(LOGGING_VARIABLES, flatten(LOGGING), "logging.")
    put({"FIZZ_SERVER": "default"}, {"default": SERVER_NAME}, "")
    if "PORT" in values:
        kind = SERVER["port"]
        assert isinstance(kind, Scalar)
        result.port = Setting(_read(kind, values["PORT"], "PORT"), "PORT")
    if "FIZZ_ALLOWED_ORIGINS" in values:
        name = "FIZZ_ALLOWED_ORIGINS"
        hosts = _read(ORIGINS, values[name], name)
        result.origins = Setting(hosts or ("*",), name)
    _read_applications(values, origins, result)
    return result


def _read(kind: Scalar | Many, value: str, origin: str) -> object:
    # what surrounds a secret may belong to it, anything else was a slip of the hand
    is_secret = isinstance(kind, Scalar) and kind.is_secret
    try:
        return kind.read_text(value if is_secret else value.strip(), origin)
    except ConfigError as error:
        if value.startswith("tcp://"):  # e.g. FIZZ_SERVER_PORT, of a service named fizz-server
            error = ConfigError(
                f"{error.message}; Kubernetes sets this for a service of that name: rename the"
                " service or set enableServiceLinks: false",
                where=origin,
            )
        raise error from None


def _forget_service_link(values: dict[str, str], name: str, result: Environment) -> None:
    """A container beside a service called "redis" is given its link in our variable."""
    if values.get(name, "").startswith("tcp://"):
        result.notices.append(f"{name} holds a link of Docker or Kubernetes; it is ignored")
        del values[name]


def _content(path: str, name: str) -> str:
    try:
        content = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", where=name) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text", where=name) from None
    value = content.rstrip("\r\n")
    if not value:
        raise ConfigError(f"{path} is empty", where=name)
    return value


def _read_applications(
    values: Mapping[str, str], origins: Mapping[str, str], result: Environment
) -> None:
    settings: dict[str, Setting] = {}
    for name, key in {**CREDENTIALS, **APP_VARIABLES}.items():
        if name in values:
            kind = APPLICATION[key]
            assert isinstance(kind, Scalar)
            settings[key] = Setting(_read(kind, values[name], origins[name]), origins[name])
    if "FIZZ_APP_WEBHOOK_URL" in values:
        name = "FIZZ_APP_WEBHOOK_URL"
        kind = WEBHOOK.fields["url"]
        assert isinstance(kind, Scalar)
        url = _read(kind, values[name], name)
        assert isinstance(url, str)
        settings["webhooks"] = Setting((Webhook(url),), name)
    if "FIZZ_APPS" in values:
        if settings:
            other = next(iter(settings.values())).origin
            raise ConfigError(f"{other} is set too; use one or the other", where="FIZZ_APPS")
        node = from_json(values["FIZZ_APPS"], "FIZZ_APPS")
        result.layer.applications = read_applications(node, "")
        return
    given = [name for name, key in CREDENTIALS.items() if key in settings]
    missing = [name for name in CREDENTIALS if name not in given]
    if not given:
        result.extras = settings
    elif missing:
        raise ConfigError(
            f"{' and '.join(missing)} missing; these three go together: {', '.join(CREDENTIALS)}",
            where=", ".join(given),
        )
    else:
        result.layer.applications = [settings]


def _fizz_names() -> list[str]:
    return [name for name in KNOWN if name.startswith("FIZZ_")]
