"""Guessing is slow, whoever guesses."""

from fizz_gevent.console.attempts import Attempts


def test_five_wrong_passwords_of_an_address_are_enough_for_a_minute() -> None:
    attempts = Attempts()
    for second in range(5):
        assert attempts.seconds_to_wait("10.0.0.1", second) == 0
        attempts.note_failure("10.0.0.1", second)
    assert attempts.seconds_to_wait("10.0.0.1", 5) == 55
    assert attempts.seconds_to_wait("10.0.0.2", 5) == 0
    assert attempts.seconds_to_wait("10.0.0.1", 60.5) == 0


def test_the_right_password_forgives() -> None:
    attempts = Attempts()
    for _ in range(5):
        attempts.note_failure("10.0.0.1", 0)
    attempts.forgive("10.0.0.1")
    assert attempts.seconds_to_wait("10.0.0.1", 1) == 0


def test_of_many_addresses_together_each_may_try_once() -> None:
    attempts = Attempts()
    attempts.note_failure("10.1.1.1", 5)
    assert attempts.seconds_to_wait("10.1.1.1", 9) == 0
    for number in range(100):
        attempts.note_failure(f"10.0.0.{number}", 10)
    assert attempts.seconds_to_wait("10.1.1.1", 11) == 54
    assert attempts.seconds_to_wait("10.0.0.7", 11) == 59
    assert attempts.seconds_to_wait("10.0.0.7", 70.5) == 0


def test_a_flood_does_not_keep_out_who_has_not_guessed() -> None:
    attempts = Attempts()
    for number in range(10_000):
        attempts.note_failure(f"10.{number % 250}.0.1", 10 + number / 1000)
        assert attempts.seconds_to_wait("192.0.2.7", 10 + number / 1000) == 0


def test_what_is_remembered_is_bounded() -> None:
    attempts = Attempts()
    for number in range(5000):
        attempts.note_failure(f"address-{number}", number * 10)
    assert len(attempts._failures) <= 2000
    assert len(attempts._latest) <= 100
