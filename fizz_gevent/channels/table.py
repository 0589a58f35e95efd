"""All that one application has on this node."""

from fizz_gevent.application import Application
from fizz_gevent.channels.channel import Channel, Gathering
from fizz_gevent.channels.connection import Connection
from fizz_gevent.channels.outbox import Flusher
from fizz_gevent.channels.rate_limit import Bucket, MakeBucket, own_bucket
from fizz_gevent.channels.tally import Tally


class ChannelTable:
    """One application's channels, connections and signed-in users on this node.

    The only holder of the ``Application``: after a reload one assignment is seen by all.

    Attributes:
        connections: ``socket_id`` to connection.
        channels: Name to channel, of those with a subscriber here.
        users: ``user_id`` to the connections signed in as that user.
        watchers: ``user_id`` to the connections that watch that user.
        gathering: What was broadcast in this turn of the loop and is not in outboxes yet.
        tally: What has happened here, in numbers.
    """

    __slots__ = (
        "_backend_events",
        "_flusher",
        "_make_bucket",
        "_read_requests",
        "application",
        "channels",
        "connections",
        "gathering",
        "tally",
        "users",
        "watchers",
    )

    def __init__(
        self, application: Application, flusher: Flusher, make_bucket: MakeBucket = own_bucket
    ) -> None:
        self.application = application
        self.connections: dict[str, Connection] = {}
        self.channels: dict[str, Channel] = {}
        self.users: dict[str, dict[str, Connection]] = {}
        self.watchers: dict[str, dict[str, Connection]] = {}
        self.tally = Tally()
        self.gathering = Gathering(flusher, self.tally)
        self._flusher = flusher
        self._make_bucket = make_bucket
        self._backend_events: Bucket | None = None
        self._read_requests: Bucket | None = None

    def enter(self, channel: str, connection: Connection, *, shown: int = 0) -> None:
        """Make a connection a subscriber of a channel, which comes to be where it is new.

        Args:
            shown: As for ``Channel.add``.
        """
        found = self.channels.get(channel)
        if found is None:
            found = self.channels[channel] = Channel(channel, self.gathering, self._flusher)
            self.tally.note_channel(found.kind, 1)
        count = len(found.outboxes)
        found.add(connection, shown=shown)
        self.tally.subscriptions += len(found.outboxes) - count

    def quit(self, channel: str, connection: Connection) -> Channel | None:
        """Take a connection out of a channel; answers the channel where others are left in it."""
        found = self.channels.get(channel)
        if found is None:
            return None
        count = len(found.outboxes)
        found.remove(connection)
        self.tally.subscriptions -= count - len(found.outboxes)
        if found.outboxes:
            return found
        del self.channels[channel]
        self.tally.note_channel(found.kind, -1)
        return None

    def broadcast(self, channel: str, frame: bytes, *, except_socket_id: str | None = None) -> None:
        """Hand a frame to the subscribers of a channel, if it has any here. Never yields."""
        found = self.channels.get(channel)
        if found is not None:
            found.broadcast(frame, except_socket_id=except_socket_id)

    def wait_for_events(self, count: int, now: float) -> float:
        """Spend ``count`` events of the back ends' rate; seconds to wait first, 0 where it is met.

        Args:
            now: Monotonic seconds.
        """
        rate = self.application.max_backend_events_per_second
        if rate is None:
            return 0
        if self._backend_events is None or self._backend_events.rate != rate:
            name = f"{self.application.app_id} events"
            self._backend_events = self._make_bucket(name, rate, now)
        bucket = self._backend_events
        count = min(count, rate)  # a batch larger than the rate waits for a full bucket
        return 0 if bucket.take(now, count) else bucket.seconds_until(count)

    def wait_for_read(self, now: float) -> float:
        """Spend one read request of the rate, as ``wait_for_events`` does."""
        rate = self.application.max_read_requests_per_second
        if rate is None:
            return 0
        if self._read_requests is None or self._read_requests.rate != rate:
            name = f"{self.application.app_id} reads"
            self._read_requests = self._make_bucket(name, rate, now)
        bucket = self._read_requests
        return 0 if bucket.take(now) else bucket.seconds_until()
