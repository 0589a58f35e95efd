"""An application as Redis keeps it: JSON with the keys of the configuration file."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from fizz_gevent.application import Application
from fizz_gevent.errors import ConfigError
from fizz_gevent.kind import read_fields
from fizz_gevent.layer import application
from fizz_gevent.node import described, from_json
from fizz_gevent.schema import APP_ID, APPLICATION

Document = dict[str, Any]
"""The keys that are not left at their default."""

_REQUIRED = ("app_id", "key", "secret")


def encode(document: Document) -> bytes:
    """The document as Redis gets it, its keys in the order of the schema."""
    ordered = {name: document[name] for name in APPLICATION if name in document}
    return json.dumps({**ordered, **document}, ensure_ascii=False).encode()


def decode(app_id: str, data: bytes) -> Document:
    """The document of an application that ``read`` understands.

    Raises:
        ConfigError: Names the application, the key, and what is wrong.
    """
    read(app_id, data)
    document: Document = json.loads(data)
    return document


def read(app_id: str, data: bytes) -> Application:
    """The application that a document describes.

    Raises:
        ConfigError: Names the application, the key, and what is wrong.
    """
    where = f"application {app_id!r} in Redis"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ConfigError("not UTF-8 text", where=where) from None
    node = from_json(text, where)
    if not isinstance(node.value, dict):
        raise ConfigError(f"expected a mapping, not {described(node.value)}", where=where)
    settings = read_fields(node, APPLICATION, "", required=_REQUIRED)
    if settings["app_id"].value != app_id:
        raise ConfigError(f"expected {app_id!r}", where=where, key="app_id")
    return application(settings)


def check_id(app_id: str) -> None:
    """Find out whether an application may have this id.

    Raises:
        ConfigError: It may not.
    """
    APP_ID.read_text(app_id, "--app-id")


def read_all(
    documents: Mapping[str, bytes],
    served: Iterable[Application] = (),
    known: Mapping[bytes, Application] | None = None,
) -> tuple[list[Application], dict[str, str]]:
    """All applications that can be understood, in the order of their ids.

    Args:
        served: What was read before. One whose document is damaged now stays as it was.
        known: Documents that need not be read once more, as there may be thousands of them.

    Returns:
        Them, and what is wrong with the others, by id.
    """
    before = {each.app_id: each for each in served}
    found: list[Application] = []
    complaints: dict[str, str] = {}
    owners: dict[str, str] = {}
    for app_id in sorted(documents):
        try:
            found_already = known.get(documents[app_id]) if known else None
            if found_already is not None and found_already.app_id == app_id:
                each = found_already
            else:
                each = read(app_id, documents[app_id])
            refuse_taken_keys(each, owners)
        except ConfigError as error:
            complaints[app_id] = str(error)
            if app_id not in before:
                continue
            each = before[app_id]
        for key in keys_of(each):
            owners.setdefault(key, app_id)
        found.append(each)
    return found, complaints


def keys_of(each: Application) -> list[str]:
    """The keys by which clients may find an application, now or until a date."""
    return [each.key] if each.previous is None else [each.key, each.previous.key]


def refuse_taken_keys(each: Application, owners: Mapping[str, str]) -> None:
    """See to it that no two applications are found by the same key.

    Args:
        owners: Keys of other applications, and whose they are.

    Raises:
        ConfigError: One of its keys is another's.
    """
    for name, key in zip(("key", "previous.key"), keys_of(each), strict=False):
        if key in owners:
            raise ConfigError(
                f"duplicate: application {owners[key]!r} has {key!r} already",
                where=f"application {each.app_id!r} in Redis",
                key=name,
            )
