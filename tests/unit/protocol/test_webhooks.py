"""Bodies of webhooks, filters, batches and who signs. Protocol: §13."""

import json
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from fizz_gevent.application import EVENT_TYPES, Application, PreviousCredentials, Webhook
from fizz_gevent.protocol import webhooks
from fizz_gevent.protocol.deliveries import Delivery
from fizz_gevent.protocol.signatures import sign_webhook
from fizz_gevent.protocol.webhooks import WebhookEvent

URL = "https://shop.test/hook"
NOW = 1700000000.0
NOW_MS = 1700000000000


def application(*hooks: Webhook, **settings: Any) -> Application:
    return Application(
        "1001", "fizz-key", "fizz-secret", webhooks=hooks or (Webhook(URL),), **settings
    )


def made(app: Application, events: list[WebhookEvent], now: float = NOW) -> list[Delivery]:
    numbers = count()
    moments = [(NOW_MS + number, event) for number, event in enumerate(events)]
    return list(webhooks.deliveries(app, moments, now=now, new_id=lambda: f"d{next(numbers)}"))


def events_of(delivery: Delivery) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(delivery.body)["events"]
    return found


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (webhooks.occupancy("orders", True), {"name": "channel_occupied"}),
        (webhooks.occupancy("orders", False), {"name": "channel_vacated"}),
        (webhooks.membership("orders", "7", True), {"name": "member_added", "user_id": "7"}),
        (webhooks.membership("orders", "ä", False), {"name": "member_removed", "user_id": "ä"}),
        (webhooks.cache_miss("orders"), {"name": "cache_miss"}),
        (
            webhooks.subscription_count("orders", 12),
            {"name": "subscription_count", "subscription_count": 12},
        ),
        (
            webhooks.client_event("orders", "client-x", '{"a":1}', "1.2", None),
            {"name": "client_event", "event": "client-x", "data": '{"a":1}', "socket_id": "1.2"},
        ),
        (
            webhooks.client_event("orders", "client-x", "", "1.2", "7"),
            {
                **{"name": "client_event", "event": "client-x", "data": "", "socket_id": "1.2"},
                "user_id": "7",
            },
        ),
    ],
)
def test_each_kind_of_event(event: WebhookEvent, expected: dict[str, Any]) -> None:
    """Protocol: §13, the table."""
    assert json.loads(event.payload) == {**expected, "channel": "orders"}
    assert (event.name, event.channel) == (expected["name"], "orders")


def test_the_seven_kinds_are_all_there_are() -> None:
    names = {
        *(webhooks.occupancy("x", on).name for on in (True, False)),
        *(webhooks.membership("x", "7", on).name for on in (True, False)),
        webhooks.cache_miss("x").name,
        webhooks.subscription_count("x", 1).name,
        webhooks.client_event("x", "client-y", "", "1.2", None).name,
    }
    assert names == set(EVENT_TYPES)


def test_the_computed_body_and_signature() -> None:
    """Protocol: §13, the example."""
    (delivery,) = made(application(), [webhooks.occupancy("orders", True)])
    assert delivery.body == (
        b'{"time_ms":1700000000000,"events":[{"name":"channel_occupied","channel":"orders"}]}'
    )
    assert (delivery.key, delivery.signature) == (
        "fizz-key",
        "7f54bb40bc28327e50b2eee720e1691011c3ef4b7396a1b71b740e3b97c53d38",
    )


def test_without_batching_each_event_has_a_request_of_its_own() -> None:
    """Protocol: §13, batching."""
    found = made(application(), [webhooks.cache_miss("cache-a"), webhooks.cache_miss("cache-b")])
    assert [len(events_of(each)) for each in found] == [1, 1]
    assert [each.time_ms for each in found] == [NOW_MS, NOW_MS + 1]


def test_a_batch_has_at_most_a_hundred_events() -> None:
    """Protocol: §13, batching."""
    events = [webhooks.cache_miss(f"cache-{number}") for number in range(250)]
    found = made(application(webhook_batching=True), events)
    assert [each.event_count for each in found] == [100, 100, 50]
    told = [event["channel"] for each in found for event in events_of(each)]
    assert told == [event.channel for event in events]
    assert len({each.lane for each in found}) == 1


