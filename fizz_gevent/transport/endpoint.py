"""The route ``/app/<key>``, where clients ask for a WebSocket."""

from collections.abc import Mapping
from typing import Any, Protocol

from flask import Blueprint

from fizz_gevent.errors import ApiError
from fizz_gevent.protocol.query import parse_query
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
        try:
            query = dict(parse_query(environ["QUERY_STRING"]))
        except ApiError:
            query = {}  # nothing in there that any client sends
        environ["fizz.handshake"] = Handshake(
            key=key,
            protocol=query.get("protocol"),
            version=query.get("version"),
            origin=environ.get("HTTP_ORIGIN"),
            is_secure=environ.get("fizz.is_secure", False),
        )
        return {}

    return blueprint
