"""Names of channels, events, sockets and users, against rules spelt out character by character.

Protocol: §5.
"""

from collections.abc import Iterator

from fizz_gevent.protocol import names

MAX_SIZE = 400
_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-=@,.;")
_DIGITS = frozenset("0123456789")
_PREFIXES = (
    *("#server-to-user-", "private-encrypted-cache-", "private-encrypted-", "private-cache-"),
    *("private-", "presence-cache-", "presence-", "cache-"),
)
DICTIONARY = (
    *(prefix.encode() for prefix in _PREFIXES),
    b"pusher:",
    b"1.1",
    b"\n",
    "\x85".encode(),
)


def seeds() -> Iterator[bytes]:
    """A name of each kind, and some that are none."""
    for prefix in ("", *_PREFIXES):
        yield f"{prefix}room".encode()
    for text in ("", "1.1", "12345.67890", "1.", ".1", "1.1\n", "a b", "é", "\x00", "x" * 165):
        yield text.encode()
    yield from (b"pusher:error", b"pusher_internal:x", b"client-x", "١.١".encode())


def run(data: bytes) -> None:
    """Ask everything about one text."""
    name = data.decode(errors="surrogateescape")
    rest = name.removeprefix("#server-to-user-")
    is_word = bool(rest) and set(rest) <= _WORD
    assert names.is_channel_name(name, 164) == (is_word and len(name) <= 164)
    assert names.is_user_id(name, 128) == (bool(name) and set(name) <= _WORD and len(name) <= 128)
    is_plain = not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in name)
    assert names.is_event_name(name, 200) == (is_plain and 0 < len(name) <= 200)
    whole, dot, part = name.partition(".")
    is_socket = bool(dot and whole and part) and set(whole + part) <= _DIGITS
    assert names.is_socket_id(name) == is_socket
    kind = names.kind_of(name)
    assert kind.prefix == next((prefix for prefix in _PREFIXES if name.startswith(prefix)), "")
    assert names.is_reserved_event(name) == (
        name[:7] == "pusher:" or name[:16] == "pusher_internal:"
    )
    if kind.is_server_to_user:
        assert kind.prefix + names.user_of(name) == name
