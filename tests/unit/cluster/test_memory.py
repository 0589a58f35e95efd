"""What a process that is alone remembers, and that it forgets; for the rest see the contracts."""

from fizz_gevent.cluster.memory import MemoryEventCache, MemoryRegistry
from fizz_gevent.protocol.members import Member
from tests.unit.clockwork import HandClock


def footprint(registry: MemoryRegistry) -> int:
    """How many entries a registry holds, in whatever dictionaries it has."""
    kept = [*vars(registry).values(), *vars(registry._departures).values()]
    return sum(len(each) for each in kept if isinstance(each, dict | set | list))


def test_channels_and_users_that_come_and_go_leave_nothing_behind() -> None:
    clock = HandClock()
    registry = MemoryRegistry(clock)
    assert registry.connect("app", "1.1", None)
    before = footprint(registry)
    for number in range(100):
        channel, user_id = f"presence-{number}", f"u-{number}"
        registry.join("app", f"orders-{number}", "1.1")
        registry.join("app", channel, "1.1", member=Member(user_id))
        registry.update("app", channel, "1.1", Member(user_id, b'{"n":1}'))
        registry.sign_in("app", user_id, "1.1")
        registry.sign_out("app", user_id, "1.1")
        registry.leave("app", channel, "1.1", user_id=user_id)
        registry.leave("app", f"orders-{number}", "1.1")
    clock.advance(3)
    assert registry.online("app", ["u-99"]) == {}
    assert footprint(registry) == before


def test_refused_members_leave_nothing_behind() -> None:
    """Or whoever may sign for channels of any name could fill the memory."""
    registry = MemoryRegistry(HandClock())
    for number in range(100):
        joined = registry.join(
            "app", f"presence-{number}", "1.1", member=Member("ann"), max_members=0
        )
        assert joined is None
    assert footprint(registry) == 0


def test_who_asks_leaves_nothing_behind() -> None:
    registry = MemoryRegistry(HandClock())
    for number in range(100):
        app_id = f"app-{number}"
        assert registry.counts(app_id, "presence-x") is None
        assert registry.channels(app_id, "") == {}
        assert registry.users(app_id, "presence-x") == []
        assert registry.connections(app_id) == 0
        assert registry.online(app_id, ["ann"]) == {}
    assert footprint(registry) == 0


def test_a_sweep_forgets_what_has_grown_old_and_nothing_else() -> None:
    clock = HandClock()
    cache = MemoryEventCache(clock)
    for number in range(100):
        cache.put("app", f"cache-{number}", "{}", b"payload", 10 + number % 2)
    clock.advance(10)
    cache.sweep()
    kept = [number for number in range(100) if cache.get("app", f"cache-{number}") is not None]
    assert kept == list(range(1, 100, 2))
    clock.advance(1)
    cache.sweep()
    assert all(not kept for kept in vars(cache).values() if isinstance(kept, dict))


def test_reading_forgets_too() -> None:
    clock = HandClock()
    cache = MemoryEventCache(clock)
    cache.put("app", "cache-x", "{}", b"payload", 10)
    clock.advance(10)
    assert cache.get("app", "cache-x") is None
    cache.sweep()
    cache.put("app", "cache-x", "[]", b"again", 10)
    found = cache.get("app", "cache-x")
    assert found is not None
    assert (found.data, found.payload, found.ttl, found.position) == ("[]", b"again", 10, 0)
