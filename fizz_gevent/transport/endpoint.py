"""The route ``/app/<key>``, where clients ask for a WebSocket."""

from collections.abc import Mapping
from typing import Any, Protocol

from flask import Blueprint

from fizz_gevent.service.admission import Handshake


class Request(Protocol):
    """What the route needs to know of a request."""

    environ: dict[str, Any]


def create_blueprint() -> Blueprint:
    """The one WebSocket route; the handler, which holds the socket, takes over from its answer."""
    blueprint = Blueprint("websocket", __name__)

    @blueprint.route("/app/<key>", websocket=True)
    def connect(request: Request, key: str) -> Mapping[str, object]:
        """Note what the client says of itself; accepted or refused it is by the handler.

        Protocol: §1.1.
        """
        environ = request.environ
        # Of the parameters only two mean anything, and those hold nothing that is ever escaped.
        pieces = environ["QUERY_STRING"].split("&")
        query: dict[str, str] = dict(piece.partition("=")[::2] for piece in pieces)
        environ["fizz.handshake"] = Handshake(
            key=key,
            protocol=query.get("protocol"),
            version=query.get("version"),
            origin=environ.get("HTTP_ORIGIN"),
            is_secure=environ.get("fizz.is_secure", False),
            address=environ.get("fizz.client", ""),
        )
        return {}

    return blueprint
