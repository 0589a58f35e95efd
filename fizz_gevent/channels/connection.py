"""One client, as the rooms inside know it: no socket, only an outbox and a way to close."""

from typing import TYPE_CHECKING

from fizz_gevent.channels.outbox import Outbox
from fizz_gevent.channels.rate_limit import TokenBucket
from fizz_gevent.protocol import events, frames
from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.protocol.members import Member
from fizz_gevent.protocol.users import User

if TYPE_CHECKING:
    from fizz_gevent.channels.table import ChannelTable


class Connection:
    """One established client.

    Attributes:
        socket_id: Unique in the cluster and never used again.
        table: The table of its application; the only way from here to the ``Application``.
        protocol: The protocol version the client asked for: 5, 6 or 7.
        user: Who is signed in, if anybody.
        subscriptions: Names of its channels, in the order of joining, each with the presence
            member it is there, or None.
        last_heard: When the last frame of any kind came, monotonic seconds.
        probed_at: When the unanswered ping went out; None where none is out.
        opened_at: Monotonic seconds.
        is_authorized: Has signed in or joined a channel that needs a signature, ever.
        is_open: False as soon as the end has begun: nothing is sent or processed any more.
        client_events: How often it may still send; made with the first client event.
    """

    __slots__ = (
        "client_events",
        "is_authorized",
        "is_open",
        "last_heard",
        "opened_at",
        "outbox",
        "probed_at",
        "protocol",
        "socket_id",
        "subscriptions",
        "table",
        "user",
    )

    def __init__(
        self, socket_id: str, table: "ChannelTable", outbox: Outbox, protocol: int, now: float
    ) -> None:
        self.socket_id = socket_id
        self.table = table
        self.outbox = outbox
        self.protocol = protocol
        self.user: User | None = None
        self.subscriptions: dict[str, Member | None] = _NONE_YET
        self.last_heard = now
        self.probed_at: float | None = None
        self.opened_at = now
        self.is_authorized = False
        self.is_open = True
        self.client_events: TokenBucket | None = None

    def send(self, payload: bytes) -> None:
        """Queue one event for this client, behind everything that was broadcast before."""
        self.send_frame(frames.text_frame(payload))

    def send_frame(self, frame: bytes) -> None:
        """Queue one encoded frame, as ``send`` does."""
        gathering = self.table.gathering
        gathering.tally.sent_messages += 1
        if gathering.channel is not None:
            gathering.spread()
        self.outbox.put(frame)

    def end(self, code: CloseCode, reason: str | None = None) -> None:
        """Close this connection, after what is queued; idempotent, never yields.

        Protocol: §4.3, "how an error that closes is sent": 5 gets the event too.
        """
        if not self.is_open:
            return
        text = code.reason if reason is None else reason
        self.table.gathering.spread()
        if self.protocol == 5 and code >= CloseCode.TLS_REQUIRED:
            self.outbox.put(frames.text_frame(events.error(int(code), text)))
        self.outbox.owner.end(int(code), text)

    def note_subscription(self, channel: str, member: Member | None) -> None:
        """Remember that this client is in ``channel``, and as whom."""
        if self.subscriptions is _NONE_YET:
            self.subscriptions = {}
        self.subscriptions[channel] = member


_NONE_YET: dict[str, Member | None] = {}
"""Shared by all connections without a subscription; never written to."""
