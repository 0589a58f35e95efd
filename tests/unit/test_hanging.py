"""A worker counts as hanging where its loop stands still and nothing else does."""

from collections.abc import Callable, Mapping

from fizz_gevent.hanging import Hanging

LOOKS = int(Hanging.LIMIT / Hanging.LOOK_SECONDS)


class Watch:
    """Looks once a second, on a clock that a test can jump with."""

    def __init__(self, is_stopped: Callable[[int], bool] = lambda pid: False) -> None:
        self.hanging = Hanging(is_stopped)
        self.now = 100.0

    def look(self, beats: Mapping[int, int], *, after: float = Hanging.LOOK_SECONDS) -> list[int]:
        self.now += after
        return self.hanging.look(self.now, beats)


def test_a_loop_that_stands_still_for_the_whole_time_hangs_and_is_told_once() -> None:
    watch = Watch()
    told = [watch.look({7: 1, 8: 1000 + second}) for second in range(LOOKS + 10)]
    assert [pids for pids in told if pids] == [[7]]
    assert told.index([7]) == LOOKS


def test_one_that_goes_on_in_time_begins_anew() -> None:
    watch = Watch()
    for beat in range(3):
        for _ in range(LOOKS):
            assert watch.look({7: beat + 1}) == []


def test_a_machine_that_slept_kills_nobody() -> None:
    watch = Watch()
    for _ in range(5):
        for _ in range(LOOKS - 1):
            assert watch.look({7: 1}) == []
        assert watch.look({7: 1}, after=8 * 3600.0) == []


def test_a_machine_so_busy_that_the_parent_is_late_too_kills_nobody() -> None:
    watch = Watch()
    for _ in range(3 * LOOKS):
        assert watch.look({7: 1}, after=3.0) == []


def test_a_process_that_somebody_has_stopped_is_left() -> None:
    stopped = {7}
    watch = Watch(lambda pid: pid in stopped)
    for _ in range(3 * LOOKS):
        assert watch.look({7: 1}) == []
    stopped.clear()
    told = [watch.look({7: 1}) for _ in range(LOOKS + 1)]
    assert told.index([7]) == LOOKS - 1


def test_one_that_accepts_nobody_for_now_shows_nothing_and_a_new_process_begins_anew() -> None:
    watch = Watch()
    for _ in range(2 * LOOKS):
        assert watch.look({7: 0}) == []
    for _ in range(LOOKS - 1):
        watch.look({8: 1})
    assert watch.look({9: 1}) == []
