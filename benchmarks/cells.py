"""What is measured: the cells of the table, of the plots, and of the comparison of two commits."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Cell:
    """One measurement of one server.

    Attributes:
        name: What the table calls it.
        mode: One of the load generator's.
        options: What the mode's class says.
        unit: What is counted a second, and what the server's CPU time is divided by.
    """

    name: str
    mode: str
    unit: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def fan(self) -> int:
        """To how many subscribers an event goes."""
        each, channels = self.options.get("each", 1), self.options.get("channels", 1)
        return int(self.options["n"] * each // channels)


def fan_out(name: str, n: int, **options: Any) -> Cell:
    return Cell(name, "fanout", "deliveries", {"n": n, **options})


def connect(name: str, n: int, **options: Any) -> Cell:
    return Cell(name, "connect", "connections", {"n": n, **options})


def publish(name: str, callers: int, **options: Any) -> Cell:
    return Cell(name, "publish", "requests", {"callers": callers, **options})


HALF = "half"
"""As a rate: half of what the server has just been found to manage; what latency it has there."""

TABLE = [
    connect("connect N=1000", 1000),
    connect("connect N=5000", 5000),
    connect("connect N=10000", 10000),
    connect("connect + subscribe N=5000", 5000, subscribed=1),
    connect("connect + subscribe N=10000", 10000, subscribed=1),
    fan_out("fan-out N=100 100 B", 100),
    fan_out("fan-out N=1000 100 B", 1000),
    fan_out("fan-out N=5000 100 B", 5000),
    fan_out("fan-out N=10000 100 B", 10000),
    fan_out("fan-out N=1000 2 kB", 1000, size=2048),
    fan_out("fan-out in batches of 10 N=1000", 1000, batch=10),
    fan_out("fan-out at 10/s N=1000", 1000, rate=10),
    fan_out("fan-out at half its maximum N=1000", 1000, rate=HALF),
    fan_out("rooms: 1000 in 100 channels", 1000, channels=100, publishers=8),
    publish("publish kept alive x16", 16),
    publish("publish kept alive x1", 1),
    publish("publish connection each x16", 16, fresh=1),
    publish("publish batches of 10 x16", 16, batch=10),
    Cell("client events 50 pairs", "client", "round trips", {"pairs": 50}),
    Cell("ping N=100", "ping", "round trips", {"n": 100}),
    Cell("ping N=1", "ping", "round trips", {"n": 1}),
    Cell("presence churn x50", "churn", "sessions", {"n": 50}),
]

REGRESSION = [
    connect("connect N=2000", 2000),
    fan_out("fan-out N=1000", 1000),
    fan_out("fan-out in batches of 10 N=1000", 1000, batch=10),
    fan_out("rooms: 1000 in 100 channels", 1000, channels=100, publishers=8),
    publish("publish kept alive x16", 16),
    publish("publish connection each x16", 16, fresh=1),
    Cell("client events 50 pairs", "client", "round trips", {"pairs": 50}),
    Cell("ping N=100", "ping", "round trips", {"n": 100}),
    Cell("presence churn x50", "churn", "sessions", {"n": 50}),
]
"""Short ones, each over another part of the code."""

CONNECTIONS = [100, 300, 1000, 3000, 10000, 18000]
"""Subscribers of one channel; each process may open 20,000 files where this was written."""

CHANNELS = [1, 10, 100, 1000, 10000]
SUBSCRIBERS_OF_EACH = 10


def calm_rate(n: int) -> float:
    """Events a second that keep a server from being busy, and from sending two events at once."""
    return max(2.0, 20000 / n)


def growing_channels(channels: int) -> Cell:
    """So many channels with ten subscribers each, held by at most a thousand connections.

    An event costs the same work in each of them, but for finding the channel.
    """
    n = min(1000, channels * SUBSCRIBERS_OF_EACH)
    each = channels * SUBSCRIBERS_OF_EACH // n
    return fan_out(f"channels: {channels}", n, channels=channels, each=each, publishers=8)
