"""What the page asks the server, and what it has it do; JSON both ways."""

import logging
from typing import Any

import orjson
from flask import Blueprint, jsonify, request
from werkzeug.wrappers import Response

from fizz_gevent.application import Application
from fizz_gevent.console.guard import COOKIE, Guard
from fizz_gevent.console.keys import Keys
from fizz_gevent.errors import ApiError
from fizz_gevent.ports import Clock
from fizz_gevent.protocol.members import ChannelCounts
from fizz_gevent.protocol.names import is_channel_name, is_socket_id, kind_of
from fizz_gevent.protocol.signatures import sign_channel, sign_request, sign_user
from fizz_gevent.protocol.triggers import parse_trigger
from fizz_gevent.service.directory import Directory
from fizz_gevent.service.onlookers import CONNECTIONS, FRAMES, SAMPLES, STREAM
from fizz_gevent.service.operators import Operators

_log = logging.getLogger(__name__)
_MOST_CHANNELS = 500
_MOST_USERS = 500
_METHODS = ("GET", "POST")


def add_routes(
    blueprint: Blueprint,
    guard: Guard,
    keys: Keys,
    operators: Operators,
    directory: Directory,
    clock: Clock,
    *,
    prefix: str,
    version: str,
) -> None:
    """The routes below ``/console/api``. Reading needs a session, all else the page's header."""

    def application(app_id: str) -> Application:
        guard.admit(request.environ, request.cookies.get(COOKIE))
        return operators.application(app_id)

    def changing() -> None:
        guard.admit_change(request.environ, request.cookies.get(COOKIE))

    @blueprint.get("/console/api/setup")
    def setup() -> Response:
        """What there is, and where the page is told what happens."""
        guard.admit(request.environ, request.cookies.get(COOKIE))
        listed = [
            {
                "app_id": app.app_id,
                "key": app.key,
                "enabled": app.enabled,
                "client_events": app.accept_client_events_from,
            }
            for app in operators.applications()
        ]
        return jsonify(
            {
                "apps": listed,
                "prefix": prefix,
                "version": version,
                "key": keys.application.key,
                "channels": {
                    "samples": SAMPLES,
                    "stream": STREAM,
                    "frames": FRAMES,
                    "connections": CONNECTIONS,
                },
            }
        )

    @blueprint.post("/console/api/auth")
    def authorize() -> Response:
        """Let the page subscribe to a channel of the hidden application."""
        changing()
        fields = _fields()
        app = keys.application
        auth = sign_channel(
            key=app.key,
            secret=app.secret,
            socket_id=_socket_id(fields),
            channel=_channel(fields, app),
        )
        return jsonify({"auth": auth})

    @blueprint.get("/console/api/apps/<app_id>/channels")
    def channels(app_id: str) -> Response:
        """The occupied channels, the busiest first."""
        found = directory.channels(application(app_id), request.args.get("prefix", ""))
        busiest = sorted(found.items(), key=lambda pair: (-pair[1].subscription_count, pair[0]))
        return jsonify(
            {
                "total": len(busiest),
                "is_partial": directory.is_partial,
                "channels": [
                    {"name": name, **_counted(counts)} for name, counts in busiest[:_MOST_CHANNELS]
                ],
            }
        )

    @blueprint.get("/console/api/apps/<app_id>/channel")
    def channel(app_id: str) -> Response:
        """One channel: how many, who, and what it remembers."""
        app = application(app_id)
        name = _channel(request.args, app, "name")
        kind = kind_of(name)
        answer: dict[str, object] = {"name": name, **_counted(directory.channel(app, name))}
        if kind.is_presence:
            answer["users"] = sorted(directory.users(app, name))[:_MOST_USERS]
        if kind.is_cache:
            cached = directory.cached(app, name)
            answer["cache"] = None if cached is None else {"data": cached.data, "ttl": cached.ttl}
        return jsonify(answer)

    @blueprint.post("/console/api/apps/<app_id>/events")
    def publish(app_id: str) -> Response:
        """Publish an event; the body is that of the HTTP API's ``/events``. Protocol: §12.3."""
        changing()
        event = parse_trigger(request.get_data(), operators.application(app_id))
        operators.publish(app_id, event)
        _log.info("console: published %r to %s of %s", event.name, event.channels, app_id)
        return jsonify({"channels": event.channels})

    @blueprint.post("/console/api/apps/<app_id>/sign")
    def sign(app_id: str) -> Response:
        """What the back end would answer, to test with. Protocol: §6.2, §9.1, §12.1."""
        changing()
        app = operators.application(app_id)
        fields = _fields()
        kind = fields.get("kind")
        _log.info("console: signed a %s for %s", str(kind)[:20], app_id)
        if kind == "user":
            data = _json_text(fields, "user_data")
            auth = sign_user(
                key=app.key, secret=app.secret, socket_id=_socket_id(fields), user_data=data
            )
            return jsonify({"auth": auth, "user_data": data})
        if kind == "request":
            return jsonify(_signed_request(fields, app, int(clock.now())))
        name = _channel(fields, app)
        member = _json_text(fields, "channel_data") if kind_of(name).is_presence else None
        auth = sign_channel(
            key=app.key,
            secret=app.secret,
            socket_id=_socket_id(fields),
            channel=name,
            channel_data=member,
        )
        return jsonify({"auth": auth} if member is None else {"auth": auth, "channel_data": member})


def _signed_request(fields: dict[str, Any], app: Application, now: int) -> dict[str, object]:
    method = fields.get("method")
    if method not in _METHODS:
        raise ApiError(400, "method must be GET or POST")
    path = f"/apps/{app.app_id}/{_text(fields, 'path').lstrip('/')}"
    body = "" if method == "GET" else _text(fields, "body")
    query = sign_request(
        method=method,
        path=path,
        key=app.key,
        secret=app.secret,
        timestamp=now,
        body=body.encode(),
    )
    return {"method": method, "target": f"{path}?{query}", "body": body}


def _counted(counts: ChannelCounts) -> dict[str, object]:
    return {"subscriptions": counts.subscription_count, "users": counts.user_count}


def _fields() -> dict[str, Any]:
    try:
        fields = orjson.loads(request.get_data())
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"The body is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise ApiError(400, "The body must be a JSON object")
    return fields


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise ApiError(400, f"{name} must be a string")
    return value


def _json_text(fields: dict[str, Any], name: str) -> str:
    """A JSON object as text, unchanged: it is the text that is signed."""
    text = _text(fields, name)
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"{name} is not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise ApiError(400, f"{name} must be a JSON object")
    return text


def _socket_id(fields: dict[str, Any]) -> str:
    value = _text(fields, "socket_id")
    if not is_socket_id(value):
        raise ApiError(400, "socket_id must look like 123.456")
    return value


def _channel(fields: Any, app: Application, name: str = "channel") -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not is_channel_name(value, app.max_channel_name_length):
        raise ApiError(400, f"{name} is no valid channel name")
    return value
