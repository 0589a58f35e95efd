"""Who may call the HTTP API. Protocol: §12.1."""

import hashlib
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fizz_gevent.errors import ApiError
from fizz_gevent.protocol.signatures import folded, sign_request, verify_request

KEY, SECRET, NOW = "fizz-key", "fizz-secret", 1_700_000_000
COMMON = f"auth_key={KEY}&auth_timestamp={NOW}&auth_version=1.0"
BODY = (
    b'{"name": "order.created", "channels": ["orders", "orders-eu"], '
    b'"data": "{\\"id\\": 42}", "socket_id": "483920.771204"}'
)
EVENTS = "/apps/1001/events"
EVENTS_MD5 = "1eeeef6d387bdb847022bb7234993e64"
EVENTS_SIGNATURE = "9ba71100c3ddb3d56b06037b747765fd0e688078349560f6d9143aa7c61a3520"
EVENTS_QUERY = f"{COMMON}&body_md5={EVENTS_MD5}&auth_signature={EVENTS_SIGNATURE}"
CHANNELS = "/apps/1001/channels"
MD5_OF_NOTHING = "d41d8cd98f00b204e9800998ecf8427e"


def verify(
    target: str,
    *,
    method: str = "GET",
    body: bytes = b"",
    prefix: str = "",
    now: float = NOW,
    credentials: list[tuple[str, str]] | None = None,
) -> list[tuple[str, str]]:
    return verify_request(
        method=method,
        target=target,
        prefix=prefix,
        body=body,
        credentials=[(KEY, SECRET)] if credentials is None else credentials,
        now=now,
    )


def refusal(target: str, **how: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        verify(target, **how)
    return refused.value


def signed(path: str, *, method: str = "GET", body: bytes = b"", **how: Any) -> str:
    query = sign_request(
        method=method,
        path=path,
        body=body,
        key=how.pop("key", KEY),
        secret=how.pop("secret", SECRET),
        timestamp=how.pop("timestamp", NOW),
        parameters=how.pop("parameters", ()),
    )
    return f"{path}?{query}"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        # step 2
        ({f"auth_key={KEY}": ""}, "auth_key is missing"),
        ({f"auth_key={KEY}": "auth_key="}, "auth_key '' is not a key of this application"),
        ({f"auth_key={KEY}": "auth_key=other"}, "auth_key 'other' is not a key of this"),
        # step 3
        ({"auth_version=1.0": ""}, "auth_version is missing; it must be 1.0"),
        ({"auth_version=1.0": "auth_version=1"}, "auth_version is '1'; it must be 1.0"),
        ({"auth_version=1.0": "auth_version=2.0"}, "auth_version is '2.0'; it must be 1.0"),
        # step 4
        ({f"auth_timestamp={NOW}": ""}, "auth_timestamp is missing"),
        ({str(NOW): ""}, "auth_timestamp must be an integer"),
        ({str(NOW): "soon"}, "auth_timestamp must be an integer"),
        ({str(NOW): f"{NOW}.0"}, "auth_timestamp must be an integer"),
        ({str(NOW): f"-{NOW}"}, "auth_timestamp must be an integer"),
        ({str(NOW): f"%2B{NOW}"}, "auth_timestamp must be an integer"),
        ({str(NOW): f"%20{NOW}"}, "auth_timestamp must be an integer"),
        ({str(NOW): "9" * 5000}, "auth_timestamp must be an integer"),
        ({str(NOW): "%D9%A1"}, "auth_timestamp must be an integer"),
        ({str(NOW): "1_700"}, "auth_timestamp must be an integer"),
        # step 5
        ({f"body_md5={EVENTS_MD5}": ""}, "body_md5 is missing"),
        ({EVENTS_MD5: ""}, "body_md5 is '', but the MD5 of the body received is " + EVENTS_MD5),
        ({EVENTS_MD5: MD5_OF_NOTHING}, "body_md5 is"),
        ({EVENTS_MD5: EVENTS_MD5.upper()}, "body_md5 is"),
        # step 6
        ({f"auth_signature={EVENTS_SIGNATURE}": ""}, "auth_signature is missing"),
        ({EVENTS_SIGNATURE: ""}, "auth_signature is wrong"),
        ({EVENTS_SIGNATURE: EVENTS_SIGNATURE.upper()}, "auth_signature is wrong"),
        ({EVENTS_SIGNATURE: EVENTS_SIGNATURE[:-1] + "1"}, "auth_signature is wrong"),
        ({EVENTS_SIGNATURE: "%C3%A9"}, "auth_signature is wrong"),
        ({EVENTS_SIGNATURE: "0" * 8000}, "auth_signature is wrong"),
        ({"auth_version=1.0": "auth_version=1.0&more=1"}, "auth_signature is wrong"),
        ({EVENTS: "/apps/1001/batch_events"}, "auth_signature is wrong"),
        ({EVENTS: "//apps/1001/events"}, "auth_signature is wrong"),
        ({EVENTS: EVENTS + "/"}, "auth_signature is wrong"),
        ({EVENTS: "/apps//1001/events"}, "auth_signature is wrong"),
    ],
)
def test_each_step_says_what_failed(change: dict[str, str], says: str) -> None:
    """Protocol: §12.1 steps 2-7."""
    target = f"{EVENTS}?{EVENTS_QUERY}"
    for old, new in change.items():
        assert old in target
        target = target.replace(old, new)
    refused = refusal(target, method="POST", body=BODY)
    assert refused.status == 401
    assert refused.message.startswith(says)
    assert EVENTS_SIGNATURE not in refused.message
    assert SECRET not in refused.message
    assert len(refused.message) < 1000


