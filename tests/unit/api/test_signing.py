"""Who is let in, and what the others are told. Protocol: §12.1, §12.8."""

import hashlib
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from fizz_gevent.application import Application, PreviousCredentials
from tests.harness.signing import App
from tests.unit.api.house import EXAMPLE, NOW, House, error_of

BODY = (
    b'{"name": "order.created", "channels": ["orders", "orders-eu"],'
    b' "data": "{\\"id\\": 42}", "socket_id": "483920.771204"}'
)
AUTH = f"auth_key=fizz-key&auth_timestamp={NOW}&auth_version=1.0"
OTHER = App("2002", "other-key", "other-secret")


def two_applications(**settings: object) -> House:
    return House(
        apps=[
            Application(EXAMPLE.app_id, EXAMPLE.key, EXAMPLE.secret, **settings),  # type: ignore[arg-type]
            Application(OTHER.app_id, OTHER.key, OTHER.secret),
        ]
    )


COMPUTED = {
    "trigger of the Python SDK": (
        "POST",
        "/apps/1001/events",
        f"{AUTH}&body_md5=1eeeef6d387bdb847022bb7234993e64",
        "9ba71100c3ddb3d56b06037b747765fd0e688078349560f6d9143aa7c61a3520",
        BODY,
    ),
    "GET of Node, Ruby, PHP: no body_md5": (
        "GET",
        "/apps/1001/channels",
        f"{AUTH}&filter_by_prefix=presence-&info=user_count",
        "ecda754db46bc1315deca4709e3c9121380c453375706b9c9376e52b0e598740",
        b"",
    ),
    "GET of Python: the MD5 of nothing": (
        "GET",
        "/apps/1001/channels",
        f"{AUTH}&body_md5=d41d8cd98f00b204e9800998ecf8427e"
        "&filter_by_prefix=presence-&info=user_count",
        "9a62b147bcbe77421f647ed193c7de300344d631b0b6f9774279d06e9d840457",
        b"",
    ),
    "Ruby's array, signed as it is sent": (
        "GET",
        "/apps/1001/channels/cache-prices",
        f"{AUTH}&info[]=subscription_count&info[]=cache",
        "16299fe413679073efc030fbaa064319eb087fc4717f66c9ab517ae1e2a0b0ba",
        b"",
    ),
    "PHP's array, signed with commas and sent with indices": (
        "GET",
        "/apps/1001/channels/cache-prices",
        f"{AUTH}&info[0]=subscription_count&info[1]=cache",
        "fd873c814320ba7daa03c627eb9d196d9f195a0a9da17f58a3b89d0049b41944",
        b"",
    ),
    "the same with the brackets escaped": (
        "GET",
        "/apps/1001/channels/cache-prices",
        f"{AUTH}&info%5B0%5D=subscription_count&info%5B1%5D=cache",
        "fd873c814320ba7daa03c627eb9d196d9f195a0a9da17f58a3b89d0049b41944",
        b"",
    ),
    "a plain comma list": (
        "GET",
        "/apps/1001/channels/cache-prices",
        f"{AUTH}&info=subscription_count,cache",
        "fd873c814320ba7daa03c627eb9d196d9f195a0a9da17f58a3b89d0049b41944",
        b"",
    ),
    "terminate_connections": (
        "POST",
        "/apps/1001/users/u-7/terminate_connections",
        f"{AUTH}&body_md5=99914b932bd37a50b983c5e7c90ae93b",
        "00f8a764da31767f05fb6622c12e9714ee97d264e9fbc4e408154e3d39217491",
        b"{}",
    ),
    "terminate_connections of the Python SDK": (
        "POST",
        "/users/u-7/terminate_connections",
        f"{AUTH}&body_md5=99914b932bd37a50b983c5e7c90ae93b",
        "234cc17f355c0e05fe8aeceb2b336b1ab29c45858e332750c3e6af244e44ce8a",
        b"{}",
    ),
}


@pytest.mark.parametrize("prefix", ["", "/fizz", "/a/b"])
@pytest.mark.parametrize("case", COMPUTED)
def test_every_computed_signature_is_let_in(case: str, prefix: str) -> None:
    """Protocol: §12.1 worked examples and test values, §12.8; step 7: the prefix is not signed."""
    method, path, query, signature, body = COMPUTED[case]
    house = House(prefix=prefix)
    response = house.request(method, f"{prefix}{path}?{query}&auth_signature={signature}", body)
    assert response.status_code == 200, response.data


def test_parameters_come_in_any_order() -> None:
    """Protocol: §12.1: they are signed sorted."""
    method, path, query, signature, body = COMPUTED["trigger of the Python SDK"]
    pairs = [*query.split("&"), f"auth_signature={signature}"]
    response = House().request(method, f"{path}?{'&'.join(reversed(pairs))}", body)
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("step", "target", "status", "told"),
    [
        ("1", f"/apps/9/events?{AUTH}", 404, "Application '9' does not exist"),
        ("2", "/apps/1001/events", 401, "auth_key is missing"),
        ("2", "/apps/1001/events?auth_key=nobody", 401, "auth_key 'nobody' is not a key of"),
        ("3", "/apps/1001/events?auth_key=fizz-key", 401, "auth_version is missing"),
        ("3", f"/apps/1001/events?{AUTH.replace('1.0', '2.0')}", 401, "auth_version is '2.0'"),
        (
            "4",
            "/apps/1001/events?auth_key=fizz-key&auth_version=1.0",
            401,
            "auth_timestamp is missing",
        ),
        (
            "4",
            "/apps/1001/events?auth_key=fizz-key&auth_version=1.0&auth_timestamp=now",
            401,
            "auth_timestamp must be an integer",
        ),
        ("5", f"/apps/1001/events?{AUTH}", 401, "body_md5 is missing"),
        ("5", f"/apps/1001/events?{AUTH}&body_md5=00", 401, "body_md5 is '00'"),
        (
            "6",
            f"/apps/1001/events?{AUTH}&body_md5=1eeeef6d387bdb847022bb7234993e64",
            401,
            "auth_signature is missing",
        ),
        (
            "6",
            f"/apps/1001/events?{AUTH}&body_md5=1eeeef6d387bdb847022bb7234993e64&auth_signature=0",
            401,
            "auth_signature is wrong",
        ),
    ],
)
def test_a_refusal_names_the_first_step_that_failed(
    step: str, target: str, status: int, told: str
) -> None:
    """Protocol: §12.1, steps 1 to 6 in order; each target fails no step before its own."""
    house = House()
    listener = house.client()
    listener.subscribe("orders")
    listener.events()
    found, text = error_of(house.request("POST", target, BODY))
    assert found == status, step
    assert text.startswith(told), step
    assert listener.events() == []


