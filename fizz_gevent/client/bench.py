"""``fizz bench``: how the configured server does with some clients, as far as one command can tell.

It is written in Python like the server and takes as much of a core, so it says when it was itself
what limited a figure. It uses channels of its own, which webhooks tell of like of any other.
"""

import resource
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from fizz_gevent.application import Application
from fizz_gevent.client.address import ServerAddress, locate
from fizz_gevent.client.choice import choose
from fizz_gevent.client.crowd import Crowd, event_data
from fizz_gevent.client.listener import origin_of
from fizz_gevent.client.output import print_json, say
from fizz_gevent.client.publisher import Publisher
from fizz_gevent.client.table import aligned
from fizz_gevent.config import Config
from fizz_gevent.errors import CommandError, ConfigError

_CONNECTIONS = 100
_SECONDS = 5.0
_PUBLISHERS = 4
_MOST_IN_FLIGHT = 8
"""Events that are not yet with everybody."""
_DATA_SIZE = 100
_DRAIN_SECONDS = 5.0
_FULL = 0.9
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. Latencies are milliseconds, rates are a second.

    Attributes:
        own_cpu: The share of a core that this command took during the fan-out.
        repeated: Events that came twice or out of order.
    """

    connections: int
    connections_per_second: float
    handshake_p50_ms: float
    handshake_p99_ms: float
    events_per_second: float
    deliveries_per_second: float
    delivery_p50_ms: float
    delivery_p99_ms: float
    publishes_per_second: float
    lost: int
    repeated: int
    own_cpu: float


def run(config: Config, environ: Mapping[str, str], arguments: Mapping[str, Any]) -> int:
    """Measure and print; return 1 if an event was lost or came twice.

    Raises:
        CommandError: The server cannot be reached, or refuses.
        ConfigError: It is not clear whom to ask, or for how long.
    """
    connections = int(_number(arguments, "--connections", _CONNECTIONS, is_whole=True))
    seconds = _number(arguments, "--seconds", _SECONDS)
    application = choose(config.applications, arguments["--app"])
    address = locate(config, environ)
    _open_many_files()
    figures = measure(address, application, connections=connections, seconds=seconds)
    if arguments["--json"]:
        print_json(asdict(figures))
    else:
        print(f"{address.url}, {connections} connections, {seconds:g} s each\n")
        print("\n".join(aligned(_rows(figures), right=(1,))))
    if figures.own_cpu >= _FULL:
        say("this command had no more strength: the server could do more than it says here")
    return 1 if figures.lost or figures.repeated else 0


def _open_many_files() -> None:
    """Ask for all the open files there may be; shells often give 1024, fewer than clients."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))


def _number(
    arguments: Mapping[str, Any], name: str, default: float, *, is_whole: bool = False
) -> float:
    text = arguments[name]
    if text is None:
        return default
    try:
        value = int(text) if is_whole else float(text)
    except ValueError:
        value = 0
    if not 0 < value <= _MOST:
        what = "a whole number" if is_whole else "a number"
        raise ConfigError(f"expected {what} above 0 and up to {_MOST}, not {text!r}", where=name)
    return value


