"""YAML into nodes: nothing is guessed, nothing wins silently, every value knows its line."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import yaml

from fizz_gevent.errors import ConfigError
from fizz_gevent.node import Node, Odd

_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)")
_MOST_VALUES = 100_000
"""A file of some hundred bytes can stand for billions, by aliases of aliases."""
_TRUE = ("true", "yes", "on")  # what YAML 1.1 takes for true, in lower case


def read(path: str) -> Node:
    """Parse one file; a file without content is a ``Node`` of None.

    Raises:
        ConfigError: It cannot be read, is not YAML, or has a key twice in one mapping.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=path) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError("not UTF-8 text", where=f"{path}:{line}") from None
    return parse(text, path)


def parse(text: str, name: str) -> Node:
    """Parse the text of one document; ``name`` stands for the file in messages.

    Raises:
        ConfigError: As :func:`read`.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        return Node(None, name) if root is None else _Reader(name).node(root, "")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "not YAML"
        if problem == "mapping values are not allowed here":
            problem += "; a value that holds a colon must be quoted"
        where = f"{name}:{mark.line + 1}" if mark else name
        raise ConfigError(f"not YAML: {problem}", where=where) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"not YAML: {error.reason}", where=f"{name}:{line}") from None
    except RecursionError:
        raise ConfigError("not YAML that anybody would write: nested too deeply", where=name) from (
            None
        )


class _Reader:
    """Turns PyYAML's nodes, which know their lines, into ours."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._open: set[int] = set()  # what we are inside of: an alias may name its own parent
        self._count = 0

    def node(self, node: yaml.Node, path: str) -> Node:
        where = self._where(node)
        self._count += 1
        if self._count > _MOST_VALUES:
            raise ConfigError("more values than anybody would write", where=where)
        if isinstance(node, yaml.ScalarNode):
            return Node(_scalar(node), where, node.value)
        if id(node) in self._open:
            raise ConfigError("an alias holds itself", where=where, key=path or None)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
                return Node(self._mapping(node, path), where)
            if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
                items = enumerate(node.value)
                return Node([self.node(item, f"{path}[{i}]") for i, item in items], where)
            return Node(Odd(node.tag), where)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Node]:
        result: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if key.tag == f"{_TAG}merge":
                for mapping in self._merged(value, path):
                    for name, item in mapping.items():
                        merged.setdefault(name, item)
                continue
            where = self._where(key)
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError("a key must be a name", where=where, key=path or None)
            name = key.value
            inner = f"{path}.{name}" if path else name
            if key.tag != f"{_TAG}str":
                raise ConfigError(f'quote this key: "{name}"', where=where, key=inner)
            if name in result:
                raise ConfigError(
                    f"duplicate key, first in line {lines[name]}", where=where, key=inner
                )
            lines[name] = key.start_mark.line + 1
            # the key's line rather than the value's, which may begin below it
            result[name] = replace(self.node(value, inner), where=where)
        return {**merged, **result}

    def _merged(self, value: yaml.Node, path: str) -> Iterator[dict[str, Node]]:
        """The mappings that ``<<`` names; what stands beside it is stronger."""
        many = isinstance(value, yaml.SequenceNode)
        for source in value.value if many else [value]:
            mapping = self.node(source, path).value
            if not isinstance(mapping, dict):
                raise ConfigError(
                    "'<<' expects a mapping", where=self._where(value), key=path or None
                )
            yield mapping

    def _where(self, node: yaml.Node) -> str:
        return f"{self._name}:{node.start_mark.line + 1}"


def _scalar(node: yaml.ScalarNode) -> object:
    """The value a scalar plainly has, or :class:`Odd`."""
    text: str = node.value
    match node.tag.removeprefix(_TAG):
        case "str":
            return text
        case "null":
            return None
        case "bool":
            return text.lower() in _TRUE
        case "int" if _INTEGER.fullmatch(text) and len(text) < 30:
            return int(text)
        case "float" if _DECIMAL.fullmatch(text):
            return float(text)
        case _:
            return Odd(text)
