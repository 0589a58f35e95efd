"""What the metrics listener answers, as a WSGI application."""

import json
import logging
import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from fizz_gevent.metrics import memory
from fizz_gevent.metrics.collector import CONTENT_TYPE, exposition
from fizz_gevent.metrics.figures import Figures

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_log = logging.getLogger(__name__)
_JSON = "application/json"


def create_application(gather: Callable[[], Figures]) -> "WSGIApplication":
    """``GET /metrics`` and ``GET /usage``. Protocol: §12.10.

    Args:
        gather: The figures of now; may yield.
    """

    def metrics() -> tuple[str, bytes]:
        return CONTENT_TYPE, exposition(gather())

    def usage() -> tuple[str, bytes]:
        answer = memory.usage(gather().resident_bytes, memory.limit_bytes())
        return _JSON, json.dumps(answer).encode()

    routes = {"/metrics": metrics, "/usage": usage}

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        route = routes.get(environ["PATH_INFO"])
        headers = []
        if route is None:
            status, kind, body = "404 Not Found", _JSON, _error(404, "Path not found")
        elif environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            status, kind, body = "405 Method Not Allowed", _JSON, _error(405, "Method not allowed")
            headers = [("Allow", "GET, HEAD")]
        else:
            try:
                status, (kind, body) = "200 OK", route()
            except Exception:
                fault = secrets.token_hex(4)
                _log.exception("fault %s at %s", fault, environ["PATH_INFO"])
                status, kind = "500 Internal Server Error", _JSON
                body = _error(500, f"Internal error {fault}")
        headers += [("Content-Type", kind), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return application


def _error(code: int, text: str) -> bytes:
    return json.dumps({"error": text, "code": code}).encode()
