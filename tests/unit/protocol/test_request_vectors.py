"""Requests as official SDKs sign them, with the values of the protocol document.

Protocol: §12.1, §12.8.
"""

import pytest

from fizz_gevent.errors import ApiError
from fizz_gevent.protocol.signatures import folded, sign_request, verify_request

KEY, SECRET, NOW = "fizz-key", "fizz-secret", 1_700_000_000
COMMON = f"auth_key={KEY}&auth_timestamp={NOW}&auth_version=1.0"
CHANNELS = "/apps/1001/channels"
PRICES = "/apps/1001/channels/cache-prices"


def verify(
    target: str,
    *,
    method: str = "GET",
    body: bytes = b"",
    key: str = KEY,
    secret: str = SECRET,
    now: float = NOW,
) -> dict[str, str]:
    return folded(
        verify_request(
            method=method,
            target=target,
            prefix="",
            body=body,
            credentials=[(key, secret)],
            now=now,
        )
    )


def test_worked_example_1() -> None:
    """Protocol: §12.1; reproduced with the Python SDK."""
    body = (
        b'{"name": "order.created", "channels": ["orders", "orders-eu"], '
        b'"data": "{\\"id\\": 42}", "socket_id": "483920.771204"}'
    )
    assert len(body) == 116
    signature = "9ba71100c3ddb3d56b06037b747765fd0e688078349560f6d9143aa7c61a3520"
    query = f"{COMMON}&body_md5=1eeeef6d387bdb847022bb7234993e64&auth_signature={signature}"
    path = "/apps/1001/events"
    verify(f"{path}?{query}", method="POST", body=body)
    assert query == sign_request(
        method="POST", path=path, key=KEY, secret=SECRET, timestamp=NOW, body=body
    )


@pytest.mark.parametrize(
    ("query", "signature"),
    [
        (  # Node, Ruby, PHP: nothing for an empty body
            f"filter_by_prefix=presence-&info=user_count&{COMMON}",
            "ecda754db46bc1315deca4709e3c9121380c453375706b9c9376e52b0e598740",
        ),
        (  # Python: the MD5 of nothing
            f"{COMMON}&body_md5=d41d8cd98f00b204e9800998ecf8427e&filter_by_prefix=presence-&info=user_count",
            "9a62b147bcbe77421f647ed193c7de300344d631b0b6f9774279d06e9d840457",
        ),
    ],
)
def test_worked_example_2(query: str, signature: str) -> None:
    """Protocol: §12.1."""
    parameters = verify(f"{CHANNELS}?{query}&auth_signature={signature}")
    assert parameters["filter_by_prefix"] == "presence-"
    assert parameters["info"] == "user_count"


def test_the_published_example() -> None:
    """Protocol: §12.1, the example that the hosted service publishes."""
    verify(
        "/apps/3/events?auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0"
        "&body_md5=ec365a775a4cd0599faeb73354201b6f&auth_signature="
        "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c",
        method="POST",
        body=b'{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}',
        key="278d425bdf160c739803",
        secret="7ad3773142a6692b25b8",
        now=1353088179,
    )


RUBY = "16299fe413679073efc030fbaa064319eb087fc4717f66c9ab517ae1e2a0b0ba"
PHP = "fd873c814320ba7daa03c627eb9d196d9f195a0a9da17f58a3b89d0049b41944"


@pytest.mark.parametrize(
    ("info", "signature"),
    [
        ("info[]=subscription_count&info[]=cache", RUBY),
        ("info%5B%5D=subscription_count&info%5B%5D=cache", RUBY),
        ("info[0]=subscription_count&info[1]=cache", PHP),
        ("info%5B0%5D=subscription_count&info%5B1%5D=cache", PHP),
        ("info[]=subscription_count&info[]=cache", PHP),
        ("info=subscription_count,cache", PHP),
        ("info=subscription_count%2Ccache", PHP),
        ("INFO=subscription_count,cache", PHP),
    ],
)
@pytest.mark.parametrize("order", ["{common}&{info}", "{info}&{common}"])
def test_both_forms_of_arrays(info: str, signature: str, order: str) -> None:
    """Protocol: §12.1 step 6, forms a and b."""
    query = order.format(common=COMMON, info=info)
    assert (
        verify(f"{PRICES}?{query}&auth_signature={signature}")["info"] == "subscription_count,cache"
    )


@pytest.mark.parametrize(
    "info",
    [
        "info[]=cache&info[]=subscription_count",  # another order
        "info[]=subscription_count",
        "info[a]=subscription_count&info[b]=cache",
        "info=subscription_count&info=cache",
    ],
)
def test_other_arrays_are_others(info: str) -> None:
    for signature in (RUBY, PHP):
        with pytest.raises(ApiError, match="auth_signature is wrong"):
            verify(f"{PRICES}?{COMMON}&{info}&auth_signature={signature}")


@pytest.mark.parametrize(
    ("path", "signature"),
    [
        (
            "/apps/1001/users/u-7/terminate_connections",
            "00f8a764da31767f05fb6622c12e9714ee97d264e9fbc4e408154e3d39217491",
        ),
        (  # as the Python SDK signs it
            "/users/u-7/terminate_connections",
            "234cc17f355c0e05fe8aeceb2b336b1ab29c45858e332750c3e6af244e44ce8a",
        ),
    ],
)
def test_computed_signatures_of_terminate_connections(path: str, signature: str) -> None:
    """Protocol: §12.8."""
    verify(
        f"{path}?{COMMON}&body_md5=99914b932bd37a50b983c5e7c90ae93b&auth_signature={signature}",
        method="POST",
        body=b"{}",
    )
