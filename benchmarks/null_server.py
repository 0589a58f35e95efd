"""A peer that answers like a Pusher server and does next to nothing: a yardstick for the generator.

    python -m benchmarks.null_server PORT

It checks no signature, reads no JSON, and sends what it was sent. Where the generator gets no
further with this peer than with a real server, the generator may be the limit.
"""

import re
import selectors
import socket
import sys
from collections import defaultdict
from collections.abc import Callable

from benchmarks.load.loop import Loop

_SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
_CLOSED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
_EVENT = re.compile(rb'"channel":"([^"]+)","data":"([^"]+)"')
_SUBSCRIBE = re.compile(rb'"channel": ?"([^"]+)"')


def frame(payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return b"\x81%c%b" % (size, payload)
    return b"\x81\x7e%c%c%b" % (*divmod(size, 256), payload)


_ESTABLISHED = frame(
    b'{"event":"pusher:connection_established",'
    b'"data":"{\\"socket_id\\":\\"1.1\\",\\"activity_timeout\\":30}"}'
)
_SUCCEEDED = frame(b'{"event":"pusher_internal:subscription_succeeded","data":"{}"}')
_PONG = frame(b'{"event":"pusher:pong","data":{}}')


class Rooms:
    """Who is in which channel, and what waits for them until the end of a turn of the loop."""

    def __init__(self) -> None:
        self.members: dict[bytes, list[Peer]] = defaultdict(list)
        self.waiting: dict[bytes, bytes] = defaultdict(bytes)

    def flush(self) -> None:
        """Send all that has gathered, in one piece to each."""
        for channel, frames in self.waiting.items():
            for member in self.members[channel]:
                member.push(frames)
        self.waiting.clear()


class Peer:
    """Everything about one connection."""

    def __init__(self, loop: Loop, sock: socket.socket, rooms: "Rooms") -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop = loop
        self._sock = sock
        self._members = rooms.members
        self._waiting = rooms.waiting
        self._channels: list[bytes] = []
        self._rest = b""
        self._take: Callable[[bytes], None] = self._request
        self.send = sock.send
        loop.add(sock.fileno(), self._read)

    def _read(self) -> None:
        try:
            data = self._sock.recv(32768)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._take(data)
        else:
            self._close()

    def _close(self) -> None:
        for name in self._channels:
            self._members[name].remove(self)
        self._channels = []
        self._loop.remove(self._sock.fileno())
        self._sock.close()

    def _request(self, data: bytes) -> None:
        data = self._rest + data
        head, blank, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        if not blank or (length and len(body) < int(length[1])):
            self._rest = data
            return
        self._rest = b""
        if head.startswith(b"GET"):
            self._take = self._frames
            self.send(_SWITCH + _ESTABLISHED)
            return
        self.send(_CLOSED if b"Connection: close" in head else _OK)
        for channel, text in _EVENT.findall(body):
            self._waiting[channel] += frame(
                b'{"event":"bench","channel":"%b","data":"%b"}' % (channel, text)
            )

    def push(self, frames: bytes) -> None:
        """Send, and wait where the buffer is full: there is nothing else to do meanwhile."""
        while frames:
            try:
                frames = frames[self.send(frames) :]
            except BlockingIOError:
                with selectors.DefaultSelector() as selector:
                    selector.register(self._sock, selectors.EVENT_WRITE)
                    selector.select(1)
            except OSError:
                return

    def _frames(self, data: bytes) -> None:
        data = self._rest + data
        answer = b""
        while len(data) >= 6:
            size, begin = data[1] & 127, 2
            if size == 126:
                size, begin = int.from_bytes(data[2:4], "big"), 4
            end = begin + 4 + size
            if len(data) < end:
                break
            mask = data[begin : begin + 4] * ((size + 3) // 4)
            number = int.from_bytes(data[begin + 4 : end], "big") ^ int.from_bytes(
                mask[:size], "big"
            )
            payload, opcode, data = number.to_bytes(size, "big"), data[0] & 15, data[end:]
            if opcode == 8:
                self.push(b"\x88\x02\x03\xe8")
                self._close()
                return
            answer += self._answer(payload)
        self._rest = data
        if answer:
            self.push(answer)

    def _answer(self, payload: bytes) -> bytes:
        if b'"pusher:ping"' in payload:
            return _PONG
        if b'"pusher:subscribe"' in payload and (match := _SUBSCRIBE.search(payload)):
            self._channels.append(match[1])
            self._members[match[1]].append(self)
            return _SUCCEEDED
        if b'"client-' in payload and (match := _SUBSCRIBE.search(payload)):
            frames = frame(payload)
            for member in self._members[match[1]]:
                if member is not self:
                    member.push(frames)
        return b""


def main() -> None:
    loop = Loop()
    rooms = Rooms()
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
    listener.setblocking(False)

    def accept() -> None:
        for _ in range(64):
            try:
                sock, _address = listener.accept()
            except BlockingIOError:
                return
            Peer(loop, sock, rooms)

    loop.add(listener.fileno(), accept)
    while True:
        loop.turn(1)
        rooms.flush()


if __name__ == "__main__":
    main()
