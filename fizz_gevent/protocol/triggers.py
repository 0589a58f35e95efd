"""What a back end asks to be published: bodies of HTTP API requests into events.

Protocol: §12.3 one event for several channels, §12.4 several events, §5 limits.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import orjson

from fizz_gevent.application import Application
from fizz_gevent.errors import ApiError
from fizz_gevent.protocol.names import (
    is_channel_name,
    is_event_name,
    is_reserved_event,
    is_socket_id,
    kind_of,
)

EVENT_INFO: Final = frozenset({"user_count", "subscription_count"})
"""What a publisher may ask about the channels that it publishes to."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event to publish, valid in every respect.

    Attributes:
        channels: At least one, each once.
        data: The string that subscribers get.
        socket_id: The connection that gets nothing.
        info: What to answer about the channels, of ``EVENT_INFO``.
    """

    name: str
    channels: tuple[str, ...]
    data: str
    socket_id: str | None
    info: tuple[str, ...]


def parse_trigger(body: bytes, app: Application) -> Event:
    """Read the body of ``POST /apps/<app_id>/events``.

    Raises:
        ApiError: 413 where ``data`` is too large, 400 where anything else is wrong.

    Protocol: §12.3.
    """
    fields = _object(body)
    channels = fields.get("channels")
    if channels is None:
        channels = [_one_channel(fields, "")]
    elif type(channels) is not list:
        raise ApiError(400, "channels must be an array of strings")
    # The first check bounds the second: only strings can be folded.
    for channel in channels:
        _check_channel(channel, app, "")
    unique = tuple(dict.fromkeys(channels))
    if not 1 <= len(unique) <= app.max_channels_per_event:
        raise ApiError(
            400, f"channels must hold 1 to {app.max_channels_per_event}, not {len(unique)}"
        )
    if len(unique) > 1 and any(kind_of(channel).is_encrypted for channel in unique):
        # Each has a key of its own, so one ciphertext cannot be meant for two.
        raise ApiError(400, "An event for an encrypted channel must have no other channel")
    return _event(fields, unique, app, "")


def parse_batch(body: bytes, app: Application) -> tuple[Event, ...]:
    """Read the body of ``POST /apps/<app_id>/batch_events``; one bad event refuses them all.

    Raises:
        ApiError: 413 where ``data`` of one is too large, 400 where anything else is wrong.

    Protocol: §12.4.
    """
    batch = _object(body).get("batch")
    if type(batch) is not list:
        raise ApiError(400, "batch must be an array of events")
    if not 1 <= len(batch) <= app.max_events_per_batch:
        raise ApiError(
            400, f"batch must hold 1 to {app.max_events_per_batch} events, not {len(batch)}"
        )
    events = []
    for index, fields in enumerate(batch):
        where = f"batch[{index}]: "
        if type(fields) is not dict:
            raise ApiError(400, f"{where}an event must be an object")
        channel = _one_channel(fields, where)
        _check_channel(channel, app, where)
        events.append(_event(fields, (channel,), app, where))
    return tuple(events)


def parse_info(text: str, allowed: Collection[str], where: str = "") -> tuple[str, ...]:
    """Take apart a comma list of attributes, each once; nothing asked is nothing answered.

    Args:
        where: What an error begins with.

    Raises:
        ApiError: 400; an attribute that is not ``allowed``.
    """
    if not text:
        return ()
    attributes = tuple(dict.fromkeys(text.split(",")))
    for attribute in attributes:
        if attribute not in allowed:
            raise ApiError(
                400,
                f"{where}info {attribute[:100]!r} is not available here; known: "
                f"{', '.join(sorted(allowed))}",
            )
    return attributes


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"The body is not JSON: {error}") from None
    if type(value) is not dict:
        raise ApiError(400, "The body must be a JSON object")
    return value


def _one_channel(fields: dict[str, Any], where: str) -> Any:
    channel = fields.get("channel")
    if channel is None:
        raise ApiError(400, f"{where}channel is missing")
    return channel


def _check_channel(channel: Any, app: Application, where: str) -> None:
    if type(channel) is not str:
        raise ApiError(400, f"{where}a channel must be a string")
    if not is_channel_name(channel, app.max_channel_name_length):
        raise ApiError(
            400,
            f"{where}invalid channel name {channel[:200]!r}: at most "
            f"{app.max_channel_name_length} of A-Z a-z 0-9 _ - = @ , . ;",
        )


def _event(
    fields: dict[str, Any], channels: tuple[str, ...], app: Application, where: str
) -> Event:
    name = fields.get("name")
    if type(name) is not str:
        raise ApiError(400, f"{where}name {'is missing' if name is None else 'must be a string'}")
    if not is_event_name(name, app.max_event_name_length):
        raise ApiError(
            400,
            f"{where}invalid event name {name[:200]!r}: 1 to {app.max_event_name_length} "
            "characters, none of them control characters",
        )
    if is_reserved_event(name):
        raise ApiError(400, f"{where}event names that begin with pusher: are the server's own")

    socket_id = fields.get("socket_id")
    if socket_id is not None and not (type(socket_id) is str and is_socket_id(socket_id)):
        raise ApiError(400, f"{where}socket_id must look like 123.456")

    info = fields.get("info")
    if info is None:
        info = ""
    elif type(info) is not str:
        raise ApiError(400, f"{where}info must be a comma-separated string")

    data = _data(fields, app, where)
    return Event(name, channels, data, socket_id, parse_info(info, EVENT_INFO, where))


def _data(fields: dict[str, Any], app: Application, where: str) -> str:
    """The final ``data`` string; any other value than a string becomes compact JSON."""
    if "data" not in fields:
        raise ApiError(400, f"{where}data is missing")
    data = fields["data"]
    if type(data) is str:
        size = len(data) if data.isascii() else len(data.encode())
    else:
        try:
            encoded = orjson.dumps(data)
        except orjson.JSONEncodeError:  # it reads 1024 levels deep and writes 254
            raise ApiError(400, f"{where}data is nested too deeply") from None
        data, size = encoded.decode(), len(encoded)
    if size > app.max_event_size:
        raise ApiError(
            413, f"{where}data has {size} bytes; at most {app.max_event_size} are allowed"
        )
    return data
