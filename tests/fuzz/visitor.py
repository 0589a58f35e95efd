"""A client that begins well and goes on at random: what it does follows from one number."""

import random
import socket

from tests.conformance.http_cases import NEXT
from tests.conformance.http_requests import UPGRADE
from tests.conformance.test_rfc9112 import CASES
from tests.conformance.witness import signed
from tests.fuzz import corpora
from tests.fuzz.mutation import Mutator
from tests.fuzz.targets import frames, http_heads, messages
from tests.harness.http_socket import request
from tests.harness.signing import App, compact
from tests.harness.websocket import CLOSE, PING, PONG, TEXT, Address, encode_frame, open_socket

_APP = App()
_WITHIN = 30.0
"""Seconds within which a server lets go of whoever has said all."""
_OPENING = request("GET", f"/app/{_APP.key}?protocol=7", *UPGRADE)
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
        self._requests = [case.data for case in CASES if len(case.data) < 3000]

    def visit(self, number: int) -> None:
        """Come, do something odd, and go.

        Raises:
            Stuck: The server keeps the connection.
        """
        chance = random.Random(number)
        kind = chance.choice(("messages", "messages", "frames", "requests", "requests", "opening"))
        if kind == "messages":
            self._come(chance, [_OPENING, *self._talk(chance)])
        elif kind == "frames":
            mutator = Mutator(number, frames.DICTIONARY, 5000)
            self._come(chance, [_OPENING, *(mutator.of(self._frames) for _ in range(3))])
        elif kind == "requests":
            mutator = Mutator(number, http_heads.DICTIONARY, 5000)
            self._come(chance, [signed(mutator.of(self._requests)), signed(NEXT)])
        else:
            mutator = Mutator(number, http_heads.DICTIONARY, 5000)
            self._come(chance, [mutator.of([_OPENING]), *self._talk(chance)])

    def _talk(self, chance: random.Random) -> list[bytes]:
        """Frames of a conversation, in which something is wrong."""
        mutator = Mutator(chance.getrandbits(32), messages.DICTIONARY, 5000)
        said = []
        for _ in range(chance.randint(1, 12)):
            text = mutator.of(self._texts) if chance.random() < 0.6 else _proper(chance)
            opcode = chance.choice((TEXT,) * 12 + (PING, PONG, CLOSE, 2, 0, 3))
            fin = chance.random() < 0.9
            said.append(encode_frame(opcode, text, fin=fin, mask=chance.randbytes(4)))
        return said

    def _come(self, chance: random.Random, said: list[bytes]) -> None:
        with open_socket(self._address, tls=None, within=_WITHIN) as connection:
            try:
                for piece in said:
                    cut = chance.randint(0, len(piece))
                    connection.sendall(piece[:cut])
                    connection.sendall(piece[cut:])
                    if chance.random() < 0.3:
                        _listen(connection, 0.002)
                if chance.random() < 0.2:
                    return  # without a word
                connection.shutdown(socket.SHUT_WR)
                _listen(connection, _WITHIN)
            except TimeoutError:
                raise Stuck(f"after {said!r}") from None
            except OSError:
                pass  # it was shown the door


def _proper(chance: random.Random) -> bytes:
    """A message that a good client could have sent, so that the odd ones meet a state."""
    channel = chance.choice(_CHANNELS)
    name = chance.choice(("pusher:subscribe", "pusher:unsubscribe", "client-x", "pusher:ping"))
    if name == "client-x":
        return compact({"event": name, "channel": channel, "data": "{}"}).encode()
    return compact({"event": name, "data": {"channel": channel}}).encode()


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
