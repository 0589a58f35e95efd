"""One HTTP request, as far as the API cares."""

from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from werkzeug.wsgi import get_input_stream

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class ApiRequest:
    """What a view is given in place of Flask's ``request``.

    Attributes:
        method: As it came; methods are upper case.
        target: Path and query exactly as received; signatures are made over it.
        body: All of it.
        environ: The WSGI environment.
    """

    __slots__ = ("body", "environ", "method", "target")

    def __init__(self, method: str, target: str, body: bytes, environ: "WSGIEnvironment") -> None:
        self.method = method
        self.target = target
        self.body = body
        self.environ = environ


def target_of(environ: "WSGIEnvironment") -> str:
    """Path and query as received, from the first ``/`` on.

    Our own handler leaves it in ``fizz.target``, other servers in ``RAW_URI``.
    """
    target: str = environ.get("fizz.target") or environ.get("RAW_URI") or "/"
    if target.startswith("/"):
        return target
    _, scheme, rest = target.partition("://")  # the absolute form, as proxies get it
    return "/" + rest.partition("/")[2] if scheme else target


def body_of(environ: "WSGIEnvironment", max_bytes: int) -> bytes:
    """The whole body; read here only where the handler has not done so.

    Raises:
        RequestEntityTooLarge: It has more than ``max_bytes``.
    """
    body: bytes | None = environ.get("fizz.body")
    if body is None:
        body = get_input_stream(environ, max_content_length=max_bytes).read()
    return body


def routed(path: str) -> str:
    """The decoded form of a raw path, for finding the route.

    An encoded slash stays encoded: it is part of a name, and no name may have one, while decoded
    it would turn one resource into another.
    """
    if "%" not in path and path.isascii():
        return path
    kept = path.replace("%2F", "%252F").replace("%2f", "%252f")
    return unquote_to_bytes(kept.encode("latin-1", "replace")).decode("utf-8", "replace")
