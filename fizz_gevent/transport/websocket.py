"""One WebSocket after the upgrade: reads frames, hands messages on, closes properly."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from socket import SHUT_WR
from typing import Protocol

import gevent

from fizz_gevent.channels.connection import Connection
from fizz_gevent.channels.outbox import Outbox
from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.errors import FrameError
from fizz_gevent.ports import Clock
from fizz_gevent.protocol import frames
from fizz_gevent.protocol.close_codes import CloseCode, name_of
from fizz_gevent.service.session import Sessions
from fizz_gevent.transport.flusher import Flusher
from fizz_gevent.transport.places import Place
from fizz_gevent.transport.readers import Readers

_READ, _WRITE = 1, 2
_RECEIVE_BYTES = 65536
_FRAMES_AT_ONCE = 16
"""So many of one client are dealt with before others have their turn: ten thousand fit into what is
received at once, and each may cost what a subscription does."""


class Wire(Protocol):
    """A non-blocking socket, plain or with TLS; raises BlockingIOError where it has to wait."""

    def recv(self, size: int, /) -> bytes: ...
    def send(self, data: bytes, /) -> int: ...
    def shutdown(self, how: int, /) -> None: ...
    def close(self) -> None: ...
    def fileno(self) -> int: ...


@dataclass(slots=True)
class Wiring:
    """What all WebSockets of a server share.

    Attributes:
        close_timeout: Seconds for the peer's close frame, or for the rest to be sent.
        closing: Sockets that are on their way out, with the monotonic time of patience's end.
        received_bytes: What came over all sockets after their handshakes.
        on_closed: Told once per socket that is closed, with the place that it had.
    """

    sessions: Sessions
    flusher: Flusher
    readers: Readers
    clock: Clock
    max_outbox_size: int
    close_timeout: float
    on_closed: Callable[[Place | None], None]
    closing: dict["WebSocket", float] = field(default_factory=dict)
    received_bytes: int = 0

    def sweep(self) -> None:
        """End what has been closing for too long. Never yields."""
        now = self.clock.monotonic()
        for websocket in [each for each, until in self.closing.items() if until <= now]:
            websocket.abort()
            self.readers.wake_soon(websocket)


class WebSocket:
    """A socket with its connection; reads in a greenlet of ``Readers``, writes by the ``Flusher``.

    Three states, only forwards: open; closing (a close frame is queued, the connection has left
    its channels, the peer's close frame is waited for); closed.

    Attributes:
        is_busy: A greenlet is at work here.
        is_held: It waits among others for its turn, with frames that it has received already.
        held_turns: How often it has done so since something was received.
        place: Where its address is counted; None where it has none.
    """

    __slots__ = (
        "_closes_when_sent",
        "_frames",
        "_is_closed",
        "_is_closing",
        "_is_watching",
        "_watcher",
        "_wiring",
        "_writable",
        "connection",
        "held_turns",
        "is_busy",
        "is_held",
        "outbox",
        "place",
        "socket",
    )

    def __init__(
        self,
        socket: Wire,
        wiring: Wiring,
        table: ChannelTable,
        socket_id: str,
        protocol: int,
        place: Place | None = None,
    ) -> None:
        self.socket = socket
        self.place = place
        self._wiring = wiring
        self.outbox = Outbox(wiring.flusher, wiring.max_outbox_size, self)
        self.connection = Connection(
            socket_id, table, self.outbox, protocol, wiring.clock.monotonic()
        )
        self.is_busy = False
        self.is_held = False
        self.held_turns = 0
        self._frames = frames.FrameReader()
        self._is_closing = False
        self._is_closed = False
        self._closes_when_sent = False
        self._is_watching = True
        self._writable: gevent._types._Watcher | None = None
        self._watcher = gevent.get_hub().loop.io(socket.fileno(), _READ)
        self._watcher.start(wiring.readers.wake, self)

    def run(self, data: bytes | None = None) -> None:
        """Read what has come and deal with it; the read loop resumes here when more comes.

        One read a time, and few frames, so that a client that never stops sending takes turns with
        the others. What it has sent beyond that is dealt with before more is received.

        Args:
            data: Bytes that came behind the handshake; None reads from the socket.
        """
        self.is_busy = True
        try:
            if not self._is_closed:
                if self._frames.has_more:
                    self._take(b"")
                else:
                    if data is None:
                        data = self._receive()
                    if data:
                        self._wiring.received_bytes += len(data)
                        self._take(data)
            if self._is_closing or self._is_closed:
                self._wiring.sessions.closed(self.connection)
        finally:
            self.is_busy = False
        if self._is_closing and self.outbox.first is None:
            self._part()
        if self._is_closed:
            self.outbox.owner = _NOBODY  # no circle is left, so memory comes back at once
        elif self._frames.has_more:
            self.stop_watching()
            self._wiring.readers.hold(self)
        elif not self._is_watching:
            self._is_watching = True
            self.held_turns = 0
            self._watcher.start(self._wiring.readers.wake, self)

    def _receive(self) -> bytes | None:
        try:
            data = self.socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data:
            self.abort()
        return data

    def _take(self, data: bytes) -> None:
        connection = self.connection
        connection.last_heard = self._wiring.clock.monotonic()
        reader = self._frames
        limit = connection.table.application.max_message_size
        for opcode, payload in reader.feed(data, limit, _FRAMES_AT_ONCE):
            if opcode == frames.CLOSE:
                self._answer_close(payload)
                return
            if not connection.is_open:
                continue
            if opcode == frames.TEXT:
                try:
                    self._wiring.sessions.received(connection, payload)
                except FrameError as violation:
                    reader.fail(violation)
                    break
                except Exception:
                    self._wiring.sessions.failed(connection)
            elif opcode == frames.PING:
                self.outbox.put(frames.pong_frame(payload))
            elif opcode == frames.BINARY:
                self._wiring.sessions.received_binary(connection, payload)
        failed = reader.failed
        if failed is not None and not self._is_closing:
            self.end(failed.code, failed.reason)
            self._wiring.flusher.flush(self.outbox)

    def _part(self) -> None:
        """Everything is sent: close the socket, or tell a peer that speaks no WebSocket so.

        What comes behind a broken frame means nothing, so no close frame is waited for after one.
        But closing while the peer is still sending could take the last words away from it.

        Protocol: RFC 6455 §7.1.1, §7.1.7.
        """
        if self._closes_when_sent:
            self.abort()
        elif self._frames.failed is not None and not self._is_closed:
            with contextlib.suppress(OSError):  # gone already, as a read will show
                self.socket.shutdown(SHUT_WR)

    def _answer_close(self, payload: bytes) -> None:
        """The peer's close frame: answer it where it is the first, then close the socket."""
        if self._is_closed:
            return
        if not self._is_closing:
            self._begin_closing(frames.close_frame(frames.code_to_echo(payload)), "client")
        self._closes_when_sent = True
        self._wiring.flusher.flush(self.outbox)

    def end(self, code: int, reason: str) -> None:
        """Send a close frame after what is queued, leave the channels, wait for the peer's.

        Idempotent; may be called from anywhere, the hub included, and never yields.
        """
        if not self._is_closing:
            self._begin_closing(frames.close_frame(code, reason), name_of(code))
            self._wiring.readers.wake_soon(self)

    def failed(self, fault: str) -> None:
        """A bug of ours has met this connection: close it, with the bug's name in the log.

        One that is closed has met it at its very end, and is not to meet it again. Never yields.
        """
        if not self._is_closing:
            self.end(CloseCode.INTERNAL_ERROR, f"Internal error {fault}")
        elif not self._is_closed:
            self.lost()

    def overflowed(self) -> None:
        """The client reads too slowly: close with 4100, without waiting for its answer.

        What has been half sent goes first, for a frame cannot be taken back.

        Protocol: §15, slow consumers.
        """
        if not self._is_closing:
            code = CloseCode.OVER_CAPACITY
            tally = self.connection.table.tally
            tally.note_end("slow")
            tally.slow_clients += 1
            self.connection.is_open = False
            self._is_closing = True
            self.outbox.cut(frames.close_frame(code, code.reason))
            self._closes_when_sent = True
            self._wait_for_the_end()
            self._wiring.flusher.flush(self.outbox)
            self._wiring.readers.wake_soon(self)

    def lost(self) -> None:
        """The peer is gone, as a write has shown. Never yields."""
        self.abort()
        self._wiring.readers.wake_soon(self)

    def abort(self) -> None:
        """Close the socket now; who calls it sees to ``run`` where the session is not closed."""
        if self._is_closed:
            return
        if not self._is_closing:
            self.connection.table.tally.note_end("lost")
        self._is_closing = self._is_closed = True
        self.connection.is_open = False
        self.outbox.discard()
        self._wiring.closing.pop(self, None)
        self._watcher.stop()
        self._watcher.close()
        if self._writable is not None:
            self._writable.stop()
            self._writable.close()
        self.socket.close()
        self._wiring.on_closed(self.place)

    def wait_until_writable(self) -> None:
        """Flush again when the socket takes more. Never yields."""
        if self._is_closed:
            return
        if self._writable is None:
            self._writable = gevent.get_hub().loop.io(self.socket.fileno(), _WRITE)
        if not self._writable.active:  # type: ignore[attr-defined]  # missing in the stubs
            self._writable.start(self._is_writable)

    def stop_watching(self) -> None:
        """Let bytes wait in the socket until the greenlet at work here is done."""
        if not self._is_closed:
            self._watcher.stop()
            self._is_watching = False

    def _begin_closing(self, frame: bytes, why: str) -> None:
        self.connection.table.tally.note_end(why)
        self._is_closing = True
        self.connection.is_open = False
        self.outbox.finish(frame)
        self._wait_for_the_end()

    def _wait_for_the_end(self) -> None:
        wiring = self._wiring
        wiring.closing[self] = wiring.clock.monotonic() + wiring.close_timeout

    def _is_writable(self) -> None:
        if self._writable is not None:
            self._writable.stop()
        self._wiring.flusher.flush(self.outbox)
        if self._is_closing and self.outbox.first is None:
            self._wiring.readers.wake_soon(self)


class _Nobody:
    """Owns the outbox of a client that is gone, should anybody still hold that."""

    def end(self, code: int, reason: str) -> None:
        pass

    def overflowed(self) -> None:
        pass


_NOBODY = _Nobody()
