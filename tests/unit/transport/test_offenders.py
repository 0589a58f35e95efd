"""Who is refused most is found in a table of fixed size."""

from fizz_gevent.transport.offenders import Offenders


def test_the_worst_is_told_once() -> None:
    offenders = Offenders()
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.2", ""):
        offenders.note(address)
    assert offenders.take_worst() == ("192.0.2.2", 2)
    assert offenders.take_worst() is None


def test_no_number_of_addresses_makes_the_table_larger_or_hides_the_worst() -> None:
    offenders = Offenders(kept=16)
    for number in range(3000):
        offenders.note(f"10.0.{number >> 8}.{number & 255}")
        if number % 3 == 0:
            offenders.note("192.0.2.7")
        assert len(offenders) <= 16
    worst = offenders.take_worst()
    assert worst is not None
    assert worst[0] == "192.0.2.7"
    assert 1000 - 4000 / 16 <= worst[1] <= 1000
