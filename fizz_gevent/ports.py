"""What the inner rooms ask of the outer ones, as protocols.

A port may yield unless its docstring says that it does not; after each call of one the caller
checks again what it relied on: the client may be gone, the channel removed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fizz_gevent.application import Application
from fizz_gevent.protocol.members import ChannelCounts, Joined, Left, Member


class Timer(Protocol):
    """A call that was asked for and has not happened yet."""

    def cancel(self) -> None:
        """Let it not happen; does nothing where it already has. Never yields."""


class Clock(Protocol):
    """The one owner of time. None of its methods yields."""

    def now(self) -> float:
        """Seconds since 1970, as the machine believes; may jump."""

    def monotonic(self) -> float:
        """Seconds since some moment; never jumps, for measuring."""

    def later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back after ``seconds``, in a greenlet of its own, never in the hub."""


class Registry(Protocol):
    """Who is where in the whole cluster; decides each transition exactly once."""

    def connect(self, app_id: str, socket_id: str, limit: int | None) -> bool:
        """Count one more connection of an application; False, and nothing counted, at ``limit``."""

    def disconnect(self, app_id: str, socket_id: str) -> None:
        """Count one connection less."""

    def join(
        self,
        app_id: str,
        channel: str,
        socket_id: str,
        *,
        member: Member | None = None,
        max_members: int | None = None,
    ) -> Joined | None:
        """Enter one subscription; None, and nothing entered, where the presence channel is full.

        A connection of a user who is present already is never refused. ``member.user_info``
        replaces what was known of the user.
        """

    def update(self, app_id: str, channel: str, socket_id: str, member: Member) -> Joined:
        """Replace what is known of a present user, and answer as ``join`` would to a repeat."""

    def leave(
        self, app_id: str, channel: str, socket_id: str, *, user_id: str | None = None
    ) -> Left:
        """Take back one subscription that ``join`` entered."""

    def sign_in(self, app_id: str, user_id: str, socket_id: str) -> bool:
        """Enter one signed-in connection; True where it is the user's first."""

    def sign_out(self, app_id: str, user_id: str, socket_id: str) -> bool:
        """Take back one signed-in connection; True where it was the user's last."""

    def online(self, app_id: str, user_ids: Iterable[str]) -> dict[str, float]:
        """Which of these users are online, and for how many seconds if they do not sign in.

        Whoever is signed in on a connection is so for ever (``math.inf``), whoever has signed out
        of the last one for the rest of ``OFFLINE_AFTER``; all others are left out.
        """

    def counts(self, app_id: str, channel: str) -> ChannelCounts | None:
        """How busy a channel is; None where it is vacant."""

    def channels(self, app_id: str, prefix: str) -> Mapping[str, ChannelCounts]:
        """Every occupied channel whose name starts with ``prefix``."""

    def users(self, app_id: str, channel: str) -> list[str]:
        """The distinct users in a presence channel; empty where it is vacant."""

    def connections(self, app_id: str) -> int:
        """How many connections an application has."""

    @property
    def is_partial(self) -> bool:
        """Answers come from what this node knows, for the cluster cannot be asked."""

    def may_tell_count(self, app_id: str, channel: str, seconds: float) -> bool:
        """Whether this node is to tell a channel's count; then no other is for ``seconds``."""


class Bus(Protocol):
    """How nodes talk. None of its methods yields but ``catch_up`` and ``settle``."""

    @property
    def is_shared(self) -> bool:
        """There may be other nodes."""

    def publish(
        self,
        app_id: str,
        channel: str,
        payload: bytes,
        *,
        except_socket_id: str | None = None,
        cache_seconds: float | None = None,
    ) -> None:
        """Bring an event to the other nodes.

        Args:
            payload: The whole event as it goes to subscribers, JSON in UTF-8.
            cache_seconds: How long the channel remembers it; None for no cache channel.
        """

    def terminate(self, app_id: str, user_id: str) -> None:
        """Have the other nodes close the connections of a user."""

    def catch_up(self) -> None:
        """Take in what other nodes have sent here by now. May yield."""

    def settle(self) -> None:
        """Wait a moment until other nodes can have what was published here. May yield."""

    def tell_count(self, app_id: str, channel: str, payload: bytes) -> bool:
        """Have every node, this one too, tell its subscribers the present count.

        Args:
            payload: The event as it would be now.

        Returns:
            False where this node has to tell its own subscribers itself.
        """


