"""The opening handshake of RFC 6455, from the server's side."""

import base64
import binascii
import hashlib
from collections.abc import Mapping

from geventwebsocket.handler import WebSocketHandler

from fizz_gevent.transport.request import BadRequest, RequestHead

VERSION = "13"
_GUID = WebSocketHandler.GUID


def wants_upgrade(headers: Mapping[str, str]) -> bool:
    """Whether a request asks to become a WebSocket, well or badly."""
    upgrade = headers.get("HTTP_UPGRADE")
    return upgrade is not None and "websocket" in _tokens(upgrade)


def accept_head(request: RequestHead) -> bytes:
    """Check an upgrade request; the head of the response that accepts it.

    Raises:
        BadRequest: 400, 405 or 426.

    Protocol: RFC 6455, 4.2.
    """
    headers = request.headers
    if request.method != "GET":
        raise BadRequest(
            "405 Method Not Allowed", "a WebSocket is opened with GET", (("Allow", "GET"),)
        )
    if not request.is_1_1:
        raise BadRequest("400 Bad Request", "a WebSocket needs HTTP/1.1")
    if "upgrade" not in _tokens(headers.get("HTTP_CONNECTION", "")):
        raise BadRequest("400 Bad Request", "the Connection header does not say Upgrade")
    if headers.get("HTTP_SEC_WEBSOCKET_VERSION") != VERSION:
        raise BadRequest(
            "426 Upgrade Required",
            f"the WebSocket version served is {VERSION}",
            (("Sec-WebSocket-Version", VERSION),),
        )
    if request.content_length != 0:
        raise BadRequest("400 Bad Request", "an upgrade request has no body")
    key = headers.get("HTTP_SEC_WEBSOCKET_KEY", "")
    try:
        nonce = base64.b64decode(key.encode("latin-1"), validate=True)
    except binascii.Error:
        nonce = b""
    if len(nonce) != 16:
        raise BadRequest("400 Bad Request", "Sec-WebSocket-Key is not 16 bytes in Base64")
    digest = hashlib.sha1((key + _GUID).encode("latin-1"), usedforsecurity=False).digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + base64.b64encode(digest)
        + b"\r\n\r\n"
    )


def _tokens(header: str) -> set[str]:
    return {token.strip() for token in header.lower().split(",")}