def test_steps_are_taken_in_order() -> None:
    """Protocol: §12.1: of several faults the first is told."""
    assert "auth_key" in refusal(EVENTS).message
    query = f"auth_key={KEY}"
    assert "auth_version" in refusal(f"{EVENTS}?{query}", body=BODY).message
    query += "&auth_version=1.0"
    assert "auth_timestamp" in refusal(f"{EVENTS}?{query}", body=BODY).message
    query += f"&auth_timestamp={NOW}"
    assert "body_md5" in refusal(f"{EVENTS}?{query}", body=BODY).message
    query += f"&body_md5={EVENTS_MD5}"
    assert "auth_signature" in refusal(f"{EVENTS}?{query}", body=BODY).message


@pytest.mark.parametrize("away", [0, 1, 599, 599.9, -599.9])
def test_within_the_window(away: float) -> None:
    """Protocol: §12.1 step 4."""
    verify(f"{EVENTS}?{EVENTS_QUERY}", method="POST", body=BODY, now=NOW + away)


@pytest.mark.parametrize("away", [600, -600, 601, 1e9, -NOW])
def test_outside_the_window(away: float) -> None:
    """Protocol: §12.1 step 4: refused at exactly 600 s."""
    refused = refusal(f"{EVENTS}?{EVENTS_QUERY}", method="POST", body=BODY, now=NOW + away)
    assert refused.status == 401
    assert "auth_timestamp" in refused.message
    assert "clock" in refused.message


def test_the_body_must_be_the_one_signed() -> None:
    """Protocol: §12.1 step 5."""
    for body in (b"", b"{}", BODY + b" ", BODY[:-1]):
        refused = refusal(f"{EVENTS}?{EVENTS_QUERY}", method="POST", body=body)
        assert (refused.status, "body_md5" in refused.message) == (401, True)


def test_the_method_is_signed() -> None:
    for method in ("GET", "PUT", "post"):
        assert refusal(f"{EVENTS}?{EVENTS_QUERY}", method=method, body=BODY).status == 401


@pytest.mark.parametrize(
    "name", ["auth_key", "auth_version", "auth_timestamp", "auth_signature", "body_md5"]
)
@pytest.mark.parametrize("value", ["same", "other"])
@pytest.mark.parametrize("form", ["{name}", "{upper}", "{name}[]", "{name}[0]", "{name}%5B%5D"])
def test_nothing_that_authenticates_may_come_twice_or_as_an_array(
    name: str, value: str, form: str
) -> None:
    """Else one ``body_md5`` could be checked and another signed."""
    if value == "same":
        value = dict(pair.split("=") for pair in EVENTS_QUERY.split("&"))[name]
    more = form.format(name=name, upper=name.upper()) + "=" + value
    for query in (f"{EVENTS_QUERY}&{more}", f"{more}&{EVENTS_QUERY}"):
        refused = refusal(f"{EVENTS}?{query}", method="POST", body=BODY)
        assert refused.status == 401
        assert "more than once" in refused.message or "must not be an array" in refused.message


def test_a_body_cannot_be_swapped_by_folding_the_signed_md5() -> None:
    """The text that PHP signs folds arrays: ``body_md5[]`` must not stand in for ``body_md5``."""
    evil = b'{"name":"evil","channel":"orders","data":""}'
    evil_md5 = hashlib.md5(evil).hexdigest()
    swapped = EVENTS_QUERY.replace("body_md5=", "body_md5[]=")
    for query in (f"{swapped}&body_md5={evil_md5}", f"body_md5={evil_md5}&{swapped}"):
        assert refusal(f"{EVENTS}?{query}", method="POST", body=evil).status == 401
    assert refusal(f"{EVENTS}?{swapped}", method="POST", body=b"").status == 401


def test_parameters_in_upper_case_are_the_same_parameters() -> None:
    """Protocol: §12.1, keys are lower-cased."""
    query = EVENTS_QUERY.replace("auth_key", "AUTH_KEY").replace("body_md5", "Body_MD5")
    verify(f"{EVENTS}?{query}", method="POST", body=BODY)


def test_a_plus_is_a_plus() -> None:
    """Protocol: §12.1 step 6."""
    target = signed(CHANNELS, parameters=[("filter_by_prefix", "a+b c")])
    assert folded(verify(target))["filter_by_prefix"] == "a+b c"
    assert folded(verify(target.replace("%2B", "+")))["filter_by_prefix"] == "a+b c"
    assert refusal(target.replace("%20", "+")).status == 401


