"""Protocol: §5."""

import pytest

from fizz_gevent.protocol import names
from fizz_gevent.protocol.names import ChannelKind, kind_of

K = ChannelKind


@pytest.mark.parametrize(
    ("channel", "kind"),
    [
        ("orders", K.PUBLIC),
        ("#server-to-user-u-7", K.SERVER_TO_USER),
        ("private-encrypted-cache-vault", K.PRIVATE_ENCRYPTED_CACHE),
        ("private-encrypted-vault", K.PRIVATE_ENCRYPTED),
        ("private-cache-prices", K.PRIVATE_CACHE),
        ("private-orders.42", K.PRIVATE),
        ("presence-cache-room", K.PRESENCE_CACHE),
        ("presence-room.1", K.PRESENCE),
        ("cache-prices", K.CACHE),
        # Anchored, and with the dash: these look like others and are not.
        ("privateer", K.PUBLIC),
        ("private", K.PUBLIC),
        ("presence", K.PUBLIC),
        ("presences-x", K.PUBLIC),
        ("cached", K.PUBLIC),
        ("my-cache-x", K.PUBLIC),
        ("my-private-x", K.PUBLIC),
        ("Private-x", K.PUBLIC),
        ("private-encrypted", K.PRIVATE),
        ("private-encryptedcache-x", K.PRIVATE),
        ("private-cached-x", K.PRIVATE),
        ("presence-cached", K.PRESENCE),
        ("private-presence-x", K.PRIVATE),
        ("cache-private-x", K.CACHE),
    ],
)
def test_the_prefix_decides_the_kind(channel: str, kind: ChannelKind) -> None:
    """Protocol: §5, channel types."""
    assert kind_of(channel) is kind


@pytest.mark.parametrize(
    ("kind", "traits"),
    [
        (K.PUBLIC, "count"),
        (K.CACHE, "cache count"),
        (K.PRIVATE, "auth client count"),
        (K.PRIVATE_CACHE, "auth cache client count"),
        (K.PRIVATE_ENCRYPTED, "auth count encrypted"),
        (K.PRIVATE_ENCRYPTED_CACHE, "auth cache count encrypted"),
        (K.PRESENCE, "auth presence client"),
        (K.PRESENCE_CACHE, "auth presence cache client"),
        (K.SERVER_TO_USER, "auth user"),
    ],
)
def test_what_a_kind_allows(kind: ChannelKind, traits: str) -> None:
    """Protocol: §5, the table of channel types."""
    told = {
        "auth": kind.needs_auth,
        "presence": kind.is_presence,
        "cache": kind.is_cache,
        "client": kind.allows_client_events,
        "count": kind.has_count_events,
        "encrypted": kind.is_encrypted,
        "user": kind.is_server_to_user,
    }
    assert {trait for trait, holds in told.items() if holds} == set(traits.split())


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "ABCxyz019_-=@,.;",
        "private-",
        "#server-to-user-u-7",
        "#server-to-user-A_-=@,.;1",
        "x" * 164,
        "#server-to-user-" + "x" * 148,
    ],
)
def test_channel_names(name: str) -> None:
    assert names.is_channel_name(name, 164)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        "a\n",
        "\na",
        "a:b",
        "a/b",
        "a#b",
        "#a",
        "##server-to-user-u",
        "#server-to-user-",
        "#server-to-user-a b",
        "#server-to-user-#a",
        "#server-to-users-a",
        "x#server-to-user-a",
        "é",
        "\u0661",  # a digit, but not of ASCII
        "a\x00",
        "\U0001f600",
        "x" * 165,
        "#server-to-user-" + "x" * 149,
    ],
)
def test_not_channel_names(name: str) -> None:
    """Protocol: §5; ``#`` begins nothing but ``#server-to-user-…``, which counts as a whole."""
    assert not names.is_channel_name(name, 164)


@pytest.mark.parametrize("name", ["x", "order.created", "App\\Events\\X", "a b", "日本", "é" * 200])
def test_event_names(name: str) -> None:
    """Protocol: §5; 1 to 200 characters, whatever bytes they take."""
    assert names.is_event_name(name, 200)


@pytest.mark.parametrize("name", ["", "a\n", "a\x00b", "\x1b", "\x7f", "a\x85", "x" * 201])
def test_not_event_names(name: str) -> None:
    assert not names.is_event_name(name, 200)


@pytest.mark.parametrize(
    ("name", "is_reserved"),
    [
        ("pusher:ping", True),
        ("pusher:", True),
        ("pusher_internal:x", True),
        ("pusher", False),
        ("pushers:x", False),
        ("client-pusher:x", False),
        ("Pusher:x", False),
    ],
)
def test_reserved_event_names(name: str, is_reserved: bool) -> None:
    assert names.is_reserved_event(name) is is_reserved


@pytest.mark.parametrize("text", ["1.1", "483920.771204", "0.0", "1" * 30 + ".2"])
def test_socket_ids(text: str) -> None:
    """Protocol: §1.4."""
    assert names.is_socket_id(text)


@pytest.mark.parametrize(
    "text", ["", "1", "1.", ".1", "1.1\n", "1.1.1", "-1.1", "1,1", "a.b", " 1.1", "\u0661.\u0662"]
)
def test_not_socket_ids(text: str) -> None:
    assert not names.is_socket_id(text)


def test_user_ids_have_the_characters_of_channel_names() -> None:
    """Protocol: §5, §9.1."""
    assert names.is_user_id("A_-=@,.;1", 128)
    assert names.is_user_id("x" * 128, 128)
    for text in ("", "x" * 129, "a b", "a\n", "#a", "é", "a:b"):
        assert not names.is_user_id(text, 128)


def test_the_user_of_a_server_to_user_channel() -> None:
    assert names.user_of("#server-to-user-u-7") == "u-7"
    assert names.user_of(names.SERVER_TO_USER_PREFIX + "#") == "#"
