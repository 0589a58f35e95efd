"""What every ``EventCache`` promises. Protocol: §10."""

from fizz_gevent.ports import EventCache
from tests.harness.eventually import eventually


def test_nothing_is_remembered_at_first(cache: EventCache) -> None:
    assert cache.get("app", "cache-prices") is None


def test_the_last_event_is_remembered_with_the_time_it_has_left(cache: EventCache) -> None:
    cache.put("app", "cache-prices", '{"p":1}', b"first", 60)
    cache.put("app", "cache-prices", '{"p":2}', b"second", 90)
    found = cache.get("app", "cache-prices")
    assert found is not None
    assert (found.data, found.payload) == ('{"p":2}', b"second")
    assert 0 < found.ttl <= 90


def test_bytes_and_text_come_back_as_they_went(cache: EventCache) -> None:
    cache.put("app", "cache-prices", 'é "\\ \u2028', b"\x00\xff", 60)
    found = cache.get("app", "cache-prices")
    assert found is not None
    assert (found.data, found.payload) == ('é "\\ \u2028', b"\x00\xff")


def test_an_event_is_forgotten_after_its_time_though_it_is_read(cache: EventCache) -> None:
    cache.put("app", "cache-prices", "{}", b"payload", 0.2)
    cache.put("app", "cache-others", "{}", b"payload", 60)
    eventually(lambda: cache.get("app", "cache-prices") is None)
    assert cache.get("app", "cache-others") is not None


def test_channels_and_applications_are_apart(cache: EventCache) -> None:
    cache.put("app", "cache-a", "{}", b"a", 60)
    assert cache.get("app", "cache-b") is None
    assert cache.get("other", "cache-a") is None
