"""Memory of this process and of this machine."""

from fizz_gevent.metrics import memory


def test_this_process_has_some_of_what_there_is() -> None:
    used, total = memory.resident_bytes(), memory.limit_bytes()
    assert 1 << 20 < used < total


def test_what_is_allocated_shows() -> None:
    before = memory.resident_bytes()
    block = bytearray(b"x" * (64 << 20))
    assert memory.resident_bytes() - before > 32 << 20
    assert len(block) == 64 << 20


def test_used_and_free_are_all_there_is() -> None:
    assert memory.usage(25, 200) == {
        "memory": {"free": 175, "used": 25, "total": 200, "percent": 12.5}
    }


def test_a_limit_that_is_lower_than_what_is_used_leaves_nothing() -> None:
    assert memory.usage(300, 200)["memory"]["free"] == 0
