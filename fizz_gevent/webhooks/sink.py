"""Where the service tells what has happened: worth a note only if some webhook wants it."""

from fizz_gevent.application import Application
from fizz_gevent.protocol import webhooks
from fizz_gevent.protocol.deliveries import MISS_SECONDS
from fizz_gevent.webhooks.backlog import Backlog


class BacklogSink:
    """Words events and appends them to the backlog. Never yields."""

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog

    def client_event(
        self,
        application: Application,
        channel: str,
        name: str,
        data: str,
        *,
        socket_id: str,
        user_id: str | None,
    ) -> None:
        """A client has sent an event to a channel."""
        if _is_wanted(application, "client_event", channel):
            event = webhooks.client_event(channel, name, data, socket_id, user_id)
            self._backlog.note(application.app_id, event)

    def cache_miss(self, application: Application, channel: str) -> None:
        """Somebody came to a cache channel that remembers nothing."""
        if _is_wanted(application, "cache_miss", channel):
            self._backlog.note_miss(application.app_id, webhooks.cache_miss(channel))

    def cached(self, application: Application, channel: str) -> None:
        """A cache channel remembers an event."""
        # One that is remembered for longer than misses are silent needs no word.
        if application.cache_ttl < MISS_SECONDS and _is_wanted(application, "cache_miss", channel):
            self._backlog.forget_miss(application.app_id, channel)

    def subscription_count(self, application: Application, channel: str, count: int) -> None:
        """The subscribers of a channel were told how many they are."""
        if _is_wanted(application, "subscription_count", channel):
            event = webhooks.subscription_count(channel, count)
            self._backlog.note(application.app_id, event)


def _is_wanted(application: Application, name: str, channel: str) -> bool:
    return any(webhooks.wants(webhook, name, channel) for webhook in application.webhooks)
