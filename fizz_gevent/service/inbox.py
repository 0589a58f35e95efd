"""What comes from the other nodes, on its way to the clients of this one."""

from collections.abc import Iterable

from fizz_gevent.channels.tables import Tables
from fizz_gevent.ports import ClusterCache
from fizz_gevent.protocol import events, frames
from fizz_gevent.protocol.members import Member
from fizz_gevent.service.users import Users
from fizz_gevent.service.watchlists import Watchlists


class NodeInbox:
    """Hands events, members and users of the cluster to the channel tables here."""

    def __init__(
        self, tables: Tables, users: Users, watchlists: Watchlists, cache: ClusterCache
    ) -> None:
        self._tables = tables
        self._users = users
        self._watchlists = watchlists
        self._cache = cache

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
        """Broadcast another node's event here. Never yields."""
        table = self._tables.receiving(app_id)
        if table is None:
            return
        if is_cached:
            ttl = table.application.cache_ttl
            self._cache.note(app_id, channel, payload, position, ttl)
        found = table.channels.get(channel)
        if found is not None:
            table.tally.node_events += 1
            frame = frames.text_frame(payload)
            found.broadcast_at(position, frame, except_socket_id=except_socket_id)

    def published(self, app_id: str, channel: str, payload: bytes, position: int) -> None:
        """Note where an event of this node stands among all. Never yields."""
        table = self._tables.by_id(app_id)
        if table is not None:
            self._cache.note(app_id, channel, payload, position, table.application.cache_ttl)

    def renumbered(self) -> None:
        """Forget who was shown which place among all events. Never yields."""
        for table in self._tables:
            for channel in table.channels.values():
                channel.forget_shown()

    def members_changed(
        self, app_id: str, channel: str, added: Iterable[Member], removed: Iterable[str]
    ) -> None:
        """Tell the subscribers here who came and went. Never yields. Protocol: §7.2."""
        table = self._tables.by_id(app_id)
        if table is None:
            return
        for user_id in removed:
            table.broadcast(channel, frames.text_frame(events.member_removed(channel, user_id)))
        for member in added:
            table.broadcast(channel, frames.text_frame(events.member_added(channel, member)))

    def wants_counts(self, app_id: str) -> bool:
        """Whether the application has its subscribers told how many they are. Never yields."""
        table = self._tables.by_id(app_id)
        return table is not None and table.application.subscription_counts

    def count_told(self, app_id: str, channel: str, payload: bytes) -> None:
        """Broadcast how many subscribers a channel has. Never yields. Protocol: §11."""
        table = self._tables.by_id(app_id)
        if table is not None:
            table.broadcast(channel, frames.text_frame(payload))

    def user_changed(self, app_id: str, user_id: str, is_online: bool) -> None:
        """Tell those here who watch the user. Never yields. Protocol: §9.3."""
        table = self._tables.by_id(app_id)
        if table is None:
            return
        if is_online:
            self._watchlists.came_online(table, user_id)
        else:
            self._watchlists.went_offline(table, user_id)

    def refresh_users(self) -> None:
        """Ask how every watched user is, for changes may have been missed. May yield."""
        for table in self._tables:
            self._watchlists.refresh(table)

    def terminate(self, app_id: str, user_id: str) -> None:
        """Close the connections that a user has here. Never yields. Protocol: §9.4."""
        table = self._tables.by_id(app_id)
        if table is not None:
            self._users.terminate_here(table, user_id)

    def is_congested(self) -> bool:
        """Whether some client has more than half of what may wait for it. Never yields."""
        return any(
            connection.outbox.size_bytes > connection.outbox.limit_bytes // 2 >= 0
            for table in self._tables
            for connection in table.connections.values()
            if connection.outbox.first is not None
        )
