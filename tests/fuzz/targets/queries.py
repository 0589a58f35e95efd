"""Query strings: what is signed and what is understood are the same parameters.

Protocol: §12.1 step 6.
"""

from collections.abc import Iterator
from urllib.parse import quote, unquote_to_bytes

from fizz_gevent.errors import ApiError
from fizz_gevent.protocol.query import MAX_PARAMETERS, folded, parse_query
from fizz_gevent.protocol.triggers import parse_info

MAX_SIZE = 1024
DICTIONARY = (
    b"auth_key=",
    b"auth_signature=",
    b"info=",
    b"[]=",
    b"[0]=",
    b"%26",
    b"%3D",
    b"%",
    b"&&",
)


def seeds() -> Iterator[bytes]:
    """What SDKs send, and arrays."""
    yield b"auth_key=k&auth_timestamp=1&auth_version=1.0&body_md5=x&auth_signature=y"
    yield b"info=user_count,subscription_count&filter_by_prefix=presence-%2B+x"
    yield b"k[]=a&k[]=b&k[1]=c&K=d&=&&x&%61=%c3%a9"


def run(data: bytes) -> None:
    """Take a query apart, and put it together again."""
    query = data.decode("latin-1")
    pieces = [piece for piece in query.split("&") if piece]
    try:
        pairs = parse_query(query)
    except ApiError as refusal:
        assert refusal.status == 400
        assert len(query.split("&")) > MAX_PARAMETERS or not _is_utf8(pieces)
        return
    assert len(pairs) == len(pieces)
    for (key, value), piece in zip(pairs, pieces, strict=True):
        name, _, text = piece.encode("latin-1").partition(b"=")
        assert key == unquote_to_bytes(name).decode().lower()
        assert value == unquote_to_bytes(text).decode()
    again = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in pairs)
    assert parse_query(again) == [(key.lower(), value) for key, value in pairs]
    values = folded(pairs)
    assert len(values) <= len(pairs)
    try:
        parse_info(values.get("info", ""), ("user_count", "subscription_count"))
    except ApiError as refusal:
        assert refusal.status == 400


def _is_utf8(pieces: list[str]) -> bool:
    try:
        for piece in pieces:
            for part in piece.encode("latin-1").split(b"="):
                unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        return False
    return True
