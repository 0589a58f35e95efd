"""A Pusher client in a few lines, on top of the plain WebSocket."""

import json
import os
from collections import deque
from typing import Any, Self

from tests.harness.signing import App, compact
from tests.harness.websocket import CLOSE, PING, PONG, WITHIN, RawWebSocket

WORKERS = os.environ.get("FIZZ_TEST_WORKERS") or None
"""So many for every server under test whose test does not say itself how many."""

_SETTLES_WITHIN = 0.3
"""Seconds in which workers have told each other what they were asked to; generous."""


class Closed(Exception):
    """The server closed the connection where an event was awaited."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(f"closed: {code} {reason}")
        self.code = code
        self.reason = reason


class PusherClient:
    """One connection that behaves: answers pings, signs subscriptions as its back end would.

    Events are dictionaries as they came, but for ``data``: where it is a string of JSON, the
    value. ``raw`` of the same event is under ``"raw"``, for tests that look at the bytes.
    """

    def __init__(self, websocket: RawWebSocket, app: App) -> None:
        self.websocket = websocket
        self.app = app
        self._unread: deque[dict[str, Any]] = deque()
        established = self.expect("pusher:connection_established")
        self.socket_id: str = established["socket_id"]
        self.activity_timeout: int = established["activity_timeout"]

    def send(self, event: str, data: Any = None, **others: Any) -> None:
        self.websocket.send_event(event, data, **others)

    def next_event(self, *, within: float = WITHIN) -> dict[str, Any]:
        """Return the next event in order; ping frames are answered on the way.

        Raises:
            Closed: A close frame came instead.
        """
        if self._unread:
            return self._unread.popleft()
        return self._receive(within)

    def _receive(self, within: float) -> dict[str, Any]:
        while True:
            event = self._receive_frame(within)
            if event is not None:
                return event

    def _receive_frame(self, within: float) -> dict[str, Any] | None:
        """Receive one frame; return the event that it holds, if it holds one."""
        frame = self.websocket.recv_frame(within=within)
        if frame.opcode == CLOSE:
            raise Closed(*frame.close)
        if frame.opcode == PING:
            self.websocket.send_frame(PONG, frame.payload)
        if frame.opcode in (PING, PONG):
            return None
        event: dict[str, Any] = json.loads(frame.text)
        return {**event, "data": _decoded(event.get("data")), "raw": frame.text}

    def expect(self, event: str, channel: str | None = None, *, within: float = WITHIN) -> Any:
        """Return the ``data`` of the next event, which has to be this one."""
        found = self.next_event(within=within)
        assert found["event"] == event, found["raw"]
        if channel is not None:
            assert found.get("channel") == channel, found["raw"]
        return found["data"]

    def wait_for(self, event: str, channel: str | None = None, *, within: float = WITHIN) -> Any:
        """Skip to the next event of this name (and channel); return its ``data``."""
        while True:
            found = self.next_event(within=within)
            if found["event"] == event and channel in (None, found.get("channel")):
                return found["data"]

    def pending(self, *, within: float = WITHIN) -> list[dict[str, Any]]:
        """Return every event the server sent before it answered a ping sent now.

        This is how a test proves that nothing came: what the server did in answer to earlier
        frames of *this* connection, and to requests already answered, stands before the pong. Only
        what another worker was asked may still be on its way here then; that is given a moment.
        """
        events = [*self._unread]
        self._unread.clear()
        if WORKERS is not None:
            while self.websocket.is_readable(within=_SETTLES_WITHIN):
                late = self._receive_frame(within)
                events += [] if late is None else [late]
        self.send("pusher:ping", {})
        while True:
            event = self._receive(within)
            if event["event"] == "pusher:pong":
                return events
            events.append(event)

    def expect_nothing(self, *, within: float = WITHIN) -> None:
        """Assert that no event stands before the answer to a ping sent now."""
        assert [event["raw"] for event in self.pending(within=within)] == []

    def request_subscription(
        self,
        channel: str,
        *,
        auth: str | None = None,
        channel_data: str | None = None,
        user_id: str | int | None = None,
        user_info: Any = None,
    ) -> None:
        """Send ``pusher:subscribe``, signed where the kind of channel needs it; do not wait.

        Args:
            auth: In place of the right signature; ``""`` sends an empty one.
            channel_data: The text as it goes over the wire; else made from the next two.
        """
        if channel_data is None and user_id is not None:
            member = {"user_id": user_id}
            channel_data = compact(
                member if user_info is None else {**member, "user_info": user_info}
            )
        if auth is None:
            needs_auth = channel.startswith(("private-", "presence-"))
            signed = self.app.channel_auth(self.socket_id, channel, channel_data)
            auth = signed if needs_auth else ""
        data = {"auth": auth, "channel": channel}
        self.send(
            "pusher:subscribe",
            data if channel_data is None else data | {"channel_data": channel_data},
        )

    def subscribe(self, channel: str, **how: Any) -> Any:
        """Subscribe, wait for the confirmation, return its ``data``.

        For presence channels that is ``{"presence": {"count", "ids", "hash"}}``.
        """
        self.request_subscription(channel, **how)
        return self.expect("pusher_internal:subscription_succeeded", channel)

    def unsubscribe(self, channel: str) -> None:
        self.send("pusher:unsubscribe", {"channel": channel})

    def trigger(self, event: str, channel: str, data: Any) -> None:
        """Send a client event."""
        self.send(event, data, channel=channel)

    def request_signin(
        self, user_id: str, *, user_data: str | None = None, auth: str | None = None, **others: Any
    ) -> None:
        """Send ``pusher:signin``; ``others``: the user's further keys, as ``watchlist``."""
        text = compact({"id": user_id, **others}) if user_data is None else user_data
        signed = self.app.user_auth(self.socket_id, text) if auth is None else auth
        self.send("pusher:signin", {"auth": signed, "user_data": text})

    def signin(self, user_id: str, **how: Any) -> Any:
        """Sign in and wait for the confirmation; return its ``data``."""
        self.request_signin(user_id, **how)
        return self.expect("pusher:signin_success")

    def ping(self) -> None:
        self.send("pusher:ping", {})
        assert self.expect("pusher:pong") == {}

    def expect_close(self, *, within: float = WITHIN) -> tuple[int | None, str]:
        """Skip to the close frame, answer it, wait for the end; return its code and reason."""
        while True:
            try:
                self._receive(within)
            except Closed as closed:
                echo = b"" if closed.code is None else closed.code.to_bytes(2, "big")
                self.websocket.send_frame(CLOSE, echo)
                self.websocket.expect_end(within=within)
                self.websocket.abandon()
                return closed.code, closed.reason

    def close(self, code: int | None = 1000) -> None:
        """Close as a good client does, and wait until the server has noticed."""
        self.websocket.close(code)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.websocket.abandon()


def _decoded(data: Any) -> Any:
    if not isinstance(data, str):
        return data
    try:
        return json.loads(data)
    except ValueError:
        return data
