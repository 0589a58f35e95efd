"""``fizz apps``: lists applications, and changes those that live in Redis."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any

from fizz_gevent import application_changes, credentials, schema
from fizz_gevent.application import Application
from fizz_gevent.application_changes import written
from fizz_gevent.application_document import Document, encode, read, read_all
from fizz_gevent.banner import Address, how_to_use
from fizz_gevent.check import shown
from fizz_gevent.client.output import print_json, say
from fizz_gevent.client.table import aligned, counted, plain
from fizz_gevent.cluster.application_store import ApplicationStore, Documents
from fizz_gevent.cluster.redis_link import RedisLink
from fizz_gevent.config import Config
from fizz_gevent.errors import ConfigError
from fizz_gevent.kind import Kind, flatten
from fizz_gevent.node import described, from_json
from fizz_gevent.provider import REDIS, refuse_without_redis

Arguments = Mapping[str, Any]
"""What docopt made of the words."""

_MASK = "********"
_HIDDEN = ("secret", "headers")
_NAMED = ("app_id", "key", "secret", "enabled")
"""What has a column of its own, or is shown nowhere."""


def run(config: Config, arguments: Arguments) -> int:
    """Do what the command says; return the exit code.

    Raises:
        CommandError: Redis cannot be reached, or what is asked for cannot be done.
        ConfigError: The command is not understood, or applications are not in Redis.
    """
    if arguments["list"]:
        _list(config, is_json=arguments["--json"])
        return 0
    if config.provider != REDIS:
        raise ConfigError(
            "applications are in the configuration; change them there and have it read again"
            " (SIGHUP), or keep them in Redis with provider: redis",
            where=config.origins.get("apps.apps[0].app_id"),
            key="apps.provider",
        )
    refuse_without_redis(config)
    _change(config, arguments)
    return 0


def with_applications(config: Config) -> Config:
    """The same configuration with the applications that live in Redis, for who speaks for one.

    Raises:
        CommandError: Redis cannot be reached.
        ConfigError: No Redis is configured.
    """
    if config.provider != REDIS or config.applications:
        return config
    refuse_without_redis(config)
    return replace(config, applications=tuple(read_all(_store(config).read()[1])[0]))


def _store(config: Config) -> ApplicationStore:
    return ApplicationStore(RedisLink(config.server.scaling))


# -- commands that change something ------------------------------------------------------------


def _change(config: Config, arguments: Arguments) -> None:
    given, words = arguments["ID"], arguments["SETTING"]
    typed = [word for word in words if word != "-"]
    piped = _read_settings() if "-" in words else {}
    days = application_changes.read_days(arguments["--days"])
    document: Document = {"app_id": given}

    def make(documents: Documents) -> tuple[str, bytes]:
        nonlocal document
        if arguments["remove"]:
            return given, application_changes.without(documents, given)
        if arguments["add"]:
            document = application_changes.added(
                documents,
                typed,
                app_id=arguments["--app-id"],
                make_up=credentials.make_up,
                given=piped,
            )
        elif arguments["set"]:
            document = application_changes.changed(documents, given, typed, piped)
        elif arguments["rotate"]:
            document = application_changes.rotated(
                documents,
                given,
                days=days,
                now=datetime.now(UTC),
                is_forced=bool(arguments["--force"]),
                make_up=credentials.make_up,
            )
        else:
            document = application_changes.switched(documents, given, bool(arguments["enable"]))
        return document["app_id"], encode(document)

    _store(config).change(make)
    is_new = arguments["add"] or arguments["rotate"]
    if not arguments["--json"] and is_new:
        _print_credentials(config, document, is_rotated=bool(arguments["rotate"]))
    elif not arguments["--json"]:
        print(f"Application {given} is {_outcome(arguments)}")
    elif is_new or arguments["remove"]:
        print_json(document)
    else:
        print_json(dict(_settings(read(given, encode(document)))))


def _read_settings() -> Document:
    """Settings from standard input: what no list of processes and no history of a shell shows."""
    text = sys.stdin.read()
    node = from_json(text, "standard input")
    if not isinstance(node.value, dict):
        message = f"expected a JSON object of settings, not {described(node.value)}"
        raise ConfigError(message, where="standard input")
    document: Document = json.loads(text)
    return document


def _outcome(arguments: Arguments) -> str:
    if arguments["remove"]:
        return "removed; its clients are closed with 4001."
    if arguments["disable"]:
        return "disabled; its clients are closed with 4003."
    return "enabled." if arguments["enable"] else "changed."


def _print_credentials(config: Config, document: Document, *, is_rotated: bool) -> None:
    app_id, previous = document["app_id"], document.get("previous")
    if is_rotated:
        print(f"Application {app_id} has a new key and a new secret.")
        if previous is None:
            print("Those of before are good for nothing any more.")
        else:
            print(f"Those of before (key {previous['key']}) are valid until {previous['until']}.")
    else:
        print(f"Application {app_id} is added.")
    print("The secret is shown this one time:\n")
    server = config.server
    address: Address = server.socket_path or (server.host, server.port)
    application = Application(app_id, document["key"], document["secret"])
    print("\n".join(how_to_use(config, application, address)))


# -- list --------------------------------------------------------------------------------------


def _list(config: Config, *, is_json: bool) -> None:
    applications, damaged = list(config.applications), dict[str, str]()
    if config.provider == REDIS:
        refuse_without_redis(config)
        applications, damaged = read_all(_store(config).read()[1])
    if is_json:
        listed = [dict(_settings(each)) for each in applications]
        print_json({"provider": config.provider, "applications": listed, "damaged": damaged})
        return
    for complaint in damaged.values():
        say(f"not served: {complaint}")
    if applications:
        rows = [("ID", "KEY", "STATE", "OTHER SETTINGS"), *map(_row, applications)]
        print("\n".join(aligned(rows)) + "\n")
    where = "in Redis" if config.provider == REDIS else "in the configuration"
    hint = "; fizz apps add makes one" if not applications and config.provider == REDIS else ""
    print(f"{counted(len(applications), 'application')} {where}{hint}")
    sys.stdout.flush()


def _row(application: Application) -> tuple[str, str, str, str]:
    state = "enabled" if application.enabled else "disabled"
    if application.previous is not None and application.previous.until > datetime.now(UTC):
        state += f", {application.previous.key} until {written(application.previous.until)}"
    kinds = flatten(schema.APPLICATION)
    others = [
        f"{name}={_short(getattr(application, name), kinds[name])}"
        for name in _changed_names(application)
        if name not in (*_NAMED, "previous")
    ]
    return application.app_id, application.key, state, plain("  ".join(others))


def _short(value: object, kind: Kind) -> str:
    if isinstance(value, tuple) and not all(isinstance(each, str) for each in value):
        return str(len(value))
    return shown(value, kind)


def _settings(application: Application) -> Iterator[tuple[str, object]]:
    """What programs get to see: what is not at its default, and no secret."""
    for name in _changed_names(application):
        yield name, _MASK if name in _HIDDEN else _jsonable(getattr(application, name))


def _changed_names(application: Application) -> Iterator[str]:
    for field in fields(Application):
        is_changed = getattr(application, field.name) != field.default
        if field.default is MISSING or is_changed or field.name == "enabled":
            yield field.name


def _jsonable(value: object) -> object:
    if isinstance(value, tuple):
        return [_jsonable(each) for each in value]
    if isinstance(value, datetime):
        return written(value)
    if is_dataclass(value):
        return {
            field.name: _MASK if field.name in _HIDDEN else _jsonable(getattr(value, field.name))
            for field in fields(value)
        }
    return value