def test_a_batch_is_at_most_256_kib_large() -> None:
    """Protocol: §13, batching."""
    events = [
        webhooks.client_event("private-x", "client-y", "z" * 10240, "1.2", None) for _ in range(60)
    ]
    found = made(application(webhook_batching=True), events)
    assert [len(each.body) <= 256 * 1024 for each in found] == [True] * len(found)
    assert sum(each.event_count for each in found) == 60
    assert len(found) == 3


def test_an_event_larger_than_a_batch_goes_alone() -> None:
    large = webhooks.client_event("private-x", "client-y", "z" * 300_000, "1.2", None)
    found = made(application(webhook_batching=True), [large, large])
    assert [each.event_count for each in found] == [1, 1]


def test_each_webhook_gets_what_its_filters_let_pass_and_a_signature_of_just_that() -> None:
    """Protocol: §13, filters: sign the body that is sent."""
    app = application(
        Webhook("https://a.test", event_types=("channel_occupied", "channel_vacated")),
        Webhook("https://b.test", channel_prefix="private-", channel_suffix="-eu"),
        Webhook("https://c.test", event_types=("cache_miss",)),
        webhook_batching=True,
    )
    events = [
        webhooks.occupancy("private-shop-eu", True),
        webhooks.occupancy("private-shop-us", True),
        webhooks.client_event("private-shop-eu", "client-x", "", "1.2", None),
        webhooks.occupancy("shop-eu", False),
    ]
    first, second = made(app, events)
    assert [event["channel"] for event in events_of(first)] == [
        *("private-shop-eu", "private-shop-us", "shop-eu"),
    ]
    assert [event["name"] for event in events_of(second)] == ["channel_occupied", "client_event"]
    for delivery in (first, second):
        assert delivery.signature == sign_webhook("fizz-secret", delivery.body)


def test_the_oldest_active_key_signs() -> None:
    """Protocol: §13, several active keys."""
    until = datetime.fromtimestamp(NOW, UTC)
    app = application(previous=PreviousCredentials("old-key", "old-secret", until))
    event = webhooks.occupancy("orders", True)
    (during,) = made(app, [event], NOW - 1)
    (after,) = made(app, [event], NOW)
    assert (during.key, during.signature) == (
        "old-key",
        sign_webhook("old-secret", during.body),
    )
    assert (after.key, after.signature) == ("fizz-key", sign_webhook("fizz-secret", after.body))


def test_each_channel_of_a_webhook_is_a_lane() -> None:
    app = application(Webhook(URL), Webhook("https://other.test"))
    found = made(app, [webhooks.occupancy(name, True) for name in ("a", "b", "a")])
    lanes = [each.lane for each in found]
    assert lanes[0] == lanes[2] != lanes[1]
    assert set(lanes[:3]).isdisjoint(lanes[3:])


def test_a_webhook_is_found_by_its_name_also_after_others_were_added_or_changed() -> None:
    before = application(Webhook(URL, event_types=("cache_miss",)), Webhook(URL))
    targets = [webhooks.target_of(before, index) for index in (0, 1)]
    assert len(set(targets)) == 2
    kept = Webhook(URL, headers={"X": "new"})
    after = application(Webhook("https://new.test"), kept)
    assert webhooks.webhook_of(after, targets[0]) is kept
    assert webhooks.webhook_of(after, targets[1]) is None


def test_a_delivery_is_the_same_after_it_was_kept_elsewhere() -> None:
    (delivery,) = made(application(), [webhooks.membership("presence-x", "ä\n{", True)])
    assert Delivery.decoded(delivery.encoded()) == delivery
    assert delivery.encoded().startswith(b"d0 ")
    with pytest.raises(ValueError, match="delivery"):
        Delivery.decoded(b"something else")


def test_a_renewed_delivery_says_the_same_with_the_time_of_now() -> None:
    """For receivers refuse what is older than 300 s."""
    (old,) = made(application(), [webhooks.occupancy("orders", True)])
    new = webhooks.renewed(application(), old, now=NOW + 900, new_id=lambda: "new")
    assert json.loads(new.body) == {**json.loads(old.body), "time_ms": NOW_MS + 900_000}
    assert new.signature == sign_webhook("fizz-secret", new.body)
    assert (new.lane, new.target, new.delivery_id) == (old.lane, old.target, "new")
