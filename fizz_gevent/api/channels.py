"""Routes that tell which channels there are, who is in them, and how many."""

import math
from collections.abc import Mapping

from flask import Blueprint

from fizz_gevent.api.gate import Gate
from fizz_gevent.api.info import counted
from fizz_gevent.api.request import ApiRequest
from fizz_gevent.errors import ApiError
from fizz_gevent.protocol.names import ChannelKind, is_channel_name, kind_of
from fizz_gevent.protocol.triggers import parse_info
from fizz_gevent.service.back_ends import BackEnd
from fizz_gevent.service.directory import Directory

_INFO_OF_MANY = ("user_count", "subscription_count")
_INFO_OF_ONE = ("user_count", "subscription_count", "cache")


def create_blueprint(gate: Gate, directory: Directory) -> Blueprint:
    """The routes below ``/apps/<app_id>``."""
    blueprint = Blueprint("channels", __name__)

    @blueprint.get("/channels")
    @gate.read
    def channels(back_end: BackEnd, request: ApiRequest) -> Mapping[str, object]:
        """The occupied channels. Protocol: §12.5."""
        query = back_end.query()
        prefix = query.get("filter_by_prefix", "")
        info = parse_info(query.get("info", ""), _INFO_OF_MANY)
        if "user_count" in info and not prefix.startswith(ChannelKind.PRESENCE.prefix):
            raise ApiError(400, "user_count needs a filter_by_prefix that starts with 'presence-'")
        found = directory.channels(back_end.application, prefix)
        return {"channels": {name: counted(counts, info) for name, counts in found.items()}}

    @blueprint.get("/channels/<channel>")
    @gate.read
    def channel(back_end: BackEnd, request: ApiRequest, channel: str) -> Mapping[str, object]:
        """One channel. Protocol: §12.6."""
        application = back_end.application
        kind = _kind_of_valid(back_end, channel)
        info = parse_info(back_end.query().get("info", ""), _INFO_OF_ONE)
        if "user_count" in info and not kind.is_presence:
            raise ApiError(400, f"user_count is only for presence channels, not {channel!r}")
        if "cache" in info and not kind.is_cache:
            raise ApiError(400, f"cache is only for cache channels, not {channel!r}")
        counts = directory.channel(application, channel)
        answer = {"occupied": counts.subscription_count > 0, **counted(counts, info)}
        if "cache" in info:
            cached = directory.cached(application, channel)
            answer["cache"] = (
                None if cached is None else {"data": cached.data, "ttl": math.ceil(cached.ttl)}
            )
        return answer

    @blueprint.get("/channels/<channel>/users")
    @gate.read
    def users(back_end: BackEnd, request: ApiRequest, channel: str) -> Mapping[str, object]:
        """Who is in a presence channel. Protocol: §12.7."""
        if not _kind_of_valid(back_end, channel).is_presence:
            raise ApiError(400, f"users are only known of presence channels, not {channel!r}")
        found = directory.users(back_end.application, channel)
        return {"users": [{"id": user_id} for user_id in found]}

    return blueprint


def _kind_of_valid(back_end: BackEnd, channel: str) -> ChannelKind:
    if not is_channel_name(channel, back_end.application.max_channel_name_length):
        raise ApiError(400, f"Invalid channel name {channel[:200]!r}")
    return kind_of(channel)
