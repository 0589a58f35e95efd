"""The hidden application: who agrees on its credentials, and who cannot know them."""

from fizz_gevent.console.keys import HIDDEN_ID, make_keys
from fizz_gevent.schema import APP_ID


def test_nodes_with_one_password_agree() -> None:
    one = make_keys("secret", seed=b"a" * 32, salt="fizz")
    two = make_keys("secret", seed=b"b" * 32, salt="fizz")
    assert one == two
    assert one.application.secret not in repr(one)


def test_workers_of_one_server_agree_without_a_password() -> None:
    one = make_keys(None, seed=b"a" * 32, salt="fizz")
    assert one == make_keys(None, seed=b"a" * 32, salt="fizz")
    assert one != make_keys(None, seed=b"b" * 32, salt="fizz")


def test_another_password_or_cluster_has_other_keys() -> None:
    made = {
        make_keys(password, seed=b"", salt=salt).application.key
        for password in ("a", "b")
        for salt in ("fizz", "other")
    }
    assert len(made) == 4


def test_no_application_can_be_configured_under_its_id() -> None:
    from fizz_gevent.errors import ConfigError
    from fizz_gevent.node import Node

    try:
        APP_ID.read(Node(HIDDEN_ID, "file:1"), "apps.apps[0].app_id")
    except ConfigError:
        return
    raise AssertionError(f"{HIDDEN_ID} can be configured")
