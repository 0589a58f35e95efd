"""Stays connected, whatever happens in between, until it is told not to come again."""

import time
from collections.abc import Callable, Sequence
from typing import NoReturn
from urllib.parse import quote

from fizz_gevent.application import Application
from fizz_gevent.client.address import ServerAddress
from fizz_gevent.client.back_off import BackOff, is_final
from fizz_gevent.client.connect import Unreachable
from fizz_gevent.client.conversation import PING, Conversation, Event
from fizz_gevent.client.table import plain
from fizz_gevent.client.websocket import ClientWebSocket, Closed
from fizz_gevent.errors import CommandError
from fizz_gevent.protocol.close_codes import CloseCode

_ESTABLISH_SECONDS = 15.0
_PONG_SECONDS = 30.0


class Listener:
    """One application's ears at one server.

    Args:
        tell: Takes each event.
        say: Takes a line about how things stand.
        connect: Opens a connection, as ``ClientWebSocket.connect``.
        pause: Waits for so many seconds.
    """

    def __init__(
        self,
        address: ServerAddress,
        application: Application,
        channels: Sequence[str],
        *,
        tell: Callable[[Event], None],
        say: Callable[[str], None],
        back_off: BackOff | None = None,
        connect: Callable[..., ClientWebSocket] = ClientWebSocket.connect,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._address = address
        self._application = application
        self._channels = channels
        self._tell = tell
        self._say = say
        self._back_off = back_off or BackOff()
        self._open = connect
        self._pause = pause

    def run(self) -> NoReturn:
        """Listen until the process is asked to stop.

        The server has to be there at the beginning: a wrong address is to be told at once. Later
        it may be away, and come back.

        Raises:
            CommandError: It cannot be reached, it refuses for good, or it refuses each channel.
        """
        was_established = False
        while True:
            since: float | None = None
            code: int | None = None
            try:
                websocket = self._connect()
                try:
                    conversation = self._converse(websocket)
                    since = time.monotonic()
                    was_established = True
                    self._stay(websocket, conversation)
                finally:
                    websocket.close()
            except Closed as end:
                code = end.code
                if is_final(code):
                    raise CommandError(self._refusal(end)) from None
                if code is None and not was_established:
                    raise Unreachable(f"{self._address.url}: {plain(str(end))}") from None
                reason = f"connection ended ({end})"
            except Unreachable as error:
                if not was_established:
                    raise
                reason = str(error)
            lasted = 0.0 if since is None else time.monotonic() - since
            seconds = self._back_off.after(code, lasted=lasted)
            when = "at once" if not seconds else f"in {seconds:.0f} s"
            self._say(f"{reason}; connecting again {when}")
            self._pause(seconds)

    def _connect(self) -> ClientWebSocket:
        target = f"/app/{quote(self._application.key, safe='')}?protocol=7&client=fizz-listen"
        return self._open(self._address, target, origin_of(self._application))

    def _converse(self, websocket: ClientWebSocket) -> Conversation:
        """Wait until the connection is established; its subscriptions are then on their way."""
        conversation = Conversation(
            self._application,
            self._channels,
            send=websocket.send_text,
            tell=self._tell,
            say=self._say,
        )
        websocket.wait_at_most(_ESTABLISH_SECONDS)
        while conversation.activity_timeout is None:
            try:
                conversation.received(websocket.receive())
            except TimeoutError:
                raise Closed(None, "the server says nothing") from None
        return conversation

    def _stay(self, websocket: ClientWebSocket, conversation: Conversation) -> NoReturn:
        """Hear what comes; ask whether the server is there when nothing does. Protocol: §3."""
        assert conversation.activity_timeout is not None
        is_asked = False
        while True:
            websocket.wait_at_most(_PONG_SECONDS if is_asked else conversation.activity_timeout)
            try:
                text = websocket.receive()
            except TimeoutError:
                if is_asked:
                    raise Closed(None, "the server answers no more") from None
                websocket.send_text(PING)
                is_asked = True
                continue
            is_asked = False
            conversation.received(text)

    def _refusal(self, end: Closed) -> str:
        hint = ""
        if end.code == CloseCode.TLS_REQUIRED and not self._address.is_secure:
            hint = "; FIZZ_HOST, FIZZ_PORT and FIZZ_SCHEME=https say where TLS is spoken"
        return f"{self._address.url} closes the connection: {plain(str(end))}{hint}"


def origin_of(application: Application) -> dict[str, str]:
    """An ``Origin`` that is allowed, where a missing one is not. Protocol: §1.3."""
    if application.allows_origin(None):
        return {}
    host = application.allowed_origins[0].replace("*", "fizz")
    return {"Origin": f"http://[{host}]" if ":" in host else f"http://{host}"}
