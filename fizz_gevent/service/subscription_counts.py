"""Telling subscribers how many they are."""

from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.ports import Bus, Clock, Registry, WebhookSink
from fizz_gevent.protocol import events, frames
from fizz_gevent.protocol.names import kind_of

_EVERY_CHANGE_UP_TO = 100
_SECONDS_BETWEEN = 5.0


class SubscriptionCounts:
    """Sends ``subscription_count`` events, where the application wants them.

    Protocol: §11. Up to 100 subscriptions each change is told; above, at most one event per five
    seconds and channel in the whole cluster, and the last value always.
    """

    def __init__(
        self, registry: Registry, bus: Bus, clock: Clock, webhooks: WebhookSink | None = None
    ) -> None:
        self._registry = registry
        self._bus = bus
        self._clock = clock
        self._webhooks = webhooks
        self._waiting: dict[tuple[str, str], _Told] = {}

    def changed(self, table: ChannelTable, channel: str, count: int) -> None:
        """Note that a channel has ``count`` subscriptions now. May yield."""
        application = table.application
        if not application.subscription_counts or not kind_of(channel).has_count_events:
            return
        key = (application.app_id, channel)
        told = self._waiting.get(key)
        if told is not None:
            told.latest = count
        if count <= _EVERY_CHANGE_UP_TO:
            self._tell(table, channel, count)
            if told is not None:
                told.sent = count
        elif told is None:
            told = self._waiting[key] = _Told(count)
            self._clock.later(_SECONDS_BETWEEN, lambda: self._again(table, channel, key))
            if self._registry.may_tell_count(*key, _SECONDS_BETWEEN):
                told.sent = told.latest
                self._tell(table, channel, told.latest)

    def _again(self, table: ChannelTable, channel: str, key: tuple[str, str]) -> None:
        told = self._waiting.pop(key, None)
        if told is not None and told.latest != told.sent:
            counts = self._registry.counts(*key)
            self.changed(table, channel, 0 if counts is None else counts.subscription_count)

    def _tell(self, table: ChannelTable, channel: str, count: int) -> None:
        payload = events.subscription_count(channel, count)
        # Told by the cluster, counts of several nodes come to all in one order, the newest last.
        if not self._bus.tell_count(table.application.app_id, channel, payload):
            table.broadcast(channel, frames.text_frame(payload))
        if self._webhooks is not None:
            self._webhooks.subscription_count(table.application, channel, count)


class _Told:
    __slots__ = ("latest", "sent")

    def __init__(self, count: int) -> None:
        self.latest = count
        self.sent: int | None = None
