"""Signatures: what was signed is accepted, and nothing that says anything else.

A change may leave the signed text as it was, by a capital letter in a name or by one escape more;
then what is understood is the same too. Any other change has to be noticed.

Protocol: §6.2, §9.1, §12.1.
"""

from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from fizz_gevent.errors import ApiError, FizzError, ProtocolError, SubscriptionError
from fizz_gevent.protocol.signatures import verify_channel_auth, verify_request, verify_signin
from tests.fuzz.source import Source, changed
from tests.harness.signing import App

MAX_SIZE = 600
DICTIONARY = (b"auth_key=", b"&body_md5=", b"auth_signature=", b"%26", b"[]=", b"::user::", b":")
_APP = App()
_OTHER = App("1001", "older-key", "older-secret")
_CREDENTIALS = ((_APP.key, _APP.secret), (_OTHER.key, _OTHER.secret))
_NOW = 1_700_000_000
_PARAMETERS = ("info", "filter_by_prefix", "socket_id")


def seeds() -> Iterator[bytes]:
    """Each kind, unchanged and with one byte changed."""
    for kind in range(3):
        for place in range(0, 250, 25):
            yield bytes((kind, 5, *b"hello", 2, *b"ab", 1, 4, *b"text", 1, 0, place, 4, 1))
        yield bytes((kind,))


def run(data: bytes) -> None:
    """Sign something, see it accepted, change it, and see it refused."""
    source = Source(data)
    (_request, _channel, _user)[source.whole(0, 2)](source)


def _request(source: Source) -> None:
    body = source.chunk()
    path = f"/apps/1001/{source.choice(('events', 'channels', 'channels/a%2Cb'))}"
    method = source.choice(("POST", "GET"))
    app = source.choice((_APP, _OTHER))
    some = {name: source.text(20) for name in _PARAMETERS if source.whole(0, 3) == 3}
    query = app.signed_query(method, path, some, body, timestamp=_NOW)
    signed = {_text(method, path, query)}

    def accepts(method: str, target: str, body: bytes, now: int = _NOW) -> bool:
        try:
            verify_request(
                method=method,
                target=target,
                prefix="/fizz",
                body=body,
                credentials=_CREDENTIALS,
                now=now,
            )
        except ApiError as refusal:
            assert refusal.status in (400, 401)
            assert app.secret not in refusal.message
            assert app.sign(_text(method, *_parted(target)).decode(errors="replace")) not in (
                refusal.message
            )
            return False
        return True

    assert accepts(method, f"{path}?{query}", body)
    assert accepts(method, f"/fizz{path}?{query}", body)
    assert not accepts(method, f"{path}?{query}", body, now=_NOW + 600)
    assert not accepts(method, f"{path}?{query}", body + b"x")
    assert not accepts({"POST": "GET", "GET": "POST"}[method], f"{path}?{query}", body)
    other = changed(f"{path}?{query}".encode(), source).decode("latin-1")
    if accepts(method, other, body):
        found = {_text(method, *_parted(other))}
        where, _, rest = other.partition("?")
        found.add(_text(method, unquote_to_bytes(where.encode("latin-1")).decode("latin-1"), rest))
        assert found & signed, f"accepted {other!r} for {path}?{query}"
    noise = source.rest().decode("latin-1")
    assert not accepts(method, noise, body)


def _parted(target: str) -> tuple[str, str]:
    path, _, query = target.partition("?")
    return path, query


def _text(method: str, path: str, query: str) -> bytes:
    """What is signed, from the words of the protocol; an array as it stands."""
    pairs = []
    for piece in query.encode("latin-1").split(b"&"):
        name, _, value = piece.partition(b"=")
        name = unquote_to_bytes(name).decode(errors="replace").lower().encode()
        if piece and name != b"auth_signature":
            pairs.append((name, unquote_to_bytes(value)))
    pairs.sort(key=lambda pair: pair[0])
    joined = b"&".join(b"%b=%b" % pair for pair in pairs)
    return b"\n".join((method.encode(), path.encode("latin-1"), joined))


def _channel(source: Source) -> None:
    socket_id, channel = "12.34", f"private-{source.text(30)}"
    channel_data = source.text() if source.whole(0, 1) else None

    def accepts(auth: str, socket_id: str, channel: str, channel_data: str | None) -> bool:
        try:
            verify_channel_auth(
                auth,
                credentials=_CREDENTIALS,
                socket_id=socket_id,
                channel=channel,
                channel_data=channel_data,
            )
        except SubscriptionError as refusal:
            _expect_discreet(refusal)
            return False
        return True

    auth = _APP.channel_auth(socket_id, channel, channel_data)
    assert accepts(auth, socket_id, channel, channel_data)
    assert not accepts(auth, "12.35", channel, channel_data)
    assert not accepts(auth, socket_id, channel + "x", channel_data)
    assert not accepts(auth, socket_id, channel, (channel_data or "") + "x")
    other = changed(auth.encode(), source).decode(errors="replace")
    assert other == auth or not accepts(other, socket_id, channel, channel_data)
    noise = source.rest().decode(errors="replace")
    assert not accepts(noise, socket_id, channel, channel_data)


def _user(source: Source) -> None:
    user_data = source.text()

    def accepts(auth: str, socket_id: str, user_data: str) -> bool:
        try:
            verify_signin(auth, credentials=_CREDENTIALS, socket_id=socket_id, user_data=user_data)
        except ProtocolError as refusal:
            _expect_discreet(refusal)
            return False
        return True

    auth = _OTHER.user_auth("1.2", user_data)
    assert accepts(auth, "1.2", user_data)
    assert not accepts(auth, "1.3", user_data)
    assert not accepts(auth, "1.2", user_data + " ")
    other = changed(auth.encode(), source).decode(errors="replace")
    assert other == auth or not accepts(other, "1.2", user_data)
    # A subscription's signature is none for a sign-in, whatever the channel is called.
    assert not accepts(_OTHER.channel_auth("1.2", user_data), "1.2", user_data)


def _expect_discreet(refusal: FizzError) -> None:
    assert _APP.secret not in str(refusal)
    assert _OTHER.secret not in str(refusal)
