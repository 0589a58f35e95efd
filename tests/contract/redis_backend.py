"""Registries and caches of nodes around a real Redis, in a process that is patched."""

import atexit
import contextlib
import functools
import pickle
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fizz_gevent.ports import EventCache, Registry
from tests.harness.redis_server import RedisServer
from tests.harness.server import ROOT, clean_environ

_LENGTH = struct.Struct("!I")
_WITHIN = 20.0


class Remote:
    """Calls methods of ``redis_nodes.Nodes``, by the names that the ports give them."""

    def __init__(self, redis: RedisServer) -> None:
        here, there = socket.socketpair()
        script = Path(__file__).with_name("redis_nodes.py")
        words = ["-P", "-W", "error", str(script), str(there.fileno()), str(redis.socket)]
        with there:
            self._process = subprocess.Popen(
                [sys.executable, *words],
                env=clean_environ(PYTHONPATH=str(ROOT)),
                pass_fds=[there.fileno()],
            )
        here.settimeout(_WITHIN)
        self._socket = here

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return functools.partial(self.call, name)

    @property
    def is_partial(self) -> bool:
        return bool(self.call("is_partial"))

    def end(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def call(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        """Have one method called there; what it raises fails the test."""
        asked = pickle.dumps((name, arguments, keywords))
        self._socket.sendall(_LENGTH.pack(len(asked)) + asked)
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
        is_well, answer = pickle.loads(self._read(length))
        assert is_well, f"{name}: {answer}"
        return answer

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            assert more, "the nodes are gone"
            data += more
        return data


@functools.cache
def _remote() -> Remote:
    """One process and one Redis for all tests, which keep apart by their prefixes."""
    folder = tempfile.TemporaryDirectory(prefix="fizz-redis-")
    server = RedisServer(Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(server.kill)
    server.start()
    remote = Remote(server)
    atexit.register(remote.end)
    return remote


@contextlib.contextmanager
def nodes(prefix: str, count: int) -> Iterator[Any]:
    """So many nodes, which have to behave as one."""
    remote = _remote()
    remote.call("open", prefix, count)
    yield remote
    remote.call("close")


def redis_registry(count: int) -> Callable[[str], contextlib.AbstractContextManager[Registry]]:
    """The registries of so many nodes, taken for one."""
    return lambda prefix: nodes(prefix, count)


def redis_cache(count: int) -> Callable[[str], contextlib.AbstractContextManager[EventCache]]:
    """The caches of so many nodes, taken for one."""
    return lambda prefix: nodes(prefix, count)
