"""Around the views: only a verified back end gets to them, and answers that are partial say so."""

from collections.abc import Callable
from functools import wraps

from werkzeug.wrappers import Response

from fizz_gevent.api.dispatch import Answer, DirectView
from fizz_gevent.api.errors import json_response
from fizz_gevent.api.request import ApiRequest
from fizz_gevent.service.back_ends import BackEnd, BackEnds
from fizz_gevent.service.directory import Directory

View = Callable[..., Answer]
"""Called with the back end, the request, and by name the route's variables."""


class Gate:
    """Makes views of routes out of views that take a back end."""

    def __init__(self, back_ends: BackEnds, directory: Directory) -> None:
        self._back_ends = back_ends
        self._directory = directory

    def signed(self, view: View) -> DirectView:
        """For a route below ``/apps/<app_id>``."""
        find = self._back_ends.of_application

        @wraps(view)
        def checked(request: ApiRequest, app_id: str, **variables: str) -> Answer:
            back_end = find(app_id, request.method, request.target, request.body)
            request.environ["fizz.is_signed"] = True
            return view(back_end, request, **variables)

        return checked

    def read(self, view: View) -> DirectView:
        """The same for a view that only reads: that has a rate of its own."""

        @wraps(view)
        def allowed(back_end: BackEnd, request: ApiRequest, **variables: str) -> Answer:
            self._back_ends.spend_read(back_end)
            return self.marked(view(back_end, request, **variables))

        return self.signed(allowed)

    def marked(self, answer: Answer) -> Answer:
        """An answer that tells of channels; with a header where only this node could be asked.

        Protocol: §12.2, "500/503".
        """
        if not self._directory.is_partial or isinstance(answer, Response):
            return answer
        return json_response(200, answer, {"Fizz-Partial": "1"})

    def signed_by_key(self, view: View) -> DirectView:
        """The same for a route that does not name the application; ``auth_key`` does."""

        @wraps(view)
        def checked(request: ApiRequest, **variables: str) -> Answer:
            back_end = self._back_ends.of_key(request.method, request.target, request.body)
            request.environ["fizz.is_signed"] = True
            return view(back_end, request, **variables)

        return checked
