"""How many clients are connected."""

from collections.abc import Mapping

from flask import Blueprint

from fizz_gevent.api.gate import Gate
from fizz_gevent.api.request import ApiRequest
from fizz_gevent.service.back_ends import BackEnd
from fizz_gevent.service.directory import Directory


def create_blueprint(gate: Gate, directory: Directory) -> Blueprint:
    """The route below ``/apps/<app_id>``."""
    blueprint = Blueprint("connections", __name__)

    @blueprint.get("/connections")
    @gate.read
    def connections(back_end: BackEnd, request: ApiRequest) -> Mapping[str, object]:
        """All connections of the application, in channels or not. Protocol: §12.10."""
        return {"connections": directory.connections(back_end.application)}

    return blueprint
