"""A value as a file or variable wrote it, with the place where it stands."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from fizz_gevent.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Node:
    """One value, checked by nobody yet.

    Attributes:
        value: ``None``, ``bool``, ``int``, ``float``, ``str``, a ``dict`` of names to nodes, a
            ``list`` of nodes, or :class:`Odd`.
        where: File and line, or the variable.
        text: A scalar of YAML as it was written.
    """

    value: object
    where: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Odd:
    """A scalar that YAML would turn into something else than what it looks like: a timestamp,
    an octal, a sexagesimal, a foreign tag. Kept as it was written."""

    text: str


def described(value: object) -> str:
    """How an error message shows a value, short and on one line."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case Odd():
            shown = value.text
        case str():
            shown = repr(value)
        case _:
            shown = str(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def unknown(name: str, known: Iterable[str], *, what: str = "key") -> str:
    """Say that nobody knows this name, and which one may have been meant."""
    import difflib  # only on the way out, start-up does not pay for it

    names = {item.lower(): item for item in sorted(known)}
    near = difflib.get_close_matches(name.lower(), names, 1, 0)
    return f"unknown {what} {name!r}; the nearest known one is {names[near[0]]!r}"


class _Pairs(list[tuple[str, object]]):
    """A JSON object before anybody looked for duplicates."""


def from_json(text: str, where: str) -> Node:
    """Parse JSON into nodes.

    Raises:
        ConfigError: It is not JSON, or a key stands twice in one object.
    """
    try:
        raw = json.loads(text, object_pairs_hook=_Pairs, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not JSON: {error}", where=where) from None
    return _wrap(raw, where, "")


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def _wrap(raw: object, where: str, path: str) -> Node:
    if isinstance(raw, _Pairs):
        mapping: dict[str, Node] = {}
        for name, value in raw:
            inner = f"{path}.{name}" if path else name
            if name in mapping:
                raise ConfigError("duplicate key", where=where, key=inner)
            mapping[name] = _wrap(value, where, inner)
        return Node(mapping, where)
    if isinstance(raw, list):
        return Node([_wrap(value, where, f"{path}[{i}]") for i, value in enumerate(raw)], where)
    return Node(raw, where)
