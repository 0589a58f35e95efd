"""Whatever goes wrong, as an answer: always JSON, never a page."""

import logging
import secrets
from collections.abc import Mapping
from http import HTTPStatus

import orjson
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response

from fizz_gevent.errors import ApiError

_log = logging.getLogger(__name__)

_TEXTS = {
    400: "Bad request",
    404: "Path not found",
    405: "Method not allowed",
    413: "The request body is too large",
}


def json_response(
    status: int, content: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> Response:
    """Any answer that is not a plain 200."""
    return Response(
        orjson.dumps(content),
        status=f"{status} {HTTPStatus(status).phrase}",
        headers=headers,
        mimetype="application/json",
    )


def error_response(error: Exception, about: str) -> Response:
    """The answer to a request that failed.

    Args:
        about: Method and path without the query, for the log.

    Protocol: §12.2, "Fizz".
    """
    headers: Mapping[str, str] | None = None
    if isinstance(error, ApiError):
        status, text, headers = error.status, error.message, error.headers
    elif isinstance(error, HTTPException) and error.code is not None:
        if error.response is not None or error.code < 400:
            return Response.force_type(error.get_response())
        status = error.code
        text = _TEXTS.get(status) or error.name
        if isinstance(error, MethodNotAllowed):
            headers = {"Allow": ", ".join(sorted(error.valid_methods or ()))}
    else:
        status = 500
        fault = secrets.token_hex(4)
        text = f"Internal error {fault}"
        _log.error("fault %s in %s", fault, about, exc_info=error)
    return json_response(status, {"error": text, "code": status}, headers)
