"""Settings from all sources into one :class:`Config`.

Strongest first: command-line options, the file named by ``--config``, environment variables, the
first file found of :data:`SEARCH`, the built-in defaults. Files are read whole and checked whole,
whether or not a stronger source has the last word.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar, cast

from fizz_gevent import environment, yaml_file
from fizz_gevent.config import (
    Config,
    ConsoleConfig,
    LoggingConfig,
    MetricsConfig,
    RedisConfig,
    ScalingConfig,
    ServerConfig,
    TlsConfig,
)
from fizz_gevent.credentials import MADE_UP
from fizz_gevent.environment import Environment
from fizz_gevent.errors import ConfigError
from fizz_gevent.kind import Scalar, Setting
from fizz_gevent.layer import ANY, Layer, application, from_node
from fizz_gevent.schema import LOGGING, SERVER, SERVER_NAME

SEARCH = (
    "fizz.yaml",
    "fizz.yml",
    "etc/fizz.yaml",
    "etc/fizz.yml",
    "/etc/fizz/fizz.yaml",
    "/etc/fizz/fizz.yml",
)
OPTIONS = ("host", "port", "path", "hostname", "workers")
"""Options that set the key of the same name; ``server`` sets ``default``."""

Credentials = tuple[str, str, str]
T = TypeVar("T")


def load(
    path: str | None,
    environ: Mapping[str, str],
    options: Mapping[str, object],
    *,
    search: Sequence[str] = SEARCH,
    make_up: Callable[[], Credentials] | None = None,
) -> Config:
    """Find out what the server shall do.

    Args:
        path: The file that ``--config`` names.
        environ: The environment; nobody reads ``os.environ`` later.
        options: Command-line options without their dashes; a value of None was not given.
        search: The files to look for, in this order.
        make_up: Invents id, key and secret where no source has an application; without it there
            are none then.

    Raises:
        ConfigError: Something in any of the sources is not understood.
    """
    named = from_node(yaml_file.read(path)) if path is not None else None
    found = _find(search, except_for=path)
    variables = environment.read(environ)
    layers = [
        layer for layer in (_options(options), named, variables.layer, found) if layer is not None
    ]
    name = _choose_server(layers)
    settings = _merge(layers, name)
    _take_port(settings, layers, variables, name)
    origins = {key: setting.origin for key, setting in settings.items()}

    server = _server(settings, f"servers.{name}.")
    if server.run_directory is None:
        server = replace(server, run_directory=_run_directory(environ))
    located = _locate_certificate(server, environ)
    if located is not None:
        server = replace(server, tls=located)
        origins |= {
            f"servers.{name}.options.tls.{key}": f"found for hostname {server.hostname}"
            for key in ("cert", "key")
        }
    provider = str(_section(settings, "apps.", ["provider"]).get("provider", "config"))
    notices = list(variables.notices)
    applications, own_origins = _choose_applications(named, found, variables, notices)
    if provider != "config" and found is not None and applications is found.applications:
        origin = found.settings.get("apps.provider")
        if settings["apps.provider"] is not origin:  # a sample that was found does not count then
            applications = []
    is_made_up = not applications and make_up is not None and provider == "config"
    if is_made_up and make_up is not None:
        applications = [_made_up(make_up(), variables.extras)]
        if server.scaling.enabled:
            key = f"servers.{name}.scaling.enabled"
            raise ConfigError(
                "no application is configured; with scaling every server needs the same ones",
                where=origins[key],
                key=key,
            )
    elif variables.extras:
        extra = next(iter(variables.extras.values())).origin
        notices.append(f"{extra} has no effect without {', '.join(environment.CREDENTIALS)}")
    if variables.origins is not None:
        if provider != "config":
            notices.append(f"{variables.origins.origin} has no effect on applications in Redis")
        for item in applications:
            if not own_origins or "allowed_origins" not in item:
                item["allowed_origins"] = variables.origins
    for index, item in enumerate(applications):
        origins |= {f"apps.apps[{index}].{key}": value.origin for key, value in item.items()}
    return Config(
        server=server,
        logging=LoggingConfig(**_section(settings, "logging.", LOGGING)),
        provider=provider,
        applications=tuple(application(item) for item in applications),
        name=name,
        origins=origins,
        notices=tuple(notices),
        is_made_up=is_made_up,
    )


def _find(search: Sequence[str], *, except_for: str | None) -> Layer | None:
    """The first of the files that exists; nothing where that is the named one."""
    for path in search:
        if os.path.lexists(path):
            root = yaml_file.read(path)
            is_named = except_for is not None and os.path.samefile(path, except_for)
            return None if is_named else from_node(root)
    return None


def _options(options: Mapping[str, object]) -> Layer:
    layer = Layer()
    kinds: dict[str, tuple[str, object]] = {
        name: (f"servers.{ANY}.{name}", SERVER[name]) for name in OPTIONS
    }
    kinds["server"] = ("default", SERVER_NAME)
    for name, value in options.items():
        if value is not None:
            key, kind = kinds[name]
            assert isinstance(kind, Scalar)
            origin = f"--{name}"
            layer.settings[key] = Setting(kind.read_text(str(value), origin), origin)
    return layer


def _choose_server(layers: Sequence[Layer]) -> str:
    setting = next(
        (layer.settings["default"] for layer in layers if "default" in layer.settings), None
    )
    name: str = setting.value if setting is not None else "fizz"
    servers = next((layer.servers for layer in layers if layer.servers), None)
    if servers is not None and name not in servers:
        raise ConfigError(
            f"no server {name!r} under servers; there is {', '.join(map(repr, servers))}",
            where=setting.origin if setting else None,
            key="default",
        )
    return name


def _merge(layers: Sequence[Layer], name: str) -> dict[str, Setting]:
    """The strongest setting for each key of the server that runs and of what is not of a server."""
    merged: dict[str, Setting] = {}
    for layer in reversed(layers):
        for key, setting in layer.settings.items():
            section, _, rest = key.partition(".")
            if section == "servers":
                owner, _, rest = rest.partition(".")
                if owner not in (name, ANY):
                    continue
                key = f"servers.{name}.{rest}"
            merged[key] = setting
    return merged


def _take_port(
    settings: dict[str, Setting], layers: Sequence[Layer], variables: Environment, name: str
) -> None:
    """Let ``PORT`` set the port, and open the host where nothing as strong as it names one.

    Platforms that set ``PORT`` expect a server that the network can reach, whatever a sample
    file in the working directory says.
    """
    if variables.port is None:
        return
    stronger = layers[: layers.index(variables.layer) + 1]

    def is_set(key: str) -> bool:
        paths = (f"servers.{name}.{key}", f"servers.{ANY}.{key}")
        return any(path in layer.settings for layer in stronger for path in paths)

    if not is_set("port"):
        settings[f"servers.{name}.port"] = variables.port
        if not is_set("host"):
            settings[f"servers.{name}.host"] = Setting("0.0.0.0", variables.port.origin)


def _choose_applications(
    named: Layer | None, found: Layer | None, variables: Environment, notices: list[str]
) -> tuple[list[dict[str, Setting]], bool]:
    """The applications of the strongest source that has any.

    Returns:
        Them, and whether origins they set themselves are stronger than ``FIZZ_ALLOWED_ORIGINS``.
    """
    told = variables.layer.applications
    if named is not None and named.applications is not None:
        if told:
            origin = next(iter(told[0].values())).origin
            notices.append(f"{origin} has no effect: the file of --config has apps.apps")
        return named.applications, True
    if told is not None:
        return told, True
    if found is not None and found.applications is not None:
        return found.applications, False
    return [], False


def _made_up(credentials: Credentials, extras: Mapping[str, Setting]) -> dict[str, Setting]:
    names = ("app_id", "key", "secret")
    made = {name: Setting(value, MADE_UP) for name, value in zip(names, credentials, strict=True)}
    return {**made, **extras}


def _section(settings: Mapping[str, Setting], prefix: str, names: Iterable[str]) -> dict[str, Any]:
    return {name: settings[prefix + name].value for name in names if prefix + name in settings}


def _server(settings: Mapping[str, Setting], prefix: str) -> ServerConfig:
    def section(make: Callable[..., T], path: str, **parts: object) -> T:
        names = [field.name for field in fields(cast("Any", make)) if field.name not in parts]
        return make(**_section(settings, prefix + path, names), **parts)

    return section(
        ServerConfig,
        "",
        tls=section(TlsConfig, "options.tls."),
        scaling=section(ScalingConfig, "scaling.", server=section(RedisConfig, "scaling.server.")),
        metrics=section(MetricsConfig, "metrics."),
        console=section(ConsoleConfig, "console."),
        workers=_worker_count(settings, f"{prefix}workers"),
    )


def _worker_count(settings: Mapping[str, Setting], key: str) -> int:
    value = settings[key].value if key in settings else ServerConfig().workers
    return core_count() if value == "auto" else int(value)


def core_count() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run_directory(environ: Mapping[str, str]) -> str:
    candidates = ("/run/fizz", environ.get("XDG_RUNTIME_DIR", ""))
    for path in candidates:
        if path and os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK):
            return path
    try:
        return environ.get("TMPDIR") or tempfile.gettempdir()
    except FileNotFoundError:  # nothing can be written here, which the server does without
        return "/tmp"


def _locate_certificate(server: ServerConfig, environ: Mapping[str, str]) -> TlsConfig | None:
    """What is found for the host name, where no certificate is configured."""
    if server.hostname is None and server.tls == TlsConfig():
        return None
    from fizz_gevent import certificates  # most servers leave TLS to a proxy

    return certificates.locate(server, environ.get("HOME"))
