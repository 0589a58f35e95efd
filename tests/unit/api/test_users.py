"""Ending all connections of a user. Protocol: §12.8, §9.4."""

import pytest

from tests.unit.api.house import House, error_of

CLOSED = (4009, "Connection terminated by the application")
PATHS = ["/apps/1001/users/{}/terminate_connections", "/users/{}/terminate_connections"]


@pytest.mark.parametrize("body", [b"", b"{}"])
@pytest.mark.parametrize("path", PATHS)
def test_every_connection_signed_in_as_the_user_is_closed(path: str, body: bytes) -> None:
    """Protocol: §9.4: signed in, not merely present under that id."""
    house = House()
    laptop, phone, other, present = (house.client() for _ in range(4))
    laptop.sign_in("u-7")
    phone.sign_in("u-7")
    other.sign_in("u-8")
    present.subscribe("presence-a", "u-7")
    response = house.signed("POST", path.format("u-7"), body=body)
    assert (response.status_code, response.data) == (200, b"{}")
    assert [client.closed for client in (laptop, phone, other, present)] == [
        CLOSED,
        CLOSED,
        None,
        None,
    ]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("user_id", "sent"),
    [
        ("ann@example.com", "ann%40example.com"),
        ("ann@example.com", "ann@example.com"),
        ("a=b,c;d", "a%3Db%2Cc%3Bd"),
        ("u-7", "%75%2D7"),
    ],
)
def test_user_ids_may_be_escaped(path: str, user_id: str, sent: str) -> None:
    """Protocol: §12.8, last sentence."""
    house = House()
    user = house.client()
    user.sign_in(user_id)
    assert house.signed("POST", path.format(sent)).data == b"{}"
    assert user.closed == CLOSED


@pytest.mark.parametrize("path", PATHS)
def test_a_user_without_a_connection_is_no_error(path: str) -> None:
    """Protocol: §12.8."""
    assert House().signed("POST", path.format("nobody")).data == b"{}"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("user_id", ["a%2Fb", "a%20b", "%FF", "u" * 129])
def test_an_id_that_nobody_can_have_is_400(path: str, user_id: str) -> None:
    """Protocol: §5."""
    assert error_of(House().signed("POST", path.format(user_id)))[0] == 400


def test_the_path_of_the_python_sdk_needs_a_known_key() -> None:
    """Protocol: §12.8: the application is found by ``auth_key``."""
    house = House()
    path = "/users/u-7/terminate_connections"
    assert error_of(house.request("POST", path)) == (401, "auth_key is missing")
    status, text = error_of(house.request("POST", f"{path}?auth_key=nobody"))
    assert (status, text) == (401, "auth_key 'nobody' is not a key of any application")
    status, text = error_of(house.request("POST", f"{path}?auth_key=fizz-key"))
    assert (status, text) == (401, "auth_version is missing; it must be 1.0")
