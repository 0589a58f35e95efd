"""One client's conversation with the server."""

import logging
import secrets

from fizz_gevent.channels.connection import Connection
from fizz_gevent.errors import ProtocolError, SubscriptionError
from fizz_gevent.ports import Clock, Complaints, Registry, Tap
from fizz_gevent.protocol import events
from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.protocol.messages import (
    INVALID_MESSAGE,
    ClientEvent,
    Ping,
    SignIn,
    Subscribe,
    Unsubscribe,
    parse,
)
from fizz_gevent.service.publisher import Publisher
from fizz_gevent.service.subscriptions import Subscriptions
from fizz_gevent.service.users import Users

_log = logging.getLogger(__name__)
_PONG = events.pong()


class Sessions:
    """Conversations of all clients: opened, received, closed. One object serves every connection.

    Attributes:
        tap: Who watches the stream, or None.
        complaints: Who takes down what is refused, or None.
        refusals: How many messages were answered with an error, by reason.
    """

    def __init__(
        self,
        registry: Registry,
        subscriptions: Subscriptions,
        users: Users,
        publisher: Publisher,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._subscriptions = subscriptions
        self._users = users
        self._publisher = publisher
        self._clock = clock
        self.tap: Tap | None = None
        self.complaints: Complaints | None = None
        self.refusals: dict[str, int] = {}

    def opened(self, connection: Connection) -> None:
        """Enter a connection that passed all checks, and greet it. Never yields.

        Protocol: §1.4.
        """
        table = connection.table
        table.connections[connection.socket_id] = connection
        table.tally.opened += 1
        connection.send(
            events.connection_established(connection.socket_id, table.application.activity_timeout)
        )
        if self.tap is not None:
            self.tap.state(connection.socket_id, f"opened {table.application.app_id}")

    def received(self, connection: Connection, payload: bytes) -> None:
        """Handle one message; when this returns it is dealt with completely. May yield.

        A client's mistake is told to it; a bug of ours is logged with an id and costs this
        connection only.

        Raises:
            FrameError: The message is not UTF-8 (1007).
        """
        connection.table.tally.received_messages += 1
        if self.tap is not None:
            self.tap.received(connection.socket_id, payload)
        try:
            match parse(payload):
                case ClientEvent() as message:
                    self._publisher.publish_from_client(connection, message)
                case Ping():
                    connection.send(_PONG)
                case Subscribe() as message:
                    self._subscriptions.subscribe(connection, message)
                case Unsubscribe() as message:
                    self._subscriptions.unsubscribe(connection, message.channel)
                case SignIn() as message:
                    self._users.sign_in(connection, message)
                case _:
                    pass  # pongs, and what the protocol tells to ignore
        except SubscriptionError as error:
            connection.send(events.subscription_error(error))
            self._refuse(connection, error)
        except ProtocolError as error:
            self._refuse(connection, error)

    def _refuse(self, connection: Connection, error: ProtocolError) -> None:
        connection.send(events.error(error.code, error.message))
        table, reason = connection.table, error.counted_as
        table.tally.note_refusal(reason)
        self.refusals[reason] = self.refusals.get(reason, 0) + 1
        app_id = table.application.app_id
        _log.debug("client %s of %s refused: %s", connection.socket_id, app_id, error.message)
        if self.complaints is not None:
            self.complaints.refused("client", connection.socket_id, error.message, app_id)

    def received_binary(self, connection: Connection, payload: bytes) -> None:
        """Answer a binary message, which the protocol does not have. Never yields.

        Protocol: §2.
        """
        connection.table.tally.received_messages += 1
        if self.tap is not None:
            self.tap.received(connection.socket_id, payload)
        self._refuse(connection, ProtocolError(INVALID_MESSAGE))

    def failed(self, connection: Connection) -> None:
        """A bug of ours has met this connection; call in the ``except`` block. Never yields."""
        fault = secrets.token_hex(4)
        _log.exception("fault %s: connection %s is closed", fault, connection.socket_id)
        connection.end(CloseCode.INTERNAL_ERROR, f"Internal error {fault}")

    def closed(self, connection: Connection) -> None:
        """Undo all that a connection has entered anywhere, once and for all. May yield.

        The table comes first, so that whoever runs next no longer meets it.
        """
        table = connection.table
        if table.connections.pop(connection.socket_id, None) is None:
            return
        app_id = table.application.app_id
        if self.tap is not None:
            self.tap.state(connection.socket_id, f"closed {app_id}")
        try:
            self._subscriptions.leave_all(connection)
        finally:
            try:
                self._users.sign_out(connection)
            finally:
                self._registry.disconnect(app_id, connection.socket_id)
