"""What the server says: one function per event, each returns a UTF-8 JSON payload.

The one rule: ``data`` is a *string* of JSON, but an object in ``pusher:error``,
``pusher:subscription_error`` and ``pusher:signin_success``; official clients lose it in any other
form. Keys stand in the order event, channel, data, user_id.

Strings must not hold lone surrogates. Nothing that was parsed by orjson does.

Protocol: §2.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from orjson import Fragment, dumps

from fizz_gevent.errors import SubscriptionError
from fizz_gevent.protocol.members import Member

_PING = b'{"event":"pusher:ping","data":"{}"}'
_PONG = b'{"event":"pusher:pong","data":"{}"}'


def connection_established(socket_id: str, activity_timeout: int) -> bytes:
    """The first message on every connection. Protocol: §1.4."""
    data = {"socket_id": socket_id, "activity_timeout": activity_timeout}
    return dumps({"event": "pusher:connection_established", "data": _text(data)})


def ping() -> bytes:
    """Ask the client whether it is there. Protocol: §3."""
    return _PING


def pong() -> bytes:
    """Answer the client's ``pusher:ping``. Protocol: §3."""
    return _PONG


def error(code: int | None, message: str) -> bytes:
    """Tell the client what went wrong, in an object. Protocol: §4.1."""
    return dumps({"event": "pusher:error", "data": {"code": code, "message": message}})


def subscription_succeeded(channel: str) -> bytes:
    """Confirm a subscription to a channel without presence. Protocol: §6.1."""
    return dumps(
        {"event": "pusher_internal:subscription_succeeded", "channel": channel, "data": "{}"}
    )


def presence_succeeded(channel: str, roster: Mapping[str, bytes]) -> bytes:
    """Confirm a subscription to a presence channel, and say who is there.

    Args:
        roster: ``user_id`` to ``user_info`` as compact JSON, the joiner included.

    Protocol: §7.1.
    """
    users = {user_id: Fragment(user_info) for user_id, user_info in roster.items()}
    data = {"presence": {"count": len(users), "ids": list(users), "hash": users}}
    return dumps(
        {
            "event": "pusher_internal:subscription_succeeded",
            "channel": channel,
            "data": _text(data),
        }
    )


def member_added(channel: str, member: Member) -> bytes:
    """Tell the others that a user has come. Protocol: §7.2."""
    data = {"user_id": member.user_id, "user_info": Fragment(member.user_info)}
    return dumps({"event": "pusher_internal:member_added", "channel": channel, "data": _text(data)})


def member_removed(channel: str, user_id: str) -> bytes:
    """Tell the others that a user has gone. Protocol: §7.2."""
    data = {"user_id": user_id}
    return dumps(
        {"event": "pusher_internal:member_removed", "channel": channel, "data": _text(data)}
    )


def subscription_error(refusal: SubscriptionError) -> bytes:
    """Tell the channel why it has no new subscriber, in an object.

    Protocol: §6.3. ``error`` goes along, for the clients that hear only that.
    """
    data = {"type": refusal.type, "error": refusal.message, "status": refusal.status}
    return dumps({"event": "pusher:subscription_error", "channel": refusal.channel, "data": data})


def channel_event(name: str, channel: str, data: str, user_id: str | None = None) -> bytes:
    """An event as its subscribers get it.

    Args:
        data: The publisher's string, untouched.
        user_id: Who sent a client event in a presence channel.

    Protocol: §6.6, §8.
    """
    if user_id is None:
        return dumps({"event": name, "channel": channel, "data": data})
    return dumps({"event": name, "channel": channel, "data": data, "user_id": user_id})


def cache_miss(channel: str) -> bytes:
    """Tell a new subscriber that a cache channel has nothing for it. Protocol: §10."""
    return dumps({"event": "pusher:cache_miss", "channel": channel, "data": "{}"})


def subscription_count(channel: str, count: int) -> bytes:
    """Tell subscribers how many they are. Protocol: §11."""
    data = {"subscription_count": count}
    return dumps(
        {"event": "pusher_internal:subscription_count", "channel": channel, "data": _text(data)}
    )


def signin_success(user_data: str) -> bytes:
    """Confirm a sign-in, in an object that echoes what was signed. Protocol: §9.1."""
    return dumps({"event": "pusher:signin_success", "data": {"user_data": user_data}})


def watchlist_events(online: Sequence[str], offline: Sequence[str]) -> bytes:
    """Tell a watcher who has come and who has gone; a group without anybody is left out.

    Protocol: §9.3. Where both are empty there is nothing to tell, and the caller does not ask.
    """
    groups = [
        {"name": name, "user_ids": list(user_ids)}
        for name, user_ids in (("online", online), ("offline", offline))
        if user_ids
    ]
    return dumps({"event": "pusher_internal:watchlist_events", "data": _text({"events": groups})})


def _text(data: dict[str, Any]) -> str:
    return dumps(data).decode()
