"""Clients that read slowly: whose sockets take next to nothing that they do not read."""

import socket

from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.websocket import WITHIN, RawWebSocket, websocket_target

_RECEIVE_BUFFER = 4096


def narrow_socket(server: FizzServer) -> socket.socket:
    """Connect, over TLS where the server speaks it, with the smallest of receive buffers.

    The server's side of the socket still takes a few megabytes, as its kernel sees fit.
    """
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    plain.settimeout(WITHIN)
    plain.connect(server.address)
    if server.tls is None:
        return plain
    return server.tls.wrap_socket(plain, server_hostname="localhost")


def narrow_client(server: FizzServer, app: App | None = None) -> PusherClient:
    """Return a connected client that will be slow, unless a test reads for it."""
    app = app or server.app
    raw = RawWebSocket(narrow_socket(server))
    raw.handshake(websocket_target(app.key, prefix=server.prefix), host="localhost")
    return PusherClient(raw, app)
