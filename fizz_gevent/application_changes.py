"""What operators do to applications in Redis: documents in, a document out, and no more."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from fizz_gevent.application_document import (
    Document,
    check_id,
    decode,
    encode,
    keys_of,
    read,
    refuse_taken_keys,
)
from fizz_gevent.credentials import is_development
from fizz_gevent.errors import CommandError, ConfigError
from fizz_gevent.kind import Many, Scalar
from fizz_gevent.node import from_json, unknown
from fizz_gevent.schema import APPLICATION

Documents = Mapping[str, bytes]
"""The JSON of each application, by its id."""

Credentials = tuple[str, str, str]
"""Id, key and secret."""

_MOST_DAYS = 3650.0


def added(
    documents: Documents,
    words: Sequence[str],
    *,
    app_id: str | None,
    make_up: Callable[[], Credentials],
    given: Document | None = None,
) -> Document:
    """A new application, with random credentials where none are given.

    Args:
        words: Settings, ``KEY=VALUE`` each.
        app_id: None for the given one, or else a random one.
        given: Settings as a file has them.

    Raises:
        CommandError: There is one of this id.
        ConfigError: The id or a setting is not understood.
    """
    given = given or {}
    name = given.get("app_id") if app_id is None else app_id
    made_up, key, secret = make_up()
    while name is None and made_up in documents:
        made_up = make_up()[0]
    if isinstance(name, str):  # anything else is complained of with the rest
        check_id(name)
        if name in documents:
            raise CommandError(f"there is an application {name}; fizz apps set changes it")
    name = made_up if name is None else name
    document = {"key": key, "secret": secret, **given, "app_id": name}
    return _checked(documents, name, _with(document, words))


def changed(
    documents: Documents, app_id: str, words: Sequence[str], given: Document | None = None
) -> Document:
    """An application with other settings; an empty value puts the default back.

    Args:
        given: Settings as a file has them.

    Raises:
        CommandError: There is none of this id.
        ConfigError: A setting is not understood.
    """
    document = {**_found(documents, app_id), **(given or {})}
    return _checked(documents, app_id, _with(document, words))


def switched(documents: Documents, app_id: str, is_enabled: bool) -> Document:
    """An application that is enabled or disabled; raises as ``changed`` does."""
    document = _found(documents, app_id)
    document["enabled"] = is_enabled
    return document


def rotated(
    documents: Documents,
    app_id: str,
    *,
    days: float,
    now: datetime,
    is_forced: bool,
    make_up: Callable[[], Credentials],
) -> Document:
    """An application with a new key and secret; those of now stay valid for some days.

    Args:
        is_forced: End credentials that are still valid from the rotation before.

    Raises:
        CommandError: There is none of this id, or it was rotated a short while ago.
    """
    document = _found(documents, app_id)
    previous = read(app_id, documents[app_id]).previous
    if previous is not None and previous.until > now and not is_forced:
        raise CommandError(
            f"application {app_id} was rotated already: key {previous.key} is valid until"
            f" {written(previous.until)}, and there may be two at a time; --force ends it now"
        )
    old = {"key": document["key"], "secret": document["secret"]}
    _, document["key"], document["secret"] = make_up()
    document.pop("previous", None)
    if days:
        document["previous"] = {**old, "until": written(now + timedelta(days=days))}
    return _checked(documents, app_id, document)


def without(documents: Documents, app_id: str) -> bytes:
    """What to put in the place of an application that is to go; it may be damaged.

    Raises:
        CommandError: There is none of this id.
    """
    _require(documents, app_id)
    return b""


def read_days(text: str | None) -> float:
    """How long the older credentials of a rotation stay valid; 7 days unless it is said.

    Raises:
        ConfigError: It is not such a number.
    """
    try:
        days = 7.0 if text is None else float(text)
    except ValueError:
        days = -1
    if not 0 <= days <= _MOST_DAYS:
        message = f"expected a number of days from 0 to {_MOST_DAYS:g}, not {text!r}"
        raise ConfigError(message, where="--days")
    return days


def written(moment: datetime) -> str:
    """A moment as the configuration has it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _found(documents: Documents, app_id: str) -> Document:
    _require(documents, app_id)
    return decode(app_id, documents[app_id])


def _require(documents: Documents, app_id: str) -> None:
    if app_id not in documents:
        known = f"; there is {', '.join(sorted(documents))}" if documents else ""
        raise CommandError(f"there is no application {app_id} in Redis{known}")


def _with(document: Document, words: Sequence[str]) -> Document:
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise ConfigError("expected KEY=VALUE, such as max_connections=100", where=word)
        if name not in APPLICATION:
            raise ConfigError(unknown(name, APPLICATION), where=word)
        if name == "app_id":
            raise ConfigError("an application keeps its id; add another one", where=word)
        if text:
            document[name] = _value(name, text)
        elif name in ("key", "secret"):
            raise ConfigError("this has no default", where=name)
        else:
            document.pop(name, None)
    return document


def _value(name: str, text: str) -> object:
    """What a text stands for: a single value as in a variable, and anything larger as JSON.

    Raises:
        ConfigError: It does not stand for a value of this kind.
    """
    kind = APPLICATION[name]
    if isinstance(kind, Scalar):
        return kind.read_text(text, name)
    if isinstance(kind, Many) and isinstance(kind.item, Scalar) and not text.startswith("["):
        items = kind.read_text(text, name)
        assert isinstance(items, tuple)
        return list(items)
    from_json(text, name)  # which is stricter, and says why not
    return json.loads(text)


def _checked(documents: Documents, app_id: str, document: Document) -> Document:
    """The document, if it is an application that can be beside the others."""
    application = read(app_id, encode(document))
    if is_development(application):
        raise ConfigError("everybody knows this secret", where="secret")
    owners: dict[str, str] = {}
    for other_id, data in documents.items():
        if other_id == app_id:
            continue
        try:
            other = read(other_id, data)
        except ConfigError:
            continue  # nobody is served by what is damaged
        owners.update(dict.fromkeys(keys_of(other), other_id))
    refuse_taken_keys(application, owners)
    return document
