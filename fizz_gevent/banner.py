"""What ``fizz start`` prints once the socket is bound: where to connect, and as what."""

import ipaddress
import json

from fizz_gevent import __version__
from fizz_gevent.application import Application
from fizz_gevent.config import Config, ServerConfig
from fizz_gevent.credentials import MADE_UP, is_development
from fizz_gevent.open_files import Capacity
from fizz_gevent.provider import REDIS

Address = tuple[str, int] | tuple[str, int, int, int] | str
"""What ``getsockname`` says: host and port first, or the path of a Unix socket."""

_LISTED = 20  # applications that a banner names


def banner(config: Config, address: Address, capacity: Capacity) -> str:
    """The text to print.

    Args:
        address: What was bound, with the port that the system chose where it was 0.
    """
    server = config.server
    base = base_url(config, address)
    path = "" if server.socket_path is None else f" on the socket {server.socket_path}"
    first = config.applications[0] if config.applications else None
    key = first.key if first and len(config.applications) == 1 else "{key}"
    app_id = first.app_id if first and len(config.applications) == 1 else "{app_id}"
    rows = [
        ("Listening", _shown(address)),
        ("Browsers", f"{base.replace('http', 'ws', 1)}/app/{key}{path}"),
        ("Back ends", f"{base}/apps/{app_id}{path}"),
        ("Applications", _application_list(config)),
        ("Configuration", ", ".join(sources(config)) or "built-in defaults"),
        ("TLS", _tls(config)),
        ("Scaling", "on" if server.scaling.enabled else "off"),
        ("Workers", _workers(server)),
        (
            "Open files",
            f"{_open_files(server, capacity)}, room for {capacity.connections} connections",
        ),
    ]
    if server.console.enabled:
        needs = "" if server.console.password is None else ", with a password"
        rows.append(("Console", f"{base}/console{path}{needs}"))
    if server.metrics.enabled:
        rows.append(("Metrics", _metrics(server)))
    lines = [f"Fizz {__version__}", "", *(f"  {name:<14} {value}" for name, value in rows)]
    if config.is_made_up and first is not None:
        lines += ["", *_made_up(config, first, address)]
    if any(is_development(application) for application in config.applications):
        lines += [
            "",
            "  Warning: these are the development credentials of etc/fizz.yaml, which everybody",
            "  knows. Set FIZZ_APP_ID, FIZZ_APP_KEY and FIZZ_APP_SECRET before others connect.",
        ]
    return "\n".join([*lines, "", ""])


def base_url(config: Config, address: Address) -> str:
    """``http://HOST:PORT/PREFIX`` as a client of this server would write it."""
    server = config.server
    scheme = "http" if server.tls.cert is None else "https"
    if isinstance(address, str):
        return f"{scheme}://{server.hostname or 'localhost'}{server.path}"
    return f"{scheme}://{_bracketed(_public_host(config, address[0]))}:{address[1]}{server.path}"


def sources(config: Config) -> list[str]:
    """Where settings came from: files without their lines, variables, options; each once."""
    named: dict[str, None] = {}
    for origin in config.origins.values():
        if origin == MADE_UP:
            continue
        file, _, line = origin.rpartition(":")
        named[file if line.isdigit() and file else origin] = None
    return list(named)


def _public_host(config: Config, host: str) -> str:
    if config.server.hostname is not None:
        return config.server.hostname
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _shown(address: Address) -> str:
    if isinstance(address, str):
        return f"unix:{address}"
    return f"{_bracketed(address[0])}:{address[1]}"


def _bracketed(host: str) -> str:
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host


def _application_list(config: Config) -> str:
    if config.provider == REDIS:
        return "in Redis; fizz apps list shows them"
    applications = config.applications
    names = [
        application.app_id + ("" if application.enabled else " (disabled)")
        for application in applications[:_LISTED]
    ]
    if len(applications) > _LISTED:
        names.append(f"and {len(applications) - _LISTED} more")
    return ", ".join(names) or "none"


def _workers(server: ServerConfig) -> str:
    if server.workers == 1 or server.scaling.enabled:
        return str(server.workers)
    return f"{server.workers}, with a private Redis between them"


def _open_files(server: ServerConfig, capacity: Capacity) -> str:
    each = "" if server.workers == 1 else " for each worker"
    return f"{capacity.open_files}{each}"


def _metrics(server: ServerConfig) -> str:
    host, port = server.metrics.host, server.metrics.port
    if host.startswith("unix:"):
        return f"/metrics on the socket {host.removeprefix('unix:')}"
    return f"http://{_bracketed(host)}:{port}/metrics"


def _tls(config: Config) -> str:
    tls = config.server.tls
    if tls.cert is None:
        return "off"
    origin = config.origins.get(f"servers.{config.name}.options.tls.cert", "")
    found = f" ({origin})" if origin.startswith("found") else ""
    return f"{tls.cert}{found}"


def _made_up(config: Config, application: Application, address: Address) -> list[str]:
    """The credentials nobody has seen yet, and a page's script that uses them."""
    return [
        "  No application is configured. This one was made up and is gone with this process:",
        "",
        *how_to_use(config, application, address),
    ]


def how_to_use(config: Config, application: Application, address: Address) -> list[str]:
    """What to paste where: the credentials for a back end, and a page's script."""
    is_secure = config.server.tls.cert is not None
    options: dict[str, object] = {"cluster": ""}
    if isinstance(address, str):
        options["wsHost"] = config.server.hostname or "localhost"
    else:
        options["wsHost"] = _bracketed(_public_host(config, address[0]))
        options["wsPort"] = options["wssPort"] = address[1]
    if config.server.path:
        options["wsPath"] = config.server.path
    options["forceTLS"] = is_secure
    options["enabledTransports"] = ["ws", "wss"]
    return [
        f"    FIZZ_APP_ID={application.app_id}",
        f"    FIZZ_APP_KEY={application.key}",
        f"    FIZZ_APP_SECRET={application.secret}",
        "",
        "  In a page, with pusher-js:",
        "",
        f'    const pusher = new Pusher("{application.key}", {{',
        *(f"      {name}: {json.dumps(value)}," for name, value in options.items()),
        "    });",
        '    pusher.subscribe("my-channel").bind("my-event", (data) => console.log(data));',
    ]