@pytest.mark.parametrize(
    ("age", "status"), [(0, 200), (599, 200), (600, 401), (-599, 200), (-600, 401)]
)
def test_the_window_is_600_seconds_and_excludes_its_ends(age: int, status: int) -> None:
    """Protocol: §12.1 step 4."""
    house = House()
    query = EXAMPLE.signed_query("GET", "/apps/1001/channels", timestamp=NOW - age)
    response = house.request("GET", f"/apps/1001/channels?{query}")
    assert response.status_code == status
    if status == 401:
        assert "600 seconds or more away" in error_of(response)[1]


def test_the_key_must_belong_to_the_application_of_the_path() -> None:
    """Protocol: §12.1 step 2; one application cannot act in another's name."""
    house = two_applications()
    path = "/apps/1001/channels"
    query = OTHER.signed_query("GET", path, timestamp=NOW)
    status, text = error_of(house.request("GET", f"{path}?{query}"))
    assert (status, text) == (401, "auth_key 'other-key' is not a key of this application")
    forged = App("1001", OTHER.key, EXAMPLE.secret).signed_query("GET", path, timestamp=NOW)
    assert house.request("GET", f"{path}?{forged}").status_code == 401


def test_a_disabled_application_is_403_before_its_key_is_looked_at() -> None:
    """Protocol: §12.1 step 1, §12.2."""
    house = two_applications(enabled=False)
    status, text = error_of(house.request("GET", "/apps/1001/channels"))
    assert (status, text) == (403, "Application '1001' is disabled")
    assert house.signed("GET", "/apps/2002/channels", app=OTHER).status_code == 200
    response = house.signed("POST", "/users/u-7/terminate_connections", body=b"{}")
    assert error_of(response)[0] == 403


def test_the_body_is_bound_to_the_signature() -> None:
    """Protocol: §12.1 step 5: the MD5 is compared with the bytes that came."""
    house = House()
    query = EXAMPLE.signed_query("POST", "/apps/1001/events", None, BODY, timestamp=NOW)
    response = house.request("POST", f"/apps/1001/events?{query}", BODY.replace(b"42", b"43"))
    assert error_of(response)[1].startswith("body_md5 is ")
    md5 = hashlib.md5(b"something").hexdigest()
    response = house.signed("GET", "/apps/1001/channels", {"body_md5": md5})
    assert error_of(response)[0] == 401


def test_both_keys_are_valid_after_a_rotation_until_its_date() -> None:
    """Protocol: §12.1 step 2, with the ``previous`` credentials of the configuration."""
    old = App("1001", "old-key", "old-secret")
    until = datetime.fromtimestamp(NOW + 1000, UTC)
    house = House(previous=PreviousCredentials(old.key, old.secret, until))
    assert house.get("/channels").status_code == 200
    assert house.signed("GET", "/apps/1001/channels", app=old).status_code == 200
    terminate = "/users/u-7/terminate_connections"
    assert house.signed("POST", terminate, app=old).status_code == 200
    house.clock.time += 1001
    assert house.get("/channels").status_code == 200
    assert error_of(house.signed("GET", "/apps/1001/channels", app=old))[0] == 401
    assert error_of(house.signed("POST", terminate, app=old))[0] == 401


@pytest.mark.parametrize("signs_raw_path", [True, False])
def test_the_path_may_be_signed_escaped_or_not(signs_raw_path: bool) -> None:
    """Protocol: §12.1 step 7."""
    house = House()
    ann = house.client()
    ann.sign_in("ann@example.com")
    sent = f"/apps/1001/users/{quote('ann@example.com', safe='')}/terminate_connections"
    signed = sent if signs_raw_path else sent.replace("%40", "@")
    query = EXAMPLE.signed_query("POST", signed, timestamp=NOW)
    response = house.request("POST", f"{sent}?{query}")
    assert (response.status_code, response.data) == (200, b"{}")
    assert ann.closed is not None


def test_a_signature_is_for_one_method_and_one_path() -> None:
    """Protocol: §12.1: METHOD and PATH are signed."""
    house = House()
    query = EXAMPLE.signed_query("GET", "/apps/1001/channels", timestamp=NOW)
    for method, path in (
        ("HEAD", "/apps/1001/channels"),
        ("GET", "/apps/1001/channels/orders"),
        ("GET", "/apps/1001/%63hannels"),
    ):
        expected = 200 if "%63" in path else 401  # its decoded form is the signed one
        assert house.request(method, f"{path}?{query}").status_code == expected
