"""Routes that act on a signed-in user."""

from collections.abc import Mapping

from flask import Blueprint

from fizz_gevent.api.gate import Gate
from fizz_gevent.api.request import ApiRequest
from fizz_gevent.errors import ApiError
from fizz_gevent.protocol.names import is_user_id
from fizz_gevent.service.back_ends import BackEnd
from fizz_gevent.service.users import Users


def create_blueprint(gate: Gate, users: Users) -> Blueprint:
    """``/apps/<app_id>/users/...``, and ``/users/...`` as the Python SDK asks for it.

    Protocol: §12.8.
    """
    blueprint = Blueprint("users", __name__)
    path = "/users/<user_id>/terminate_connections"

    def terminate(back_end: BackEnd, request: ApiRequest, user_id: str) -> Mapping[str, object]:
        """End every connection that is signed in as the user. Protocol: §9.4."""
        if not is_user_id(user_id, back_end.application.max_user_id_length):
            raise ApiError(400, f"Invalid user id {user_id[:200]!r}")
        users.terminate(back_end.table, user_id)
        return {}

    blueprint.post(f"/apps/<app_id>{path}", endpoint="terminate")(gate.signed(terminate))
    blueprint.post(path, endpoint="terminate_by_key")(gate.signed_by_key(terminate))
    return blueprint
