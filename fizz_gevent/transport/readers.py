"""Greenlets that read: each connection has one while it has something to read."""

import logging
import secrets
import time
from collections import deque
from typing import TYPE_CHECKING

import gevent
from greenlet import getcurrent, greenlet

from fizz_gevent.transport.offenders import Offenders

if TYPE_CHECKING:
    from fizz_gevent.transport.websocket import WebSocket

_log = logging.getLogger(__name__)
_IDLE_KEPT = 64
_SLICE_SECONDS = 0.0002
"""So much of a turn of the loop is for clients that send more than others, all of them together."""
_FLOOD_TURNS = 32
"""At sixteen frames a turn, more than anybody has to say at once."""


class Readers:
    """Gives a reading greenlet to a connection when bytes come, and takes it back after.

    A silent connection costs a watcher and no stack. A greenlet that has done its work is kept
    for the next connection, so waking one up is a switch and no more; while one waits, say for a
    registry over a network, others serve the other connections.

    Who has sent more frames than are read at once is held: nothing is received from it, and what
    is left is dealt with in turns, in a small share of each turn of the loop. So a flood takes the
    time that nobody else wants, and as many floods take no more of it than one.

    Attributes:
        held_count: How often somebody had to wait so.
        flood_count: How many had to wait so often at a stretch that it was a flood.
        flooders: From where those came.
    """

    def __init__(self) -> None:
        self._hub = gevent.get_hub()
        self._idle: list[greenlet] = []
        self.held_count = 0
        self.flood_count = 0
        self.flooders = Offenders()
        self._held: deque[WebSocket] = deque()
        # A timer of no length fires after the loop has looked at its sockets.
        self._next_turn = self._hub.loop.timer(0)

    def wake(self, websocket: "WebSocket") -> None:
        """Let a connection read now; a watcher's callback, called in the hub only."""
        if websocket.is_busy:
            websocket.stop_watching()  # its greenlet looks again when it is done
            return
        idle = self._idle
        reader = idle.pop() if idle else greenlet(self._serve, self._hub)
        reader.switch(websocket)

    def wake_soon(self, websocket: "WebSocket") -> None:
        """Let a connection see to its state in this turn of the loop. Never yields."""
        self._hub.loop.run_callback(self.wake, websocket)

    def hold(self, websocket: "WebSocket") -> None:
        """Let a connection go on with what it has received, after others. Never yields."""
        if not websocket.is_held:
            websocket.is_held = True
            websocket.held_turns += 1
            self.held_count += 1
            if websocket.held_turns == _FLOOD_TURNS:
                self.flood_count += 1
                if websocket.place is not None:
                    self.flooders.note(websocket.place.address)
            if not self._held:
                self._next_turn.start(self._serve_held)
            self._held.append(websocket)

    def _serve_held(self) -> None:
        held = self._held
        until = time.monotonic() + _SLICE_SECONDS
        while held:
            websocket = held.popleft()
            websocket.is_held = False
            self.wake(websocket)
            if time.monotonic() >= until:
                break
        if held:
            self._next_turn.start(self._serve_held)

    def read(self, websocket: "WebSocket", data: bytes | None = None) -> None:
        """Let a connection deal with bytes, or with what has come; no fault gets out of here."""
        try:
            websocket.run(data)
        except Exception:
            fault = secrets.token_hex(4)
            _log.exception("fault %s in the read loop: a connection is closed", fault)
            websocket.failed(fault)

    def _serve(self, websocket: "WebSocket | None") -> None:
        hub = self._hub
        idle = self._idle
        while websocket is not None:
            self.read(websocket)
            websocket = None
            if len(idle) >= _IDLE_KEPT:
                return
            idle.append(getcurrent())
            websocket = hub.switch()
