"""HMAC-SHA256 signatures: of subscriptions, of users, of HTTP requests and of webhooks.

Where ``credentials`` are asked for, they are all the pairs of key and secret that are valid for the
application now: the current one, and after a rotation the one before.

Digests are compared in constant time, and an error never tells the right one.

Protocol: §6.2 subscriptions, §9.1 users, §12.1 HTTP requests, §13 webhooks.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from fizz_gevent.errors import ApiError, ProtocolError, SubscriptionError
from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.protocol.query import folded as folded
from fizz_gevent.protocol.query import parse_query as parse_query

AUTH_VERSION: Final = "1.0"
TIMESTAMP_WINDOW_SECONDS: Final = 600

_TIMESTAMP = re.compile(r"[0-9]{1,15}")
_MD5_OF_NOTHING = hashlib.md5(b"", usedforsecurity=False).hexdigest()
_EXCERPT_LENGTH = 500
_NOBODYS = ("nobody's",)
"""To check by where the key is unknown, so that this takes as long as a wrong signature."""
_by_key = itemgetter(0)


def verify_channel_auth(
    auth: str | None,
    *,
    credentials: Sequence[tuple[str, str]],
    socket_id: str,
    channel: str,
    channel_data: str | None,
) -> None:
    """Check the token that a client presents to join a private or presence channel.

    Args:
        auth: ``"<app key>:<hex sha256>"``, as the client sent it.
        channel_data: The presence JSON *as received*; re-encoding it breaks the signature.

    Raises:
        SubscriptionError: There is no token, its key is another application's, or the digest
            differs.

    Protocol: §6.2, §6.3.
    """
    if not auth:
        why = f"Missing auth for channel {channel}"
    else:
        key, _, signature = auth.partition(":")
        secrets = [secret for known, secret in credentials if known == key]
        text = _channel_text(socket_id, channel, channel_data)
        if _is_one_of(signature, secrets, text):
            return
        if secrets:
            why = f"Invalid signature for channel {channel}"
        else:
            why = f"Invalid key in subscription auth data for channel {channel}"
    raise SubscriptionError(why, channel=channel, code=CloseCode.UNAUTHORIZED)


def verify_signin(
    auth: str | None, *, credentials: Sequence[tuple[str, str]], socket_id: str, user_data: str
) -> None:
    """Check the token that a client presents to be a user.

    Args:
        user_data: The user's JSON *as received*.

    Raises:
        ProtocolError: There is no token, its key is another application's, or the digest differs.

    Protocol: §9.1.
    """
    if not auth:
        why = "Missing auth for signin"
    else:
        key, _, signature = auth.partition(":")
        secrets = [secret for known, secret in credentials if known == key]
        text = _user_text(socket_id, user_data)
        if _is_one_of(signature, secrets, text):
            return
        why = "Invalid signature for signin" if secrets else "Invalid key in signin auth data"
    raise ProtocolError(why, CloseCode.UNAUTHORIZED)


def verify_request(
    *,
    method: str,
    target: str,
    prefix: str,
    body: bytes,
    credentials: Sequence[tuple[str, str]],
    now: float,
) -> list[tuple[str, str]]:
    """Check that the application itself sent this HTTP request, just now; return its parameters.

    Args:
        target: Path and query of the request line, not decoded, one character a byte (latin-1).
        prefix: The configured path prefix, such as ``/fizz``, which is never signed; or ``""``.
        body: The raw bytes that came.
        credentials: Those of the application that the path names.
        now: Unix seconds.

    Raises:
        ApiError: 401, and the message says which check failed; 400 for an unreadable query.

    Protocol: §12.1 steps 2-7, in that order.
    """
    path, _, query = target.partition("?")
    pairs = parse_query(query)
    parameters = dict(pairs)
    has_arrays = "]" in "".join(parameters)
    if has_arrays or len(parameters) != len(pairs):
        _refuse_ambiguous_auth(pairs)

    key = parameters.get("auth_key")
    if key is None:
        raise ApiError(401, "auth_key is missing")
    secrets = [secret for known, secret in credentials if known == key]
    if not secrets:
        raise ApiError(401, f"auth_key {key[:100]!r} is not a key of this application")
    version = parameters.get("auth_version")
    if version != AUTH_VERSION:
        told = "is missing" if version is None else f"is {version[:100]!r}"
        raise ApiError(401, f"auth_version {told}; it must be {AUTH_VERSION}")
    _check_timestamp(parameters.get("auth_timestamp"), now)
    _check_body(parameters.get("body_md5"), body)
    signature = parameters.get("auth_signature")
    if signature is None:
        raise ApiError(401, "auth_signature is missing")

    if prefix and path.startswith(prefix + "/"):
        path = path[len(prefix) :]
    texts = _request_texts(method, path, pairs, has_arrays=has_arrays)
    if not any(_is_signature(signature, secret, text) for text in texts for secret in secrets):
        signed = texts[0].decode(errors="replace")[:_EXCERPT_LENGTH]
        raise ApiError(
            401,
            "auth_signature is wrong; it must be the hex HMAC-SHA256, with the secret of "
            f"auth_key, of {signed!r}",
        )
    return pairs


def sign_channel(
    *, key: str, secret: str, socket_id: str, channel: str, channel_data: str | None = None
) -> str:
    """The ``auth`` of a subscription, as an application's back end makes it. Protocol: §6.2."""
    return f"{key}:{_sign(secret, _channel_text(socket_id, channel, channel_data))}"


