"""What commands say where something answers that is no Fizz, or no whole one."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.commands import Outcome, run_command
from tests.harness.server import FizzServer
from tests.harness.websocket import WITHIN


class Stranger:
    """Answers each connection with the same bytes, once a whole request has come."""

    def __init__(self, answer: bytes) -> None:
        self.requests: list[bytes] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(WITHIN)
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65536)
                self.requests.append(request)
                connection.sendall(self._answer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(WITHIN)


@pytest.fixture
def stranger(request: pytest.FixtureRequest) -> Iterator[Stranger]:
    answering = Stranger(request.param)
    yield answering
    answering.close()


@pytest.fixture
def configured(tmp_path: Path) -> FizzServer:
    """A configuration, and nothing that runs on it."""
    server = FizzServer(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "fizz.yaml").write_text(json.dumps({"apps": {"apps": server.apps}}))
    return server


def ask(server: FizzServer, stranger: Stranger, *words: str) -> Outcome:
    return run_command(server, *words, environ={"FIZZ_PORT": str(stranger.port)})


def http(status: str, body: bytes, *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


@pytest.mark.parametrize(
    ("stranger", "words"),
    [
        (http("502 Bad Gateway", b"<html>no</html>"), "answers 502: Bad Gateway"),
        (http("403 Forbidden", b"keep out \x1b[31m"), "answers 403: keep out \\x1b[31m"),
        (http("400 Bad", b'{"error":"this\\nwas \\u001b wrong"}'), "400: this\\nwas \\x1b wrong"),
        (http("200 OK", b"<html>hi</html>"), "does not answer as Fizz does"),
        (http("200 OK", b"[1]"), "does not answer as Fizz does"),
        (b"SSH-2.0-OpenSSH\r\n", "no proper HTTP came back"),
        (b"", "no proper HTTP came back"),
        (http("200 OK", b"{}")[:-1], "the connection broke"),
    ],
    indirect=["stranger"],
)
def test_a_request_that_somebody_else_answers(
    configured: FizzServer, stranger: Stranger, words: str
) -> None:
    complaint = ask(configured, stranger, "channels").complaint
    assert f"http://127.0.0.1:{stranger.port}" in complaint
    assert words in complaint
    assert len(stranger.requests) == 1


@pytest.mark.parametrize(
    ("stranger", "words"),
    [
        (http("404 Not Found", b"?"), "answers '404 Not Found' in place of a WebSocket"),
        (http("503 Busy", b"?"), "answers '503 Busy' in place of a WebSocket"),
        (http("200 OK", b"?"), "answers '200 OK' in place of a WebSocket"),
        (b"HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\n\r\n", "WebSocket handshake wrongly"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "no proper HTTP came back"),
        (b"SSH-2.0-OpenSSH\r\n", "broke off"),
    ],
    indirect=["stranger"],
)
def test_a_handshake_that_somebody_else_answers(
    configured: FizzServer, stranger: Stranger, words: str
) -> None:
    complaint = ask(configured, stranger, "listen", "a").complaint
    assert words in complaint
    assert len(stranger.requests) == 1


@pytest.mark.parametrize(
    "stranger",
    [http("200 OK", b'{"channels":{"a":{"subscription_count":1}}}', "Fizz-Partial: 1")],
    indirect=True,
)
def test_a_partial_answer_is_told_beside_the_output(
    configured: FizzServer, stranger: Stranger
) -> None:
    """Protocol: §12.2: ``Fizz-Partial`` where Redis is away."""
    done = ask(configured, stranger, "channels", "--json")
    assert (done.code, json.loads(done.out)["channels"].keys()) == (0, {"a"})
    assert done.err == "fizz: Redis is away: this is what one node knows by itself\n"


@pytest.mark.parametrize("stranger", [http("200 OK", b"{}")], indirect=True)
def test_what_a_request_looks_like(configured: FizzServer, stranger: Stranger) -> None:
    """Protocol: §12.1: what is signed is what is sent; nothing is in the way twice."""
    done = ask(configured, stranger, "trigger", "a", "--event=e", "--data={}", "--json")
    assert done.json == {}
    head, _, body = stranger.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0].startswith("POST /apps/1001/events?auth_key=fizz-test-key&auth_timestamp=")
    assert lines.count(f"Host: 127.0.0.1:{stranger.port}") == 1
    assert [line for line in lines if line.lower().startswith("host")] == [
        f"Host: 127.0.0.1:{stranger.port}"
    ]
    assert f"Content-Length: {len(body)}" in lines or not body
    assert configured.app.secret not in head.decode()
