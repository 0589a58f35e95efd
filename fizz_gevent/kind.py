"""Kinds of values: what a setting may be, whether a file or a variable says it."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fizz_gevent.errors import ConfigError
from fizz_gevent.node import Node, Odd, described, unknown

_WORDS = {"true": True, "1": True, "yes": True, "on": True}
_WORDS |= {"false": False, "0": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Setting:
    """A checked value and its origin: file and line, variable, or option."""

    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Scalar:
    """A kind of one value.

    Attributes:
        expected: What a message says was expected.
        check: The value in, the value to use out; an empty ValueError where it does not fit, or
            one whose text says why.
        parse: What a variable's text stands for, before ``check``.
        is_text: A file must give a string, in quotes where YAML would see something else.
        is_nullable: ``null`` is allowed, and a variable may say ``none``.
        is_secret: Never shown.
    """

    expected: str
    check: Callable[[Any], object]
    parse: Callable[[str], object] = str
    is_text: bool = False
    is_nullable: bool = False
    is_secret: bool = False

    def read(self, node: Node, key: str) -> object:
        """The value of a file.

        Raises:
            ConfigError: It is not of this kind.
        """
        value = node.value
        if value is None and self.is_nullable:
            return None
        if self.is_text and isinstance(value, bool | int | float | Odd):
            shown = f': "{node.text}"' if node.text and not self.is_secret else ""
            raise ConfigError(f"quote this value{shown}", where=node.where, key=key)
        try:
            return self.check(value)
        except ValueError as error:
            message = str(error) or f"expected {self.expected}, not {self._shown(value)}"
            raise ConfigError(message, where=node.where, key=key) from None

    def read_text(self, text: str, origin: str) -> object:
        """The value of a variable or of an option.

        Raises:
            ConfigError: The text does not stand for a value of this kind.
        """
        if self.is_nullable and not self.is_secret and text.lower() in ("none", "null"):
            return None
        try:
            return self.check(self.parse(text))
        except ValueError as error:
            message = str(error) or f"expected {self.expected}, not {self._shown(text)}"
            raise ConfigError(message, where=origin) from None

    def _shown(self, value: object) -> str:
        return "this" if self.is_secret and value is not None else described(value)


@dataclass(frozen=True, slots=True)
class Many:
    """A list; a variable separates the items by commas."""

    item: "Scalar | Record"

    def read(self, node: Node, key: str) -> object:
        """The list of a file, as a tuple.

        Raises:
            ConfigError: It is no list, or one item is not of its kind.
        """
        if not isinstance(node.value, list):
            raise ConfigError(
                f"expected a list, not {described(node.value)}", where=node.where, key=key
            )
        return tuple(self.item.read(item, f"{key}[{i}]") for i, item in enumerate(node.value))

    def read_text(self, text: str, origin: str) -> object:
        """The list of a variable, as a tuple; empty items do not count.

        Raises:
            ConfigError: One item is not of its kind.
        """
        assert isinstance(self.item, Scalar)
        parts = (part.strip() for part in text.split(","))
        return tuple(self.item.read_text(part, origin) for part in parts if part)


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with known keys that becomes one object."""

    make: Callable[..., object]
    fields: "Mapping[str, Kind]"
    required: tuple[str, ...] = ()
    is_nullable: bool = False

    def read(self, node: Node, key: str) -> object:
        """The object that ``make`` makes.

        Raises:
            ConfigError: A key is unknown or missing, or its value not of its kind.
        """
        if node.value is None and self.is_nullable:
            return None
        settings = read_fields(node, self.fields, key, required=self.required)
        return self.make(**{name: setting.value for name, setting in settings.items()})


@dataclass(frozen=True, slots=True)
class Texts:
    """A mapping of any names to strings."""

    check: Callable[[str, str], None]

    def read(self, node: Node, key: str) -> object:
        """The mapping of a file.

        Raises:
            ConfigError: It is no mapping, or ``check`` refuses a pair.
        """
        result: dict[str, str] = {}
        for name, item in _mapping(node, key).items():
            if not isinstance(item.value, str):
                raise ConfigError("quote this value", where=item.where, key=f"{key}.{name}")
            try:
                self.check(name, item.value)
            except ValueError as error:
                raise ConfigError(str(error), where=item.where, key=f"{key}.{name}") from None
            result[name] = item.value
        return result


