"""What a node has to tell of itself once a second, while somebody looks."""

import heapq
from collections.abc import Callable, Iterable, Mapping

from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.ports import Clock

_MOST_CONNECTIONS = 100
_MOST_CHANNELS_NAMED = 5


class Sampler:
    """Reads plain integers; only the list of connections walks over anything.

    Args:
        tables: Of the operator's applications.
        refusals: How many clients could not connect, by reason.
        answers: How many HTTP requests were answered, by route and status.
        resident_bytes: The memory of this process.
    """

    def __init__(
        self,
        tables: Iterable[ChannelTable],
        clock: Clock,
        *,
        refusals: Callable[[], Mapping[str, int]],
        answers: Callable[[], Mapping[tuple[str, str], int]],
        resident_bytes: Callable[[], int],
    ) -> None:
        self._tables = tables
        self._clock = clock
        self._refusals = refusals
        self._answers = answers
        self._resident_bytes = resident_bytes
        self._began = clock.monotonic()

    def read(self) -> dict[str, object]:
        """Counts of now, and counters since the start. Never yields."""
        return {
            "uptime": round(self._clock.monotonic() - self._began, 1),
            "memory": self._resident_bytes(),
            "refusals": sum(self._refusals().values()),
            "requests": sum(self._answers().values()),
            "apps": {table.application.app_id: _counts(table) for table in self._tables},
        }

    def connections(self, app_id: str) -> dict[str, object] | None:
        """The youngest connections of an application here. Never yields."""
        table = next((each for each in self._tables if each.application.app_id == app_id), None)
        if table is None:
            return None
        now = self._clock.monotonic()
        youngest = heapq.nlargest(
            _MOST_CONNECTIONS, table.connections.values(), key=lambda each: each.opened_at
        )
        return {
            "app": app_id,
            "total": len(table.connections),
            "connections": [
                {
                    "socket_id": connection.socket_id,
                    "user": None if connection.user is None else connection.user.user_id,
                    "channels": list(connection.subscriptions)[:_MOST_CHANNELS_NAMED],
                    "channel_count": len(connection.subscriptions),
                    "age": round(now - connection.opened_at),
                    "silence": round(now - connection.last_heard),
                    "waiting": connection.outbox.size_bytes,
                    "protocol": connection.protocol,
                }
                for connection in youngest
            ],
        }


def _counts(table: ChannelTable) -> dict[str, int]:
    tally = table.tally
    return {
        "connections": len(table.connections),
        "subscriptions": tally.subscriptions,
        "users": len(table.users),
        "opened": tally.opened,
        "http_events": tally.http_events,
        "client_events": tally.client_events,
        "received": tally.received_messages,
        "sent": tally.sent_messages,
        "slow": tally.slow_clients,
    }
