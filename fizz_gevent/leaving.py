"""How a server takes leave of its clients: at a stop, and where others go on in its place."""

import random
import time

import gevent

from fizz_gevent.applications import close_all
from fizz_gevent.channels.tables import Tables
from fizz_gevent.cluster.memory import MemoryCluster
from fizz_gevent.cluster.redis_cluster import RedisCluster
from fizz_gevent.heritage import Heritage
from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.service.readiness import Readiness
from fizz_gevent.transport.deadlines import Deadlines
from fizz_gevent.transport.listener import Listener
from fizz_gevent.webhooks.memory_backlog import MemoryBacklog
from fizz_gevent.webhooks.sender import Sender

_CLOSED_AT_ONCE = 100
_CLOSED_PER_SECOND = 500
_SLICE_SECONDS = 0.05
_GRACE_SECONDS = 4.0
"""Waited for the last close frames and responses after the clients were told to go."""

_LEAST_DRAIN_SECONDS = 0.5
_RETIRES_WITHIN = 2.0
"""Newcomers wait all the while."""
_SHORT_SLICE_SECONDS = 0.01
_SETTLE_SECONDS = 0.25
"""For those who were accepted last to say what they want."""
_LINGER_SECONDS = 5.0
"""A connection on which nothing came for so long will hardly be used in the moment it closes."""


class Leaving:
    """Ends everything that a server has begun; its methods yield."""

    def __init__(
        self,
        readiness: Readiness,
        listener: Listener,
        deadlines: Deadlines,
        tables: Tables,
        webhooks: Sender,
        cluster: MemoryCluster | RedisCluster,
    ) -> None:
        self._readiness = readiness
        self._listener = listener
        self._deadlines = deadlines
        self._tables = tables
        self._webhooks = webhooks
        self._cluster = cluster

    def stop(self, drain_seconds: float, *, others_serve: bool) -> None:
        """Accept nobody any more, let what runs end, tell every client to go elsewhere.

        Args:
            others_serve: Who waits to be accepted is left to other processes, and idle
                connections are closed only after a while: their next requests are answered, with
                the word that they are the last.
        """
        began = time.monotonic()
        until = began + drain_seconds + _GRACE_SECONDS
        lingers_until = began
        if others_serve:
            self._listener.leave_newcomers_waiting()
            lingers_until += min(drain_seconds, _LINGER_SECONDS)
            gevent.sleep(_SETTLE_SECONDS)
        self._readiness.is_draining = True
        if not others_serve:
            self._listener.close_to_newcomers()
            self._deadlines.hurry()
        self._send_away(drain_seconds)
        while self._listener.open_sockets and time.monotonic() < until:
            if time.monotonic() >= lingers_until:
                self._deadlines.hurry()
            self._send_all_away()  # who was being admitted when the others were sent away
            gevent.sleep(_SLICE_SECONDS)
        self._webhooks.drain(max(_LEAST_DRAIN_SECONDS, until - time.monotonic()))
        self._cluster.stop()

    def retire(self, drain_seconds: float, heritage: Heritage) -> None:
        """Send every client away at once, and leave who comes from now on, and what is not done,
        to the program that follows in this process.
        """
        until = time.monotonic() + min(drain_seconds, _RETIRES_WITHIN)
        self._listener.leave_newcomers_waiting()
        while time.monotonic() < until:
            if self._listener.tls is not None:  # such a connection cannot be handed on
                self._deadlines.hurry()
            self._send_all_away()
            if self._listener.open_sockets == len(self._listener.idle_files()):
                break
            gevent.sleep(_SHORT_SLICE_SECONDS)
        self._webhooks.pause(max(_LEAST_DRAIN_SECONDS, until - time.monotonic()))
        self._cluster.stop()
        if isinstance(self._webhooks.backlog, MemoryBacklog):
            heritage.webhooks = self._webhooks.backlog.packed()
        heritage.listener = self._listener.socket.fileno()
        heritage.visitors = self._listener.idle_files()

    def _send_all_away(self) -> None:
        for table in self._tables:
            close_all(table, CloseCode.RECONNECT)

    def _send_away(self, drain_seconds: float) -> None:
        """Close clients with 4200: a few at once, thousands spread, so that they do not all
        arrive elsewhere in the same moment. Protocol: §4.3, 4200.
        """
        connections = [
            connection for table in self._tables for connection in table.connections.values()
        ]
        random.shuffle(connections)
        seconds = min(drain_seconds, len(connections) / _CLOSED_PER_SECOND)
        if len(connections) <= _CLOSED_AT_ONCE:
            seconds = 0
        slices = max(1, int(seconds / _SLICE_SECONDS))
        size = -(-len(connections) // slices) if connections else 1
        for position in range(0, len(connections), size):
            for connection in connections[position : position + size]:
                connection.end(CloseCode.RECONNECT)
            if position + size < len(connections):
                gevent.sleep(_SLICE_SECONDS)
