"""The listening socket, and what becomes of each socket it accepts."""

import errno
import logging
import secrets
import socket
import ssl
import time
from _socket import socket as Socket
from dataclasses import dataclass, replace
from typing import Any

import gevent
from gevent.pywsgi import WSGIServer

from fizz_gevent.channels.histogram import SECONDS, Histogram
from fizz_gevent.config import ServerConfig
from fizz_gevent.errors import ConnectionRejected
from fizz_gevent.ports import Complaints, Tap
from fizz_gevent.protocol import events, frames
from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.service.admission import Admission, Handshake
from fizz_gevent.service.readiness import Readiness
from fizz_gevent.transport.deadlines import Deadlines
from fizz_gevent.transport.handler import Handler
from fizz_gevent.transport.offenders import Offenders
from fizz_gevent.transport.places import Place, Places, group_of
from fizz_gevent.transport.proxies import Proxies
from fizz_gevent.transport.stream import Stream
from fizz_gevent.transport.unfinished import Unfinished
from fizz_gevent.transport.visitor import Visitor
from fizz_gevent.transport.websocket import WebSocket, Wiring

_log = logging.getLogger(__name__)
_HALF = 10**9
_PAUSE_SECONDS = 0.25
_WARNING_SECONDS = 10.0
_POLITE_RESERVE = 32
"""Sockets kept for clients and callers who are to be refused in words."""
_OUT_OF_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a client may not connect, and the frames that tell it."""

    code: CloseCode
    reason: str
    frames: bytes

    def __str__(self) -> str:
        return f"{int(self.code)} {self.reason}"


class Listener(WSGIServer):
    """gevent's WSGI server with plain C sockets, a handler of ours, and a bound on open files.

    Attributes:
        tls: The context to serve with, or None.
        tap: Who watches the stream, or None.
        complaints: Who takes down what is refused, or None.
        open_sockets: Accepted and not closed yet, of every kind.
        open_websockets: How many of them are WebSockets.
        places: What is open from where.
        refusals: How many clients could not connect, by reason.
        offenders: From where those came.
        unfinished: Bodies of requests that are on their way.
        answers: How many HTTP requests were answered, by route and status.
        answer_seconds: From a request that has come to its answer that is sent.
        visitors: Files of connections that were accepted by another program, served from
            ``start`` on.
    """

    handler_class = Handler
    max_accept = 32
    """In one turn; gevent's hundred keep everybody waiting longer and are hardly cheaper."""

    def __init__(
        self,
        listener: socket.socket,
        application: Any,
        *,
        config: ServerConfig,
        tls: ssl.SSLContext | None,
        max_sockets: int,
        max_websockets: int,
        readiness: Readiness,
        deadlines: Deadlines,
        proxies: Proxies,
        places: Places,
    ) -> None:
        self.config = config
        self.tls = tls
        self.readiness = readiness
        self.deadlines = deadlines
        self.proxies = proxies
        self.places = places
        self.tap: Tap | None = None
        self.complaints: Complaints | None = None
        self.open_sockets = 0
        self.open_websockets = 0
        self.refusals: dict[str, int] = {}
        self.offenders = Offenders()
        self.unfinished = Unfinished()
        self.answers: dict[tuple[str, str], int] = {}
        self.answer_seconds = Histogram(SECONDS)
        self.visitors: list[int] = []
        self.admission: Admission | None = None
        self.wiring: Wiring | None = None
        self._max_sockets = max_sockets
        self._max_websockets = max_websockets
        self._pause: Any = None
        self._next_warning_at = 0.0
        super().__init__(
            listener,
            application,
            log=None,
            error_log=None,
            environ={
                "SERVER_NAME": config.hostname or "localhost",
                "SERVER_PORT": str(config.port),
                "wsgi.url_scheme": "http" if tls is None else "https",
            },
        )

    def do_read(self) -> Any:
        """Accept one socket, as the C type that everything above is written for."""
        listener: Any = self.socket
        try:
            fd, address = listener._accept()
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno in _OUT_OF_ROOM:
                self._rest(error)
                return None
            if error.errno == errno.ECONNABORTED:
                return None
            raise
        return self._received(
            Socket(listener.family, listener.type, listener.proto, fileno=fd), address
        )

    def _received(self, accepted: Socket, address: Any) -> tuple[Socket, Visitor] | None:
        """What becomes of a socket that was accepted: what to handle, or nothing."""
        accepted.setblocking(False)
        peer = address[0] if isinstance(address, tuple) else ""
        if self.open_sockets >= self._max_sockets:
            accepted.close()
            self._turn_away("no_sockets", peer)
            return None
        place = None
        if not self.proxies.trusts(peer):  # whom a proxy speaks for, its request will say
            place = self.places.add_socket(peer)
            if self.places.is_flooded(place):
                accepted.close()
                self.places.remove_socket(place)
                self._turn_away("address_sockets", place.address)
                return None
        self.open_sockets += 1
        self._count_changed()
        return accepted, Visitor(peer, place)

    def do_close(self, sock: Any, *_: Any) -> None:
        """The handler closes its socket itself, or a WebSocket does."""

    def reconfigure(self, config: ServerConfig, tls: ssl.SSLContext | None) -> None:
        """Serve who comes from now on by other limits and another certificate. Never yields."""
        self.config = config
        self.tls = tls
        self.proxies = Proxies(config.trusted_proxies)
        self.places.limit = config.max_connections_per_address

    def start(self) -> None:
        """Accept clients, and serve those first whom another program has accepted."""
        super().start()
        handle: Any = self.do_handle
        for fd in self.visitors:
            visitor = Socket(fileno=fd)
            try:
                address = visitor.getpeername()
            except OSError:  # gone meanwhile
                visitor.close()
                continue
            received = self._received(visitor, address)
            if received is not None:
                handle(received[0], replace(received[1], was_served=True))
        self.visitors = []

    def leave_newcomers_waiting(self) -> None:
        """Accept nobody any more, but keep the listening socket, in which they wait. Never
        yields.
        """
        if self._pause is not None:
            self._pause.stop()
        self.stop_accepting()

    def idle_files(self) -> list[int]:
        """The files of plain connections on which nothing of a request has come."""
        return [
            handler.stream.socket.fileno()
            for handler in self.deadlines.idle()
            if isinstance(handler, Handler) and isinstance(handler.stream.socket, Socket)
        ]

    def close_to_newcomers(self) -> None:
        """Accept who waits already (they are told to go elsewhere), then nobody. Never yields."""
        if self._pause is not None:
            self._pause.stop()
        waiting = -1
        while waiting != self.open_sockets:
            waiting = self.open_sockets
            self._do_read()  # type: ignore[attr-defined]  # gevent's own, not in its stubs
        self.stop_accepting()
        self.socket.close()

    def socket_closed(self) -> None:
        """One accepted socket has been closed."""
        self.open_sockets -= 1
        self._count_changed()

    def websocket_closed(self, place: Place | None) -> None:
        """One WebSocket has been closed, and its socket with it."""
        if place is not None:
            self.places.remove_websocket(place)
        self.open_websockets -= 1
        self.open_sockets -= 1
        self._count_changed()

    def has_room(self) -> bool:
        """Whether the client that was counted just now may connect."""
        return self.open_websockets <= self._max_websockets

    def note_answer(self, route: str, status: str) -> None:
        """Count one HTTP request. Both are words of ours, so that they stay few."""
        key = route, status
        self.answers[key] = self.answers.get(key, 0) + 1

    def _turn_away(self, reason: str, address: str) -> None:
        """Somebody was not even listened to."""
        self.note_refusal(reason, address)
        if self.complaints is not None:
            self.complaints.refused("connection", address or "socket", f"not heard: {reason}")

    def note_refusal(self, reason: str, address: str) -> None:
        """Count somebody who could not connect; the address is as ``group_of`` words it."""
        self.refusals[reason] = self.refusals.get(reason, 0) + 1
        self.offenders.note(address)
        _log.debug("connection from %s refused: %s", address or "a local socket", reason)

    def _count_changed(self) -> None:
        """A socket was opened or closed, or has become a WebSocket."""

    @property
    def is_crowded(self) -> bool:
        """So many sockets are open that HTTP requests are refused too, while that still works."""
        return self.open_sockets > self._max_sockets - _POLITE_RESERVE

    def _rest(self, error: OSError) -> None:
        """Accept nothing for a moment: the machine has no file or memory for one more."""
        now = time.monotonic()
        if now >= self._next_warning_at:
            self._next_warning_at = now + _WARNING_SECONDS
            _log.warning("cannot accept connections: %s", error.strerror)
        self._pause_accepting(_PAUSE_SECONDS)

    def _pause_accepting(self, seconds: float) -> None:
        self.stop_accepting()
        self._pause = gevent.get_hub().loop.timer(seconds)
        self._pause.start(self.start_accepting)

    def open_websocket(
        self,
        stream: Stream,
        handshake: Handshake | None,
        head: bytes,
        received: bytes,
        address: str,
    ) -> Refusal | None:
        """Make a WebSocket of an upgraded socket. May yield, at the quota.

        Args:
            handshake: What the client said; None where it asked for an unknown path.
            head: The response that accepts the upgrade, not sent yet: it leaves together with
                the first event.
            received: What came behind the request.
            address: The client's; empty where nobody says.

        Returns:
            Why not, where the client may not connect; the socket is still the handler's then.
        """
        assert self.wiring is not None
        assert self.admission is not None
        self.open_websockets += 1  # before room is asked for: asking for the quota may yield
        self._count_changed()
        place = self.places.add_websocket(address) if address else None
        try:
            if handshake is None:
                raise ConnectionRejected(CloseCode.PATH_NOT_FOUND)
            table, protocol = self.admission.admit(handshake)
            socket_id = _new_socket_id()
            while socket_id in table.connections:
                socket_id = _new_socket_id()
            self.admission.enter(table, socket_id)
        except Exception as rejection:
            self.open_websockets -= 1
            self._count_changed()
            if place is not None:
                self.places.remove_websocket(place)
            if not isinstance(rejection, ConnectionRejected):
                fault = secrets.token_hex(4)
                _log.exception("fault %s: a client could not connect", fault)
                rejection = ConnectionRejected(CloseCode.INTERNAL_ERROR, f"Internal error {fault}")
            self.note_refusal(rejection.counted_as, group_of(address))
            return Refusal(rejection.code, rejection.reason, _refusal_frames(rejection))
        stream.release()
        websocket = WebSocket(stream.socket, self.wiring, table, socket_id, protocol, place)
        websocket.outbox.put(head)
        try:
            self.wiring.sessions.opened(websocket.connection)
        except Exception:
            table.connections[socket_id] = websocket.connection  # what was entered is to be undone
            self.wiring.sessions.failed(websocket.connection)
        if received:
            self.wiring.readers.read(websocket, received)
        return None


def _refusal_frames(rejection: ConnectionRejected) -> bytes:
    code = int(rejection.code)
    closing = frames.close_frame(code, rejection.reason)
    if rejection.code == CloseCode.INTERNAL_ERROR:
        return closing  # no code of Pusher's
    return frames.text_frame(events.error(code, rejection.reason)) + closing


def _new_socket_id() -> str:
    """Two random numbers that nobody can guess. Protocol: §1.4, socket_id."""
    return f"{secrets.randbelow(_HALF) + 1}.{secrets.randbelow(_HALF) + 1}"
