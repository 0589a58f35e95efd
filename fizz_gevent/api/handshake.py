"""What a plain request finds where WebSockets are opened."""

from flask import Blueprint
from werkzeug.wrappers import Response

from fizz_gevent.api.errors import json_response
from fizz_gevent.api.request import ApiRequest

_WHAT_TO_DO = {"Upgrade": "websocket", "Connection": "Upgrade"}


def create_blueprint() -> Blueprint:
    """``/app/<key>`` without an upgrade; the transport has the route with one."""
    blueprint = Blueprint("handshake", __name__)

    @blueprint.get("/app/<key>")
    def upgrade_required(request: ApiRequest, key: str) -> Response:
        """Protocol: §1.3, last paragraph."""
        text = "This is where WebSocket connections are opened; upgrade the request"
        return json_response(426, {"error": text, "code": 426}, _WHAT_TO_DO)

    return blueprint
