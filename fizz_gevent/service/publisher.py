"""Events on their way from whoever publishes them to whoever listens."""

from collections.abc import Sequence

from fizz_gevent.channels.connection import Connection
from fizz_gevent.channels.rate_limit import TokenBucket
from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.errors import ProtocolError
from fizz_gevent.ports import Audience, Bus, Clock, EventCache, WebhookSink
from fizz_gevent.protocol import events, frames
from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.protocol.messages import ClientEvent
from fizz_gevent.protocol.names import is_event_name, kind_of
from fizz_gevent.protocol.triggers import Event


class Publisher:
    """Encodes each event once and broadcasts it; keeps what cache channels remember.

    Attributes:
        audience: Who watches what is published, or None.
    """

    def __init__(
        self, cache: EventCache, bus: Bus, clock: Clock, webhooks: WebhookSink | None = None
    ) -> None:
        self._cache = cache
        self._bus = bus
        self._clock = clock
        self._webhooks = webhooks
        self.audience: Audience | None = None

    def catch_up(self) -> None:
        """Have what other nodes published before go first. May yield.

        A back end may have asked another node just now, and has been answered; what it sends here
        comes after that. Protocol: §6.6.
        """
        if self._bus.is_shared:
            self._bus.catch_up()

    def publish(self, table: ChannelTable, batch: Sequence[Event]) -> None:
        """Publish what a back end has sent, in the order it gave.

        Local subscribers have the events queued when this returns.

        Protocol: §6.6 the frame, §10 the cached event.
        """
        channels = table.channels
        application = table.application
        bus = self._bus if self._bus.is_shared else None
        for event in batch:
            table.tally.http_events += len(event.channels)
            if self.audience is not None:
                self.audience.published(application, event.channels, event.name, event.data, None)
            for name in event.channels:
                ttl = application.cache_ttl if kind_of(name).is_cache else None
                channel = channels.get(name)
                if channel is None and ttl is None and bus is None:
                    continue  # nobody listens
                payload = events.channel_event(event.name, name, event.data)
                if ttl is not None:
                    self._cache.put(application.app_id, name, event.data, payload, ttl)
                    if self._webhooks is not None:
                        self._webhooks.cached(application, name)
                if channel is not None:
                    channel.broadcast(frames.text_frame(payload), except_socket_id=event.socket_id)
                if bus is not None:
                    bus.publish(
                        application.app_id,
                        name,
                        payload,
                        except_socket_id=event.socket_id,
                        cache_seconds=ttl,
                    )

    def settle(self) -> None:
        """Let the other nodes have what was published, as far as they can be reached. May yield.

        A back end that is answered only then has its events in order, whichever nodes serve its
        requests. Protocol: §6.6.
        """
        if self._bus.is_shared:
            self._bus.settle()

    def publish_from_client(self, connection: Connection, message: ClientEvent) -> None:
        """Pass a client's event on to the others in its channel.

        Raises:
            ProtocolError: 4301 where the client sends too many, else a message that names the
                event and the channel.

        Protocol: §8.
        """
        table = connection.table
        application = table.application
        self._spend(connection)
        name, channel = message.name, message.channel
        if application.accept_client_events_from != "members":
            raise _rejected(message, "client events are disabled for this application")
        if channel not in connection.subscriptions:
            raise _rejected(message, "the connection is not subscribed to the channel")
        if not kind_of(channel).allows_client_events:
            raise _rejected(message, "only private and presence channels take client events")
        if not is_event_name(name, application.max_event_name_length):
            longest = application.max_event_name_length
            raise _rejected(
                message, f"a name has 1 to {longest} characters, none of them a control character"
            )
        data = message.data
        limit = application.max_event_size
        if len(data) > limit or (not data.isascii() and len(data.encode()) > limit):
            raise _rejected(message, f"its data is larger than {limit} bytes")
        member = connection.subscriptions[channel]
        user_id = None if member is None else member.user_id
        payload = events.channel_event(name, channel, data, user_id=user_id)
        socket_id = connection.socket_id
        table.tally.client_events += 1
        if self.audience is not None:
            self.audience.published(application, (channel,), name, data, socket_id)
        table.broadcast(channel, frames.text_frame(payload), except_socket_id=socket_id)
        if self._bus.is_shared:
            self._bus.publish(application.app_id, channel, payload, except_socket_id=socket_id)
        if self._webhooks is not None:
            self._webhooks.client_event(
                application, channel, name, data, socket_id=socket_id, user_id=user_id
            )

    def _spend(self, connection: Connection) -> None:
        rate = connection.table.application.max_client_events_per_second
        if rate is None:
            return
        now = self._clock.monotonic()
        bucket = connection.client_events
        if bucket is None or bucket.rate != rate:
            bucket = connection.client_events = TokenBucket(rate, now)
        if not bucket.take(now):
            raise ProtocolError(
                CloseCode.CLIENT_EVENT_RATE.reason, int(CloseCode.CLIENT_EVENT_RATE)
            )


def _rejected(message: ClientEvent, why: str) -> ProtocolError:
    name, channel = message.name[:200], message.channel[:200]
    return ProtocolError(
        f"Client event {name!r} on channel {channel!r} rejected: {why}", counted_as="client_event"
    )
