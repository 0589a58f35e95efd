"""Applications found by id and by key, during a rotation of credentials too."""

from datetime import UTC, datetime

from fizz_gevent.application import Application, PreviousCredentials
from fizz_gevent.channels.tables import Tables
from tests.unit.clockwork import HandFlusher

UNTIL = datetime(2027, 1, 31, tzinfo=UTC)
BEFORE, AFTER = UNTIL.timestamp() - 1, UNTIL.timestamp()


def tables(*applications: Application) -> Tables:
    return Tables(applications, HandFlusher())


def rotated(previous_key: str = "old") -> Application:
    previous = PreviousCredentials(previous_key, "old-secret", UNTIL)
    return Application("1", "new", "new-secret", previous=previous)


def test_each_application_has_one_table_under_its_id_and_its_key() -> None:
    found = tables(Application("1", "one", "s"), Application("2", "two", "s"))
    first = found.by_id("1")
    assert first is not None
    assert first.application.app_id == "1"
    assert found.by_key("one", BEFORE) is first
    assert found.by_key("two", BEFORE) is found.by_id("2")
    assert list(found) == [first, found.by_id("2")]


def test_an_id_is_no_key_and_a_key_no_id() -> None:
    found = tables(Application("1", "one", "s"))
    assert found.by_id("one") is None
    assert found.by_key("1", BEFORE) is None
    assert found.by_key("", BEFORE) is None


def test_the_previous_key_is_good_until_its_date() -> None:
    found = tables(rotated())
    assert found.by_key("old", BEFORE) is found.by_id("1")
    assert found.by_key("old", AFTER) is None
    assert found.by_key("new", AFTER) is found.by_id("1")


def test_a_current_key_wins_over_the_same_key_as_a_previous_one() -> None:
    heir = Application("2", "old", "s")
    for found in (tables(rotated(), heir), tables(heir, rotated())):
        assert found.by_key("old", BEFORE) is found.by_id("2")
        assert found.by_key("new", BEFORE) is found.by_id("1")


def test_a_key_that_was_reloaded_away_is_no_longer_good() -> None:
    found = tables(rotated())
    table = found.by_id("1")
    assert table is not None
    table.application = Application("1", "newest", "s")
    assert found.by_key("new", BEFORE) is None
    assert found.by_key("old", BEFORE) is None
