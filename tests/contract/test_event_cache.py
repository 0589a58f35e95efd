"""What every ``EventCache`` promises. Protocol: §10."""

from fizz_gevent.ports import EventCache
from fizz_gevent.protocol import events
from tests.harness.eventually import eventually


def payload(data: str, channel: str = "cache-prices") -> bytes:
    """The event as it goes to subscribers."""
    return events.channel_event("news", channel, data)


def put(cache: EventCache, data: str, ttl: float, channel: str = "cache-prices") -> None:
    cache.put("app", channel, data, payload(data, channel), ttl)


def test_nothing_is_remembered_at_first(cache: EventCache) -> None:
    assert cache.get("app", "cache-prices") is None


def test_the_last_event_is_remembered_with_the_time_it_has_left(cache: EventCache) -> None:
    put(cache, '{"p":1}', 60)
    put(cache, '{"p":2}', 90)
    found = cache.get("app", "cache-prices")
    assert found is not None
    assert (found.data, found.payload) == ('{"p":2}', payload('{"p":2}'))
    assert 0 < found.ttl <= 90


def test_any_text_comes_back_as_it_went(cache: EventCache) -> None:
    text = 'é "\\ \u2028 \x00'
    put(cache, text, 60)
    found = cache.get("app", "cache-prices")
    assert found is not None
    assert (found.data, found.payload) == (text, payload(text))


def test_an_event_is_forgotten_after_its_time_though_it_is_read(cache: EventCache) -> None:
    put(cache, "{}", 0.2)
    put(cache, "{}", 60, "cache-others")
    eventually(lambda: cache.get("app", "cache-prices") is None)
    assert cache.get("app", "cache-others") is not None


def test_channels_and_applications_are_apart(cache: EventCache) -> None:
    put(cache, "{}", 60, "cache-a")
    assert cache.get("app", "cache-b") is None
    assert cache.get("other", "cache-a") is None