def measure(
    address: ServerAddress, application: Application, *, connections: int, seconds: float
) -> Figures:
    """Connect, publish to all, publish to nobody: the latter two for so many seconds each.

    Raises:
        CommandError: The server cannot be reached, or refuses.
    """
    channel = f"fizz-bench-{secrets.token_hex(4)}"
    crowd = Crowd(address, application, channel, headers=origin_of(application))
    try:
        began = time.monotonic()
        crowd.gather(connections)
        gathered = time.monotonic() - began
        cpu, began = time.process_time(), time.monotonic()
        published = _publish_to(crowd, address, application, channel, seconds)
        elapsed = time.monotonic() - began
        own_cpu = (time.process_time() - cpu) / elapsed
        delivered = crowd.deliveries
        _drain(crowd, published)
    finally:
        crowd.dismiss()
    alone = _publish_alone(address, application, f"{channel}-empty", seconds)
    missing = published * connections - (crowd.deliveries - crowd.repeated)
    return Figures(
        connections=connections,
        connections_per_second=round(connections / gathered, 1),
        handshake_p50_ms=_milliseconds(crowd.handshakes, 0.5),
        handshake_p99_ms=_milliseconds(crowd.handshakes, 0.99),
        events_per_second=round(published / elapsed, 1),
        deliveries_per_second=round(delivered / elapsed, 1),
        delivery_p50_ms=_milliseconds(crowd.latencies, 0.5),
        delivery_p99_ms=_milliseconds(crowd.latencies, 0.99),
        publishes_per_second=round(alone / seconds, 1),
        lost=missing,
        repeated=crowd.repeated,
        own_cpu=round(own_cpu, 2),
    )


def _publish_to(
    crowd: Crowd, address: ServerAddress, application: Application, channel: str, seconds: float
) -> int:
    """Publish from several connections, never far ahead of the crowd; return how many events."""
    counts = [0] * _PUBLISHERS
    most = _MOST_IN_FLIGHT * len(crowd)

    def step(index: int, publisher: Publisher) -> None:
        crowd.check()
        if sum(counts) * len(crowd) - crowd.deliveries >= most:
            time.sleep(0.0005)  # the crowd reads meanwhile
            return
        counts[index] += 1
        publisher.publish(channel, "bench", event_data(index, counts[index], _DATA_SIZE))

    _in_parallel(address, application, seconds, step)
    return sum(counts)


def _publish_alone(
    address: ServerAddress, application: Application, channel: str, seconds: float
) -> int:
    counts = [0] * _PUBLISHERS

    def step(index: int, publisher: Publisher) -> None:
        publisher.publish(channel, "bench", event_data(index, counts[index], _DATA_SIZE))
        counts[index] += 1

    _in_parallel(address, application, seconds, step)
    return sum(counts)


def _in_parallel(
    address: ServerAddress,
    application: Application,
    seconds: float,
    step: Callable[[int, Publisher], None],
) -> None:
    """Repeat a step with each publisher until the time is over.

    Raises:
        CommandError: What one of them ran into.
    """
    end = time.monotonic() + seconds
    errors: list[CommandError] = []

    def work(index: int) -> None:
        publisher = Publisher(address, application)
        try:
            while time.monotonic() < end and not errors:
                step(index, publisher)
        except CommandError as error:
            errors.append(error)
        finally:
            publisher.close()

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(_PUBLISHERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _drain(crowd: Crowd, published: int) -> None:
    """Wait for what is on its way."""
    end = time.monotonic() + _DRAIN_SECONDS
    while crowd.deliveries < published * len(crowd) and time.monotonic() < end:
        crowd.check()
        time.sleep(0.01)


def _milliseconds(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return round(1000 * ordered[int(share * (len(ordered) - 1))], 2) if ordered else 0.0


def _rows(figures: Figures) -> list[tuple[str, str]]:
    def pair(middle: float, high: float) -> str:
        return f"{middle:,.2f} / {high:,.2f}"

    return [
        ("connections with a subscription, a second", f"{figures.connections_per_second:,.0f}"),
        ("  p50 / p99, ms", pair(figures.handshake_p50_ms, figures.handshake_p99_ms)),
        ("deliveries a second", f"{figures.deliveries_per_second:,.0f}"),
        ("  p50 / p99, ms", pair(figures.delivery_p50_ms, figures.delivery_p99_ms)),
        ("events a second to all of them", f"{figures.events_per_second:,.0f}"),
        ("events a second to nobody", f"{figures.publishes_per_second:,.0f}"),
        ("lost", f"{figures.lost:,}"),
        ("twice or out of order", f"{figures.repeated:,}"),
        ("CPU of this command", f"{figures.own_cpu:.0%}"),
    ]
