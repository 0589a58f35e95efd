"""Telling users when those they watch come online and go offline."""

from collections.abc import Iterable

from fizz_gevent.channels.connection import Connection
from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.ports import Clock, Registry, Timer
from fizz_gevent.protocol import events, frames

_OFFLINE_AFTER = 3.0
"""A page that reloads must not flicker. Protocol: §9.3."""


class Watchlists:
    """Keeps who watches whom on this node, and sends ``watchlist_events``.

    Protocol: §9.3.
    """

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._leaving: dict[tuple[str, str], Timer] = {}

    def watch(self, connection: Connection, user_ids: Iterable[str]) -> None:
        """Tell a client how each of these users is now, and from now on each change. May yield."""
        table = connection.table
        watched = tuple(user_ids)
        for user_id in watched:
            table.watchers.setdefault(user_id, {})[connection.socket_id] = connection
        if not watched:
            return
        app_id = table.application.app_id
        online = self._registry.online(app_id, watched)
        online.update(
            user_id for user_id in watched if (app_id, user_id) in self._leaving
        )  # not gone before three seconds are over
        connection.send(
            events.watchlist_events(
                [user_id for user_id in watched if user_id in online],
                [user_id for user_id in watched if user_id not in online],
            )
        )

    def unwatch(self, connection: Connection, user_ids: Iterable[str]) -> None:
        """Tell a client no more changes of these users. Never yields."""
        watchers = connection.table.watchers
        for user_id in user_ids:
            connections = watchers.get(user_id)
            if connections is not None:
                connections.pop(connection.socket_id, None)
                if not connections:
                    del watchers[user_id]

    def came_online(self, table: ChannelTable, user_id: str) -> None:
        """A user has signed in on a first connection. Never yields."""
        timer = self._leaving.pop((table.application.app_id, user_id), None)
        if timer is not None:
            timer.cancel()  # nobody was told that the user went
        else:
            _tell(table, user_id, online=(user_id,))

    def went_offline(self, table: ChannelTable, user_id: str) -> None:
        """A user's last signed-in connection is gone; told only if none comes back in time."""
        key = (table.application.app_id, user_id)
        if user_id in table.watchers or key in self._leaving:
            self._leaving[key] = self._clock.later(
                _OFFLINE_AFTER, lambda: self._is_gone(table, user_id)
            )

    def _is_gone(self, table: ChannelTable, user_id: str) -> None:
        if self._leaving.pop((table.application.app_id, user_id), None) is not None:
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
