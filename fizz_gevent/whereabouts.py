"""Where a running server probably is, where its configuration has a mistake just now.

Only to find its control socket: the server itself says what is wrong, and that it goes on.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

import yaml

from fizz_gevent import config_file
from fizz_gevent.config import Config, ServerConfig

_KEYS = ("host", "port", "run_directory")
_LINE = r"^[^#\n]*?\b{}[\"']?\s*:\s*[\"']?([^\s\"',#}}]+)"


def guess(path: str | None, environ: Mapping[str, str]) -> Config:
    """What can be made out of host, port and run directory; the rest has its defaults.

    Args:
        path: The file that ``--config`` names.
    """
    name = "fizz"
    found: dict[str, Any] = {}
    for each in config_file.SEARCH if path is None else (path,):
        if os.path.isfile(each):
            name, found = _read(each)
            break
    variables = {
        "host": environ.get("FIZZ_SERVER_HOST"),
        "port": environ.get("FIZZ_SERVER_PORT") or environ.get("PORT"),
        "run_directory": environ.get("FIZZ_RUN_DIRECTORY"),
    }
    set_there = {key: value for key, value in variables.items() if value}
    values = {**found, **set_there} if path is None else {**set_there, **found}
    port, default = str(values.get("port", "")), ServerConfig()
    server = ServerConfig(
        host=str(values.get("host", default.host)),
        port=int(port) if port.isdigit() else default.port,
        run_directory=values.get("run_directory"),
    )
    return Config(
        server=server, name=name, origins={f"servers.{name}.{key}": "guessed" for key in values}
    )


def _read(path: str) -> tuple[str, dict[str, Any]]:
    """The name of the server in a file, and what it says of it."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return "fizz", {}
    try:
        root = yaml.safe_load(text)
        name = str(root.get("default", "fizz"))
        server = root["servers"][name]
        return name, {key: server[key] for key in _KEYS if server.get(key) is not None}
    except (yaml.YAMLError, AttributeError, LookupError, TypeError, RecursionError):
        matches = {key: re.search(_LINE.format(key), text, re.MULTILINE) for key in _KEYS}
        return "fizz", {key: match[1] for key, match in matches.items() if match}
