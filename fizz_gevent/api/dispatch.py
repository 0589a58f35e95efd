"""Flask with a short way to the views that need nothing of Flask's contexts.

Creating and pushing the request context, signals, sessions and response objects are two thirds of
what Flask spends on a small request. The API's routes are ordinary Flask routes in blueprints;
of those that were registered as direct, the views are called without any of that.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, cast

import orjson
from flask import Blueprint, Flask, request
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import MapAdapter, RequestRedirect
from werkzeug.wrappers import Response

from fizz_gevent.api.errors import error_response
from fizz_gevent.api.request import ApiRequest, body_of, routed, target_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Answer = Mapping[str, object] | Response
"""What a direct view says; a mapping is a 200."""

DirectView = Callable[..., Answer]
"""Called with the :class:`ApiRequest`, and by name the route's variables."""

Headers = tuple[tuple[str, str], ...]

_CORS_HEADERS: Headers = (("Access-Control-Allow-Origin", "*"),)
_PREFLIGHT_HEADERS: Headers = (
    *_CORS_HEADERS,
    ("Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS"),
    ("Access-Control-Allow-Headers", "*"),
    ("Access-Control-Max-Age", "86400"),
)
_MAX_CACHED_PATH = 512
"""Characters; anybody may send long paths, and routes are found before signatures are checked."""


class FizzFlask(Flask):
    """The Flask application.

    Args:
        prefix: The path in front of everything, ``""`` or such as ``/fizz``.
        max_request_size: Bytes of a body, where the server has not read it already.
    """

    def __init__(self, *, prefix: str, max_request_size: int) -> None:
        super().__init__("fizz_gevent", static_folder=None)
        self.url_map.merge_slashes = False  # a redirect would lose the signature
        self.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # direct views would be called for it
        self._max_request_size = max_request_size
        self._direct_blueprints: set[str] = set()
        self._api_paths = (f"{prefix}/apps", f"{prefix}/users")
        self._find = lru_cache(maxsize=512)(self._find_uncached)
        self.register_error_handler(Exception, _answer_in_context)

    def register_direct(
        self, blueprint: Blueprint, *, name: str | None = None, url_prefix: str | None = None
    ) -> None:
        """Register a blueprint all of whose views are direct: each takes an ``ApiRequest`` first.

        Args:
            name: As for ``register_blueprint``, which this calls.
            url_prefix: As there; an empty one is none.
        """
        name = name or blueprint.name
        self.register_blueprint(blueprint, name=name, url_prefix=url_prefix or None)
        self._direct_blueprints.add(name)

    def wsgi_app(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request; whatever a direct view raises is answered too."""
        method = environ["REQUEST_METHOD"]
        target = target_of(environ)
        path = target.partition("?")[0]
        if method == "OPTIONS" and self._is_api(path):
            start_response("204 No Content", list(_PREFLIGHT_HEADERS))
            return []
        try:
            upgrade = environ.get("HTTP_UPGRADE")
            is_handshake = upgrade is not None and "websocket" in upgrade.lower()
            find = self._find if len(path) <= _MAX_CACHED_PATH else self._find_uncached
            view, arguments, headers, environ["fizz.route"] = find(method, path, is_handshake)
            if view is None:
                return super().wsgi_app(environ, start_response)
            body = body_of(environ, self._max_request_size)
            answer = view(ApiRequest(method, target, body, environ), **arguments)
            if not isinstance(answer, Response):
                body = orjson.dumps(answer)
                start_response(
                    "200 OK",
                    [
                        ("Content-Type", "application/json"),
                        ("Content-Length", str(len(body))),
                        *headers,
                    ],
                )
                return [] if method == "HEAD" else [body]
        except Exception as error:
            headers = _CORS_HEADERS if self._is_api(path) else ()
            answer = error_response(error, f"{method} {path}")
        answer.headers.extend(headers)
        return answer(environ, start_response)

    def _find_uncached(
        self, method: str, path: str, is_handshake: bool
    ) -> tuple[DirectView | None, Mapping[str, Any], Headers, str]:
        """The direct view of a route, with what to call it by, and the route in words.

        The view is None for routes that are not direct.

        Args:
            is_handshake: Look among the routes for WebSockets, and only there.

        Raises:
            HTTPException: No route has this path, or none with this method.
        """
        if path.startswith("//"):
            raise NotFound  # the adapter would forgive it
        try:
            rule, arguments = self._adapter.match(
                routed(path), method, return_rule=True, websocket=is_handshake
            )
        except RequestRedirect:  # no route of the API; the address is made from the request
            return None, {}, (), ""
        except MethodNotAllowed as error:
            if self._is_api(path):
                error.valid_methods = [*(error.valid_methods or ()), "OPTIONS"]
            raise
        if rule.endpoint.rpartition(".")[0] not in self._direct_blueprints:
            return None, {}, (), rule.rule
        view = cast(DirectView, self.view_functions[rule.endpoint])
        return view, arguments, _CORS_HEADERS if self._is_api(path) else (), rule.rule

    @cached_property
    def _adapter(self) -> MapAdapter:
        return self.url_map.bind("localhost")

    def _is_api(self, path: str) -> bool:
        return any(path == base or path.startswith(f"{base}/") for base in self._api_paths)


def _answer_in_context(error: Exception) -> Response:
    """The answer where one of Flask's ordinary views has failed."""
    return error_response(error, f"{request.method} {request.path}")
