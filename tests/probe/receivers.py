"""Back ends that do not take what they are told, each in its own way, and none in this thread."""

import contextlib
import json
import multiprocessing
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection


@contextlib.contextmanager
def hanging() -> Iterator[str]:
    """The address of one that takes connections, by the kernel's hand, and never reads a byte."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/hanging"


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """The address of one where nobody listens."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{kept.getsockname()[1]}/refusing"


@contextlib.contextmanager
def answering(status: int) -> Iterator[str]:
    """The address of one that answers everything so, in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_answer, args=(status, theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/answering-{status}"
    finally:
        process.kill()
        process.join()
        ours.close()
        theirs.close()


def _answer(status: int, port_to: Connection) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.wfile.write(f"HTTP/1.1 {status} Status\r\nContent-Length: 0\r\n\r\n".encode())

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    port_to.send(server.server_port)
    server.serve_forever()
