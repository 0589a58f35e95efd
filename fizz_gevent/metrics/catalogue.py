"""Every metric there is: its name, its labels, and what it says."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a metric is to Prometheus."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Merge(Enum):
    """What several processes together have, when each says what it has."""

    SUM = "sum"
    LEAST = "least"
    MOST = "most"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: As it is told, ``_total`` of a counter included.
        labels: Names of its labels, in the order of their values everywhere here.
    """

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()
    merge: Merge = Merge.SUM


_G, _C, _H = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM
_APP = ("app",)

METRICS = {
    metric.name: metric
    for metric in (
        Metric("fizz_info", _G, "The version that runs; always 1", ("version",), Merge.MOST),
        Metric("fizz_connections", _G, "Open connections", _APP),
        Metric("fizz_connections_total", _C, "Connections established", _APP),
        Metric(
            "fizz_disconnections_total",
            _C,
            "Connections ended: client, lost, slow, or the server's close code in words",
            ("app", "reason"),
        ),
        Metric(
            "fizz_refusals_total",
            _C,
            "Clients that could not connect, by the close code in words",
            ("reason",),
        ),
        Metric("fizz_subscriptions", _G, "Subscriptions of open connections", _APP),
        Metric("fizz_channels", _G, "Channels with a subscriber, by kind", ("app", "kind")),
        Metric("fizz_presence_members", _G, "Users in presence channels", _APP),
        Metric("fizz_users", _G, "Signed-in users", _APP),
        Metric(
            "fizz_events_published_total",
            _C,
            "Events from back ends (http), clients (client) and other nodes (node), per channel",
            ("app", "source"),
        ),
        Metric("fizz_messages_received_total", _C, "Messages from clients", _APP),
        Metric(
            "fizz_message_refusals_total",
            _C,
            "Messages from clients that were answered with an error",
            ("app", "reason"),
        ),
        Metric("fizz_messages_sent_total", _C, "Messages to clients, per client", _APP),
        Metric("fizz_received_bytes_total", _C, "Bytes from WebSockets, before TLS"),
        Metric("fizz_sent_bytes_total", _C, "Bytes to WebSockets, before TLS"),
        Metric("fizz_http_requests_total", _C, "HTTP requests answered", ("route", "status")),
        Metric("fizz_http_request_seconds", _H, "From a whole request to its sent answer"),
        Metric("fizz_fanout_seconds", _H, "From a broadcast until it is sent to all subscribers"),
        Metric("fizz_outbox_bytes", _H, "Bytes waiting for a client, when its socket is full"),
        Metric("fizz_slow_clients_total", _C, "Connections closed for reading too slowly", _APP),
        Metric("fizz_floods_total", _C, "Bursts of hundreds of frames, held back for others"),
        Metric("fizz_webhooks_total", _C, "Webhooks, by what became of them", ("outcome",)),
        # With Redis, each process tells what waits for all of them.
        Metric("fizz_webhook_queue", _G, "Webhooks waiting to be sent", (), Merge.MOST),
        Metric("fizz_redis_up", _G, "1 while every process reaches Redis", (), Merge.LEAST),
        Metric("fizz_bus_queue_bytes", _G, "Events waiting to be published to other nodes"),
        Metric("fizz_bus_dropped_total", _C, "Events for or from other nodes that were lost"),
        Metric("fizz_loop_lag_seconds", _H, "How late the event loop comes to what is due"),
        Metric("fizz_open_files", _G, "Open files and sockets"),
        Metric("fizz_workers", _G, "Processes whose figures are in here"),
        Metric("fizz_silent_workers_total", _C, "Times that a worker did not answer a scrape"),
    )
}
"""By name, in the order in which they are told."""
