"""Telling users when those they watch come online and go offline."""

import math
from collections.abc import Iterable

from fizz_gevent.channels.connection import Connection
from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.ports import Clock, Registry, Timer
from fizz_gevent.protocol import events, frames
from fizz_gevent.protocol.users import OFFLINE_AFTER


class Watchlists:
    """Keeps who watches whom on this node, and sends ``watchlist_events``.

    Of each watched user it is known what its watchers here were told last, so nobody is told
    twice, in whatever order news and questions cross.

    Protocol: §9.3.
    """

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._online: set[tuple[str, str]] = set()
        self._leaving: dict[tuple[str, str], Timer] = {}
        self._asking: list[dict[tuple[str, str], bool]] = []
        """What has been heard of users since each question that is not answered yet."""

    def watch(self, connection: Connection, user_ids: Iterable[str]) -> None:
        """Tell a client how each of these users is now, and from now on each change. May yield."""
        watched = tuple(user_ids)
        if not watched:
            return
        table = connection.table
        app_id = table.application.app_id
        found = self._ask(app_id, watched)
        if not connection.is_open:  # it went while the registry was asked
            return
        online: set[str] = set()
        for user_id in watched:
            key, seconds = (app_id, user_id), found.get(user_id, 0.0)
            if seconds == math.inf:
                self.came_online(table, user_id)
            elif key in self._online:
                if not self._registry.is_partial:
                    self._expect_end(table, user_id, seconds or OFFLINE_AFTER)
            elif seconds and user_id not in table.watchers:
                self._expect_end(table, user_id, seconds)
            else:
                continue  # offline, or whoever watches here has been told so already
            self._online.add(key)
            online.add(user_id)
        for user_id in watched:
            table.watchers.setdefault(user_id, {})[connection.socket_id] = connection
        connection.send(
            events.watchlist_events(
                [user_id for user_id in watched if user_id in online],
                [user_id for user_id in watched if user_id not in online],
            )
        )

    def unwatch(self, connection: Connection, user_ids: Iterable[str]) -> None:
        """Tell a client no more changes of these users. Never yields."""
        table = connection.table
        for user_id in user_ids:
            connections = table.watchers.get(user_id)
            if connections is not None:
                connections.pop(connection.socket_id, None)
                if not connections:
                    del table.watchers[user_id]
                    self._online.discard((table.application.app_id, user_id))

    def came_online(self, table: ChannelTable, user_id: str) -> None:
        """A user is signed in; the watchers here are told if they do not know. Never yields."""
        key = (table.application.app_id, user_id)
        self._hear(key, True)
        timer = self._leaving.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key not in self._online and user_id in table.watchers:
            self._online.add(key)
            _tell(table, user_id, online=(user_id,))

    def went_offline(self, table: ChannelTable, user_id: str) -> None:
        """A user's last signed-in connection is gone; told only if none comes back in time."""
        key = (table.application.app_id, user_id)
        self._hear(key, False)
        if key in self._online:
            self._expect_end(table, user_id, OFFLINE_AFTER)

    def refresh(self, table: ChannelTable) -> None:
        """Ask how every watched user is, and tell what the watchers do not know. May yield."""
        watched = tuple(table.watchers)
        if not watched:
            return
        online = self._ask(table.application.app_id, watched)
        if self._registry.is_partial:
            return
        for user_id in watched:
            if online.get(user_id) == math.inf:
                self.came_online(table, user_id)
            else:
                self.went_offline(table, user_id)

    def _ask(self, app_id: str, user_ids: tuple[str, ...]) -> dict[str, float]:
        """Which of these users are online, and how long; news that overtakes the answer counts.

        May yield.
        """
        heard: dict[tuple[str, str], bool] = {}
        self._asking.append(heard)
        try:
            online = self._registry.online(app_id, user_ids)
        finally:
            self._asking = [each for each in self._asking if each is not heard]
        for user_id in user_ids:
            is_online = heard.get((app_id, user_id))
            if is_online is not None:
                online[user_id] = math.inf if is_online else OFFLINE_AFTER
        return online

    def _hear(self, key: tuple[str, str], is_online: bool) -> None:
        for heard in self._asking:
            heard[key] = is_online

    def _expect_end(self, table: ChannelTable, user_id: str, seconds: float) -> None:
        key = (table.application.app_id, user_id)
        if key not in self._leaving:
            self._leaving[key] = self._clock.later(seconds, lambda: self._is_gone(table, user_id))

    def _is_gone(self, table: ChannelTable, user_id: str) -> None:
        key = (table.application.app_id, user_id)
        if self._leaving.pop(key, None) is not None and key in self._online:
            self._online.discard(key)
            _tell(table, user_id, offline=(user_id,))


def _tell(
    table: ChannelTable,
    user_id: str,
    *,
    online: tuple[str, ...] = (),
    offline: tuple[str, ...] = (),
) -> None:
    watchers = table.watchers.get(user_id)
    if watchers:
        frame = frames.text_frame(events.watchlist_events(online, offline))
        for connection in tuple(watchers.values()):
            connection.send_frame(frame)
