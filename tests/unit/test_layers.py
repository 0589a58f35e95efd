"""Imports point inwards: the table of rooms, kept by reading the source.

A module at the top of the package that is not named here belongs to the door (``server``, ``cli``
and what they are made of): it may see every room, and no room may see it.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "fizz_gevent"
NAME = PACKAGE.name

INNER = {"protocol", "application", "errors"}
ROOMS: dict[str, set[str]] = {
    # room: what it may import beside the standard library and itself
    "errors": {"protocol.close_codes"},
    "application": {"errors"},
    "protocol": {"errors", "application", "orjson"},
    "channels": {*INNER, "orjson"},
    "ports": INNER,
    "service": {*INNER, "channels", "ports", "orjson"},
    "config": INNER,
    "transport": {
        *INNER,
        *("service", "channels", "ports", "config"),
        *("gevent", "geventwebsocket", "greenlet", "flask", "werkzeug", "orjson"),
    },
    "api": {*INNER, "service", "ports", "config", "flask", "werkzeug", "orjson"},
    "cluster": {*INNER, "ports", "config", "redis", "gevent", "orjson"},
    "webhooks": {*INNER, "ports", "config", "redis", "gevent", "urllib3", "orjson"},
    "metrics": {*INNER, "ports", "config", "prometheus_client"},
    "console": {*INNER, "service", "ports", "config", "flask", "werkzeug", "orjson"},
    "client": {*INNER, "config", "urllib3", "orjson"},
}

PURE = {"errors", "application", "protocol", "channels"}
IMPURE = {
    *("asyncio", "multiprocessing", "select", "selectors", "signal", "socket", "ssl", "threading"),
    *("logging", "os", "random", "secrets", "subprocess", "time", "uuid"),
}
"""Modules that wait, look outside, or answer differently each time: callers pass such things in."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the full name of everything a module imports, at any depth of its code."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def offences(path: Path, room: str) -> list[str]:
    """Return what a module of this room imports and may not."""
    found = []
    for line, name in imports(path):
        top, _, rest = name.partition(".")
        if top == NAME:
            is_allowed = any(f"{rest}.".startswith(f"{one}.") for one in {*ROOMS[room], room})
        elif top in sys.stdlib_module_names or top == "_typeshed":  # which only mypy ever loads
            is_allowed = room not in PURE or top not in IMPURE
        else:
            is_allowed = top in ROOMS[room]
        if not is_allowed:
            found.append(f"{path.relative_to(PACKAGE.parent)}:{line}: {room} imports {name}")
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_sees_only_the_rooms_further_in(room: str) -> None:
    modules = [path for path in MODULES if room_of(path) == room]
    found = [line for path in modules for line in offences(path, room)]
    assert not found, "\n".join(found)


def test_every_folder_is_a_room() -> None:
    folders = {room_of(path) for path in MODULES if path.parent != PACKAGE}
    assert folders <= ROOMS.keys()


def test_the_package_itself_imports_nothing() -> None:
    """So that ``__main__`` can patch before anything else is loaded."""
    assert list(imports(PACKAGE / "__init__.py")) == []


def test_only_the_entry_point_patches_and_it_patches_first() -> None:
    patching = [path for path in MODULES if any("monkey" in name for _, name in imports(path))]
    assert patching == [PACKAGE / "__main__.py"]
    body = ast.parse((PACKAGE / "__main__.py").read_text()).body
    statements = [ast.unparse(node) for node in body[1:3]]  # behind the docstring
    assert statements[0] == "from gevent import monkey"
    assert statements[1].startswith("monkey.patch_all(")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import time", 1),
        ("def f():\n    from socket import socket", 1),
        ("import gevent", 1),
        ("from fizz_gevent import service", 1),
        ("from fizz_gevent.server import build", 1),
        ("import fizz_gevent.channels.table", 1),
        ("import json\nimport orjson\nfrom fizz_gevent.protocol import names", 0),
        ("from fizz_gevent.errors import FizzError", 0),
    ],
)
def test_the_check_itself_finds_what_it_looks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, expected: int
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path / NAME)
    path = tmp_path / NAME / "protocol" / "module.py"
    path.parent.mkdir(parents=True)
    path.write_text(source)
    assert len(offences(path, "protocol")) == expected
