"""Who may call: the application, its signature and its rates, before any view."""

import math
from collections.abc import Callable, Mapping
from functools import wraps

from werkzeug.wrappers import Response

from fizz_gevent.api.dispatch import DirectView
from fizz_gevent.api.request import ApiRequest
from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.channels.tables import Tables
from fizz_gevent.errors import ApiError
from fizz_gevent.ports import Clock
from fizz_gevent.protocol.signatures import verify_request

Answer = Mapping[str, object] | Response
View = Callable[..., Answer]
"""Called with the table, the request, and by name the route's variables."""


class Gate:
    """Lets signed requests through to views, with the table of their application.

    Args:
        prefix: The path in front of everything; it is not signed.
    """

    def __init__(self, tables: Tables, clock: Clock, prefix: str) -> None:
        self._tables = tables
        self._clock = clock
        self._prefix = prefix

    def signed(self, view: View) -> DirectView:
        """Make a view of a route with ``<app_id>`` out of one that takes a table.

        Protocol: §12.1, "Verification".
        """

        @wraps(view)
        def checked(request: ApiRequest, app_id: str, **variables: str) -> Answer:
            table = self._tables.by_id(app_id)
            if table is None:
                raise ApiError(404, f"Application {app_id[:100]!r} does not exist")
            self._verify(request, table)
            return view(table, request, **variables)

        return checked

    def read(self, view: View) -> DirectView:
        """The same for a view that only reads: it uses up the rate for that."""

        @wraps(view)
        def allowed(table: ChannelTable, request: ApiRequest, **variables: str) -> Answer:
            _refuse_until(table.wait_for_read(self._clock.monotonic()))
            return view(table, request, **variables)

        return self.signed(allowed)

    def signed_by_key(self, view: View) -> DirectView:
        """The same for a route that does not name the application; ``auth_key`` does.

        Protocol: §12.8, the path of the Python SDK.
        """

        @wraps(view)
        def checked(request: ApiRequest, **variables: str) -> Answer:
            key = request.query().get("auth_key")
            if key is None:
                raise ApiError(401, "auth_key is missing")
            table = self._tables.by_key(key, self._clock.now())
            if table is None:
                raise ApiError(401, f"auth_key {key[:100]!r} belongs to no application")
            self._verify(request, table)
            return view(table, request, **variables)

        return checked

    def admit_events(self, table: ChannelTable, count: int) -> None:
        """Use up the rate for ``count`` events.

        Raises:
            ApiError: 429; nothing is used up.
        """
        _refuse_until(table.wait_for_events(count, self._clock.monotonic()))

    def _verify(self, request: ApiRequest, table: ChannelTable) -> None:
        application = table.application
        if not application.enabled:
            raise ApiError(403, f"Application {application.app_id!r} is disabled")
        now = self._clock.now()
        request.parameters = verify_request(
            method=request.method,
            target=request.target,
            prefix=self._prefix,
            body=request.body,
            credentials=application.credentials(now),
            now=now,
        )


def _refuse_until(seconds: float) -> None:
    if seconds > 0:
        raise ApiError(
            429,
            "Rate limit exceeded, see Retry-After",
            headers={"Retry-After": str(max(1, math.ceil(seconds)))},
        )
