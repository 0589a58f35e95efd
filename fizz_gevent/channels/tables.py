"""Every application this node serves."""

from collections.abc import Iterable, Iterator

from fizz_gevent.application import Application
from fizz_gevent.channels.outbox import Flusher
from fizz_gevent.channels.table import ChannelTable


class Tables:
    """The tables of all applications, found by id (back ends) or by key (clients)."""

    def __init__(self, applications: Iterable[Application], flusher: Flusher) -> None:
        self._by_id: dict[str, ChannelTable] = {}
        self._by_key: dict[str, ChannelTable] = {}
        for application in applications:
            table = ChannelTable(application, flusher)
            self._by_id[application.app_id] = table
            self._by_key[application.key] = table
            if application.previous is not None:
                self._by_key.setdefault(application.previous.key, table)

    def __iter__(self) -> Iterator[ChannelTable]:
        return iter(self._by_id.values())

    def by_id(self, app_id: str) -> ChannelTable | None:
        """The application that back ends name in the path."""
        return self._by_id.get(app_id)

    def by_key(self, key: str, now: float) -> ChannelTable | None:
        """The application whose key is valid at ``now`` (Unix seconds)."""
        table = self._by_key.get(key)
        if table is None or table.application.key == key:
            return table
        if any(key == valid for valid, _ in table.application.credentials(now)):
            return table
        return None
