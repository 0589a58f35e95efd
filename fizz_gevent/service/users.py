"""Signed-in users: sign-in, sign-out, and ending all connections of one."""

from fizz_gevent.channels.connection import Connection
from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.errors import ProtocolError
from fizz_gevent.ports import Bus, Clock, Registry
from fizz_gevent.protocol import events
from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.protocol.messages import SignIn
from fizz_gevent.protocol.signatures import verify_signin
from fizz_gevent.protocol.users import parse_user
from fizz_gevent.service.watchlists import Watchlists


class Users:
    """Who is signed in on which connection. Protocol: §9."""

    def __init__(self, registry: Registry, watchlists: Watchlists, bus: Bus, clock: Clock) -> None:
        self._registry = registry
        self._bus = bus
        self._watchlists = watchlists
        self._clock = clock

    def sign_in(self, connection: Connection, message: SignIn) -> None:
        """Make a connection that of a user, or refresh what is known of its user. May yield.

        Raises:
            ProtocolError: 4009; the identity is what it was before.

        Protocol: §9.1, §9.3.
        """
        table = connection.table
        application = table.application
        verify_signin(
            message.auth,
            credentials=application.credentials(self._clock.now()),
            socket_id=connection.socket_id,
            user_data=message.user_data,
        )
        user = parse_user(message.user_data, application)
        before = connection.user
        if before is not None and before.user_id != user.user_id:
            raise ProtocolError(
                "The connection is signed in as another user already",
                int(CloseCode.UNAUTHORIZED),
            )
        is_first = False
        if before is None:
            is_first = self._registry.sign_in(
                application.app_id, user.user_id, connection.socket_id
            )
            if not connection.is_open:  # it went while the registry was asked
                if is_first:
                    self._watchlists.came_online(table, user.user_id)
                self._signed_out(table, user.user_id, connection.socket_id)
                return
            table.users.setdefault(user.user_id, {})[connection.socket_id] = connection
        connection.user = user
        connection.is_authorized = True
        connection.send(events.signin_success(message.user_data))
        if user.watchlist_truncated:
            limit = application.max_watchlist_size
            table.tally.note_refusal("watchlist_limit")
            connection.send(
                events.error(
                    int(CloseCode.WATCHLIST_LIMIT),
                    f"Watchlist limit exceeded. Only the first {limit} user IDs are accepted.",
                )
            )
        if application.watchlist:
            if before is not None:
                self._watchlists.unwatch(connection, before.watchlist)
            if is_first:
                self._watchlists.came_online(table, user.user_id)
            self._watchlists.watch(connection, user.watchlist)

    def sign_out(self, connection: Connection) -> None:
        """Take back the sign-in of a connection that is gone. May yield."""
        user = connection.user
        if user is None:
            return
        connection.user = None
        table = connection.table
        self._watchlists.unwatch(connection, user.watchlist)
        signed_in = table.users.get(user.user_id)
        if signed_in is not None:
            signed_in.pop(connection.socket_id, None)
            if not signed_in:
                del table.users[user.user_id]
        self._signed_out(table, user.user_id, connection.socket_id)

    def _signed_out(self, table: ChannelTable, user_id: str, socket_id: str) -> None:
        if self._registry.sign_out(table.application.app_id, user_id, socket_id):
            self._watchlists.went_offline(table, user_id)

    def terminate(self, table: ChannelTable, user_id: str) -> None:
        """Close every connection that is signed in as this user, on every node. May yield
        when that is done.

        Protocol: §9.4.
        """
        self.terminate_here(table, user_id)
        if self._bus.is_shared:
            self._bus.terminate(table.application.app_id, user_id)
            self._bus.settle()

    def terminate_here(self, table: ChannelTable, user_id: str) -> None:
        """The same on this node. Never yields."""
        for connection in tuple(table.users.get(user_id, {}).values()):
            connection.end(CloseCode.UNAUTHORIZED, "Connection terminated by the application")
