"""What has happened at one application on this node, in numbers."""

from fizz_gevent.protocol.names import ChannelKind


class Tally:
    """Plain integers, counted where things happen and read by whoever watches.

    Those that only grow say what has happened since the start; the others say what is now.

    Attributes:
        opened: Connections that were established.
        ended: Connections that ended, by reason.
        slow_clients: Of these, those that were closed because they read too slowly.
        subscriptions: Subscriptions of connections here, now.
        channels: Channels with a subscriber here, now, by kind.
        http_events: Events of back ends, one for each channel that an event goes to.
        client_events: Events of clients that were passed on.
        node_events: Events that came from other nodes, where a client here listens.
        received_messages: Messages of clients, good or bad.
        refused_messages: Messages of clients that were answered with an error, by reason.
        sent_messages: Messages queued for clients: a broadcast counts once for each subscriber.
    """

    __slots__ = (
        "channels",
        "client_events",
        "ended",
        "http_events",
        "node_events",
        "opened",
        "received_messages",
        "refused_messages",
        "sent_messages",
        "slow_clients",
        "subscriptions",
    )

    def __init__(self) -> None:
        self.opened = 0
        self.ended: dict[str, int] = {}
        self.slow_clients = 0
        self.subscriptions = 0
        self.channels: dict[ChannelKind, int] = {}
        self.http_events = 0
        self.client_events = 0
        self.node_events = 0
        self.received_messages = 0
        self.refused_messages: dict[str, int] = {}
        self.sent_messages = 0

    def note_end(self, reason: str) -> None:
        """Count one connection that begins to end."""
        self.ended[reason] = self.ended.get(reason, 0) + 1

    def note_refusal(self, reason: str) -> None:
        """Count one message that was answered with an error."""
        self.refused_messages[reason] = self.refused_messages.get(reason, 0) + 1

    def note_channel(self, kind: ChannelKind, by: int) -> None:
        """Count one channel more, or one less."""
        self.channels[kind] = self.channels.get(kind, 0) + by
