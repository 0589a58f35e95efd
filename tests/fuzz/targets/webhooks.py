"""What back ends are told: bodies within their bounds, in order, signed, and the same after a wait.

Protocol: §13.
"""

import json
from collections.abc import Iterator
from itertools import count

from fizz_gevent.application import Application, Webhook
from fizz_gevent.protocol import webhooks
from fizz_gevent.protocol.deliveries import Delivery
from tests.fuzz.source import Source
from tests.harness.signing import App

MAX_SIZE = 3000
DICTIONARY = (b"presence-", b"client-x", b'"', b"\\", b"\n", b"\xf0\x9f\x98\x80")
_NOW = 1_700_000_000.5
_URLS = ("http://a.test/x", "https://b.test/y?z=1", "http://a.test/x")


def seeds() -> Iterator[bytes]:
    """Some events of each kind for one receiver or three."""
    for number in range(6):
        yield bytes((number, 2)) + bytes(
            byte for kind in range(5) for byte in (kind, 3, *b"abc", 2, *b'"}', 1, *b"x")
        )


def run(data: bytes) -> None:
    """Make requests of some events."""
    source = Source(data)
    is_batching = bool(source.whole(0, 1))
    hooks = tuple(
        Webhook(url, channel_prefix=source.choice((None, "a", "presence-")))
        for url in _URLS[: source.whole(0, 3)]
    )
    application = Application(
        *("1001", App().key, App().secret), webhooks=hooks, webhook_batching=is_batching
    )
    moments: list[webhooks.Moment] = []
    while source and len(moments) < 300:
        moments.append((int(_NOW * 1000) + len(moments), _event(source)))
    ids = count()
    made = list(
        webhooks.deliveries(application, moments, now=_NOW, new_id=lambda: f"id{next(ids)}")
    )
    for index, hook in enumerate(hooks):
        target = webhooks.target_of(application, index)
        assert webhooks.webhook_of(application, target) is hook
        wanted = [json.loads(event.payload) for _, event in moments if _wants(hook, event)]
        told = []
        for delivery in made:
            if delivery.target == target:
                told += _checked(delivery, application, is_batching=is_batching)
        assert told == wanted


def _event(source: Source) -> webhooks.WebhookEvent:
    kind, channel = source.whole(0, 4), source.text(30)
    match kind:
        case 0:
            return webhooks.occupancy(channel, bool(source.whole(0, 1)))
        case 1:
            return webhooks.membership(channel, source.text(20), bool(source.whole(0, 1)))
        case 2:
            user_id = source.text(8) if source.whole(0, 1) else None
            data = source.text() * source.choice((*(1,) * 31, 400))
            return webhooks.client_event(channel, source.text(20), data, "1.2", user_id)
        case 3:
            return webhooks.cache_miss(channel)
        case _:
            return webhooks.subscription_count(channel, source.whole(0, 60000))


def _wants(hook: Webhook, event: webhooks.WebhookEvent) -> bool:
    return event.channel.startswith(hook.channel_prefix or "")


def _checked(delivery: Delivery, application: Application, *, is_batching: bool) -> list[object]:
    body = json.loads(delivery.body)
    assert set(body) == {"time_ms", "events"}
    assert len(body["events"]) == delivery.event_count
    assert 1 <= delivery.event_count <= (100 if is_batching else 1)
    assert len(delivery.body) <= webhooks.MOST_BYTES_PER_REQUEST or delivery.event_count == 1
    assert delivery.signature == App().sign(delivery.body.decode())
    assert Delivery.decoded(delivery.encoded()) == delivery
    later = webhooks.renewed(application, delivery, now=_NOW + 60, new_id=lambda: "again")
    assert json.loads(later.body) == {**body, "time_ms": int((_NOW + 60) * 1000)}
    assert later.signature == App().sign(later.body.decode())
    events: list[object] = body["events"]
    return events
