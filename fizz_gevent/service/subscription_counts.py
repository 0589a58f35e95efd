"""Telling subscribers how many they are."""

from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.ports import Clock
from fizz_gevent.protocol import events, frames
from fizz_gevent.protocol.names import kind_of

_EVERY_CHANGE_UP_TO = 100
_SECONDS_BETWEEN = 5.0


class SubscriptionCounts:
    """Sends ``subscription_count`` events, where the application wants them.

    Protocol: §11. Up to 100 subscriptions each change is told; above, at most one event per five
    seconds and channel, and the last value always.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[tuple[str, str], _Told] = {}

    def changed(self, table: ChannelTable, channel: str, count: int) -> None:
        """Note that a channel has ``count`` subscriptions now. Never yields."""
        application = table.application
        if not application.subscription_counts or not kind_of(channel).has_count_events:
            return
        key = (application.app_id, channel)
        told = self._waiting.get(key)
        if told is not None:
            told.latest = count
            if count <= _EVERY_CHANGE_UP_TO and told.sent != count:
                _send(table, channel, count)
                told.sent = count
        elif count <= _EVERY_CHANGE_UP_TO:
            _send(table, channel, count)
        else:
            _send(table, channel, count)
            self._waiting[key] = _Told(count)
            self._clock.later(_SECONDS_BETWEEN, lambda: self._again(table, channel, key))

    def _again(self, table: ChannelTable, channel: str, key: tuple[str, str]) -> None:
        told = self._waiting.pop(key, None)
        if told is not None and told.latest != told.sent:
            self.changed(table, channel, told.latest)


class _Told:
    __slots__ = ("latest", "sent")

    def __init__(self, count: int) -> None:
        self.latest = count
        self.sent = count


def _send(table: ChannelTable, channel: str, count: int) -> None:
    table.broadcast(channel, frames.text_frame(events.subscription_count(channel, count)))
