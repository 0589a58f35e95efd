"""A back end that gets webhooks, and does with them what a test wants."""

import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.harness.certificates import Certificate
from tests.harness.eventually import WITHIN, eventually

Answer = Callable[[dict[str, Any]], int | tuple[int, dict[str, str]]]
"""A status, or a status and further headers, for a body."""


@dataclass(frozen=True)
class Received:
    """One request, as it came.

    Attributes:
        headers: In the spelling of the sender.
        status: What it was answered with.
    """

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json["events"]
        return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that hangs up is no error here."""


class Receiver:
    """Listens on loopback, records every request and answers it.

    Args:
        certificate: With it, the receiver speaks TLS.

    Attributes:
        answer: What to answer a request with.
        requests: All that came, in the order of the answers.
    """

    def __init__(self, certificate: Certificate | None = None) -> None:
        self.answer: Answer = lambda _: 200
        self.requests: list[Received] = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = receiver._take(self.path, dict(self.headers.items()), body)
                head = [f"HTTP/1.1 {status} Status", "Content-Length: 2"]
                head += [f"{name}: {value}" for name, value in headers.items()]
                self.wfile.write("\r\n".join([*head, "", "ok"]).encode())

            def log_message(self, *_: Any) -> None:
                """Nothing: the test looks at ``requests``."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._scheme = "http"
        if certificate is not None:
            self._scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.cert, certificate.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        found = self.answer(json.loads(body))
        status, others = found if isinstance(found, tuple) else (found, {})
        with self._lock:
            self.requests.append(Received(path, headers, body, status))
        return status, others

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}/hook"

    @property
    def taken(self) -> list[Received]:
        """The requests that were answered with 2xx."""
        with self._lock:
            return [each for each in self.requests if 200 <= each.status < 300]

    def events(self, *names: str) -> list[dict[str, Any]]:
        """The events of what was taken; all, or those of these names."""
        found = [event for each in self.taken for event in each.events]
        return [event for event in found if not names or event["name"] in names]

    def forget(self) -> None:
        """Let go of what has come so far, in a test that takes long."""
        with self._lock:
            self.requests.clear()

    def wait_for(self, count: int, *names: str, within: float = WITHIN) -> list[dict[str, Any]]:
        """Wait until at least so many events were taken; return them."""
        eventually(
            lambda: len(self.events(*names)) >= count,
            within=within,
            what=f"{count} events {names}",
        )
        return self.events(*names)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(WITHIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Failing:
    """Answers the first requests of each channel with a status, and the later ones with 200."""

    def __init__(self, times: int, status: int = 500) -> None:
        self._times = times
        self._status = status
        self._seen: dict[str, int] = {}
        self._lock = threading.Lock()

    def __call__(self, body: dict[str, Any]) -> int:
        channel = body["events"][0]["channel"]
        with self._lock:
            self._seen[channel] = self._seen.get(channel, 0) + 1
            return self._status if self._seen[channel] <= self._times else 200
