"""One sweep over all connections: who is silent is asked, who does not answer is closed."""

from fizz_gevent.channels.connection import Connection
from fizz_gevent.channels.tables import Tables
from fizz_gevent.ports import Clock
from fizz_gevent.protocol import frames
from fizz_gevent.protocol.close_codes import CloseCode

_PING = frames.ping_frame(b"")


class Janitor:
    """Keeps the rules of liveness and of authorized connections.

    Protocol: §3 "Fizz", §4.3 "Authorized connections".
    """

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    def sweep(self) -> None:
        """Look at each connection once. Never yields; the server calls this about every second."""
        now = self._clock.monotonic()
        for table in self._tables:
            application = table.application
            silent_since = now - application.ping_interval
            unanswered_since = now - application.pong_timeout
            timeout = application.authorization_timeout
            late = [
                connection
                for connection in table.connections.values()
                if connection.last_heard <= silent_since
                or (timeout is not None and not connection.is_authorized)
            ]
            for connection in late:
                if connection.last_heard <= silent_since:
                    self._probe(connection, now, unanswered_since)
                if (
                    timeout is not None
                    and not connection.is_authorized
                    and connection.opened_at <= now - timeout
                ):
                    connection.end(CloseCode.UNAUTHORIZED)

    def _probe(self, connection: Connection, now: float, unanswered_since: float) -> None:
        probed_at = connection.probed_at
        if probed_at is None or probed_at <= connection.last_heard:
            connection.probed_at = now
            connection.outbox.put(_PING)
        elif probed_at <= unanswered_since:
            connection.end(CloseCode.PONG_NOT_RECEIVED)
