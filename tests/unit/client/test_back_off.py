"""Whether and when to come again. Protocol: §4.2."""

import pytest

from fizz_gevent.client.back_off import BackOff, is_final


@pytest.mark.parametrize("code", [4000, 4001, 4003, 4009, 4099, 4300, 4301, 4999])
def test_the_codes_that_end_it(code: int) -> None:
    """Protocol: §4.2, 4001-4099 and from 4300 on: no retry."""
    assert is_final(code)


@pytest.mark.parametrize("code", [None, 1000, 1001, 1006, 1009, 1011, 3000, 4100, 4199, 4200, 4299])
def test_the_codes_after_which_one_comes_again(code: int | None) -> None:
    """Protocol: §4.2."""
    assert not is_final(code)


@pytest.mark.parametrize("code", [None, 1000, 1006, 1011, 4100, 4199])
def test_a_second_at_least_and_twice_as_long_each_time(code: int | None) -> None:
    """Protocol: §4.2, 4100-4199: a second or more."""
    back_off = BackOff(noise=lambda: 0.0)
    assert [back_off.after(code, lasted=0) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize("code", [4200, 4201, 4299])
def test_at_once_but_not_again_and_again(code: int) -> None:
    """Protocol: §4.2, 4200-4299: at once."""
    back_off = BackOff(noise=lambda: 0.0)
    assert [back_off.after(code, lasted=1) for _ in range(3)] == [0, 1, 2]
    assert back_off.after(code, lasted=60) == 0


def test_a_connection_that_lasted_begins_anew() -> None:
    back_off = BackOff(noise=lambda: 0.0)
    for _ in range(4):
        back_off.after(None, lasted=0)
    assert back_off.after(None, lasted=3600) == 1
    assert back_off.after(None, lasted=0) == 2


def test_many_clients_do_not_come_back_as_one() -> None:
    assert BackOff(noise=lambda: 1.0).after(None, lasted=0) == 1.25
    assert 1 <= BackOff().after(4100, lasted=0) <= 1.25


def test_a_thousand_failures_are_no_overflow() -> None:
    back_off = BackOff(noise=lambda: 0.0)
    assert {back_off.after(None, lasted=0) for _ in range(2000)} == {1, 2, 4, 8, 16, 30}
