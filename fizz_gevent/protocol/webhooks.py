"""What an application's back end is told of: events, and the requests that carry them.

Protocol: §13.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import orjson

from fizz_gevent.application import Application, Webhook
from fizz_gevent.protocol.deliveries import Delivery, public_url
from fizz_gevent.protocol.signatures import sign_webhook

MOST_EVENTS_PER_REQUEST = 100
MOST_BYTES_PER_REQUEST = 256 * 1024
_FRAME_BYTES = len(b'{"time_ms":1700000000000,"events":[]}')


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One thing that has happened.

    Attributes:
        name: One of the seven kinds.
        payload: The event as it stands in a body, JSON in UTF-8.
    """

    name: str
    channel: str
    payload: bytes


Moment = tuple[int, WebhookEvent]
"""An event, and in front of it when it happened, in milliseconds since 1970."""


def occupancy(channel: str, is_occupied: bool) -> WebhookEvent:
    """A channel has its first subscription, or lost its last."""
    return _event("channel_occupied" if is_occupied else "channel_vacated", channel)


def membership(channel: str, user_id: str, is_present: bool) -> WebhookEvent:
    """A user has a first connection in a presence channel, or lost the last."""
    return _event("member_added" if is_present else "member_removed", channel, user_id=user_id)


def client_event(
    channel: str, name: str, data: str, socket_id: str, user_id: str | None
) -> WebhookEvent:
    """A client has sent an event; ``user_id`` in presence channels only."""
    member = {} if user_id is None else {"user_id": user_id}
    return _event("client_event", channel, event=name, data=data, socket_id=socket_id, **member)


def cache_miss(channel: str) -> WebhookEvent:
    """Somebody came to a cache channel that remembers nothing."""
    return _event("cache_miss", channel)


def subscription_count(channel: str, count: int) -> WebhookEvent:
    """A channel has so many subscriptions now."""
    return _event("subscription_count", channel, subscription_count=count)


def _event(name: str, channel: str, **others: Any) -> WebhookEvent:
    payload = orjson.dumps({"name": name, "channel": channel, **others})
    return WebhookEvent(name, channel, payload)


def wants(webhook: Webhook, name: str, channel: str) -> bool:
    """Whether an event passes the filters of a webhook."""
    return (
        name in webhook.event_types
        and channel.startswith(webhook.channel_prefix or "")
        and channel.endswith(webhook.channel_suffix or "")
    )


def body(time_ms: int, payloads: Iterable[bytes]) -> bytes:
    """The body of a request."""
    return b'{"time_ms":%d,"events":[%b]}' % (time_ms, b",".join(payloads))


def target_of(application: Application, index: int) -> str:
    """Names one webhook of an application, also after others were added or changed.

    What may be secret in its address is no part of the name, which Redis and operators see.
    """
    url = public_url(application.webhooks[index].url)
    before = application.webhooks[:index]
    same = sum(public_url(webhook.url) == url for webhook in before)
    return f"{same} {url}"


def webhook_of(application: Application, target: str) -> Webhook | None:
    """The webhook that ``target_of`` named; None where it is configured no more."""
    for index, webhook in enumerate(application.webhooks):
        if target_of(application, index) == target:
            return webhook
    return None


def signed(application: Application, data: bytes, now: float) -> tuple[str, str]:
    """Key and signature of a body: the oldest credentials that are valid sign.

    Args:
        now: Unix seconds.
    """
    key, secret = application.credentials(now)[-1]
    return key, sign_webhook(secret, data)


def renewed(
    application: Application, delivery: Delivery, *, now: float, new_id: Callable[[], str]
) -> Delivery:
    """The same request with the time of now, for receivers that refuse what is old."""
    time_ms = int(now * 1000)
    data = orjson.dumps({**orjson.loads(delivery.body), "time_ms": time_ms})
    key, signature = signed(application, data, now)
    return replace(
        delivery,
        delivery_id=new_id(),
        time_ms=time_ms,
        key=key,
        signature=signature,
        body=data,
    )


def deliveries(
    application: Application,
    events: Sequence[Moment],
    *,
    now: float,
    new_id: Callable[[], str],
) -> Iterator[Delivery]:
    """The requests that bring these events, in order, to each webhook that wants them.

    Args:
        now: Unix seconds.
    """
    for index, webhook in enumerate(application.webhooks):
        wanted = [pair for pair in events if wants(webhook, pair[1].name, pair[1].channel)]
        target = target_of(application, index)
        is_batching = application.webhook_batching
        for batch in _batches(wanted) if is_batching else ([pair] for pair in wanted):
            time_ms = batch[0][0]
            data = body(time_ms, (event.payload for _, event in batch))
            channel = "" if is_batching else batch[0][1].channel
            yield Delivery(
                new_id(),
                application.app_id,
                target,
                _lane(application.app_id, target, channel),
                time_ms,
                *signed(application, data, now),
                len(batch),
                data,
            )


def _lane(app_id: str, target: str, channel: str) -> str:
    name = "\n".join((app_id, target, channel))
    return blake2b(name.encode(), digest_size=12).hexdigest()


def _batches(
    events: Iterable[tuple[int, WebhookEvent]],
) -> Iterator[list[tuple[int, WebhookEvent]]]:
    batch: list[tuple[int, WebhookEvent]] = []
    size = _FRAME_BYTES
    for pair in events:
        length = len(pair[1].payload) + 1
        is_full = len(batch) == MOST_EVENTS_PER_REQUEST or size + length > MOST_BYTES_PER_REQUEST
        if batch and is_full:
            yield batch
            batch, size = [], _FRAME_BYTES
        batch.append(pair)
        size += length
    if batch:
        yield batch
