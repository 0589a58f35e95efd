"""Greenlets that read: each connection has one while it has something to read."""

import logging
from typing import TYPE_CHECKING

import gevent
from greenlet import getcurrent, greenlet

if TYPE_CHECKING:
    from fizz_gevent.transport.websocket import WebSocket

_log = logging.getLogger(__name__)
_IDLE_KEPT = 64


class Readers:
    """Gives a reading greenlet to a connection when bytes come, and takes it back after.

    A silent connection costs a watcher and no stack. A greenlet that has done its work is kept
    for the next connection, so waking one up is a switch and no more; while one waits, say for a
    registry over a network, others serve the other connections.
    """

    def __init__(self) -> None:
        self._hub = gevent.get_hub()
        self._idle: list[greenlet] = []

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

    def read(self, websocket: "WebSocket", data: bytes | None = None) -> None:
        """Let a connection deal with bytes, or with what has come; no fault gets out of here."""
        try:
            websocket.run(data)
        except Exception:
            _log.exception("fault in the read loop")
            websocket.lost()  # whose session is seen to in the next turn

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
