"""What ``fizz listen`` says and hears on one connection. Protocol: §1.4, §6, §7, §9."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from fizz_gevent.application import Application
from fizz_gevent.client.table import counted, plain
from fizz_gevent.client.websocket import Closed
from fizz_gevent.errors import CommandError
from fizz_gevent.protocol.names import ChannelKind, kind_of, user_of
from fizz_gevent.protocol.signatures import sign_channel, sign_user

USER_ID: Final = "fizz-listen"
"""Who this is in presence channels: one member, however many are listening."""

PING: Final = orjson.dumps({"event": "pusher:ping", "data": {}})
_PONG: Final = orjson.dumps({"event": "pusher:pong", "data": {}})
_DEFAULT_ACTIVITY_TIMEOUT: Final = 120.0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a channel, ``data`` as it was sent."""

    channel: str
    name: str
    data: str
    user_id: str | None = None


class Conversation:
    """Subscribes as the application's back end would allow it, and hands over what arrives.

    Args:
        send: Takes the JSON of a message.
        tell: Takes each event.
        say: Takes a line about how things stand.

    Attributes:
        activity_timeout: Seconds of silence after which to ask whether the server is there; None
            until the connection is established.
    """

    def __init__(
        self,
        application: Application,
        channels: Sequence[str],
        *,
        send: Callable[[bytes], None],
        tell: Callable[[Event], None],
        say: Callable[[str], None],
    ) -> None:
        self._application = application
        self._channels = channels
        self._send = send
        self._tell = tell
        self._say = say
        self._socket_id = ""
        self._refused: dict[str, str] = {}
        self._heard = ""
        self._is_signed_in = False
        self.activity_timeout: float | None = None

    def received(self, text: str) -> None:
        """Deal with one message.

        Raises:
            Closed: The server refuses the connection.
            CommandError: It refuses every channel.
        """
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            message = None
        if not isinstance(message, dict) or not isinstance(message.get("event"), str):
            self._say("a message is not understood")
            return
        channel = message.get("channel")
        match message["event"]:
            case "pusher:connection_established":
                self._established(_object(message.get("data")))
            case "pusher:ping":
                self._send(_PONG)
            case "pusher:pong":
                pass
            case "pusher:error":
                self._error(_object(message.get("data")))
            case "pusher:signin_success":
                self._signed_in()
            case "pusher_internal:subscription_succeeded":
                self._subscribed(str(channel), _object(message.get("data")))
            case "pusher:subscription_error":
                error = _object(message.get("data")).get("error")
                self._refuse(str(channel), str(error or "refused"))
            case name if isinstance(channel, str):
                self._tell(_event(channel, name, message))

    def _established(self, data: dict[str, Any]) -> None:
        timeout = data.get("activity_timeout")
        if not isinstance(timeout, int | float) or timeout <= 0:
            timeout = _DEFAULT_ACTIVITY_TIMEOUT
        self.activity_timeout = timeout
        self._socket_id = str(data.get("socket_id"))
        for channel in self._channels:
            if kind_of(channel) is not ChannelKind.SERVER_TO_USER:
                self._subscribe(channel)
            elif not self._is_signed_in:
                self._sign_in(user_of(channel))

    def _subscribe(self, channel: str) -> None:
        kind = kind_of(channel)
        data = {"auth": "", "channel": channel}
        member: str | None = None
        if kind.is_presence:
            info = {"user_id": USER_ID, "user_info": {"name": "fizz listen"}}
            member = data["channel_data"] = orjson.dumps(info).decode()
        if kind.needs_auth and kind is not ChannelKind.SERVER_TO_USER:
            data["auth"] = sign_channel(
                key=self._application.key,
                secret=self._application.secret,
                socket_id=self._socket_id,
                channel=channel,
                channel_data=member,
            )
        self._send(orjson.dumps({"event": "pusher:subscribe", "data": data}))

    def _sign_in(self, user_id: str) -> None:
        user_data = orjson.dumps({"id": user_id}).decode()
        auth = sign_user(
            key=self._application.key,
            secret=self._application.secret,
            socket_id=self._socket_id,
            user_data=user_data,
        )
        data = {"auth": auth, "user_data": user_data}
        self._send(orjson.dumps({"event": "pusher:signin", "data": data}))

    def _signed_in(self) -> None:
        self._is_signed_in = True
        for channel in self._channels:
            if kind_of(channel) is ChannelKind.SERVER_TO_USER:
                self._subscribe(channel)

    def _subscribed(self, channel: str, data: dict[str, Any]) -> None:
        presence = data.get("presence")
        if isinstance(presence, dict) and isinstance(presence.get("count"), int):
            others = presence["count"] - 1
            self._say(f"listening to {channel}, as a member beside {counted(others, 'other')}")
        else:
            self._say(f"listening to {channel}")

    def _error(self, data: dict[str, Any]) -> None:
        message = str(data.get("message") or "the server reports an error")
        code = data.get("code")
        if self.activity_timeout is None:
            raise Closed(code if isinstance(code, int) else None, message)
        if message == self._heard:  # a refused subscription is told twice
            self._heard = ""
            return
        self._say(message)
        users = [each for each in self._channels if kind_of(each) is ChannelKind.SERVER_TO_USER]
        if users and not self._is_signed_in and code == 4009:
            self._refuse(users[0], message, is_said=True)

    def _refuse(self, channel: str, reason: str, *, is_said: bool = False) -> None:
        self._refused[channel] = reason
        self._heard = reason
        if len(self._refused) == len(self._channels):
            raise CommandError(plain(f"{channel}: {reason}"))
        if not is_said:
            self._say(f"{channel}: {reason}")


def _object(data: object) -> dict[str, Any]:
    """The object that ``data`` is, or holds as a string."""
    if isinstance(data, str):
        try:
            data = orjson.loads(data)
        except orjson.JSONDecodeError:
            return {}
    return data if isinstance(data, dict) else {}


def _event(channel: str, name: str, message: dict[str, Any]) -> Event:
    data = message.get("data", "")
    user_id = message.get("user_id")
    return Event(
        channel=channel,
        name=name,
        data=data if isinstance(data, str) else orjson.dumps(data).decode(),
        user_id=None if user_id is None else str(user_id),
    )
