"""One channel on this node, and how a frame gets to all who listen to it."""

from collections.abc import Container

from fizz_gevent.channels.connection import Connection
from fizz_gevent.channels.outbox import Flusher, Outbox, spread
from fizz_gevent.channels.tally import Tally
from fizz_gevent.protocol.names import ChannelKind, kind_of

_GATHERED_BYTES = 65536
"""A gathering goes out early at this size, so that no outbox overflows by one big piece."""


class Gathering:
    """Frames for one channel that were broadcast within one turn of the event loop.

    What two publishers send to a channel in one turn is joined once, and each subscriber is
    handed one piece. Only the latest channel of an application gathers: whatever else is sent
    meanwhile spreads it first, so every client sees everything in the order in which it happened.
    """

    __slots__ = ("_flusher", "_frames", "_size_bytes", "channel", "tally")

    def __init__(self, flusher: Flusher, tally: Tally) -> None:
        self._flusher = flusher
        self.tally = tally
        self._frames: list[bytes] = []
        self._size_bytes = 0
        self.channel: Channel | None = None

    def add(self, channel: "Channel", frame: bytes) -> None:
        """Hold one frame back for all subscribers of ``channel`` until the turn ends."""
        if self.channel is not channel:
            if self.channel is not None:
                self.spread()
            self.channel = channel
            self._flusher.gathering.append(self)
            self._flusher.schedule()
        self._frames.append(frame)
        self._size_bytes += len(frame)
        if self._size_bytes >= _GATHERED_BYTES:
            self.spread()

    def spread(self) -> None:
        """Put what is held back into the outboxes of the channel's subscribers of this moment."""
        channel = self.channel
        if channel is None:
            return
        frames = self._frames
        frame = frames[0] if len(frames) == 1 else b"".join(frames)
        self.channel = None
        self._size_bytes = 0
        self.tally.sent_messages += len(frames) * len(channel.outboxes)
        frames.clear()
        spread(frame, channel.outboxes.values(), self._flusher)


class Channel:
    """A channel with at least one subscriber on this node.

    Attributes:
        kind: What its name says it is.
        outboxes: ``socket_id`` to outbox, of each subscriber here.
    """

    __slots__ = ("_flusher", "_gathering", "_shown", "kind", "name", "outboxes")

    def __init__(self, name: str, gathering: Gathering, flusher: Flusher) -> None:
        self.name = name
        self.kind: ChannelKind = kind_of(name)
        self.outboxes: dict[str, Outbox] = {}
        self._gathering = gathering
        self._flusher = flusher
        self._shown: dict[str, int] = _NOTHING

    def add(self, connection: Connection, *, shown: int = 0) -> None:
        """Let a connection hear what is broadcast from now on, and nothing from before.

        Args:
            shown: The position of the cached event that it has seen already; 0 for none.
        """
        self._gathering.spread()
        self.outboxes[connection.socket_id] = connection.outbox
        if shown:
            if self._shown is _NOTHING:
                self._shown = {}
            self._shown[connection.socket_id] = shown

    def remove(self, connection: Connection) -> None:
        """Let a connection hear what was broadcast so far, and nothing more."""
        self._gathering.spread()
        self.outboxes.pop(connection.socket_id, None)
        if self._shown:
            self._shown.pop(connection.socket_id, None)

    def broadcast(self, frame: bytes, *, except_socket_id: str | None = None) -> None:
        """Hand one encoded frame to every local subscriber.

        Never yields and copies nothing. A client that is too slow is marked and closed later, so
        the table cannot change under this loop.
        """
        if except_socket_id is None or except_socket_id not in self.outboxes:
            self._gathering.add(self, frame)
            return
        self._broadcast_except({except_socket_id}, frame)

    def broadcast_at(
        self, position: int, frame: bytes, *, except_socket_id: str | None = None
    ) -> None:
        """``broadcast`` an event of the cluster, but to nobody who was shown it as the cached one.

        Args:
            position: Its place among all events; of one publisher they only grow.
        """
        if not self._shown:
            self.broadcast(frame, except_socket_id=except_socket_id)
            return
        unwanted = {socket_id for socket_id, shown in self._shown.items() if shown >= position}
        for socket_id in [each for each, shown in self._shown.items() if shown <= position]:
            del self._shown[socket_id]
        if except_socket_id is not None:
            unwanted.add(except_socket_id)
        self._broadcast_except(unwanted, frame)

    def forget_shown(self) -> None:
        """Places among all events are counted anew; those from before mean nothing any more."""
        self._shown = _NOTHING

    def _broadcast_except(self, unwanted: Container[str], frame: bytes) -> None:
        self._gathering.spread()
        outboxes = [
            outbox for socket_id, outbox in self.outboxes.items() if socket_id not in unwanted
        ]
        self._gathering.tally.sent_messages += len(outboxes)
        spread(frame, outboxes, self._flusher)


_NOTHING: dict[str, int] = {}
"""Shared by all channels to whose subscribers nothing was shown; never written to."""
