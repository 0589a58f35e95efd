"""The greenlet that listens: what other nodes publish arrives here, in the order of Redis."""

import fcntl
import logging
import random
import secrets
import termios
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import AsyncResult, Event
from gevent.hub import Waiter
from gevent.lock import BoundedSemaphore
from redis.connection import ConnectionInterface

from fizz_gevent.cluster.redis_link import LOST, RedisLink
from fizz_gevent.errors import ClusterUnavailable

_log = logging.getLogger(__name__)
_PING_SECONDS = 1.0
_SILENCE_SECONDS = 3.0
"""A frozen Redis keeps its sockets open; that nothing comes, not even a pong, gives it away."""
_UNWATCH_SECONDS = 2.0
"""Kept a while after the last subscriber went: pages reload, and rooms fill again."""
_LONGEST_BACK_OFF = 1.0
_MOST_AT_ONCE = 500
_MOST_IN_A_ROW = 100
_SETTLES_WITHIN = 2.0
_CATCHING_UP_TURNS = 3
_NO_SIZE = bytes(4)


class RedisListener:
    """Owns the pub/sub connection; one greenlet reads it, and a watchdog sees that it lives.

    The node listens to the channel of all nodes, to its own, and to one for each Fizz channel
    that has a subscriber here, so other channels' events cost it nothing.

    Attributes:
        is_up: Subscribed to everything that is wanted, and caught up.
        on_message: Gets each message and the bus channel it came on; must not yield for long.
        on_restored: Called by the listening greenlet when all is subscribed again, before it reads
            on; it catches up. Raises ClusterUnavailable where it cannot.
    """

    def __init__(self, link: RedisLink, own_channels: Callable[[], list[str]]) -> None:
        self.is_up = False
        self.on_message: Callable[[str, bytes], None] = lambda channel, message: None
        self.on_restored: Callable[[], None] = lambda: None
        self._link = link
        self._own_channels = own_channels
        self._connection: ConnectionInterface | None = None
        self._wanted: dict[str, AsyncResult[bool]] = {}
        self._unwanted: dict[str, Any] = {}
        self._starts: dict[str, int] = {}
        self._unplaced: set[str] = set()
        """Wanted since a moment ago, and it is not known yet from where in the log on."""
        self._heard_at = 0.0
        self._down_since: float | None = time.monotonic()
        self._attempts = 0
        self._has_told_loss = False
        self._asked: list[str] = []
        self._is_catching_up = False
        self._is_resting = False
        self._behind: list[Waiter[None]] = []
        """Who waits until what lies here is taken in."""
        self._after_sockets = gevent.get_hub().loop.timer(0, priority=-2)
        self._settled = Event()
        """There is no connection, or one that has caught up."""
        self._settled.set()
        self._sending = BoundedSemaphore()

    @property
    def seconds_down(self) -> float:
        """How long nothing could be heard; 0 while it can."""
        return 0.0 if self._down_since is None else time.monotonic() - self._down_since

    def start(self) -> None:
        """Begin to listen, and for ever try again."""
        gevent.spawn(self._listen_for_ever)
        gevent.spawn(self._watch_over)

    def watch(self, app_id: str, channel: str) -> None:
        """Hear a channel from now on; returns when Redis has confirmed it. May yield.

        Raises:
            ClusterUnavailable: The link is down; the channel is heard when it is back.
        """
        name = self.name_of(app_id, channel)
        if not self._settled.is_set():
            self._settled.wait(_SETTLES_WITHIN)
        timer = self._unwanted.pop(name, None)
        if timer is not None:
            timer.kill(block=False)
        confirmed = self._wanted.get(name)
        if confirmed is None:
            confirmed = self._wanted[name] = AsyncResult()
            self._unplaced.add(name)
            if self._connection is not None:
                if not self._asked:
                    gevent.get_hub().loop.run_callback(gevent.spawn, self._subscribe_asked)
                self._asked.append(name)
        if not self.is_up:
            raise ClusterUnavailable("the bus is down")
        if not confirmed.ready() and not confirmed.get():
            raise ClusterUnavailable("the bus went down")

    def note_start(self, app_id: str, channel: str, position: int) -> None:
        """Note where in the log a channel's first subscriber here came. Never yields.

        For later ones it changes nothing: they come behind what the first may still have to hear.
        """
        name = self.name_of(app_id, channel)
        if name in self._unplaced:
            self._unplaced.remove(name)
            self._starts[name] = position

    def forget_starts(self) -> None:
        """The log begins anew, and all of it matters. Never yields."""
        self._starts.clear()
        self._unplaced.clear()

    def start_of(self, name: str) -> int | None:
        """From where in the log on a bus channel matters here; None where it does not."""
        return self._starts.get(name, 0) if name in self._wanted else None

    def unwatch(self, app_id: str, channel: str) -> None:
        """Stop hearing a channel, a little later. Never yields."""
        name = self.name_of(app_id, channel)
        if name in self._wanted and name not in self._unwanted:
            self._unwanted[name] = gevent.spawn_later(_UNWATCH_SECONDS, self._unsubscribe, name)

    def name_of(self, app_id: str, channel: str) -> str:
        """The bus channel of a Fizz channel."""
        return f"{self._link.prefix}:e:{app_id}:{channel}"

    def place_of(self, name: str) -> tuple[str, str] | None:
        """The application and channel of a bus channel; None where it is another kind."""
        prefix = f"{self._link.prefix}:e:"
        if not name.startswith(prefix):
            return None
        app_id, _, channel = name[len(prefix) :].partition(":")
        return app_id, channel

    def catch_up(self) -> None:
        """Take in what lies here, before what has been asked for after it. Yields where there is
        something.

        The loop tells of sockets in no order that matters, and a request may be read before Redis
        is looked at. Bounded, as under load there is always something.
        """
        for _ in range(_CATCHING_UP_TURNS):
            if not self._has_more():
                return
            waiter: Waiter[None] = Waiter()
            if not self._behind:
                self._after_sockets.start(self._go_on)
            self._behind.append(waiter)
            waiter.get()

    def _go_on(self) -> None:
        behind, self._behind = self._behind, []
        for waiter in behind:
            waiter.switch(None)

    def _has_more(self) -> bool:
        """Whether Redis has sent something that nobody has taken in."""
        connection = self._connection
        if connection is None or not self.is_up:
            return False
        if self._is_resting:
            return True
        # A poll would do as well, but gevent's in place of the real one costs a turn of the loop.
        socket: Any = connection._sock  # type: ignore[attr-defined]
        try:
            return fcntl.ioctl(socket, termios.FIONREAD, _NO_SIZE) != _NO_SIZE
        except (OSError, ValueError, TypeError):  # it has just been closed
            return False

    def drop(self) -> None:
        """Give the connection up; the listener makes another. Never yields."""
        connection = self._connection
        self._lose()
        if connection is not None:
            connection.disconnect()

    # The listening greenlet

    def _listen_for_ever(self) -> None:
        while True:
            try:
                self._listen()
            except (*LOST, ClusterUnavailable) as error:
                if self.is_up:
                    self._has_told_loss = True
                    _log.warning("the bus is down: %s", error)
            except Exception:
                _log.exception("fault %s in the listener", secrets.token_hex(4))
            connection = self._connection
            self._lose()
            if connection is not None:
                connection.disconnect()
            self._attempts += 1
            longest = min(_LONGEST_BACK_OFF, 0.05 * 2 ** min(self._attempts, 6))
            gevent.sleep(random.uniform(longest / 2, longest))

    def _listen(self) -> None:
        connection = self._link.connect()
        self._heard_at = time.monotonic()
        self._connection = connection
        self._settled.clear()
        self._asked.clear()
        names = [*self._own_channels(), *self._wanted]
        self._send("SUBSCRIBE", names)
        pending = set(names)
        early: list[tuple[str, bytes]] = []
        while pending:
            self._await_confirmations(connection, pending, early)
            self._is_catching_up = True
            try:
                self.on_restored()
            finally:
                self._is_catching_up = False
            # What was asked for while that went on may have missed something between.
            pending = {name for name, confirmed in self._wanted.items() if not confirmed.ready()}
        self._heard_at = time.monotonic()
        if self._has_told_loss:
            self._has_told_loss = False
            _log.warning("the bus is up again")
        self.is_up = True
        self._settled.set()
        self._down_since = None
        self._attempts = 0
        for name, message in early:
            self.on_message(name, message)
        while True:
            for _ in range(_MOST_IN_A_ROW):
                # Blocks for as long as nothing comes: the watchdog ends a silence, no time limit.
                answer = connection.read_response(disable_decoding=True, timeout=None)
                self._heard_at = time.monotonic()
                if answer[0] == b"message":
                    self.on_message(answer[1].decode(), answer[2])
                elif answer[0] == b"subscribe":
                    self._confirm(answer[1].decode())
            self._is_resting = True
            gevent.sleep(0)  # while there is more to read, reading never yields
            self._is_resting = False

    def _await_confirmations(
        self, connection: ConnectionInterface, names: set[str], early: list[tuple[str, bytes]]
    ) -> None:
        while names:
            answer = connection.read_response(disable_decoding=True)
            self._heard_at = time.monotonic()
            if answer[0] == b"subscribe":
                name = answer[1].decode()
                names.discard(name)
                self._confirm(name)
            elif answer[0] == b"message":
                early.append((answer[1].decode(), answer[2]))

    def _confirm(self, name: str) -> None:
        confirmed = self._wanted.get(name)
        if confirmed is not None and not confirmed.ready():
            confirmed.set(True)

    def _lose(self) -> None:
        """Nobody waits for a connection that is gone."""
        if self.is_up:
            self._down_since = time.monotonic()
        self.is_up = False
        self._connection = None
        self._settled.set()
        self._asked.clear()
        for name, confirmed in list(self._wanted.items()):
            self._wanted[name] = AsyncResult()
            if not confirmed.ready():
                confirmed.set(False)

    # Other greenlets write; only the listening one reads

    def _subscribe_asked(self) -> None:
        names, self._asked = self._asked, []
        self._send("SUBSCRIBE", names)

    def _unsubscribe(self, name: str) -> None:
        self._unwanted.pop(name, None)
        self._starts.pop(name, None)
        self._unplaced.discard(name)
        if self._wanted.pop(name, None) is not None:
            self._send("UNSUBSCRIBE", [name])

    def _send(self, command: str, arguments: list[str]) -> None:
        if not arguments and command != "PING":
            return
        with self._sending:
            connection = self._connection
            if connection is None:
                return
            try:
                for position in range(0, max(1, len(arguments)), _MOST_AT_ONCE):
                    some = arguments[position : position + _MOST_AT_ONCE]
                    connection.send_packed_command(
                        connection.pack_command(command, *some), check_health=False
                    )
            except LOST:
                if connection is self._connection:
                    self.drop()

    def _watch_over(self) -> None:
        while True:
            gevent.sleep(_PING_SECONDS)
            if self._connection is None or self._is_catching_up:
                continue
            if time.monotonic() - self._heard_at > _SILENCE_SECONDS:
                _log.warning("the bus is silent: Redis does not answer")
                self._has_told_loss = True
                self.drop()
            else:
                self._send("PING", [])
