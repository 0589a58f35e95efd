"""Events between nodes: each once, in order, and none lost while a link is down for a while."""

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
from gevent.hub import Waiter

from fizz_gevent.cluster.commands import Arguments, Commands
from fizz_gevent.cluster.membership import Membership
from fizz_gevent.cluster.outgoing import Outgoing, Parcel
from fizz_gevent.cluster.redis_listener import RedisListener
from fizz_gevent.cluster.redis_registry import RedisRegistry
from fizz_gevent.errors import ClusterUnavailable
from fizz_gevent.ports import Inbox
from fizz_gevent.protocol import events
from fizz_gevent.protocol.envelope import (
    ApplicationsChanged,
    CountTold,
    EnvelopeError,
    EventEnvelope,
    Mark,
    Transition,
    UserChange,
    parse,
)

_log = logging.getLogger(__name__)
_REPLAY_SLICE = 50
_REPLAY_BYTES = 32768
"""Far less than may wait for a client: nobody is to be closed for what comes at once."""
_RETRY_SECONDS = 0.2
_SETTLES_WITHIN = 1.0
"""Far above a round trip on a busy machine. Where it was not enough nobody waits again until Redis
has answered."""
_ROOM_SECONDS = 0.02
_ROOM_TRIES = 250


class RedisBus:
    """Publishes this node's events and takes in the others'.

    What is published while Redis is away waits here, bounded in bytes, and is sent in order when it
    is back; the script that brings it in knows by its counter what an earlier try brought in
    already. What others published while this node's link was down is read from the log.

    Attributes:
        is_shared: There may be other nodes.
        dropped_count: Events refused because the queue was full, and events that had left the log
            before this node came to read them.
        skipped_count: Messages that no node of ours has sent.
        on_applications: Called when somebody has changed an application in Redis. Never yields.
    """

    is_shared = True

    def __init__(
        self,
        commands: Commands,
        membership: Membership,
        listener: RedisListener,
        registry: RedisRegistry,
        *,
        queue_size: int,
        replay_size: int,
    ) -> None:
        self.dropped_count = 0
        self.skipped_count = 0
        self.on_applications: Callable[[], None] = lambda: None
        self._commands = commands
        self._membership = membership
        self._listener = listener
        self._registry = registry
        self._inbox: Inbox
        self._replay_size = replay_size
        self._outgoing = Outgoing(queue_size)
        self._settling: deque[tuple[int, Waiter[None]]] = deque()
        """Who waits for which parcel."""
        self._unconfirmed = 0
        """The latest parcel that Redis has taken, maybe before it wrote it to the others."""
        self._is_slow = False
        self._is_woken = False
        self._is_due = False
        self._hub = gevent.get_hub()
        # Of low priority: it comes after what the loop has found on its sockets by then.
        self._next_turn = self._hub.loop.timer(0, priority=-2)
        self._retry = self._hub.loop.timer(_RETRY_SECONDS, _RETRY_SECONDS)
        self._patience = self._hub.loop.timer(_SETTLES_WITHIN, _SETTLES_WITHIN)
        self._position = -1
        self._epoch = ""
        self._latest: dict[str, int] = {}
        self._is_dropping = False
        listener.on_message = self.received
        listener.on_restored = self._catch_up

    @property
    def queue_bytes(self) -> int:
        """What waits to be published."""
        return self._outgoing.size_bytes

    def start(self, inbox: Inbox) -> None:
        """Begin to publish what is queued."""
        self._inbox = inbox
        self._commands.source = self
        self._try_again()

    # Outwards

    def publish(
        self,
        app_id: str,
        channel: str,
        payload: bytes,
        *,
        except_socket_id: str | None = None,
        cache_seconds: float | None = None,
    ) -> None:
        """Bring an event to the other nodes, and into the cache where asked. Never yields."""
        milliseconds = 0 if cache_seconds is None else max(1, int(cache_seconds * 1000))
        name = self._listener.name_of(app_id, channel)
        if self._outgoing.add(name, except_socket_id, payload, milliseconds=milliseconds):
            self._send_soon()
        else:
            self._drop()

    def terminate(self, app_id: str, user_id: str) -> None:
        """Have every other node close the connections of a user. Never yields."""
        name = f"{self._membership.prefix}:all"
        if self._outgoing.add(name, None, f"{app_id} {user_id}".encode(), is_event=False):
            self._send_soon()
        else:
            self._drop()

    def tell_count(self, app_id: str, channel: str, payload: bytes) -> bool:
        """Have a channel's present count told on every node, if they can be reached now.

        Never yields.
        """
        if not (self._membership.is_up and self._listener.is_up):
            return False
        self._commands.begin_script("tell_count", app_id, channel)
        return True

    def catch_up(self) -> None:
        """Take in what lies here from other nodes. May yield."""
        self._listener.catch_up()

    def settle(self) -> None:
        """Wait until the other nodes can have what was published here so far. Yields.

        Not if Redis is away, or slow. Whoever goes on to another node then finds it there: a back
        end that waits for each answer has its events in order, though it asks a different node each
        time.
        """
        if self._outgoing and self._membership.is_up and not self._is_slow:
            waiter: Waiter[None] = Waiter()
            if not self._settling:
                self._patience.again(self._lose_patience)
            self._settling.append((self._outgoing.counter, waiter))
            waiter.get()

    def flush(self, seconds: float) -> None:
        """Wait until all is published, or time is up: this node stops. Yields."""
        until = time.monotonic() + seconds
        while self._outgoing and self._membership.is_up and time.monotonic() < until:
            gevent.sleep(_ROOM_SECONDS)

    def _drop(self) -> None:
        self.dropped_count += 1
        if not self._is_dropping:
            self._is_dropping = True
            _log.error(
                "the queue to Redis is full (%d bytes); events for other nodes are dropped",
                self._outgoing.limit_bytes,
            )

    def _send_soon(self) -> None:
        """Send what waits after the loop has looked at its sockets once more.

        Under load the requests that have come by then share one command with this one; at rest it
        costs two microseconds.
        """
        if not self._is_woken:
            self._is_woken = True
            self._next_turn.start(self._wake)

    def _wake(self) -> None:
        self._retry.stop()
        self._is_due = True
        self._commands.wake()

    def command(self) -> Arguments | None:
        """The next command for Redis: what waits, or else a question whose answer confirms it."""
        if not self._is_due:
            return None
        self._is_due = self._is_woken = False
        if not self._membership.is_up:
            self._try_again()
            return None
        if self._outgoing:
            arguments = self._outgoing.arguments()
            return self._commands.script_command("publish", (self._replay_size, *arguments))
        return ("PING",) if self._settling else None

    def answered(self, answer: Any) -> None:
        """Note what Redis has now, and let go who waits for that. Never yields.

        Redis may answer the publisher before it writes to the other nodes, and be made to wait in
        between; what comes after its answer it answers after both. So those wait for the next
        command, unless nobody else listens.
        """
        if isinstance(answer, ClusterUnavailable):
            self._let_go(self._outgoing.counter)
            self._try_again()
            return
        self._is_slow = False
        self._let_go(self._unconfirmed)
        if isinstance(answer, list):
            others, *positions = answer
            for position in positions:
                parcel = self._outgoing.take()
                if parcel.milliseconds:
                    self._placed(parcel, position)
                self._unconfirmed = parcel.counter
            if not others:
                self._let_go(self._unconfirmed)
            if self._is_dropping and self._outgoing.has_room:
                self._is_dropping = False
                _log.warning(
                    "the queue to Redis has room again; %d events were dropped in all",
                    self.dropped_count,
                )
        if self._settling or self._outgoing:
            self._send_soon()

    def _placed(self, parcel: Parcel, position: int) -> None:
        """Note where an event stands that a cache channel remembers."""
        place = self._listener.place_of(parcel.name)
        if place is not None:
            self._inbox.published(*place, parcel.payloads[0], position)

    def _let_go(self, counter: int) -> None:
        """Let those go on who waited for parcels up to this one."""
        settling = self._settling
        if not settling or settling[0][0] > counter:
            return
        run_callback = self._hub.loop.run_callback
        while settling and settling[0][0] <= counter:
            run_callback(settling.popleft()[1].switch, None)
        if settling:
            self._patience.again(self._lose_patience)
        else:
            self._patience.stop()

    def _lose_patience(self) -> None:
        self._is_slow = True
        self._let_go(self._outgoing.counter)

    def _try_again(self) -> None:
        self._is_woken = True
        self._retry.again(self._wake)

    # Inwards

    def received(self, name: str, message: bytes) -> None:
        """Take in one message of the bus. Never yields; a bad message is counted and skipped."""
        try:
            envelope = parse(message)
            place = self._listener.place_of(name)
            match envelope:
                case EventEnvelope():
                    self._event(place, envelope)
                case Transition() if place is not None:
                    self._registry.transition(*place, envelope)
                case CountTold() if place is not None:
                    self._count_told(*place, envelope.count)
                case UserChange(app_id, user_id, is_online):
                    self._inbox.user_changed(app_id, user_id, is_online)
                case ApplicationsChanged():
                    self.on_applications()
                case Mark() if envelope.epoch == self._epoch:
                    self._position = max(self._position, envelope.position)
                case _:
                    pass
        except (EnvelopeError, UnicodeDecodeError) as error:
            self.skipped_count += 1
            if self.skipped_count & (self.skipped_count - 1) == 0:  # 1, 2, 4, 8, ...
                _log.warning("%d foreign messages on the bus: %s", self.skipped_count, error)
        except Exception:
            # A bug of ours costs this message only, and not the link with all that comes over it.
            self.skipped_count += 1
            _log.exception("fault %s: a message of the bus is skipped", secrets.token_hex(4))

    def _event(self, place: tuple[str, str] | None, event: EventEnvelope) -> None:
        self._position = max(self._position, event.position)
        if event.counter <= self._latest.get(event.node_id, 0):
            return  # read from the log already
        self._latest[event.node_id] = event.counter
        if event.node_id == self._outgoing.publisher_id:
            return
        if place is None:
            app_id, _, user_id = event.payload.decode().partition(" ")
            self._inbox.terminate(app_id, user_id)
            return
        for payload in event.payload.split(b"\n"):
            self._inbox.deliver(
                *place,
                payload,
                except_socket_id=event.except_socket_id,
                position=event.position,
                is_cached=event.is_cached,
            )

    def _count_told(self, app_id: str, channel: str, count: int) -> None:
        if self._inbox.wants_counts(app_id):
            self._inbox.count_told(app_id, channel, events.subscription_count(channel, count))

    def _catch_up(self) -> None:
        """Read from the log what was published while nobody listened here. Yields.

        Raises:
            ClusterUnavailable: Redis is away again, or not greeted yet.
        """
        membership = self._membership
        if not membership.is_up:
            raise ClusterUnavailable("Redis is not greeted yet")
        if not self._epoch:
            self._position = membership.began_at  # what is older was before this node's time
        elif self._epoch != membership.epoch:
            self._position = 0  # another life of the data, of which nothing has been seen yet
            self._listener.forget_starts()
        elif membership.position < self._position:
            # Another Redis has taken over, which did not get all that the one before it had. What
            # it has got since then may be anything; what was seen already is known by its counter.
            self._position = max(0, membership.position - self._replay_size)
        self._epoch = membership.epoch
        log = f"{membership.prefix}:log"
        while True:
            entries = self._commands.ask(
                "XRANGE", log, f"({self._position}-0", "+", "COUNT", _REPLAY_SLICE
            )
            if not entries:
                break
            first = _first_position(entries[0][1][1])
            if first > self._position + 1:
                missed = first - self._position - 1
                self.dropped_count += missed
                _log.error(
                    "the link was down too long: up to %d events of other nodes are lost", missed
                )
            unread, tries = 0, _ROOM_TRIES
            for entry, fields in entries:
                for each, message in zip(fields[::2], fields[1::2], strict=True):
                    name = each.decode()
                    start = self._listener.start_of(name)
                    is_for_all = self._listener.place_of(name) is None
                    if is_for_all or (start is not None and start < _position(message)):
                        self.received(name, message)
                        unread += len(message)
                    if unread > _REPLAY_BYTES:
                        tries = self._wait_for_room(tries)
                        unread = 0
                self._position = int(entry.partition(b"-")[0])
            self._wait_for_room(tries)
        self._registry.refresh()
        self._inbox.refresh_users()

    def _wait_for_room(self, tries: int) -> int:
        """Let clients read what was replayed, those that do; how often it may be tried yet.

        Yields.
        """
        gevent.sleep(0)
        while tries and self._inbox.is_congested():
            gevent.sleep(_ROOM_SECONDS)
            tries -= 1
        return tries


def _position(message: bytes) -> int:
    """Where the last event of a message of the log stands among all; 0 for what is not ours."""
    number = message.partition(b" ")[2].partition(b" ")[0]
    return int(number) if number.isdigit() else 0


def _first_position(message: bytes) -> int:
    """Where its first event stands."""
    return _position(message) - message.partition(b"\n")[2].count(b"\n")
