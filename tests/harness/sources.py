"""Clients that come from other addresses of loopback than everybody else."""

import socket
from collections.abc import Mapping

from tests.harness.http_socket import HttpSocket
from tests.harness.server import FizzServer
from tests.harness.websocket import WITHIN, RawWebSocket, websocket_target


def socket_from(server: FizzServer, source: str) -> HttpSocket:
    """Connect from ``127.0.0.2``, say, and say nothing yet."""
    return HttpSocket(
        socket.create_connection(("127.0.0.1", server.port), WITHIN, source_address=(source, 0))
    )


def websocket_from(
    server: FizzServer, source: str, *, headers: Mapping[str, str] | None = None
) -> RawWebSocket:
    """Open a WebSocket from there; nothing is read from it."""
    websocket = RawWebSocket(socket_from(server, source).socket)
    try:
        websocket.handshake(websocket_target(server.app.key), host="localhost", headers=headers)
    except BaseException:
        websocket.socket.close()
        raise
    return websocket
