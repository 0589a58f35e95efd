"""The helpers of the official back-end libraries that check a webhook: Python's and Node's."""

from collections.abc import Callable, Iterable

import pusher

from tests.harness.node import NodeScript
from tests.harness.receiver import Received
from tests.harness.scripted import Scripted
from tests.harness.server import FizzServer


class WebhookHelpers:
    """What a back end of the server's first application would check webhooks with.

    Args:
        node: The fixture of that name.
    """

    def __init__(self, node: Callable[..., NodeScript], server: FizzServer) -> None:
        app = server.app
        self._python = pusher.Pusher(app_id=app.app_id, key=app.key, secret=app.secret)
        self._node = Scripted(node, "webhook.js", server, app)

    def check(self, requests: Iterable[Received]) -> None:
        """Assert that both accept each of these, and neither any of them with another body."""
        told = list(requests)
        for request in told:  # Python's first: it refuses what is five minutes old
            assert self._python_reads(request, request.body.decode()) == request.json
        for request in told:
            body = request.body.decode()
            headers = {name.lower(): value for name, value in request.headers.items()}
            assert self._node.do("read", {"headers": headers, "body": body}) == {
                "valid": True,
                "time": request.json["time_ms"],
                "events": request.events,
            }
        for request in told[:1]:
            body = request.body.decode() + " "
            headers = {name.lower(): value for name, value in request.headers.items()}
            assert self._python_reads(request, body) is None
            assert self._node.do("read", {"headers": headers, "body": body}) == {"valid": False}

    def _python_reads(self, request: Received, body: str) -> object:
        key, signature = (request.headers[f"X-Pusher-{name}"] for name in ("Key", "Signature"))
        found: object = self._python.validate_webhook(key, signature, body)
        return found

    def close(self) -> None:
        """Let the Python library go, which complains of sockets that it has left open itself."""
        self._python._pusher_client.http.session.close()
