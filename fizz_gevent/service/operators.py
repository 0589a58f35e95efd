"""What operators may do with any application, once the console has let them in."""

from fizz_gevent.application import Application
from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.channels.tables import Tables
from fizz_gevent.errors import ApiError
from fizz_gevent.protocol.triggers import Event
from fizz_gevent.service.publisher import Publisher


class Operators:
    """Knows every configured application; needs no signature of its back end."""

    def __init__(self, tables: Tables, publisher: Publisher) -> None:
        self._tables = tables
        self._publisher = publisher

    def applications(self) -> list[Application]:
        """Those that are configured now. Never yields."""
        return [table.application for table in self._tables.configured]

    def application(self, app_id: str) -> Application:
        """The application of an id. Never yields.

        Raises:
            ApiError: 404.
        """
        return self._table(app_id).application

    def publish(self, app_id: str, event: Event) -> None:
        """Publish an event as a back end would, beside its rate limit. May yield.

        Raises:
            ApiError: 404.
        """
        self._publisher.publish(self._table(app_id), (event,))

    def _table(self, app_id: str) -> ChannelTable:
        table = self._tables.by_id(app_id)
        if table is None:
            raise ApiError(404, f"Application {app_id[:100]!r} does not exist")
        return table
