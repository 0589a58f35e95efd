"""Back ends of applications: who asks over HTTP, and whether it may."""

import math

from fizz_gevent.application import Application
from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.channels.tables import Tables
from fizz_gevent.errors import ApiError
from fizz_gevent.ports import Clock
from fizz_gevent.protocol.query import folded, parse_query
from fizz_gevent.protocol.signatures import verify_request


class BackEnd:
    """The sender of a request that was found to be an application's own.

    Attributes:
        table: What the application has on this node.
        application: As it was when the request was checked.
        parameters: The signed query, in the order received.
    """

    __slots__ = ("application", "parameters", "table")

    def __init__(self, table: ChannelTable, parameters: list[tuple[str, str]]) -> None:
        self.table = table
        self.application: Application = table.application
        self.parameters = parameters

    def query(self) -> dict[str, str]:
        """The parameters by name; the items of a list are joined by commas."""
        return folded(self.parameters)


class BackEnds:
    """Checks requests, and how many an application may send. Nothing here yields.

    Args:
        prefix: The path in front of everything; it is not signed.
    """

    def __init__(self, tables: Tables, clock: Clock, prefix: str) -> None:
        self._tables = tables
        self._clock = clock
        self._prefix = prefix

    def of_application(self, app_id: str, method: str, target: str, body: bytes) -> BackEnd:
        """The back end of the application that the path names.

        Args:
            target: Path and query as received; the same everywhere here.

        Raises:
            ApiError: 404 no such application, 503 it may be one that is not known here yet, 403
                disabled, 401 not signed by it.

        Protocol: §12.1, "Verification".
        """
        table = self._tables.by_id(app_id)
        if table is None:
            self._refuse_unless_all_are_known()
            raise ApiError(404, f"Application {app_id[:100]!r} does not exist")
        return self._verified(table, method, target, body)

    def of_key(self, method: str, target: str, body: bytes) -> BackEnd:
        """The back end of the application that only ``auth_key`` names.

        Raises:
            ApiError: 401 no or an unknown key, or not signed; 403 disabled.

        Protocol: §12.8, the path of the Python SDK.
        """
        key = dict(parse_query(target.partition("?")[2])).get("auth_key")
        if key is None:
            raise ApiError(401, "auth_key is missing")
        table = self._tables.by_key(key, self._clock.now())
        if table is None or table is self._tables.hidden:
            self._refuse_unless_all_are_known()
            raise ApiError(401, f"auth_key {key[:100]!r} is not a key of any application")
        return self._verified(table, method, target, body)

    def spend_events(self, back_end: BackEnd, count: int) -> None:
        """Use up the rate for ``count`` events.

        Raises:
            ApiError: 429, and nothing is used up.
        """
        _refuse_until(back_end.table.wait_for_events(count, self._clock.monotonic()))

    def spend_read(self, back_end: BackEnd) -> None:
        """Use up the rate for one read request.

        Raises:
            ApiError: 429.
        """
        _refuse_until(back_end.table.wait_for_read(self._clock.monotonic()))

    def _refuse_unless_all_are_known(self) -> None:
        """Do not deny an application that may exist."""
        if not self._tables.knows_all():
            raise ApiError(
                503,
                "Applications are not known here yet, try again",
                headers={"Retry-After": "1"},
            )

    def _verified(self, table: ChannelTable, method: str, target: str, body: bytes) -> BackEnd:
        application = table.application
        if not application.enabled:
            raise ApiError(403, f"Application {application.app_id!r} is disabled")
        now = self._clock.now()
        parameters = verify_request(
            method=method,
            target=target,
            prefix=self._prefix,
            body=body,
            credentials=application.credentials(now),
            now=now,
        )
        return BackEnd(table, parameters)


def _refuse_until(seconds: float) -> None:
    """Protocol: §12.2, 429."""
    if seconds > 0:
        raise ApiError(
            429,
            "Rate limit exceeded, try again after Retry-After seconds",
            headers={"Retry-After": str(max(1, math.ceil(seconds)))},
        )