def sign_user(*, key: str, secret: str, socket_id: str, user_data: str) -> str:
    """The ``auth`` of a sign-in, as an application's back end makes it. Protocol: §9.1."""
    return f"{key}:{_sign(secret, _user_text(socket_id, user_data))}"


def sign_request(
    *,
    method: str,
    path: str,
    key: str,
    secret: str,
    timestamp: int,
    body: bytes = b"",
    parameters: Iterable[tuple[str, str]] = (),
) -> str:
    """The query string that makes a request the application's own.

    Args:
        path: From ``/apps/``, without any prefix, as it will be sent.
        parameters: What else the query holds, not escaped.

    Protocol: §12.1.
    """
    pairs = [
        *parameters,
        ("auth_key", key),
        ("auth_timestamp", str(timestamp)),
        ("auth_version", AUTH_VERSION),
    ]
    if body:
        pairs.append(("body_md5", hashlib.md5(body, usedforsecurity=False).hexdigest()))
    text = b"%b\n%b\n%b" % (method.encode(), path.encode(), _joined(pairs))
    pairs.append(("auth_signature", _sign(secret, text)))
    return "&".join(f"{quote(name, safe='[]')}={quote(value, safe='')}" for name, value in pairs)


def sign_webhook(secret: str, body: bytes) -> str:
    """The ``X-Pusher-Signature`` of a webhook's body. Protocol: §13."""
    return _sign(secret, body)


@lru_cache(maxsize=1024)
def _keyed(secret: str) -> hmac.HMAC:
    """An HMAC that has digested its key: copying it costs a third of setting it up."""
    return hmac.new(secret.encode(), digestmod="sha256")


def _sign(secret: str, text: bytes) -> str:
    digest = _keyed(secret).copy()
    digest.update(text)
    return digest.hexdigest()


def _is_one_of(signature: str, secrets: Sequence[str], text: bytes) -> bool:
    """Whether one of these secrets has made it; without any, the same is done for nothing."""
    is_signature = any(_is_signature(signature, secret, text) for secret in secrets or _NOBODYS)
    return is_signature and bool(secrets)


def _is_signature(signature: str, secret: str, text: bytes) -> bool:
    # As bytes, because compare_digest refuses strings that are not ASCII.
    return hmac.compare_digest(signature.encode(), _sign(secret, text).encode())


def _channel_text(socket_id: str, channel: str, channel_data: str | None) -> bytes:
    if channel_data:  # SDKs sign it with any kind of channel, and an empty one with none
        return f"{socket_id}:{channel}:{channel_data}".encode()
    return f"{socket_id}:{channel}".encode()


def _user_text(socket_id: str, user_data: str) -> bytes:
    return f"{socket_id}::user::{user_data}".encode()


def _refuse_ambiguous_auth(pairs: list[tuple[str, str]]) -> None:
    """Nobody shall check one ``body_md5`` and sign another, by repeating it or as an array."""
    seen = set()
    for name, _ in pairs:
        if name.startswith(("auth_", "body_md5")):
            if name in seen:
                raise ApiError(401, f"{name[:100]} is given more than once")
            if name.endswith("]"):
                raise ApiError(401, f"{name[:100]} must not be an array")
            seen.add(name)


def _check_timestamp(timestamp: str | None, now: float) -> None:
    if timestamp is None:
        raise ApiError(401, "auth_timestamp is missing")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise ApiError(401, "auth_timestamp must be an integer, in Unix seconds")
    if abs(now - int(timestamp)) >= TIMESTAMP_WINDOW_SECONDS:
        raise ApiError(
            401,
            f"auth_timestamp {timestamp} is {TIMESTAMP_WINDOW_SECONDS} seconds or more away from "
            f"the server's clock, which is at {int(now)}",
        )


def _check_body(body_md5: str | None, body: bytes) -> None:
    """Tie the body to the signature, which covers only its MD5."""
    if body_md5 is None:
        if body:
            raise ApiError(401, "body_md5 is missing, and the body is not empty")
        return
    received = hashlib.md5(body, usedforsecurity=False).hexdigest() if body else _MD5_OF_NOTHING
    if body_md5 != received:
        raise ApiError(
            401, f"body_md5 is {body_md5[:100]!r}, but the MD5 of the body received is {received}"
        )


def _request_texts(
    method: str, path: str, pairs: list[tuple[str, str]], *, has_arrays: bool
) -> list[bytes]:
    """Every text that an SDK may have signed for this request, the likeliest first.

    Most SDKs sign the path that they send, some the one before escaping. Ruby signs an array as it
    sends it, ``k[]=a&k[]=b``; PHP signs ``k=a,b`` and sends ``k[0]=a&k[1]=b``.
    """
    paths = [path.encode("latin-1", "replace")]
    if "%" in path:
        paths.append(unquote_to_bytes(paths[0]))
    queries = [_joined(pairs)]
    if has_arrays:
        queries.append(_joined(folded(pairs).items()))
    return [b"%b\n%b\n%b" % (method.encode(), p, q) for p in paths for q in queries]


def _joined(pairs: Iterable[tuple[str, str]]) -> bytes:
    """The parameters as they are signed: sorted by key alone, nothing escaped."""
    return "&".join(
        [
            f"{name}={value}"
            for name, value in sorted(pairs, key=_by_key)
            if name != "auth_signature"
        ]
    ).encode()
