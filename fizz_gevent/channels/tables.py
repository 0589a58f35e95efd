"""Every application this node serves."""

from collections.abc import Callable, Iterable, Iterator

from fizz_gevent.application import Application
from fizz_gevent.channels.outbox import Flusher
from fizz_gevent.channels.rate_limit import MakeBucket, own_bucket
from fizz_gevent.channels.table import ChannelTable


class Tables:
    """The tables of all applications, found by id (back ends) or by key (clients).

    Args:
        make_bucket: Makes what limits the rates of back ends.

    Attributes:
        hidden: The server's own application, which clients find by its key and nobody by its id;
            None where there is none.
        knows_all: Whether this node knows of every application; while it does not, one that is not
            here may exist all the same.
    """

    def __init__(
        self,
        applications: Iterable[Application],
        flusher: Flusher,
        make_bucket: MakeBucket = own_bucket,
    ) -> None:
        self._flusher = flusher
        self._make_bucket = make_bucket
        self.hidden: ChannelTable | None = None
        self.knows_all: Callable[[], bool] = lambda: True
        self._by_id: dict[str, ChannelTable] = {}
        self._by_key: dict[str, ChannelTable] = {}
        self.replace(applications)

    def replace(self, applications: Iterable[Application]) -> list[ChannelTable]:
        """Serve these applications from now on; who stays keeps channels and connections.

        Returns:
            The tables of applications that are gone; their connections are still open.
        """
        before = self._by_id
        self._by_id, self._by_key = {}, {}
        for application in applications:
            table = before.pop(application.app_id, None)
            if table is None:
                table = ChannelTable(application, self._flusher, self._make_bucket)
            table.application = application
            self._by_id[application.app_id] = table
            self._by_key[application.key] = table
        for table in self._by_id.values():
            previous = table.application.previous
            if previous is not None:
                self._by_key.setdefault(previous.key, table)
        return list(before.values())

    def hide(self, application: Application) -> ChannelTable:
        """Serve one more application, which is in no list."""
        self.hidden = ChannelTable(application, self._flusher)
        return self.hidden

    def __iter__(self) -> Iterator[ChannelTable]:
        """Every table, the hidden one too: its clients are clients."""
        yield from self._by_id.values()
        if self.hidden is not None:
            yield self.hidden

    @property
    def configured(self) -> "Configured":
        """The tables of the operator's applications, of this moment each time it is walked."""
        return Configured(self)

    def by_id(self, app_id: str) -> ChannelTable | None:
        """The application that back ends name in the path."""
        return self._by_id.get(app_id)

    def receiving(self, app_id: str) -> ChannelTable | None:
        """The application that another node has an event for; the hidden one is found too."""
        hidden = self.hidden
        if hidden is not None and hidden.application.app_id == app_id:
            return hidden
        return self._by_id.get(app_id)

    def application(self, app_id: str) -> Application | None:
        """The application of an id, as it is configured now."""
        table = self._by_id.get(app_id)
        return None if table is None else table.application

    def by_key(self, key: str, now: float) -> ChannelTable | None:
        """The application whose key is valid at ``now`` (Unix seconds)."""
        table = self._by_key.get(key)
        if table is None:
            hidden = self.hidden
            return hidden if hidden is not None and hidden.application.key == key else None
        if table.application.key == key:
            return table
        if any(key == valid for valid, _ in table.application.credentials(now)):
            return table
        return None


class Configured:
    """What ``Tables.configured`` gives."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def __iter__(self) -> Iterator[ChannelTable]:
        hidden = self._tables.hidden
        return (table for table in self._tables if table is not hidden)
