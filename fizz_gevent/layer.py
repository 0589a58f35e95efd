"""What one source of settings says: a file, the environment, the command line."""

from dataclasses import dataclass, field

from fizz_gevent.application import Application
from fizz_gevent.errors import ConfigError
from fizz_gevent.kind import Setting, read_fields
from fizz_gevent.node import Node, described, unknown
from fizz_gevent.schema import APPLICATION, LOGGING, PROVIDER, SERVER, SERVER_NAME

ANY = "*"
"""Stands for the name of the server in the paths of a layer that does not name one."""


@dataclass(slots=True, eq=False)
class Layer:
    """The settings of one source, checked.

    Attributes:
        settings: By key path, such as ``servers.fizz.port``.
        servers: The names under ``servers``; None where there is no such key.
        applications: The settings of each of ``apps.apps``; None where there is no such key.
    """

    settings: dict[str, Setting] = field(default_factory=dict)
    servers: tuple[str, ...] | None = None
    applications: list[dict[str, Setting]] | None = None


def from_node(root: Node) -> Layer:
    """What a whole configuration file says.

    Raises:
        ConfigError: A key is unknown, double or missing, or a value not of its kind.
    """
    layer = Layer()
    for name, item in _items(root, ""):
        match name:
            case "default":
                value = SERVER_NAME.read(item, name)
                layer.settings[name] = Setting(value, item.where)
            case "servers":
                layer.servers = _read_servers(item, layer.settings)
            case "logging" if item.value is not None:
                for path, setting in read_fields(item, LOGGING, name).items():
                    layer.settings[f"{name}.{path}"] = setting
            case "logging":
                pass
            case "apps":
                _read_apps(item, layer)
            case _:
                known = ("default", "servers", "logging", "apps")
                raise ConfigError(unknown(name, known), where=item.where, key=name)
    return layer


def _items(node: Node, key: str) -> list[tuple[str, Node]]:
    """The pairs of a section; none where it is null."""
    if node.value is None:
        return []
    if isinstance(node.value, dict):
        return list(node.value.items())
    raise ConfigError(
        f"expected a mapping, not {described(node.value)}", where=node.where, key=key or None
    )


def _read_servers(node: Node, settings: dict[str, Setting]) -> tuple[str, ...]:
    names = []
    for name, item in _items(node, "servers"):
        key = f"servers.{name}"
        SERVER_NAME.read(Node(name, item.where), key)
        names.append(name)
        if item.value is not None:
            for path, setting in read_fields(item, SERVER, key).items():
                settings[f"{key}.{path}"] = setting
    return tuple(names)


def _read_apps(node: Node, layer: Layer) -> None:
    for name, item in _items(node, "apps"):
        key = f"apps.{name}"
        if name == "provider":
            layer.settings[key] = Setting(PROVIDER.read(item, key), item.where)
        elif name != "apps":
            raise ConfigError(unknown(name, ("provider", "apps")), where=item.where, key=key)
        elif item.value is not None:
            layer.applications = read_applications(item, key)


def read_applications(node: Node, key: str) -> list[dict[str, Setting]]:
    """The settings of each application of a list.

    Raises:
        ConfigError: One is not understood, or two have the same id or key.
    """
    if not isinstance(node.value, list):
        raise ConfigError(
            f"expected a list, not {described(node.value)}", where=node.where, key=key or None
        )
    applications = []
    for index, item in enumerate(node.value):
        path = f"{key}[{index}]"
        required = ("app_id", "key", "secret")
        applications.append(read_fields(item, APPLICATION, path, required=required))
    _refuse_duplicates(applications, key)
    return applications


def _refuse_duplicates(applications: list[dict[str, Setting]], key: str) -> None:
    ids: dict[str, int] = {}
    keys: dict[str, int] = {}
    for index, settings in enumerate(applications):
        claims = [("app_id", settings["app_id"].value, ids), ("key", settings["key"].value, keys)]
        previous = settings.get("previous")
        if previous is not None and previous.value is not None:
            claims.append(("previous.key", previous.value.key, keys))
        for name, value, taken in claims:
            if value in taken:
                raise ConfigError(
                    f"duplicate: {key}[{taken[value]}] has {value!r} already",
                    where=settings[name.partition(".")[0]].origin,
                    key=f"{key}[{index}].{name}",
                )
            taken[value] = index


def application(settings: dict[str, Setting]) -> Application:
    """The application that these settings describe."""
    return Application(**{name: setting.value for name, setting in settings.items()})
