"""Events between nodes: each once, in order, and none lost while a link is down for a while."""

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import AsyncResult, Event

from fizz_gevent.cluster.commands import Commands
from fizz_gevent.cluster.membership import Membership
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
    event_body,
    parse,
)

_log = logging.getLogger(__name__)
_MOST_AT_ONCE = 64
_REPLAY_SLICE = 200
_REPLAY_BYTES = 32768
"""Far less than may wait for a client: nobody is to be closed for what comes at once."""
_RETRY_SECONDS = 0.2
_SETTLES_WITHIN = 1.0
"""Far above a round trip on a busy machine. Where it was not enough nobody waits again until Redis
has answered."""
_ROOM_SECONDS = 0.02
_ROOM_TRIES = 250
_OVERHEAD_BYTES = 200

_Queued = tuple[int, str, bytes, str, int]
"""Counter, bus channel, message, key in the cache or ``""``, milliseconds to live."""


class RedisBus:
    """Publishes this node's events and takes in the others'.

    What is published while Redis is away waits here, bounded in bytes, and is sent in order when it
    is back; the script that brings it in knows by its counter what an earlier try brought in
    already. What others published while this node's link was down is read from the log.

    Attributes:
        is_shared: There may be other nodes.
        queue_bytes: What waits to be published.
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
        self.queue_bytes = 0
        self.dropped_count = 0
        self.skipped_count = 0
        self.on_applications: Callable[[], None] = lambda: None
        self._commands = commands
        self._membership = membership
        self._listener = listener
        self._registry = registry
        self._inbox: Inbox
        self._queue_size = queue_size
        self._replay_size = replay_size
        # Stays the same while the node's name in the membership may change, so that an event
        # sent again after trouble is known for what it is.
        self._publisher_id = secrets.token_hex(8)
        self._counter = 0
        self._queue: deque[_Queued] = deque()
        self._queued = Event()
        self._settling: deque[tuple[int, AsyncResult[None]]] = deque()
        self._is_slow = False
        self._position = -1
        self._epoch = ""
        self._latest: dict[str, int] = {}
        self._is_dropping = False
        listener.on_message = self.received
        listener.on_restored = self._catch_up

    def start(self, inbox: Inbox) -> None:
        """Begin to publish what is queued."""
        self._inbox = inbox
        gevent.spawn(self._send_for_ever)

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
        prefix = self._membership.prefix
        key = "" if cache_seconds is None else f"{prefix}:x:{app_id}:{channel}"
        self._enqueue(
            self._listener.name_of(app_id, channel),
            except_socket_id,
            payload,
            key,
            0 if cache_seconds is None else max(1, int(cache_seconds * 1000)),
        )

    def terminate(self, app_id: str, user_id: str) -> None:
        """Have every other node close the connections of a user. Never yields."""
        name = f"{self._membership.prefix}:all"
        self._enqueue(name, None, f"{app_id} {user_id}".encode(), "", 0)

    def tell_count(self, app_id: str, channel: str, payload: bytes) -> bool:
        """Have a channel's present count told on every node, if they can be reached now.

        Never yields.
        """
        if not (self._membership.is_up and self._listener.is_up):
            return False
        self._commands.begin_script("tell_count", app_id, channel)
        return True

    def settle(self) -> None:
        """Wait until Redis has what was published here so far; not if it is away, or slow. Yields.

        Whoever goes on to another node then finds it there: a back end that waits for each answer
        has its events in order, though it asks a different node each time.
        """
        if self._queue and self._membership.is_up and not self._is_slow:
            settled: AsyncResult[None] = AsyncResult()
            self._settling.append((self._counter, settled))
            settled.wait(_SETTLES_WITHIN)
            self._is_slow = self._is_slow or not settled.ready()

    def flush(self, seconds: float) -> None:
        """Wait until all is published, or time is up: this node stops. Yields."""
        until = time.monotonic() + seconds
        while self._queue and self._membership.is_up and time.monotonic() < until:
            gevent.sleep(_ROOM_SECONDS)

    def _enqueue(
        self, name: str, except_socket_id: str | None, payload: bytes, key: str, ttl: int
    ) -> None:
        size = len(payload) + _OVERHEAD_BYTES
        if self.queue_bytes + size > self._queue_size:
            self.dropped_count += 1
            if not self._is_dropping:
                self._is_dropping = True
                _log.error(
                    "the queue to Redis is full (%d bytes); events for other nodes are dropped",
                    self._queue_size,
                )
            return
        self._counter += 1
        body = event_body(
            self._publisher_id, self._counter, except_socket_id, payload, is_cached=bool(key)
        )
        self._queue.append((self._counter, name, body, key, ttl))
        self.queue_bytes += size
        self._queued.set()

    def _send_for_ever(self) -> None:
        while True:
            self._queued.wait()
            if not self._queue:
                self._queued.clear()
                continue
            if not self._membership.is_up:
                gevent.sleep(_RETRY_SECONDS)
                continue
            count = min(len(self._queue), _MOST_AT_ONCE)
            arguments: list[Any] = [self._publisher_id, self._replay_size]
            for index in range(count):
                arguments += self._queue[index]
            try:
                positions: list[int] = self._commands.script("publish", *arguments)
            except ClusterUnavailable:
                self._let_go(self._counter)
                gevent.sleep(_RETRY_SECONDS)
                continue
            self._is_slow = False
            counter = 0
            for position in positions:
                counter = self._queue[0][0]
                self._published(self._queue.popleft(), position)
            if self._settling:
                self._confirm(counter)
            if self._is_dropping and self.queue_bytes < self._queue_size // 2:
                self._is_dropping = False
                _log.warning(
                    "the queue to Redis has room again; %d events were dropped in all",
                    self.dropped_count,
                )

    def _confirm(self, counter: int) -> None:
        """Let go who waited for this event once Redis has written it to the other nodes.

        It may answer the publisher before it writes to subscribers, and be made to wait in between;
        a question that comes after its answer it answers after both.
        """
        self._commands.begin(("PING",)).rawlink(lambda _: self._let_go(counter))

    def _let_go(self, counter: int) -> None:
        """Let those go on who waited for events up to this one."""
        while self._settling and self._settling[0][0] <= counter:
            self._settling.popleft()[1].set(None)

    def _published(self, queued: "_Queued", position: int) -> None:
        _, name, body, key, _ = queued
        payload = body[body.index(b"\n") + 1 :]
        self.queue_bytes -= len(payload) + _OVERHEAD_BYTES
        place = self._listener.place_of(name)
        if key and place is not None:
            self._inbox.published(*place, payload, position)

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
        if event.node_id == self._publisher_id:
            return
        if place is None:
            app_id, _, user_id = event.payload.decode().partition(" ")
            self._inbox.terminate(app_id, user_id)
        else:
            self._inbox.deliver(
                *place,
                event.payload,
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
            first = int(entries[0][0].partition(b"-")[0])
            if first > self._position + 1:
                missed = first - self._position - 1
                self.dropped_count += missed
                _log.error(
                    "the link was down too long: up to %d events of other nodes are lost", missed
                )
            unread, tries = 0, _ROOM_TRIES
            for entry, fields in entries:
                self._position = int(entry.partition(b"-")[0])
                name = fields[1].decode()
                start = self._listener.start_of(name)
                is_for_all = self._listener.place_of(name) is None
                if is_for_all or (start is not None and start < self._position):
                    self.received(name, fields[3])
                    unread += len(fields[3])
                if unread > _REPLAY_BYTES:
                    tries = self._wait_for_room(tries)
                    unread = 0
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
