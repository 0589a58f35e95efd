"""Applications as Redis keeps them are held to the same schema as those of a file."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from fizz_gevent.application import Application, PreviousCredentials, Webhook
from fizz_gevent.application_document import encode, read, read_all
from fizz_gevent.errors import ConfigError


def document(app_id: str = "1", **settings: Any) -> bytes:
    return encode({"app_id": app_id, "key": f"k{app_id}", "secret": "hidden", **settings})


def test_every_kind_of_key_is_read_as_a_file_has_it() -> None:
    found = read(
        "1",
        document(
            max_connections=5,
            allowed_origins=["a.example"],
            webhooks=[{"url": "http://b.example/hook", "headers": {"A": "b"}}],
            previous={"key": "old", "secret": "older", "until": "2027-01-31T00:00:00Z"},
        ),
    )
    assert found == Application(
        "1",
        "k1",
        "hidden",
        max_connections=5,
        allowed_origins=("a.example",),
        webhooks=(Webhook("http://b.example/hook", headers={"A": "b"}),),
        previous=PreviousCredentials("old", "older", datetime(2027, 1, 31, tzinfo=UTC)),
    )


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"\xff", "application '1' in Redis: not UTF-8 text"),
        (b"{", "application '1' in Redis: not JSON"),
        (b"[]", "application '1' in Redis: expected a mapping, not a list"),
        (b"{}", "application '1' in Redis: missing key 'app_id'"),
        (b'{"app_id": "1", "app_id": "1"}', "application '1' in Redis: app_id: duplicate key"),
        (document("2"), "application '1' in Redis: app_id: expected '1'"),
        (document(max_conections=5), "application '1' in Redis: max_conections: unknown key"),
        (document(max_connections="5"), "application '1' in Redis: max_connections: expected a"),
        (document(webhooks=[{}]), "application '1' in Redis: webhooks[0]: missing key 'url'"),
        (document(secret=5), "application '1' in Redis: secret: quote this value"),
    ],
)
def test_what_is_damaged_is_named_by_application_and_key(data: bytes, complaint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read("1", data)
    assert str(raised.value).startswith(complaint)
    assert "hidden" not in str(raised.value)


def test_a_damaged_one_leaves_the_others_and_stays_as_it_was() -> None:
    documents = {"2": document("2"), "1": b"{", "3": b"{"}
    before = [Application("1", "k1", "s")]
    found, complaints = read_all(documents, before)
    assert [each.app_id for each in found] == ["1", "2"]
    assert found[0] is before[0]
    assert complaints.keys() == {"1", "3"}


def test_of_two_with_the_same_key_one_is_served() -> None:
    previous = {"key": "k1", "secret": "s", "until": "2999-01-01T00:00:00Z"}
    found, complaints = read_all({"2": document("2", previous=previous), "1": document("1")})
    assert [each.app_id for each in found] == ["1"]
    assert complaints == {
        "2": "application '2' in Redis: previous.key: duplicate: application '1' has 'k1' already"
    }


def test_the_keys_stand_in_the_order_of_the_schema() -> None:
    data = encode({"max_connections": 1, "secret": "s", "key": "k", "app_id": "1"})
    assert list(json.loads(data)) == ["app_id", "key", "secret", "max_connections"]