Kind = Scalar | Many | Record | Texts
Fields = Mapping[str, "Kind | Fields"]
"""Known keys: of a value, or of a section with keys of its own."""


def read_fields(
    node: Node, fields: Fields, key: str, *, required: Iterable[str] = ()
) -> dict[str, Setting]:
    """Read a section and those inside of it; a section that is null says nothing.

    Returns:
        By key path from this section on, such as ``scaling.server.port``.

    Raises:
        ConfigError: A key is unknown or missing, or its value not of its kind.
    """
    found: dict[str, Setting] = {}
    for name, item in _mapping(node, key).items():
        inner = f"{key}.{name}" if key else name
        kind = fields.get(name)
        if kind is None:
            raise ConfigError(unknown(name, fields), where=item.where, key=inner)
        if not isinstance(kind, Mapping):
            found[name] = Setting(kind.read(item, inner), item.where)
        elif item.value is not None:
            for path, setting in read_fields(item, kind, inner).items():
                found[f"{name}.{path}"] = setting
    for name in required:
        if name not in found:
            raise ConfigError(f"missing key {name!r}", where=node.where, key=key or None)
    return found


def _mapping(node: Node, key: str) -> dict[str, Node]:
    if isinstance(node.value, dict):
        return node.value
    raise ConfigError(
        f"expected a mapping, not {described(node.value)}", where=node.where, key=key or None
    )


def flatten(fields: Fields, prefix: str = "") -> dict[str, Kind]:
    """Every key path of a section, with its kind."""
    flat: dict[str, Kind] = {}
    for name, kind in fields.items():
        if isinstance(kind, Mapping):
            flat |= flatten(kind, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = kind
    return flat


# -- makers of kinds ---------------------------------------------------------------------------


def nullable(kind: Scalar) -> Scalar:
    """The same kind, where ``null`` is allowed too."""
    return replace(kind, is_nullable=True, expected=f"{kind.expected} or null")


def secret(kind: Scalar) -> Scalar:
    """The same kind, never shown."""
    return replace(kind, is_secret=True)


def text(expected: str, check: Callable[[str], object] | re.Pattern[str]) -> Scalar:
    """A string that matches the pattern, or that ``check`` accepts and perhaps tidies."""

    def checked(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError
        if isinstance(check, re.Pattern):
            if not check.fullmatch(value):
                raise ValueError
            return value
        tidy = check(value)
        return value if tidy is None else tidy

    return Scalar(expected, checked, is_text=True)


def choice(*words: str) -> Scalar:
    """One of these words."""

    def checked(value: object) -> object:
        if not isinstance(value, str) or value not in words:
            raise ValueError
        return value

    return Scalar(f"one of {', '.join(words)}", checked)


def whole(low: int, high: int | None = None, *, unit: str = "") -> Scalar:
    """A whole number within bounds."""

    def checked(value: object) -> object:
        if type(value) is not int or value < low or (high is not None and value > high):
            raise ValueError
        return value

    bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
    return Scalar(f"a whole number{unit and f' of {unit}'} {bounds}", checked, _parse_whole)


def seconds(*, or_zero: bool = False) -> Scalar:
    """A time in seconds."""

    def checked(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        if not math.isfinite(value) or value < 0 or (value == 0 and not or_zero):
            raise ValueError
        return value

    bound = "0 or more" if or_zero else "more than 0"
    return Scalar(f"{bound} seconds, as a number", checked, _parse_number)


def _parse_whole(value: str) -> object:
    if not re.fullmatch(r"[-+]?[0-9]{1,18}", value):
        raise ValueError
    return int(value)


def _parse_number(value: str) -> object:
    if not re.fullmatch(r"[-+]?[0-9]{1,18}(\.[0-9]{1,18})?", value):
        raise ValueError
    return float(value) if "." in value else int(value)


def _check_boolean(value: object) -> object:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _parse_boolean(value: str) -> object:
    try:
        return _WORDS[value.lower()]
    except KeyError:
        raise ValueError from None


BOOLEAN = Scalar("true or false", _check_boolean, _parse_boolean)
