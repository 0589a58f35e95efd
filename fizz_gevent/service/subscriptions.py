"""Subscribe and unsubscribe, by kind of channel."""

from collections.abc import Callable
from itertools import islice

from fizz_gevent.channels.connection import Connection
from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.errors import SubscriptionError
from fizz_gevent.ports import CachedEvent, Clock, EventCache, Registry, WebhookSink
from fizz_gevent.protocol import events, frames
from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.protocol.members import Joined, Member
from fizz_gevent.protocol.messages import Subscribe
from fizz_gevent.protocol.names import ChannelKind, is_channel_name, kind_of, user_of
from fizz_gevent.protocol.signatures import verify_channel_auth
from fizz_gevent.protocol.users import member_of, parse_member
from fizz_gevent.service.subscription_counts import SubscriptionCounts

_UNAUTHORIZED = int(CloseCode.UNAUTHORIZED)
_LEFT_AT_ONCE = 64


class Subscriptions:
    """Lets connections into channels and out of them, and tells the others."""

    def __init__(
        self,
        registry: Registry,
        cache: EventCache,
        counts: SubscriptionCounts,
        clock: Clock,
        webhooks: WebhookSink | None = None,
        pause: Callable[[], None] = lambda: None,
    ) -> None:
        self._registry = registry
        self._cache = cache
        self._counts = counts
        self._clock = clock
        self._webhooks = webhooks
        self._pause = pause

    def subscribe(self, connection: Connection, message: Subscribe) -> None:
        """Let a connection into a channel and answer it. May yield.

        Raises:
            SubscriptionError: It may not; nothing has changed.

        Protocol: §6 the rules, §6.5 the order of the frames.
        """
        table = connection.table
        application = table.application
        channel = message.channel
        if not is_channel_name(channel, application.max_channel_name_length):
            raise SubscriptionError(
                f"Invalid channel name {channel[:200]!r}: 1 to"
                f" {application.max_channel_name_length} of A-Z a-z 0-9 _ - = @ , . ;",
                channel=channel,
                type="InvalidChannel",
                status=400,
            )
        kind = kind_of(channel)
        self._check_auth(connection, message, kind)
        member = _member_of(connection, message) if kind.is_presence else None
        if channel in connection.subscriptions:
            self._repeat(connection, channel, kind, member)
            return
        limit = application.max_channels_per_connection
        if limit is not None and len(connection.subscriptions) >= limit:
            raise SubscriptionError(
                f"This connection may not subscribe to more than {limit} channels",
                channel=channel,
                type="LimitReached",
                status=403,
            )
        joined = self._registry.join(
            application.app_id,
            channel,
            connection.socket_id,
            member=member,
            max_members=application.max_presence_members if kind.is_presence else None,
        )
        if joined is None:
            raise SubscriptionError(
                f"Channel {channel} is full: {application.max_presence_members} members",
                channel=channel,
                type="LimitReached",
                status=403,
            )
        cached = self._cached(table, channel, kind)
        if not connection.is_open:  # it went while registry and cache were asked
            _announce(table, connection, channel, member, joined)
            self._left(table, connection.socket_id, channel, member)
            return
        # From here to the confirmation nothing yields, so the channel's events find this
        # connection either not in it yet, or behind what it is shown now.
        connection.note_subscription(channel, member)
        connection.is_authorized = connection.is_authorized or kind.needs_auth
        table.enter(channel, connection, shown=0 if cached is None else cached.position)
        self._confirm(connection, channel, kind, joined, cached)
        _announce(table, connection, channel, member, joined)
        self._counts.changed(table, channel, joined.subscription_count)

    def unsubscribe(self, connection: Connection, channel: str) -> None:
        """Take a connection out of a channel; nothing happens where it is not in it. May yield.

        Protocol: §6.4.
        """
        if channel not in connection.subscriptions:
            return
        member = connection.subscriptions.pop(channel)
        connection.table.quit(channel, connection)
        self._left(connection.table, connection.socket_id, channel, member)

    def leave_all(self, connection: Connection) -> None:
        """Take a connection that is gone out of all its channels. May yield.

        There may be thousands, so others have a turn now and then. What is broadcast meanwhile in
        those that are left has nowhere to go.
        """
        table = connection.table
        subscriptions = connection.subscriptions
        while subscriptions:
            some = list(islice(subscriptions.items(), _LEFT_AT_ONCE))
            for channel, _ in some:
                del subscriptions[channel]
                table.quit(channel, connection)
            for channel, member in some:
                self._left(table, connection.socket_id, channel, member)
            if subscriptions:
                self._pause()

    def _check_auth(self, connection: Connection, message: Subscribe, kind: ChannelKind) -> None:
        channel = message.channel
        if kind.is_server_to_user:
            user = connection.user
            if user is None or user.user_id != user_of(channel):
                raise SubscriptionError(
                    f"Not signed in as the user of channel {channel}",
                    channel=channel,
                    code=_UNAUTHORIZED,
                )
        elif kind.needs_auth:
            verify_channel_auth(
                message.auth,
                credentials=connection.table.application.credentials(self._clock.now()),
                socket_id=connection.socket_id,
                channel=channel,
                channel_data=message.channel_data,
            )

    def _repeat(
        self, connection: Connection, channel: str, kind: ChannelKind, member: Member | None
    ) -> None:
        """Confirm a subscription that exists already. Protocol: §6.4."""
        app_id = connection.table.application.app_id
        present = connection.subscriptions[channel]
        if member is None or present is None:
            cached = self._cached(connection.table, channel, kind)
            self._confirm(connection, channel, kind, None, cached)
            return
        if member.user_id != present.user_id:
            raise SubscriptionError(
                f"Already subscribed to channel {channel} as another user",
                channel=channel,
                code=_UNAUTHORIZED,
            )
        joined = self._registry.update(app_id, channel, connection.socket_id, member)
        cached = self._cached(connection.table, channel, kind)
        if connection.is_open:
            connection.subscriptions[channel] = member
            self._confirm(connection, channel, kind, joined, cached)

    def _cached(self, table: ChannelTable, channel: str, kind: ChannelKind) -> CachedEvent | None:
        if not kind.is_cache:
            return None
        return self._cache.get(table.application.app_id, channel)

    def _confirm(
        self,
        connection: Connection,
        channel: str,
        kind: ChannelKind,
        joined: Joined | None,
        cached: CachedEvent | None,
    ) -> None:
        """Send frames 1 and 2 of §6.5: the confirmation, and what a cache channel remembers."""
        if joined is not None and joined.roster is not None:
            connection.send(events.presence_succeeded(channel, joined.roster))
        else:
            connection.send(events.subscription_succeeded(channel))
        if kind.is_cache:
            connection.send(events.cache_miss(channel) if cached is None else cached.payload)
            if cached is None and self._webhooks is not None:
                self._webhooks.cache_miss(connection.table.application, channel)

    def _left(
        self, table: ChannelTable, socket_id: str, channel: str, member: Member | None
    ) -> None:
        left = self._registry.leave(
            table.application.app_id,
            channel,
            socket_id,
            user_id=None if member is None else member.user_id,
        )
        if member is not None and left.is_last_of_user:
            table.broadcast(
                channel, frames.text_frame(events.member_removed(channel, member.user_id))
            )
        self._counts.changed(table, channel, left.subscription_count)


def _announce(
    table: ChannelTable,
    connection: Connection,
    channel: str,
    member: Member | None,
    joined: Joined,
) -> None:
    """Tell the others here of a user who was not present before. Protocol: §7.2, §7.3."""
    if member is not None and joined.is_first_of_user:
        table.broadcast(
            channel,
            frames.text_frame(events.member_added(channel, member)),
            except_socket_id=connection.socket_id,
        )


def _member_of(connection: Connection, message: Subscribe) -> Member:
    """Who a connection wants to be in a presence channel. Protocol: §7.3, §7.4."""
    application = connection.table.application
    if message.channel_data:
        return parse_member(message.channel_data, channel=message.channel, app=application)
    if connection.user is None:
        raise SubscriptionError(
            f"Channel {message.channel} needs channel_data with a user_id, or a signed-in user",
            channel=message.channel,
            code=_UNAUTHORIZED,
        )
    return member_of(connection.user, channel=message.channel, app=application)
