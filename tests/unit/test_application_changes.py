"""What ``fizz apps`` makes of documents."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fizz_gevent.application_changes import added, changed, read_days, rotated, switched, without
from fizz_gevent.application_document import Document, encode, read
from fizz_gevent.errors import CommandError, ConfigError

NOW = datetime(2027, 1, 1, tzinfo=UTC)


def document(app_id: str = "1", **settings: Any) -> Document:
    return {"app_id": app_id, "key": f"k{app_id}", "secret": f"s{app_id}", **settings}


def stored(*documents: Document) -> dict[str, bytes]:
    return {each["app_id"]: encode(each) for each in documents}


class Maker:
    """Makes credentials up, the same ones in each test."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self) -> tuple[str, str, str]:
        number = next(self._numbers)
        return str(number), f"key-{number}", f"secret-{number}"


def test_a_new_one_gets_an_id_that_nobody_has() -> None:
    made = added(stored(document("1"), document("2")), [], app_id=None, make_up=Maker())
    assert made == {"app_id": "3", "key": "key-1", "secret": "secret-1"}


def test_settings_are_single_values_lists_or_json() -> None:
    words = [
        "max_connections=100",
        "require_tls=yes",
        "ping_interval=2.5",
        "max_client_events_per_second=none",
        "accept_client_events_from=none",
        "allowed_origins=a.example, *.b.example",
        'webhooks=[{"url": "http://c.example"}]',
        "secret=12345",
    ]
    made = added({}, words, app_id="shop", make_up=Maker())
    assert made == {
        "app_id": "shop",
        "key": "key-1",
        "secret": "12345",
        "max_connections": 100,
        "require_tls": True,
        "ping_interval": 2.5,
        "max_client_events_per_second": None,
        "accept_client_events_from": "none",
        "allowed_origins": ["a.example", "*.b.example"],
        "webhooks": [{"url": "http://c.example"}],
    }
    assert read("shop", encode(made)).allowed_origins == ("a.example", "*.b.example")


def test_settings_may_be_given_as_a_file_has_them() -> None:
    given = {"app_id": "shop", "key": "k", "secret": "s", "max_connections": 5}
    made = added({}, ["max_connections=6"], app_id=None, make_up=Maker(), given=given)
    assert made == {**given, "max_connections": 6}
    assert added({}, [], app_id="b", make_up=Maker(), given={"cache_ttl": 60}) == {
        "app_id": "b",
        "key": "key-1",
        "secret": "secret-1",
        "cache_ttl": 60,
    }
    assert changed(stored(document()), "1", [], {"secret": "new"}) == document() | {"secret": "new"}
    with pytest.raises(ConfigError, match="app_id: expected '1'"):
        changed(stored(document()), "1", [], {"app_id": "2"})
    with pytest.raises(ConfigError, match="app_id: quote this value"):
        added({}, [], app_id=None, make_up=Maker(), given={"app_id": 5})
    with pytest.raises(ConfigError, match="unknown key 'sekret'"):
        added({}, [], app_id="b", make_up=Maker(), given={"sekret": "s"})


def test_an_empty_value_puts_the_default_back() -> None:
    documents = stored(document(max_connections=5, cache_ttl=60))
    made = changed(documents, "1", ["max_connections=", "cache_ttl=30", "previous="])
    assert made == document(cache_ttl=30)


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("max_connections", "max_connections: expected KEY=VALUE"),
        ("max_conections=5", "max_conections=5: unknown key 'max_conections'; the nearest known"),
        ("max_connections=many", "max_connections: expected a whole number"),
        ("app_id=2", "app_id=2: an application keeps its id"),
        ("key=", "key: this has no default"),
        ("key=k2", "application '1' in Redis: key: duplicate: application '2' has 'k2' already"),
        ("webhooks=[", "webhooks: not JSON"),
        ("webhooks=http://a.example", "webhooks: not JSON"),
        (
            'webhooks=[{"uri": "http://a.example"}]',
            "application '1' in Redis: webhooks[0].uri: unk",
        ),
        ("secret=fizz-secret", "secret: everybody knows this secret"),
    ],
)
def test_a_wrong_setting_is_refused(word: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        changed(stored(document("1"), document("2")), "1", [word])
    assert str(raised.value).startswith(complaint)


@pytest.mark.parametrize(
    ("app_id", "error"), [("1", CommandError), ("a b", ConfigError), ("", ConfigError)]
)
def test_an_id_has_to_be_new_and_plain(app_id: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        added(stored(document("1")), [], app_id=app_id, make_up=Maker())


def rotation(made: Document, days: float, *, is_forced: bool = False) -> Document:
    return rotated(stored(made), "1", days=days, now=NOW, is_forced=is_forced, make_up=Maker())


def test_a_rotation_keeps_the_older_credentials_for_some_days() -> None:
    made = rotation(document(max_connections=5), 7)
    previous = {"key": "k1", "secret": "s1", "until": "2027-01-08T00:00:00Z"}
    assert made == {
        "app_id": "1",
        "key": "key-1",
        "secret": "secret-1",
        "max_connections": 5,
        "previous": previous,
    }
    assert "previous" not in rotation(document(), 0)


def test_there_are_no_three_credentials_at_a_time() -> None:
    once = rotation(document(), 7)
    with pytest.raises(CommandError, match="key k1 is valid until 2027-01-08T00:00:00Z"):
        rotation(once, 7)
    assert rotation(once, 7, is_forced=True)["previous"]["key"] == "key-1"
    long_ago = {"key": "k0", "secret": "s0", "until": str(NOW - timedelta(days=1))}
    assert rotation(document(previous=long_ago), 7)["previous"]["key"] == "k1"


def test_days_are_a_number() -> None:
    assert (read_days(None), read_days("0"), read_days("0.5")) == (7, 0, 0.5)
    for text in ("soon", "-1", "nan", "inf", "4000"):
        with pytest.raises(ConfigError, match="expected a number of days"):
            read_days(text)


def test_one_is_disabled_and_enabled_again() -> None:
    disabled = switched(stored(document()), "1", False)
    assert not read("1", encode(disabled)).enabled
    assert read("1", encode(switched(stored(disabled), "1", True))).enabled


def test_a_damaged_one_can_be_removed_but_not_changed() -> None:
    damaged = {"1": b"{"}
    assert without(damaged, "1") == b""
    with pytest.raises(ConfigError):
        switched(damaged, "1", False)


def test_there_is_nothing_to_do_to_one_that_is_not_there() -> None:
    for change in (
        lambda documents: changed(documents, "7", []),
        lambda documents: switched(documents, "7", True),
        lambda documents: without(documents, "7"),
    ):
        with pytest.raises(CommandError, match="there is no application 7 in Redis; there is 1"):
            change(stored(document("1")))
