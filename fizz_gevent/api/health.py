"""Whether the process lives, and whether it wants clients. Unsigned."""

from collections.abc import Mapping

from flask import Blueprint
from werkzeug.wrappers import Response

from fizz_gevent.api.errors import json_response
from fizz_gevent.api.request import ApiRequest
from fizz_gevent.service.readiness import Readiness


def create_blueprint(readiness: Readiness) -> Blueprint:
    """``/up`` and ``/ready``. Protocol: §12.10."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/up")
    def up(request: ApiRequest) -> Mapping[str, object]:
        """The process answers, whatever else is broken."""
        return {"health": "OK"}

    @blueprint.get("/ready")
    def ready(request: ApiRequest) -> Mapping[str, object] | Response:
        """503 with the reason while new clients should go elsewhere."""
        reason = readiness.reason
        if reason is None:
            return {"ready": True}
        return json_response(503, {"ready": False, "reason": reason})

    return blueprint
