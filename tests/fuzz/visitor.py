"""A client that begins well and goes on at random: what it does follows from one number."""

import random
import re
import socket

from tests.conformance.http_cases import EVENTS, NEXT
from tests.conformance.http_requests import UPGRADE
from tests.conformance.test_rfc9112 import CASES
from tests.conformance.witness import signed
from tests.fuzz import corpora
from tests.fuzz.mutation import Mutator
from tests.fuzz.targets import frames, http_heads, messages, triggers
from tests.harness.http_socket import request
from tests.harness.signing import App, compact
from tests.harness.websocket import CLOSE, PING, PONG, TEXT, Address, encode_frame, open_socket

_APP = App()
_WITHIN = 30.0
"""Seconds within which a server lets go of whoever has said all."""
_OPENING = request("GET", f"/app/{_APP.key}?protocol=7", *UPGRADE)
_SOCKET_ID = re.compile(rb'socket_id\\*":\\*"([0-9]+\.[0-9]+)')
_FRAMES = corpora.CORPORA / "frames"
_CHANNELS = ("lobby", "cache-lobby", "private-lobby", "presence-lobby", "private-encrypted-lobby")


class Stuck(AssertionError):
    """The server did not let go of a client that had said all."""


class Visitors:
    """Makes visitors for one server; ``visit(7)`` does the same each time."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._texts = [data for data in messages.seeds() if len(data) < 3000]
        streams = [corpora.frames_of(path)[2] for path in sorted(_FRAMES.iterdir())]
        self._frames = [stream for stream in streams if len(stream) < 5000]
        self._bodies = [data[1:] for data in triggers.seeds()]
        self._requests = [case.data for case in CASES if len(case.data) < 3000]

    def visit(self, number: int) -> None:
        """Come, do something odd, and go.

        Raises:
            Stuck: The server keeps the connection.
        """
        chance = random.Random(number)
        kinds = (self._converse, self._converse, self._stream, self._ask, self._ask, self._knock)
        with open_socket(self._address, tls=None, within=_WITHIN) as connection:
            try:
                chance.choice(kinds)(connection, chance)
                if chance.random() < 0.2:
                    return  # without a word
                connection.shutdown(socket.SHUT_WR)
                _listen(connection, _WITHIN)
            except TimeoutError:
                raise Stuck(f"visitor {number}") from None
            except OSError:
                pass  # it was shown the door

    def _converse(self, connection: socket.socket, chance: random.Random) -> None:
        """A conversation that becomes odd, mostly in what is said and at times in how."""
        connection.sendall(_OPENING)
        socket_id = _socket_id(connection)
        mutator = Mutator(chance.getrandbits(32), messages.DICTIONARY, 5000)
        for number in range(chance.randint(3, 25)):
            if number < 3 or chance.random() < 0.4:
                text = _proper(chance, socket_id)
            else:
                text = mutator.of(self._texts)
                if chance.random() < 0.95:
                    text = text.decode(errors="replace").encode()
            frame = encode_frame(
                chance.choice((TEXT,) * 60 + (PING, PONG, CLOSE, 2, 0, 3)),
                text,
                fin=chance.random() < 0.98,
                mask=chance.randbytes(4),
            )
            _send(connection, chance, frame)

    def _stream(self, connection: socket.socket, chance: random.Random) -> None:
        """Frames that are odd."""
        mutator = Mutator(chance.getrandbits(32), frames.DICTIONARY, 5000)
        connection.sendall(_OPENING)
        for _ in range(3):
            _send(connection, chance, mutator.of(self._frames))

    def _ask(self, connection: socket.socket, chance: random.Random) -> None:
        """Requests with odd heads, or good ones with odd bodies; and a good one behind them."""
        mutator = Mutator(chance.getrandbits(32), http_heads.DICTIONARY, 5000)
        for _ in range(chance.randint(1, 4)):
            if chance.random() < 0.5:
                body = mutator.of(self._bodies)
                query = _APP.signed_query("POST", EVENTS, body=body)
                headers = (f"Content-Length: {len(body)}",)
                _send(connection, chance, request("POST", f"{EVENTS}?{query}", *headers, body=body))
            else:
                _send(connection, chance, signed(mutator.of(self._requests)))
        _send(connection, chance, signed(NEXT))

    def _knock(self, connection: socket.socket, chance: random.Random) -> None:
        """An opening that is odd, and whatever comes after one."""
        mutator = Mutator(chance.getrandbits(32), http_heads.DICTIONARY, 5000)
        _send(connection, chance, mutator.of([_OPENING]))
        _send(connection, chance, encode_frame(TEXT, _proper(chance, "1.1")))


def _send(connection: socket.socket, chance: random.Random, data: bytes) -> None:
    """Send something in two pieces, and at times listen a moment."""
    cut = chance.randint(0, len(data))
    connection.sendall(data[:cut])
    connection.sendall(data[cut:])
    if chance.random() < 0.1:
        _listen(connection, 0.002)


def _socket_id(connection: socket.socket) -> str:
    """Who the server says that one is."""
    said = b""
    while not (found := _SOCKET_ID.search(said)):
        said += connection.recv(65536)
    return found[1].decode()


def _proper(chance: random.Random, socket_id: str) -> bytes:
    """A message that a good client could have sent, so that the odd ones meet a state."""
    channel = chance.choice(_CHANNELS)
    user_id = str(chance.randint(1, 5))
    match chance.randint(0, 9):
        case 0:
            return b'{"event":"pusher:ping","data":{}}'
        case 1:
            message = {"event": "pusher:unsubscribe", "data": {"channel": channel}}
        case 2 | 3:
            message = {"event": "client-x", "channel": channel, "data": {"n": user_id}}
        case 4:
            data = compact({"id": user_id, "watchlist": ["1", "2"]})
            fields = {"user_data": data, "auth": _APP.user_auth(socket_id, data)}
            message = {"event": "pusher:signin", "data": fields}
        case _:
            told = compact({"user_id": user_id}) if channel.startswith("presence-") else None
            fields = {"channel": channel, "auth": _APP.channel_auth(socket_id, channel, told)}
            if told is not None:
                fields["channel_data"] = told
            message = {"event": "pusher:subscribe", "data": fields}
    return compact(message).encode()


def _listen(connection: socket.socket, seconds: float) -> None:
    """Take what comes until the end, or for a moment."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        if seconds == _WITHIN:
            raise
    finally:
        connection.settimeout(_WITHIN)
