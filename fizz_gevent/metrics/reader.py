"""Reads the integers that the rooms of this process keep."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Protocol

from fizz_gevent.application import Application
from fizz_gevent.metrics import memory, open_files
from fizz_gevent.metrics.figures import Buckets, Figures
from fizz_gevent.protocol.names import ChannelKind


class Counted(Protocol):
    """A histogram."""

    bounds: Sequence[float]
    counts: list[int]
    total: float


class Tally(Protocol):
    """What has happened at one application."""

    opened: int
    ended: dict[str, int]
    slow_clients: int
    subscriptions: int
    channels: dict[ChannelKind, int]
    http_events: int
    client_events: int
    node_events: int
    received_messages: int
    refused_messages: dict[str, int]
    sent_messages: int


class Table(Protocol):
    """One application here."""

    application: Application

    @property
    def connections(self) -> Sized: ...
    @property
    def users(self) -> Sized: ...
    @property
    def tally(self) -> Tally: ...


class Flusher(Protocol):
    """Who writes to clients."""

    sent_bytes: int

    @property
    def fanout(self) -> Counted: ...
    @property
    def backlog(self) -> Counted: ...


class Listener(Protocol):
    """Who accepts clients and answers requests."""

    refusals: dict[str, int]
    answers: dict[tuple[str, str], int]

    @property
    def answer_seconds(self) -> Counted: ...


class Readers(Protocol):
    """Who reads from clients."""

    flood_count: int


class Wiring(Protocol):
    """What all WebSockets share."""

    received_bytes: int

    @property
    def readers(self) -> Readers: ...


class Registry(Protocol):
    """Who is where."""

    presence_members: dict[str, int]


class SharedBus(Protocol):
    """How this node talks to others."""

    dropped_count: int

    @property
    def queue_bytes(self) -> int: ...


class Sender(Protocol):
    """Who makes the requests of webhooks."""

    sent_count: int
    failed_count: int
    given_up_count: int


class Backlog(Protocol):
    """Where webhooks wait."""

    waiting_count: int
    dropped_count: int


@dataclass(slots=True)
class Reader:
    """Everything in this process that has figures. Reading walks over no connection or channel.

    Attributes:
        bus: None where this server is alone.
        is_redis_up: Whether Redis can be reached; only asked where there is a bus.
        webhooks: None where there are none.
    """

    version: str
    tables: Iterable[Table]
    flusher: Flusher
    listener: Listener
    wiring: Wiring
    registry: Registry
    loop_lag: Counted
    bus: SharedBus | None
    is_redis_up: Callable[[], bool]
    webhooks: tuple[Sender, Backlog] | None = None

    def read(self) -> Figures:
        """All figures, as they are now. Never yields."""
        figures = Figures(resident_bytes=memory.resident_bytes())
        figures.set("fizz_info", 1, self.version)
        for table in self.tables:
            self._read_table(figures, table)
        _set_each(figures, "fizz_refusals_total", self.listener.refusals)
        for (route, status), count in self.listener.answers.items():
            figures.set("fizz_http_requests_total", count, route, status)
        figures.set("fizz_received_bytes_total", self.wiring.received_bytes)
        figures.set("fizz_sent_bytes_total", self.flusher.sent_bytes)
        figures.set("fizz_floods_total", self.wiring.readers.flood_count)
        if self.bus is not None:
            figures.set("fizz_redis_up", int(self.is_redis_up()))
            figures.set("fizz_bus_queue_bytes", self.bus.queue_bytes)
            figures.set("fizz_bus_dropped_total", self.bus.dropped_count)
        if self.webhooks is not None:
            _read_webhooks(figures, *self.webhooks)
        files = open_files.count()
        if files is not None:
            figures.set("fizz_open_files", files)
        for name, histogram in (
            ("fizz_http_request_seconds", self.listener.answer_seconds),
            ("fizz_fanout_seconds", self.flusher.fanout),
            ("fizz_outbox_bytes", self.flusher.backlog),
            ("fizz_loop_lag_seconds", self.loop_lag),
        ):
            figures.histograms[name] = Buckets(
                list(histogram.bounds), list(histogram.counts), histogram.total
            )
        return figures

    def _read_table(self, figures: Figures, table: Table) -> None:
        app_id = table.application.app_id
        tally = table.tally
        figures.set("fizz_connections", len(table.connections), app_id)
        figures.set("fizz_connections_total", tally.opened, app_id)
        _set_each(figures, "fizz_disconnections_total", tally.ended, app_id)
        figures.set("fizz_subscriptions", tally.subscriptions, app_id)
        for kind, count in tally.channels.items():
            figures.set("fizz_channels", count, app_id, _name_of(kind))
        members = self.registry.presence_members.get(app_id, 0)
        figures.set("fizz_presence_members", members, app_id)
        figures.set("fizz_users", len(table.users), app_id)
        figures.set("fizz_events_published_total", tally.http_events, app_id, "http")
        figures.set("fizz_events_published_total", tally.client_events, app_id, "client")
        figures.set("fizz_events_published_total", tally.node_events, app_id, "node")
        figures.set("fizz_messages_received_total", tally.received_messages, app_id)
        _set_each(figures, "fizz_message_refusals_total", tally.refused_messages, app_id)
        figures.set("fizz_messages_sent_total", tally.sent_messages, app_id)
        figures.set("fizz_slow_clients_total", tally.slow_clients, app_id)


def _read_webhooks(figures: Figures, sender: Sender, backlog: Backlog) -> None:
    figures.set("fizz_webhooks_total", sender.sent_count, "sent")
    figures.set("fizz_webhooks_total", sender.failed_count, "failed")
    figures.set("fizz_webhooks_total", sender.given_up_count, "given_up")
    figures.set("fizz_webhooks_total", backlog.dropped_count, "dropped")
    figures.set("fizz_webhook_queue", backlog.waiting_count)


def _set_each(figures: Figures, name: str, counts: Mapping[str, int], *labels: str) -> None:
    for last_label, count in counts.items():
        figures.set(name, count, *labels, last_label)


def _name_of(kind: ChannelKind) -> str:
    return kind.prefix.strip("#-") or "public"
