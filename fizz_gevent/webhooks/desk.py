"""What an operator asks about webhooks, and the answers, as JSON knows them."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from fizz_gevent.application import Application
from fizz_gevent.errors import CommandError
from fizz_gevent.protocol.deliveries import Failed, shown_url
from fizz_gevent.webhooks.backlog import Backlog

Arguments = Mapping[str, Any]
"""``app``: the id of the only application that is asked about; None or missing for all."""


class WebhookDesk:
    """Answers for the whole backlog, which may be that of several nodes.

    Every answer may raise ClusterUnavailable where the backlog is in Redis, and CommandError where
    nothing is known of the application that is asked about.

    Args:
        application_of: The application of an id, as it is configured now.
    """

    def __init__(
        self, backlog: Backlog, application_of: Callable[[str], Application | None]
    ) -> None:
        self._backlog = backlog
        self._application_of = application_of

    def waiting(self, arguments: Arguments) -> dict[str, Any]:
        """How many requests wait for each webhook, and how many were given up. May yield."""
        app_id = arguments.get("app")
        waiting = [
            {"app_id": each.app_id, "url": shown_url(each.target), "requests": each.request_count}
            for each in self._backlog.waiting()
            if app_id in (None, each.app_id)
        ]
        count = len(self._failed(app_id))
        self._recognise(app_id, bool(waiting or count))
        return {"waiting": waiting, "failed": count}

    def failed(self, arguments: Arguments) -> list[dict[str, Any]]:
        """The requests that were given up, the latest first. May yield."""
        app_id = arguments.get("app")
        found = self._failed(app_id)
        self._recognise(app_id, bool(found))
        return [_described(each) for each in found]

    def retry(self, arguments: Arguments) -> int:
        """Have what was given up sent once more; how many requests that are. May yield."""
        app_id = arguments.get("app")
        self._recognise(app_id, False)
        return self._backlog.send_again(app_id)

    def _failed(self, app_id: str | None) -> list[Failed]:
        found = self._backlog.failed()
        return [each for each in found if app_id in (None, each.delivery.app_id)]

    def _recognise(self, app_id: str | None, is_known: bool) -> None:
        """Refuse to say that nothing is there of an application that was never heard of."""
        if app_id is not None and not is_known and self._application_of(app_id) is None:
            raise CommandError(f"the server has no application {app_id!r}")


def _described(failed: Failed) -> dict[str, Any]:
    delivery = failed.delivery
    return {
        "app_id": delivery.app_id,
        "url": shown_url(delivery.target),
        "time_ms": delivery.time_ms,
        "failed_ms": failed.failed_ms,
        "why": failed.why,
        "events": orjson.loads(delivery.body)["events"],
    }
