"""``etc/fizz.yaml`` and ``docs/configuration.md`` tell the truth, and all of it."""

import re
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from fizz_gevent import environment, schema
from fizz_gevent.application import Application
from fizz_gevent.check import value_at
from fizz_gevent.config import LoggingConfig, ServerConfig
from fizz_gevent.config_file import load
from fizz_gevent.credentials import DEVELOPMENT_SECRET
from fizz_gevent.kind import flatten

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "etc" / "fizz.yaml"
MANUAL = ROOT / "docs" / "configuration.md"


def keys(tree: Any, prefix: str = "") -> set[str]:
    """Every key path of a tree of mappings."""
    if not isinstance(tree, dict):
        return {prefix.removesuffix(".")}
    return set().union(*(keys(value, f"{prefix}{name}.") for name, value in tree.items()))


def field_paths(kind: Any, prefix: str = "") -> set[str]:
    """Every path of a dataclass and of those inside of it."""
    paths: set[str] = set()
    for field in fields(kind):
        default = getattr(kind, field.name)
        inner = f"{prefix}{field.name}"
        paths |= field_paths(default, f"{inner}.") if is_dataclass(default) else {inner}
    return paths


def test_the_sample_shows_the_built_in_defaults() -> None:
    environ = {"TMPDIR": "/t"}
    shown, built_in = load(str(SAMPLE), environ, {}, search=()), load(None, environ, {}, search=())
    (app,) = shown.applications
    assert app == Application("1001", "fizz-key", "fizz-secret")
    assert replace(shown, applications=()) == built_in
    assert built_in.server == replace(ServerConfig(), run_directory=built_in.server.run_directory)
    assert built_in.logging == LoggingConfig()
    assert app.secret == DEVELOPMENT_SECRET


def test_the_sample_shows_every_key() -> None:
    tree = yaml.safe_load(SAMPLE.read_text())
    assert tree.keys() == {"default", "servers", "logging", "apps"}
    assert keys(tree["servers"]["fizz"]) == flatten(schema.SERVER).keys()
    assert tree["logging"].keys() == schema.LOGGING.keys()
    assert tree["apps"].keys() == {"provider", "apps"}
    assert tree["apps"]["apps"][0].keys() == schema.APPLICATION.keys()


def test_the_schema_has_a_key_for_every_field_and_no_other() -> None:
    paths = {path.removeprefix("options.") for path in flatten(schema.SERVER)}
    assert paths == field_paths(ServerConfig())
    for path in paths:
        value_at(ServerConfig(), path)
    assert schema.LOGGING.keys() == field_paths(LoggingConfig())
    assert list(schema.APPLICATION) == [field.name for field in fields(Application)]


@pytest.mark.parametrize(
    "name",
    [
        *("default", "apps.provider"),
        *flatten(schema.SERVER),
        *(f"logging.{name}" for name in schema.LOGGING),
        *schema.APPLICATION,
        *schema.WEBHOOK.fields,
    ],
)
def test_the_manual_explains_every_key(name: str) -> None:
    assert re.search(rf"`{re.escape(name)}`", MANUAL.read_text())


@pytest.mark.parametrize("name", sorted(environment.KNOWN - environment.APP_VARIABLES.keys()))
def test_the_manual_names_every_variable(name: str) -> None:
    assert f"`{name}`" in MANUAL.read_text()


def test_the_manual_shows_the_defaults() -> None:
    """Each row of its tables begins with a key and its default, as the sample writes it."""
    tree = yaml.safe_load(SAMPLE.read_text())
    server, app = tree["servers"]["fizz"], tree["apps"]["apps"][0]
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| `([^`]+)` \|", MANUAL.read_text(), re.MULTILINE))
    checked = 0
    for key, default in rows.items():
        for holder in (server, {"logging": tree["logging"], "apps": tree["apps"]}, app):
            value: Any = holder
            try:
                for name in key.split("."):
                    value = value[name]
            except (KeyError, TypeError):
                continue
            assert yaml.safe_load(default) == value, key
            checked += 1
            break
    assert checked > 60
