"""The one writer of all WebSocket connections."""

import logging
import secrets
import time
from typing import TYPE_CHECKING, cast

import gevent

from fizz_gevent.channels.histogram import SECONDS, Histogram
from fizz_gevent.channels.outbox import Gathers, Outbox
from fizz_gevent.ports import Tap
from fizz_gevent.protocol.frames import messages_in
from fizz_gevent.transport.shortage import OUT_OF_MEMORY, PAUSE_SECONDS

if TYPE_CHECKING:
    from fizz_gevent.transport.websocket import WebSocket

_log = logging.getLogger(__name__)
_SLICE_SECONDS = 0.005
_SENDS_BETWEEN_LOOKS = 64
_MOMENT_SECONDS = 0.001
_BACKLOG_BYTES = tuple(1 << exponent for exponent in range(10, 25, 2))
"""1 KiB to 16 MiB; ``max_outbox_size`` is 1 MiB unless it is configured."""


class Flusher:
    """Sends what outboxes hold: once per turn of the event loop, one system call per socket.

    Runs as a callback of the hub and therefore never blocks: a socket that is full waits for its
    own watcher. A long list is worked off in slices, so that a fan-out to ten thousand does not
    keep everybody else waiting.

    What is broadcast leaves only after the loop has looked at its sockets once more: events that
    have come by then share a system call for each subscriber with it. That is a third fewer system
    calls where two back ends publish to one channel, for two microseconds at rest. With several
    nodes half of the events come from the others, a moment after one's own, so a node that is busy
    with broadcasting waits a millisecond for them.

    Args:
        is_shared: There may be other nodes.

    Attributes:
        tap: Who watches the stream, or None.
        sent_bytes: What sockets have taken, frame headers included.
        fanout: Seconds from a broadcast until it was sent to each subscriber whose socket took it.
        backlog: Bytes that waited for a client, each time its socket took no more.
    """

    def __init__(self, *, is_shared: bool = False) -> None:
        self.dirty: list[Outbox] = []
        self.overflowing: list[Outbox] = []
        self.gathering: list[Gathers] = []
        self.tap: Tap | None = None
        self.has_spread = False
        self.sent_bytes = 0
        self.fanout = Histogram(SECONDS)
        self.backlog = Histogram(_BACKLOG_BYTES)
        self._scheduled_at = 0.0
        self._loop = gevent.get_hub().loop
        self._is_scheduled = False
        # A timer of no length fires after the loop has looked at its sockets, where a callback
        # would run before that; and of low priority, after what it has found there.
        self._next_turn = self._loop.timer(0, priority=-2)
        self._is_shared = is_shared
        self._busy_until = 0.0
        self._moment = self._loop.timer(_MOMENT_SECONDS, _MOMENT_SECONDS)
        self._starved: list[Outbox] = []
        self._pause = self._loop.timer(PAUSE_SECONDS, PAUSE_SECONDS)

    def schedule(self) -> None:
        """Flush at the end of this turn, or of the next one. Never yields."""
        if self._is_scheduled:
            return
        self._is_scheduled = True
        self._scheduled_at = time.monotonic()
        if not (self.gathering or self.has_spread):
            self._loop.run_callback(self._flush)  # an answer to one client: nothing to gather
        elif self._scheduled_at < self._busy_until:
            self._moment.again(self._flush_after_a_moment)
        else:
            self._next_turn.start(self._flush)

    def flush(self, outbox: Outbox) -> None:
        """Send what one outbox holds at once, as far as its socket takes it. Never yields."""
        data = outbox.waiting()
        websocket = cast("WebSocket", outbox.owner)
        try:
            count = websocket.socket.send(data)
        except BlockingIOError:
            self.backlog.observe(outbox.size_bytes)
            websocket.wait_until_writable()
            return
        except OSError as error:
            self._not_sent(outbox, error)
            return
        self.sent_bytes += count
        if self.tap is not None:
            self._show(websocket, data, count)
        outbox.sent(data, count)
        if count < len(data):
            self.backlog.observe(outbox.size_bytes)
            websocket.wait_until_writable()

    def _not_sent(self, outbox: Outbox, error: OSError) -> None:
        """The peer is gone; or the machine has no memory, which is nobody's fault and passes."""
        websocket = cast("WebSocket", outbox.owner)
        if error.errno not in OUT_OF_MEMORY:
            websocket.lost()
            return
        self.backlog.observe(outbox.size_bytes)
        if not self._starved:
            self._pause.again(self._try_again)
        self._starved.append(outbox)

    def _try_again(self) -> None:
        self._pause.stop()
        starved, self._starved = self._starved, []
        for outbox in starved:
            if outbox.first is not None:
                cast("WebSocket", outbox.owner).wait_until_writable()

    def _flush_after_a_moment(self) -> None:
        self._moment.stop()
        self._flush()

    def _flush(self) -> None:
        began = time.monotonic()
        try:
            self._work()
        except Exception:
            _tell_fault()
        if self.dirty:
            self._next_turn.start(self._flush)
            return
        self._is_scheduled = False
        if self.has_spread:
            self.has_spread = False
            now = time.monotonic()
            self.fanout.observe(now - self._scheduled_at)
            if self._is_shared and now - began > _MOMENT_SECONDS:
                self._busy_until = now + 2 * (now - began)

    def _work(self) -> None:
        gathered, self.gathering[:] = self.gathering[:], ()
        for gathering in gathered:
            try:
                gathering.spread()
            except Exception:
                _tell_fault()  # of one application's event, which is lost
        batch = self.dirty[:]
        self.dirty.clear()
        position = 0
        until = time.monotonic() + _SLICE_SECONDS
        while position < len(batch):
            part = batch[position : position + _SENDS_BETWEEN_LOOKS]
            try:
                self._send(part)
            except Exception:
                _tell_fault()
                self._send_apart(part)
            position += _SENDS_BETWEEN_LOOKS
            if position < len(batch) and time.monotonic() > until:
                self.dirty[:0] = batch[position:]
                break
        overflowing = self.overflowing[:]
        self.overflowing.clear()
        for outbox in overflowing:
            cast("WebSocket", outbox.owner).overflowed()

    def _send_apart(self, outboxes: list[Outbox]) -> None:
        """Send what is left after a fault; whose data it is in pays for it, and nobody else."""
        for outbox in outboxes:
            if outbox.first is not None:
                try:
                    self.flush(outbox)
                except Exception:
                    cast("WebSocket", outbox.owner).lost()

    def _send(self, outboxes: list[Outbox]) -> None:
        """``flush`` for many, written out: this is where a busy server spends its time."""
        if self.tap is not None:
            for outbox in outboxes:
                if outbox.first is not None:
                    self.flush(outbox)
            return
        sent_bytes = 0
        for outbox in outboxes:
            data = outbox.first
            if data is None:
                continue  # discarded, or sent by ``flush`` in between
            if outbox.rest is not None:
                data = outbox.waiting()
            websocket: WebSocket = outbox.owner  # type: ignore[assignment]
            try:
                count = websocket.socket.send(data)
            except BlockingIOError:
                self.backlog.observe(outbox.size_bytes)
                websocket.wait_until_writable()
                continue
            except OSError as error:
                self._not_sent(outbox, error)
                continue
            sent_bytes += count
            if count == len(data):
                outbox.first = outbox.rest = None
                outbox.size_bytes = 0
            else:
                outbox.sent(data, count)
                self.backlog.observe(outbox.size_bytes)
                websocket.wait_until_writable()
        self.sent_bytes += sent_bytes

    def _show(self, websocket: "WebSocket", data: bytes, count: int) -> None:
        if self.tap is not None and count == len(data):
            for payload in messages_in(data):
                self.tap.sent(websocket.connection.socket_id, payload)


def _tell_fault() -> None:
    _log.exception("fault %s in the flusher", secrets.token_hex(4))
