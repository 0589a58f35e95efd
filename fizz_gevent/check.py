"""``fizz check``: the effective configuration with its origins, and the limits of this machine."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from urllib.parse import urlsplit

from fizz_gevent import open_files, schema
from fizz_gevent.application import Application
from fizz_gevent.config import Config
from fizz_gevent.kind import Kind, Record, Scalar, Texts, flatten
from fizz_gevent.provider import REDIS

_MASK = "********"
_NO_KIND = Texts(lambda name, value: None)


def report(config: Config) -> str:
    """The text to print; no secret is in it."""
    rows = [("KEY", "VALUE", "ORIGIN"), *_rows(config)]
    key_width = max(len(key) for key, _, _ in rows)
    value_width = min(44, max(len(value) for _, value, _ in rows))
    lines = [f"{key:<{key_width}}  {value:<{value_width}}  {origin}" for key, value, origin in rows]
    if config.provider == REDIS:
        lines += ["", "Applications are in Redis: fizz apps list shows them."]
    elif not config.applications:
        lines += ["", "No application is configured: start makes one up."]
    return "\n".join([*lines, "", *_machine(config)])


def _rows(config: Config) -> Iterator[tuple[str, str, str]]:
    def row(key: str, value: object, kind: Kind = _NO_KIND) -> tuple[str, str, str]:
        return key, shown(value, kind), config.origins.get(key, "default")

    yield row("default", config.name)
    for path, kind in flatten(schema.SERVER).items():
        value = value_at(config.server, path.removeprefix("options."))
        yield row(f"servers.{config.name}.{path}", value, kind)
    for path, kind in flatten(schema.LOGGING).items():
        yield row(f"logging.{path}", value_at(config.logging, path), kind)
    yield row("apps.provider", config.provider)
    for index, application in enumerate(config.applications):
        for field in fields(Application):
            kind = flatten(schema.APPLICATION)[field.name]
            key = f"apps.apps[{index}].{field.name}"
            yield row(key, getattr(application, field.name), kind)


def value_at(section: object, path: str) -> object:
    """The value of a key path within a dataclass."""
    for name in path.split("."):
        section = getattr(section, name)
    return section


def shown(value: object, kind: Kind = _NO_KIND) -> str:
    """A value as the file would have it, or stars where it is secret."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str() if isinstance(kind, Scalar) and kind.is_secret:
            return _MASK
        case str() if "://" in value:  # of a webhook, with a password or a token perhaps
            address = urlsplit(value)
            host = address.netloc.rpartition("@")[2]
            where = host if host == address.netloc else f"{_MASK}@{host}"
            query = f"?{_MASK}" if address.query else ""
            return f"{address.scheme}://{where}{address.path}{query}"
        case str():
            return value or '""'
        case datetime():
            return value.isoformat()
        case Mapping():  # headers of a webhook: any of them may be a token
            return f"{{{', '.join(f'{name}: {_MASK}' for name in value)}}}"
        case tuple():
            inner = getattr(kind, "item", _NO_KIND)
            return f"[{', '.join(shown(item, inner) for item in value)}]"
        case _ if is_dataclass(value) and isinstance(kind, Record):
            parts = (
                f"{name}: {shown(getattr(value, name), inner)}"
                for name, inner in kind.fields.items()
            )
            return f"{{{', '.join(parts)}}}"
        case _:
            return str(value)


def _machine(config: Config) -> Iterator[str]:
    files = open_files.limits()
    server = config.server
    capacity = open_files.Capacity.of(files.hard, None)
    capacity = capacity.together(server.workers, server.max_connections)
    yield "This machine:"
    yield f"  open files       {files.soft}, start raises it to {files.hard}"
    yield f"  connections      {capacity.connections} at most"
    ports = open_files.system_setting("net/ipv4/ip_local_port_range")
    if ports is None:
        yield "  ephemeral ports  unknown on this system"
    else:
        low, high = map(int, ports.split())
        yield (
            f"  ephemeral ports  {low} to {high}: a proxy on this machine opens at most"
            f" {high - low + 1} connections to one address of Fizz; direct clients use none"
        )
    waiting = open_files.system_setting("net/core/somaxconn") or "unknown on this system"
    yield f"  somaxconn        {waiting}: connections that may wait to be accepted"
