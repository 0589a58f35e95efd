"""Tokens of subscriptions and sign-ins, with the values computed in the protocol document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fizz_gevent.errors import ProtocolError, SubscriptionError
from fizz_gevent.protocol import signatures

KEY, SECRET, SOCKET_ID = "fizz-key", "fizz-secret", "483920.771204"
CREDENTIALS = [(KEY, SECRET)]
PRIVATE = "5b87f1d6f15d340650cf957b409f964ef6db17ef7e883049f60a54d9b0a50e40"
USER_DATA = '{"id":"u-7","user_info":{"name":"Ada"},"watchlist":["u-8","u-9"]}'
USER = "8f1751f947b54109a17834f1d85ecabf8de39c73fb4105ee5086505daa1e1f9e"

# The published examples of the hosted service have credentials of their own.
PUBLISHED = ("278d425bdf160c739803", "7ad3773142a6692b25b8", "1234.1234")


def verify(
    auth: str | None,
    channel: str,
    channel_data: str | None = None,
    *,
    socket_id: str = SOCKET_ID,
    credentials: list[tuple[str, str]] = CREDENTIALS,
) -> None:
    signatures.verify_channel_auth(
        auth,
        credentials=credentials,
        socket_id=socket_id,
        channel=channel,
        channel_data=channel_data,
    )


CHANNEL_VECTORS = [
    ("private-orders.42", None, PRIVATE),
    (
        "private-encrypted-vault",
        None,
        "d2671fde5d4d2eac3415df07701c8c9574d9c6456f71bdd4f6806bf7c25206d5",
    ),
    (
        "presence-room.1",
        '{"user_id":"u-7","user_info":{"name":"Ada"}}',
        "f1f6f377a6794b042eb62f7b512fbfd36c4e3e28ab66af085d796cbf94245b63",
    ),
    (
        "presence-room.1",
        '{"user_id": "u-7", "user_info": {"name": "Ada"}}',
        "cd497b9f353061a27ef3bc050d13c5ca3ae03096f1a25cc29e3fb698bd285a74",
    ),
]


@pytest.mark.parametrize(("channel", "channel_data", "digest"), CHANNEL_VECTORS)
def test_computed_tokens_of_channels(channel: str, channel_data: str | None, digest: str) -> None:
    """Protocol: §6.2."""
    verify(f"{KEY}:{digest}", channel, channel_data)
    assert f"{KEY}:{digest}" == signatures.sign_channel(
        key=KEY, secret=SECRET, socket_id=SOCKET_ID, channel=channel, channel_data=channel_data
    )


@pytest.mark.parametrize(
    ("channel", "channel_data", "digest"),
    [
        (
            "private-foobar",
            None,
            "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4",
        ),
        (
            "presence-foobar",
            '{"user_id":10,"user_info":{"name":"Mr. Channels"}}',
            "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80",
        ),
    ],
)
def test_published_tokens_of_channels(channel: str, channel_data: str | None, digest: str) -> None:
    """Protocol: §6.2, the examples that the hosted service publishes."""
    key, secret, socket_id = PUBLISHED
    verify(
        f"{key}:{digest}",
        channel,
        channel_data,
        socket_id=socket_id,
        credentials=[(key, secret)],
    )


def test_an_empty_channel_data_is_not_signed() -> None:
    """Protocol: §6.2, with ``channel_data`` when it is present and not empty."""
    verify(f"{KEY}:{PRIVATE}", "private-orders.42", "")


def test_channel_data_of_a_private_channel_is_signed_too() -> None:
    """Protocol: §6.2, any type."""
    token = signatures.sign_channel(
        key=KEY, secret=SECRET, socket_id=SOCKET_ID, channel="private-a", channel_data="{}"
    )
    verify(token, "private-a", "{}")
    with pytest.raises(SubscriptionError):
        verify(token, "private-a", None)


@pytest.mark.parametrize(
    ("auth", "why"),
    [
        (None, "Missing auth"),
        ("", "Missing auth"),
        (f"{KEY}:{PRIVATE[:-1]}1", "Invalid signature"),
        (f"{KEY}:{PRIVATE.upper()}", "Invalid signature"),
        (f"{KEY}:{PRIVATE} ", "Invalid signature"),
        (f"{KEY}:{PRIVATE}0", "Invalid signature"),
        (f"{KEY}:{PRIVATE[:32]}", "Invalid signature"),
        (f"{KEY}::{PRIVATE}", "Invalid signature"),
        (f"{KEY}:", "Invalid signature"),
        (KEY, "Invalid signature"),
        (f"{KEY}:é", "Invalid signature"),
        (f"{KEY}:{'0' * 60_000}", "Invalid signature"),
        (PRIVATE, "Invalid key"),
        (f":{PRIVATE}", "Invalid key"),
        (f"other-key:{PRIVATE}", "Invalid key"),
        (f"{KEY} :{PRIVATE}", "Invalid key"),
        (f"{KEY.upper()}:{PRIVATE}", "Invalid key"),
        ("é\x00", "Invalid key"),
    ],
)
def test_refused_tokens_of_channels(auth: str | None, why: str) -> None:
    """Protocol: §6.3."""
    with pytest.raises(SubscriptionError, match=f"^{why} .*private-orders.42$") as refusal:
        verify(auth, "private-orders.42")
    error = refusal.value
    assert (error.channel, error.type, error.status, error.code) == (
        "private-orders.42",
        "AuthError",
        401,
        4009,
    )
    assert PRIVATE not in error.message


@pytest.mark.parametrize(
    ("socket_id", "channel", "channel_data"),
    [
        ("483920.771205", "private-orders.42", None),
        (SOCKET_ID, "private-orders.43", None),
        (SOCKET_ID, "private-orders.42", "{}"),
        (SOCKET_ID, "private-orders.42", " "),
    ],
)
def test_a_token_is_good_for_one_socket_and_one_channel(
    socket_id: str, channel: str, channel_data: str | None
) -> None:
    with pytest.raises(SubscriptionError):
        verify(f"{KEY}:{PRIVATE}", channel, channel_data, socket_id=socket_id)


def test_both_credentials_are_good_during_a_rotation() -> None:
    """Protocol: §13, several active keys."""
    for rotated in (
        [("new-key", "new-secret"), (KEY, SECRET)],
        [(KEY, "new-secret"), (KEY, SECRET)],
    ):
        verify(f"{KEY}:{PRIVATE}", "private-orders.42", credentials=rotated)
        key, secret = rotated[0]
        token = signatures.sign_channel(
            key=key, secret=secret, socket_id=SOCKET_ID, channel="private-a"
        )
        verify(token, "private-a", credentials=rotated)
        with pytest.raises(SubscriptionError):
            verify(token, "private-a")
    # One's key with the other's secret is nobody's.
    with pytest.raises(SubscriptionError):
        verify(
            f"new-key:{PRIVATE}",
            "private-orders.42",
            credentials=[("new-key", "new-secret"), (KEY, SECRET)],
        )


@pytest.mark.parametrize(
    ("user_data", "digest"),
    [
        (USER_DATA, USER),
        (
            '{"id": "u-7", "user_info": {"name": "Ada"}, "watchlist": ["u-8", "u-9"]}',
            "0143941dee15216760be1443798e86dc1d5ade43f2e12c952896db893ea3a33c",
        ),
    ],
)
def test_computed_tokens_of_users(user_data: str, digest: str) -> None:
    """Protocol: §9.1."""
    token = f"{KEY}:{digest}"
    signatures.verify_signin(
        token, credentials=CREDENTIALS, socket_id=SOCKET_ID, user_data=user_data
    )
    assert token == signatures.sign_user(
        key=KEY, secret=SECRET, socket_id=SOCKET_ID, user_data=user_data
    )


def test_the_published_token_of_a_user() -> None:
    """Protocol: §6.2, the example that the hosted service publishes."""
    key, secret, socket_id = PUBLISHED
    signatures.verify_signin(
        f"{key}:4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba",
        credentials=[(key, secret)],
        socket_id=socket_id,
        user_data='{"id":"12345"}',
    )


@pytest.mark.parametrize(
    ("auth", "why"),
    [
        (None, "Missing auth"),
        ("", "Missing auth"),
        (f"{KEY}:{USER[:-1]}0", "Invalid signature"),
        (f"{KEY}::user::{USER}", "Invalid signature"),
        (f"{KEY}:é", "Invalid signature"),
        (f"other:{USER}", "Invalid key"),
        (USER, "Invalid key"),
    ],
)
def test_refused_tokens_of_users(auth: str | None, why: str) -> None:
    """Protocol: §9.1."""
    with pytest.raises(ProtocolError, match=why) as refusal:
        signatures.verify_signin(
            auth, credentials=CREDENTIALS, socket_id=SOCKET_ID, user_data=USER_DATA
        )
    assert refusal.value.code == 4009
    assert USER not in refusal.value.message


def test_the_token_of_a_channel_is_none_of_a_user() -> None:
    """The two texts cannot be mistaken for each other, since no channel's name holds a colon."""
    token = signatures.sign_channel(
        key=KEY, secret=SECRET, socket_id=SOCKET_ID, channel="private-a", channel_data=USER_DATA
    )
    with pytest.raises(ProtocolError):
        signatures.verify_signin(
            token, credentials=CREDENTIALS, socket_id=SOCKET_ID, user_data=USER_DATA
        )


def test_the_computed_signature_of_a_webhook() -> None:
    """Protocol: §13."""
    body = b'{"time_ms":1700000000000,"events":[{"name":"channel_occupied","channel":"orders"}]}'
    assert signatures.sign_webhook(SECRET, body) == (
        "7f54bb40bc28327e50b2eee720e1691011c3ef4b7396a1b71b740e3b97c53d38"
    )


@given(st.text(), st.text(min_size=1), st.text(), st.text())
def test_what_is_signed_verifies_and_nothing_else(
    secret: str, channel: str, channel_data: str, other: str
) -> None:
    token = signatures.sign_channel(
        key=KEY, secret=secret, socket_id=SOCKET_ID, channel=channel, channel_data=channel_data
    )
    credentials = [(KEY, secret)]
    verify(token, channel, channel_data, credentials=credentials)
    if other not in ("", channel_data):
        with pytest.raises(SubscriptionError):
            verify(token, channel, other, credentials=credentials)
    with pytest.raises(SubscriptionError):
        verify(other, channel, channel_data, credentials=credentials)
