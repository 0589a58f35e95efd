"""HTTP in, HTTP out: one handler per accepted socket, until it is closed or upgraded."""

import contextlib
import logging
import secrets
import socket as socket_module
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from io import BytesIO
from typing import TYPE_CHECKING, Any

import orjson
from geventwebsocket.handler import WebSocketHandler

from fizz_gevent.protocol import frames
from fizz_gevent.service.admission import Handshake
from fizz_gevent.transport.body import BodyReader, IncompleteBody
from fizz_gevent.transport.request import MAX_HEAD_BYTES, BadRequest, RequestHead, parse_head
from fizz_gevent.transport.stream import Stream
from fizz_gevent.transport.upgrade import accept_head, wants_upgrade
from fizz_gevent.transport.visitor import Visitor

if TYPE_CHECKING:
    from _socket import socket as Socket

    from fizz_gevent.transport.listener import Listener

_log = logging.getLogger(__name__)
_RECEIVE_BYTES = 65536
_LINGER_SECONDS = 2.0
_NO_ROUTE = "none"
"""Stands for the route of requests that have none, or are none."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Handler(WebSocketHandler):  # type: ignore[misc]  # the library has no types
    """Speaks HTTP/1 on one socket and lets go of it at an upgrade.

    Written over gevent-websocket's handler, whose place in the WSGI server it takes; requests are
    read in one piece and answered with one ``send``, which pywsgi's own way does not do.

    Attributes:
        deadline: When patience ends, monotonic seconds; None while the application works.
        is_idle: Nothing of a request has come; the connection may be closed at any moment.
    """

    def __init__(self, sock: "Socket", visitor: Visitor, server: "Listener") -> None:
        self.server = server
        self.stream = Stream(sock)
        self.deadline: float | None = None
        self.is_idle = False
        self._buffer = b""
        self._is_expired = False
        self._is_answering = False
        self._owes_answer = False
        self._peer = visitor.peer
        self._place = visitor.place
        self._was_served = visitor.was_served
        self._status = ""
        self._route = _NO_ROUTE
        self._headers: list[tuple[str, str]] = []

    def handle(self) -> None:
        """Serve requests until either side closes; every error ends here."""
        server = self.server
        server.deadlines.add(self)
        is_ours = True
        try:
            if server.tls is not None:
                self._patience(server.config.tls_handshake_timeout)
                self.stream.handshake(server.tls)
            is_ours = self._serve()
        except OSError:  # the peer is gone, or its TLS handshake failed
            self._note_silence()
        except IncompleteBody:
            pass
        except Exception:
            self._fail()
        finally:
            server.deadlines.discard(self)
            self.stream.release()
            self._leave_place()
            if is_ours:
                self.stream.socket.close()
                server.socket_closed()

    def _fail(self) -> None:
        """Answer, in an ``except`` block, a bug of ours that no answer was made of elsewhere."""
        pieces = self._internal_error("in the HTTP handler")
        if self._owes_answer:
            with contextlib.suppress(OSError):
                self._send(pieces, keep_alive=False)

    def _internal_error(self, where: str) -> list[bytes]:
        """Make a 500 of a bug of ours, with the name that it has in the log."""
        fault = secrets.token_hex(4)
        _log.exception("fault %s %s", fault, where)
        self._status = "500 Internal Server Error"
        self._headers = [("Content-Type", "application/json")]
        return [orjson.dumps({"error": f"Internal error {fault}", "code": 500})]

    def expire(self) -> None:
        """Patience has ended: whatever waits for the peer now finds it gone. Never yields."""
        self._is_expired = True
        how = socket_module.SHUT_RDWR if self._is_answering else socket_module.SHUT_RD
        with contextlib.suppress(OSError):  # gone already
            self.stream.socket.shutdown(how)

    def _serve(self) -> bool:
        """Serve one request after the other; False where the socket now belongs to a WebSocket."""
        server = self.server
        config = server.config
        was_served = self._was_served
        self._patience(config.keep_alive_timeout if was_served else config.request_head_timeout)
        while True:
            request = None
            try:
                head = self._read_head()
                if head is None:
                    return True
                self._owes_answer = True
                request = parse_head(head)
                if wants_upgrade(request.headers):
                    return self._upgrade(request)
                if server.is_crowded:
                    raise BadRequest("503 Service Unavailable", "the server is at its capacity")
                body = self._read_body(request)
            except BadRequest as error:
                self._refuse(error, request)
                return True
            self.deadline = None
            if not self._answer(request, body):
                if self._buffer:
                    self._linger()
                return True
            self._patience(config.keep_alive_timeout)
            if self._buffer:
                self.stream.breathe()  # who does not wait for answers may bring thousands

    def _note_silence(self) -> None:
        """Count a peer among the refused that had its time and has said nothing at all."""
        is_draining = self.server.readiness.is_draining
        if self._is_expired and not self._status and not is_draining:
            self.server.note_refusal("silent", "" if self._place is None else self._place.address)

    def _leave_place(self) -> None:
        """Count the socket no more among those of which nothing is known."""
        if self._place is not None:
            self.server.places.remove_socket(self._place)
            self._place = None

    def _patience(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds

    def _receive(self) -> bytes:
        """More bytes from the peer; empty at its end.

        Raises:
            BadRequest: 408, in the middle of a request that took too long.
        """
        data = self.stream.recv(_RECEIVE_BYTES)
        if self._is_expired:  # there may be data, as the peer can still send
            raise BadRequest("408 Request Timeout", "the request took too long to arrive")
        self.server.unfinished.add(self, len(data))
        return data

    def _read_head(self) -> bytes | None:
        """Everything up to the empty line; None at the end of the connection."""
        buffer = self._buffer
        self.is_idle = True
        while True:
            if buffer[:1] in (b"\r", b"\n"):
                buffer = buffer.lstrip(b"\r\n")  # empty lines before a request mean nothing
            if buffer:
                end = buffer.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES + 4)
                if end >= 0:
                    self.is_idle = False
                    self._buffer = buffer[end + 4 :]
                    return buffer[:end]
                if len(buffer) > MAX_HEAD_BYTES:
                    if b"\r\n" not in buffer[:MAX_HEAD_BYTES]:
                        raise BadRequest("414 URI Too Long", "the target is too long")
                    raise BadRequest(
                        "431 Request Header Fields Too Large",
                        f"the request head is larger than {MAX_HEAD_BYTES} bytes",
                    )
                if buffer.count(b"\n") != buffer.count(b"\r\n"):
                    raise BadRequest("400 Bad Request", "lines end with CR and LF, not with LF")
                if self.is_idle:
                    self.is_idle = False
                    self._patience(self.server.config.request_head_timeout)
            data = self.stream.recv(_RECEIVE_BYTES)
            if not data:
                if buffer and self._is_expired:
                    raise BadRequest("408 Request Timeout", "the request head took too long")
                self._note_silence()
                return None
            buffer += data

    def _read_body(self, request: RequestHead) -> bytes:
        length = request.content_length
        if length == 0:
            return b""
        limit = self.server.config.max_request_size
        self._patience(self.server.config.request_body_timeout)
        if request.expects_continue and not self._buffer and (length is None or length <= limit):
            self.stream.sendall(_CONTINUE)
        reader = BodyReader(self._buffer, self._receive, limit, self.stream.breathe)
        try:
            body = reader.read(length)
        finally:
            self.server.unfinished.remove(self)
        self._buffer = reader.rest
        return body

    def _environ(self, request: RequestHead, body: bytes) -> dict[str, Any]:
        environ: dict[str, Any] = self.server.get_environ()
        environ.update(request.headers)
        environ["REQUEST_METHOD"] = request.method
        environ["PATH_INFO"] = request.path
        environ["QUERY_STRING"] = request.query
        environ["SERVER_PROTOCOL"] = "HTTP/1.1" if request.is_1_1 else "HTTP/1.0"
        environ["REMOTE_ADDR"] = self._peer
        environ["wsgi.input"] = BytesIO(body)
        environ["fizz.target"] = request.target
        environ["fizz.body"] = body
        if request.content_length is None:
            environ["CONTENT_LENGTH"] = str(len(body))
            del environ["HTTP_TRANSFER_ENCODING"]
        return environ

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """WSGI's start_response; the head waits for the body, so that both leave together."""
        self._status = status
        self._headers = headers
        return _no_write

    def _answer(self, request: RequestHead, body: bytes) -> bool:
        """Run the application and send what it says; whether another request may follow."""
        began = time.monotonic()
        environ: dict[str, Any] = {}
        try:
            environ = self._environ(request, body)
            result: Iterable[bytes] = self.server.application(environ, self.start_response)
            pieces = list(result)
            close = getattr(result, "close", None)
            if close is not None:
                close()
        except Exception:
            pieces = self._internal_error(f"in {request.method} {request.path}")
        self._route = environ.get("fizz.route") or _NO_ROUTE
        if self._place is not None and "fizz.is_signed" in environ:
            self._leave_place()
        keep_alive = request.keep_alive and not self.server.readiness.is_draining
        self._send(pieces, keep_alive=keep_alive, request=request)
        self.server.answer_seconds.observe(time.monotonic() - began)
        if self.server.tap is not None:
            self.server.tap.request(request.method, request.target, self._status)
        if self._status >= "4":
            what, why = f"{request.method} {request.path}", f"{self._status}: {_error(pieces)}"
            _log.debug("%s from %s refused: %s", what, self._peer or "a local socket", why)
            if self.server.complaints is not None:
                self.server.complaints.refused("request", what, why)
        return keep_alive

    def _send(
        self, pieces: list[bytes], *, keep_alive: bool, request: RequestHead | None = None
    ) -> None:
        """Send status, headers and body in one piece."""
        self._owes_answer = False
        self.server.note_answer(self._route, self._status[:3])
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        lines = [f"HTTP/1.1 {self._status}"]
        has_length = False
        for name, value in self._headers:
            lines.append(f"{name}: {value}")
            if name == "Content-Length":
                has_length = True
        if not has_length and self._status[:3] not in ("204", "304"):
            lines.append(f"Content-Length: {len(body)}")
        lines.append(f"Date: {_date()}")
        if not keep_alive:
            lines.append("Connection: close")
        elif request is not None and not request.is_1_1:
            lines.append("Connection: keep-alive")
        lines.append("\r\n")
        head = "\r\n".join(lines).encode("latin-1")
        if request is not None and request.method == "HEAD":
            body = b""
        self._is_answering = True
        self._patience(self.server.config.request_body_timeout)
        self.stream.sendall(head + body)
        self._is_answering = False

    def _refuse(self, error: BadRequest, request: RequestHead | None) -> None:
        """Answer what is no proper request, and close without losing the answer."""
        if self.server.tap is not None:
            self.server.tap.request("?", self._peer, f"{error.status} ({error})")
        _log.debug("request from %s refused: %s (%s)", self._peer, error.status, error)
        if self.server.complaints is not None:
            self.server.complaints.refused("request", self._peer, f"{error.status} ({error})")
        self._status = error.status
        self._route = _NO_ROUTE
        self._headers = [("Content-Type", "application/json"), *error.headers]
        code = int(error.status[:3])
        body = orjson.dumps({"error": error.message, "code": code})
        self._send([body], keep_alive=False, request=request)
        self._linger()

    def _linger(self) -> None:
        """Take in what the peer still sends: closing at once would take its answer away."""
        socket = self.stream.socket
        if self._is_expired:
            return
        socket.shutdown(socket_module.SHUT_WR)
        self._patience(_LINGER_SECONDS)
        limit = 2 * self.server.config.max_request_size
        while limit > 0 and (data := self.stream.recv(_RECEIVE_BYTES)):
            limit -= len(data)

    def _upgrade(self, request: RequestHead) -> bool:
        """Turn the socket into a WebSocket; False where it is one now, True where it was refused.

        The path is Flask's to judge: its route for ``/app/<key>`` leaves a ``Handshake`` behind.

        Raises:
            BadRequest: The request is no proper upgrade.
        """
        head = accept_head(request)
        environ = self._environ(request, b"")
        environ["fizz.is_secure"] = self.server.tls is not None or self.server.proxies.is_secure(
            self._peer, request.headers
        )
        address = self.server.proxies.named_client(self._peer, request.headers)
        environ["fizz.client"] = address
        for _ in self.server.application(environ, self.start_response):
            pass  # what it says to those who cannot be upgraded
        handshake: Handshake | None = environ.get("fizz.handshake")
        self.deadline = None
        refusal = self.server.open_websocket(self.stream, handshake, head, self._buffer, address)
        if refusal is None:
            return False
        if self.server.tap is not None:
            self.server.tap.state(self._peer, f"refused {request.path}: {refusal}")
        if self.server.complaints is not None:
            why = f"{request.path}: {refusal}"
            who = address or self._peer or "socket"
            self.server.complaints.refused("connection", who, why)
        self._part_from_websocket(head + refusal.frames)
        return True

    def _part_from_websocket(self, data: bytes) -> None:
        """Say why the client may not connect, and wait for its close frame a while.

        Protocol: §1.3, §4.3.
        """
        self._is_answering, self._owes_answer = True, False
        self._patience(self.server.config.close_timeout)
        self.stream.sendall(data)
        reader = frames.FrameReader()
        received = self._buffer
        limit = _RECEIVE_BYTES
        while limit > 0 and reader.failed is None:
            for opcode, _ in reader.feed(received, _RECEIVE_BYTES):
                if opcode == frames.CLOSE:
                    return
            received = self.stream.recv(_RECEIVE_BYTES)
            if not received:
                return
            limit -= len(received)


def _error(pieces: list[bytes]) -> str:
    """Why a request was refused, in the words of the answer."""
    try:
        return str(orjson.loads(b"".join(pieces))["error"])
    except (ValueError, LookupError, TypeError):
        return "no reason given"


def _no_write(data: bytes) -> None:
    raise NotImplementedError("the write callable of WSGI is not served")


_date_of: tuple[int, str] = (0, "")


def _date() -> str:
    """The Date header, worded once a second."""
    global _date_of
    now = int(time.time())
    if _date_of[0] != now:
        _date_of = (now, formatdate(now, usegmt=True))
    return _date_of[1]