def test_escapes_are_decoded_once() -> None:
    target = signed(CHANNELS, parameters=[("filter_by_prefix", "%41&x=1")])
    assert folded(verify(target))["filter_by_prefix"] == "%41&x=1"


def test_equal_keys_keep_their_order() -> None:
    """Protocol: §12.1 step 6; and other keys are sorted."""
    target = signed(CHANNELS, parameters=[("z", "2"), ("z", "1"), ("a", "3")])
    verify(target)
    assert refusal(target.replace("z=2&z=1", "z=1&z=2")).status == 401
    verify(target.replace("z=2&z=1&a=3", "a=3&z=2&z=1"))


@pytest.mark.parametrize("prefix", ["/fizz", "/a/b"])
def test_the_prefix_is_not_signed(prefix: str) -> None:
    """Protocol: §12.1 step 7."""
    verify(prefix + signed(CHANNELS), prefix=prefix)
    verify(signed(CHANNELS), prefix=prefix)
    assert refusal(prefix + signed(CHANNELS)).status == 401
    assert refusal(prefix + prefix + signed(CHANNELS), prefix=prefix).status == 401
    assert refusal(prefix + "x" + signed(CHANNELS), prefix=prefix).status == 401


@pytest.mark.parametrize(
    ("signed_path", "sent_path"),
    [
        ("/apps/1001/users/a%40b/terminate_connections",) * 2,  # signed as sent
        ("/apps/1001/users/a@b/terminate_connections",) * 2,
        (  # escaped after signing
            "/apps/1001/users/a@b/terminate_connections",
            "/apps/1001/users/a%40b/terminate_connections",
        ),
        ("/apps/1001/channels/é", "/apps/1001/channels/%C3%A9"),
        ("/apps/1001/channels/é", "/apps/1001/channels/\xc3\xa9"),
    ],
)
def test_the_path_as_sent_or_decoded(signed_path: str, sent_path: str) -> None:
    """Protocol: §12.1 step 7."""
    query = signed(signed_path).partition("?")[2]
    verify(f"{sent_path}?{query}")


def test_a_path_is_not_escaped_for_the_sender() -> None:
    query = signed("/apps/1001/users/a%40b/terminate_connections").partition("?")[2]
    assert refusal(f"/apps/1001/users/a@b/terminate_connections?{query}").status == 401


def test_both_credentials_are_good_during_a_rotation() -> None:
    for current in (("new-key", "new-secret"), (KEY, "new-secret")):
        credentials = [current, (KEY, SECRET)]
        verify(f"{EVENTS}?{EVENTS_QUERY}", method="POST", body=BODY, credentials=credentials)
        verify(signed(CHANNELS, key=current[0], secret=current[1]), credentials=credentials)
    mixed = signed(CHANNELS, key="new-key", secret=SECRET)
    assert refusal(mixed, credentials=[("new-key", "new-secret"), (KEY, SECRET)]).status == 401


def test_the_error_shows_the_text_that_the_server_signs() -> None:
    """An SDK's author finds the difference by looking at it; it holds nothing secret."""
    message = refusal(f"{CHANNELS}?{COMMON}&auth_signature=0").message
    assert repr(f"GET\n{CHANNELS}\n{COMMON}") in message


@pytest.mark.parametrize(
    "target",
    ["", "?", "/", "*", "/apps?&&&", "/apps?=", "/\xff?a", "/%?%", "/a?b?c", "/%FF?auth_key"],
)
def test_odd_targets(target: str) -> None:
    assert refusal(target).status == 401


def test_a_query_that_is_not_utf8() -> None:
    """Protocol: §12.2."""
    assert refusal(f"{CHANNELS}?{COMMON}&x=%FF").status == 400


def test_too_many_parameters() -> None:
    target = signed(CHANNELS, parameters=[(f"x{number}", "") for number in range(96)])
    verify(target)
    assert refusal(target + "&y=1").status == 400


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(
    lambda name: name == name.lower() and not name.startswith(("auth_", "body_md5"))
)


@given(
    st.sampled_from(["GET", "POST"]),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.lists(st.tuples(NAMES, st.text(st.characters(codec="utf-8"), max_size=20)), max_size=5),
    st.binary(max_size=50),
)
def test_what_is_signed_verifies(
    method: str, segment: str, parameters: list[tuple[str, str]], body: bytes
) -> None:
    path = "/apps/1001/channels/" + quote(segment, safe="")
    target = signed(path, method=method, body=body, parameters=parameters)
    pairs = verify(target, method=method, body=body)
    assert pairs[: len(parameters)] == parameters


@given(st.text(st.characters(max_codepoint=255), max_size=200), st.binary(max_size=20))
def test_any_target(target: str, body: bytes) -> None:
    assert refusal(target, body=body).status in (400, 401)


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_any_addition(more: str) -> None:
    """A signed request with something added is refused, if the addition means anything."""
    target = f"{EVENTS}?{EVENTS_QUERY}&{more}"
    if more.strip("&"):
        assert refusal(target, method="POST", body=BODY).status in (400, 401)
