"""TLS over a socket that takes as much as it likes: nothing is lost, repeated or left behind."""

import contextlib
import errno
import socket
import ssl
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fizz_gevent.transport.tls import TlsSocket
from tests.harness.certificates import Certificate


class Network:
    """The socket below, and all that is on its way."""

    def __init__(self) -> None:
        self.to_server = b""
        self.to_client = b""
        self.room = 1_000_000
        self.is_at_end = False
        self.is_out_of_memory = False

    def recv(self, size: int) -> bytes:
        if not self.to_server:
            if self.is_at_end:
                return b""
            raise BlockingIOError
        data, self.to_server = self.to_server[:size], self.to_server[size:]
        return data

    def send(self, data: bytes) -> int:
        if self.is_out_of_memory:
            raise OSError(errno.ENOBUFS, "No buffer space available")
        taken = data[: self.room]
        if not taken:
            raise BlockingIOError
        self.room -= len(taken)
        self.to_client += taken
        return len(taken)

    def shutdown(self, how: int) -> None:
        pass

    def close(self) -> None:
        pass


class Pair:
    """Both ends, after their handshake."""

    def __init__(self, certificate: Certificate) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.cert, certificate.key)
        self.network = Network()
        self.server = TlsSocket(cast(socket.socket, self.network), context)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = certificate.client_context().wrap_bio(
            self.incoming, self.outgoing, server_hostname="localhost"
        )
        for _ in range(4):
            with contextlib.suppress(ssl.SSLWantReadError):
                self.client.do_handshake()
            self.from_client()
            with contextlib.suppress(BlockingIOError):
                self.server.handshake()
            self.deliver()
        assert self.client.version() == "TLSv1.3"

    def from_client(self) -> None:
        self.network.to_server += self.outgoing.read()

    def deliver(self) -> None:
        self.incoming.write(self.network.to_client)
        self.network.to_client = b""

    def read_by_client(self) -> bytes:
        self.deliver()
        data = b""
        with contextlib.suppress(ssl.SSLWantReadError):
            while piece := self.client.read(65536):
                data += piece
        return data


@pytest.fixture(scope="module")
def pair(certificate: Certificate) -> Pair:
    return Pair(certificate)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(st.integers(min_value=1, max_value=150_000), min_size=1, max_size=5),
    st.lists(st.integers(min_value=0, max_value=40_000), max_size=30),
)
def test_whoever_was_told_that_all_is_taken_has_nothing_left_behind(
    pair: Pair, sizes: list[int], rooms: list[int]
) -> None:
    """However little the socket takes at a time."""
    received = b""
    for number, size in enumerate(sizes):
        data = bytes([number % 256]) * (size - 1) + b"!"
        expected, received = data, b""
        while data:
            pair.network.room = rooms[len(data) % len(rooms)] if rooms else 0
            with contextlib.suppress(BlockingIOError):
                data = data[pair.server.send(data) :]
            received += pair.read_by_client()
            if data:
                pair.network.room = 1_000
                with contextlib.suppress(BlockingIOError):
                    data = data[pair.server.send(data) :]
                received += pair.read_by_client()
        assert received == expected  # all of it, now, and not with the next event


def test_nothing_taken_is_nothing_encrypted(pair: Pair) -> None:
    """A full socket refuses at the first byte; what waits may change until then."""
    pair.network.room = 0
    assert pair.server.send(b"abc") == 2  # taken, but for the last byte
    with pytest.raises(BlockingIOError):
        pair.server.send(b"c")
    with pytest.raises(BlockingIOError):
        pair.server.send(b"cdef")
    pair.network.room = 1_000
    assert pair.server.send(b"cdef") == 4
    assert pair.read_by_client() == b"abcdef"
    assert pair.server.send(b"") == 0


def test_everything_that_has_come_is_read_at_once(pair: Pair) -> None:
    """A watcher on the file would not tell of what is decrypted already."""
    for piece in (b"a" * 20_000, b"b", b"c" * 17_000):
        pair.client.write(piece)
    pair.from_client()
    assert pair.server.recv(65536) == b"a" * 20_000 + b"b" + b"c" * 17_000
    with pytest.raises(BlockingIOError):
        pair.server.recv(65536)


def test_half_a_record_is_nothing_yet(pair: Pair) -> None:
    pair.client.write(b"whole")
    record = pair.outgoing.read()
    for byte in record[:-1]:
        pair.network.to_server += bytes([byte])
        with pytest.raises(BlockingIOError):
            pair.server.recv(65536)
    pair.network.to_server += record[-1:]
    assert pair.server.recv(65536) == b"whole"


def test_a_goodbye_is_the_end_though_the_socket_stays_open(certificate: Certificate) -> None:
    """RFC 8446 §6.1: what was sent before it counts."""
    pair = Pair(certificate)
    pair.client.write(b"last words")
    with pytest.raises(ssl.SSLWantReadError):
        pair.client.unwrap()
    pair.from_client()
    assert pair.server.recv(65536) == b"last words"
    assert pair.server.recv(65536) == b""
    pair.server.close()
    pair.deliver()
    pair.client.unwrap()


def test_our_goodbye_ends_only_our_side(certificate: Certificate) -> None:
    """The peer may still be sending, and is read until it ends."""
    pair = Pair(certificate)
    assert pair.server.send(b"refused") == 7
    pair.server.shutdown(socket.SHUT_WR)
    assert pair.read_by_client() == b"refused"
    pair.client.write(b"more of the same")
    pair.from_client()
    assert pair.server.recv(65536) == b"more of the same"
    pair.network.is_at_end = True
    assert pair.server.recv(65536) == b""
    pair.server.close()


def test_a_record_that_cannot_be_read_is_an_error_of_the_socket(certificate: Certificate) -> None:
    pair = Pair(certificate)
    pair.network.to_server = b"\x17\x03\x03\x00\x40" + b"\xff" * 64
    with pytest.raises(OSError, match=r"(?i)mac|decrypt"):
        pair.server.recv(65536)


def test_what_was_encrypted_when_memory_ran_out_is_sent_once(certificate: Certificate) -> None:
    pair = Pair(certificate)
    data = bytes(range(100))
    pair.network.is_out_of_memory = True
    left = data[pair.server.send(data) :]
    for _ in range(2):
        with pytest.raises(OSError, match="No buffer space"):
            pair.server.send(left)
    assert pair.read_by_client() == b""
    pair.network.is_out_of_memory = False
    while left:
        left = left[pair.server.send(left) :]
    assert pair.read_by_client() == data