class Inbox(Protocol):
    """What comes from the cluster for the clients of this node. None of its methods yields."""

    def deliver(
        self,
        app_id: str,
        channel: str,
        payload: bytes,
        *,
        except_socket_id: str | None,
        position: int,
        is_cached: bool,
    ) -> None:
        """An event of another node. ``position`` is its place among all events."""

    def published(self, app_id: str, channel: str, payload: bytes, position: int) -> None:
        """An event of this node, which its cache channel remembers, has its place now.

        Args:
            position: 0 where it is not known any more.
        """

    def renumbered(self) -> None:
        """The places of events are counted from the beginning again."""

    def members_changed(
        self, app_id: str, channel: str, added: Iterable[Member], removed: Iterable[str]
    ) -> None:
        """Members of a presence channel have come and gone."""

    def wants_counts(self, app_id: str) -> bool:
        """Whether the application has its subscribers told how many they are."""

    def count_told(self, app_id: str, channel: str, payload: bytes) -> None:
        """A ``subscription_count`` event for the subscribers here."""

    def user_changed(self, app_id: str, user_id: str, is_online: bool) -> None:
        """A user came online or went offline."""

    def refresh_users(self) -> None:
        """Changes of users may have been missed. May yield."""

    def terminate(self, app_id: str, user_id: str) -> None:
        """Close the connections of a user."""

    def is_congested(self) -> bool:
        """Some client has much waiting for it, and should be given time to read."""


class ClusterCache(Protocol):
    """The side of a cache on which events of the cluster arrive."""

    def note(self, app_id: str, channel: str, payload: bytes, position: int, ttl: float) -> None:
        """An event of a cache channel has the place ``position`` among all. Never yields."""


@dataclass(frozen=True, slots=True)
class CachedEvent:
    """The last event of a cache channel.

    Attributes:
        data: The event's ``data`` string.
        payload: The whole event as it goes to a subscriber, JSON in UTF-8.
        ttl: Seconds until it is forgotten.
        position: Its place among all events of the cluster; 0 where there is no cluster, or where
            the place is not known.
    """

    data: str
    payload: bytes
    ttl: float
    position: int = 0


class EventCache(Protocol):
    """The last event of each cache channel, kept for a time, with or without subscribers.

    Protocol: §10.
    """

    def put(self, app_id: str, channel: str, data: str, payload: bytes, ttl: float) -> None:
        """Remember an event in place of the one before, for ``ttl`` seconds."""

    def get(self, app_id: str, channel: str) -> CachedEvent | None:
        """The remembered event; reading does not make it last longer."""


class WebhookSink(Protocol):
    """Takes down what back ends may want to be told of. None of its methods yields.

    Who comes and goes is no business of this port: the registry decides that, and tells itself.

    Protocol: §13.
    """

    def client_event(
        self,
        application: Application,
        channel: str,
        name: str,
        data: str,
        *,
        socket_id: str,
        user_id: str | None,
    ) -> None:
        """A client has sent an event to a channel; ``user_id`` in presence channels."""

    def cache_miss(self, application: Application, channel: str) -> None:
        """Somebody came to a cache channel that remembers nothing."""

    def cached(self, application: Application, channel: str) -> None:
        """A cache channel remembers an event."""

    def subscription_count(self, application: Application, channel: str, count: int) -> None:
        """The subscribers of a channel are told how many they are."""


class Tap(Protocol):
    """Somebody who watches the stream. Its methods never yield."""

    def received(self, socket_id: str, payload: bytes) -> None:
        """A message has come from a client."""

    def sent(self, socket_id: str, payload: bytes) -> None:
        """A message goes to a client."""

    def state(self, socket_id: str, what: str) -> None:
        """A connection was opened, refused or closed."""

    def request(self, method: str, target: str, status: str) -> None:
        """An HTTP request was answered."""


class Audience(Protocol):
    """Somebody who watches what is published. Its method never yields."""

    def published(
        self,
        application: Application,
        channels: Sequence[str],
        name: str,
        data: str,
        socket_id: str | None,
    ) -> None:
        """An event was accepted here for some channels.

        Args:
            socket_id: The client that sent it; None for a back end.
        """


class Complaints(Protocol):
    """Takes down what was refused, and why. Its method never yields."""

    def refused(self, what: str, who: str, why: str, app_id: str | None = None) -> None:
        """Somebody was told no.

        Args:
            what: ``connection``, ``client`` (a message of one) or ``request``.
            who: A socket_id, or a network address, or a request line.
        """
