"""What channels may be called, and what the prefix makes of them."""

from collections.abc import Callable

import pytest

from tests.harness.refusals import expect_refusal
from tests.harness.server import FizzServer
from tests.harness.signing import App

OPEN = App("1001", "open-key", "open-secret")
COUNTING = App("1002", "counting-key", "counting-secret")
SHORT = App("1003", "short-key", "short-secret")

SUCCEEDED = "pusher_internal:subscription_succeeded"


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(
        apps=[
            OPEN.settings(),
            COUNTING.settings(subscription_counts=True),
            SHORT.settings(max_channel_name_length=20),
        ]
    )


@pytest.mark.parametrize(
    "channel",
    ["a", "Orders_1-=@,.;", "0", "-", "x" * 164, "private-" + "x" * 156, "privateer", "."],
)
def test_good_names(server: FizzServer, channel: str) -> None:
    """Protocol: §5, characters and length."""
    with server.client(OPEN) as client:
        client.subscribe(channel)


@pytest.mark.parametrize(
    "channel",
    [
        "",
        "with space",
        "a:b",
        "a/b",
        "a#b",
        "a\n",
        "ä",
        "x" * 165,
        "private-" + "x" * 157,
        "#",
        "#server-to-user-",
        "#server-to-user",
        "#server-to-user-a b",
        "#private-orders",
        "##server-to-user-ann",
        "presence-a b",
    ],
)
def test_bad_names(server: FizzServer, channel: str) -> None:
    """Protocol: §5; §6.3 "invalid or too long channel name, bad #"; §14 "channel name"."""
    with server.client(OPEN) as client:
        client.request_subscription(channel)
        expect_refusal(client, channel, "InvalidChannel", 400, None)


def test_the_length_of_a_name_is_the_applications(server: FizzServer) -> None:
    """Protocol: §5 "Fizz": all numbers are per-app settings; the prefix is included."""
    with server.client(SHORT) as client:
        client.subscribe("private-" + "x" * 12)
        client.request_subscription("private-" + "x" * 13)
        expect_refusal(client, "private-" + "x" * 13, "InvalidChannel", 400, None)


KINDS = [
    # prefix, needs auth, presence, cache, client events, count events
    ("private-encrypted-cache-", True, False, True, False, True),
    ("private-encrypted-", True, False, False, False, True),
    ("private-cache-", True, False, True, True, True),
    ("private-", True, False, False, True, True),
    ("presence-cache-", True, True, True, True, False),
    ("presence-", True, True, False, True, False),
    ("cache-", False, False, True, False, True),
    ("", False, False, False, False, True),
    # The dash belongs to the prefix, and it stands at the beginning only.
    ("privateer-", False, False, False, False, True),
    ("private_", False, False, False, False, True),
    ("presence.", False, False, False, False, True),
    ("my-cache-", False, False, False, False, True),
    ("my-private-", False, False, False, False, True),
    ("Private-", False, False, False, False, True),
    ("encrypted-", False, False, False, False, True),
    ("private-encrypted", True, False, False, True, True),
    ("private-presence-", True, False, False, True, True),
    ("cachet-", False, False, False, False, True),
]


@pytest.mark.parametrize(
    ("prefix", "needs_auth", "is_presence", "is_cache", "takes_client_events", "has_counts"), KINDS
)
def test_a_prefix_decides_everything(
    server: FizzServer,
    prefix: str,
    needs_auth: bool,
    is_presence: bool,
    is_cache: bool,
    takes_client_events: bool,
    has_counts: bool,
) -> None:
    """Protocol: §5, channel types; §6.5, the order of the frames."""
    channel = f"{prefix}kind"
    with server.client(COUNTING) as first, server.client(COUNTING) as client:
        client.request_subscription(channel, auth="", user_id="ann" if is_presence else None)
        answers = [event["event"] for event in client.pending()]
        refused = ["pusher:subscription_error", "pusher:error"]
        if needs_auth:
            assert answers == refused
            first.subscribe(channel, user_id="bob" if is_presence else None)
            first.pending()
            client.request_subscription(channel, user_id="ann" if is_presence else None)
            answers = [event["event"] for event in client.pending()]
        else:
            client.unsubscribe(channel)
            client.pending()
            first.subscribe(channel)
            first.pending()
            client.request_subscription(channel)
            answers = [event["event"] for event in client.pending()]
        assert answers == [
            SUCCEEDED,
            *(["pusher:cache_miss"] if is_cache else []),
            *(["pusher_internal:subscription_count"] if has_counts else []),
        ]
        assert [event["event"] for event in first.pending()] == [
            *(["pusher_internal:member_added"] if is_presence else []),
            *(["pusher_internal:subscription_count"] if has_counts else []),
        ]
        client.trigger("client-hi", channel, {})
        reply = [event["event"] for event in client.pending()]
        heard = [event["event"] for event in first.pending()]
        if takes_client_events:
            assert (reply, heard) == ([], ["client-hi"])
        else:
            assert (reply, heard) == (["pusher:error"], [])
