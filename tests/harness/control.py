"""Questions to a server's control socket, as its own commands ask them, and as others might."""

import json
import socket
from pathlib import Path
from typing import Any

from tests.harness.server import FizzServer

PATIENCE = 10.0


def run_file(server: FizzServer, ending: str) -> Path:
    """One of the files in the run directory: ``pid`` or ``sock``."""
    return Path(server.settings["run_directory"]) / f"fizz-{server.port}.{ending}"


def ask(server: FizzServer, question: str, **arguments: Any) -> dict[str, Any]:
    """The whole reply to a question."""
    asked = {"question": question, "arguments": arguments}
    return raw(server, json.dumps(asked).encode() + b"\n")


def raw(server: FizzServer, data: bytes) -> dict[str, Any]:
    """The reply to any bytes."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(run_file(server, "sock")))
        connection.sendall(data)
        reply = b""
        while not reply.endswith(b"\n"):
            piece = connection.recv(65536)
            if not piece:
                break
            reply += piece
    found: dict[str, Any] = json.loads(reply)
    return found
