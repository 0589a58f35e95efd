"""A process of nodes without sockets: the registries and caches of real ones, around a real Redis.

They need gevent's patched sockets, and the test process is never patched. What a test asks comes
over a socket: the name of a method and its arguments, pickled; so goes the answer back.
"""

from gevent import monkey

monkey.patch_all()

import math  # noqa: E402
import pickle  # noqa: E402
import socket  # noqa: E402
import struct  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterable  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402

from fizz_gevent.clock import SystemClock  # noqa: E402
from fizz_gevent.cluster.redis_cluster import RedisCluster  # noqa: E402
from fizz_gevent.config import RedisConfig, ScalingConfig  # noqa: E402
from fizz_gevent.protocol.members import Joined, Left, Member  # noqa: E402

LENGTH = struct.Struct("!I")
_WITHIN = 10.0


class Letters:
    """What one node is told."""

    def __init__(self) -> None:
        self.members: list[tuple[str, str, str, str]] = []
        self.users: list[tuple[str, str, bool]] = []

    def members_changed(
        self, app_id: str, channel: str, added: Iterable[Member], removed: Iterable[str]
    ) -> None:
        self.members += [(app_id, channel, "+", member.user_id) for member in added]
        self.members += [(app_id, channel, "-", user_id) for user_id in removed]

    def user_changed(self, app_id: str, user_id: str, is_online: bool) -> None:
        self.users.append((app_id, user_id, is_online))

    def wants_counts(self, app_id: str) -> bool:
        return False

    def refresh_users(self) -> None:
        pass

    def is_congested(self) -> bool:
        return False

    def deliver(self, *what: Any, **more: Any) -> None:
        pass

    def published(self, *what: Any) -> None:
        pass

    def renumbered(self) -> None:
        pass


class Nodes:
    """So many nodes that are to be taken for one. Each connection is at one of them.

    First and last come to nodes over the bus and not as answers; here they are answered after all,
    by what is known before and after, and each node has to have been told the same.
    """

    def __init__(self, path: str, prefix: str, count: int) -> None:
        server = RedisConfig(url=f"unix://{path}")
        config = ScalingConfig(enabled=True, channel=prefix, server=server, lease_seconds=5)
        self.letters = [Letters() for _ in range(count)]
        self.clusters = [RedisCluster(config, SystemClock()) for _ in range(count)]
        for cluster, letters in zip(self.clusters, self.letters, strict=True):
            cluster.start(letters)
        self._await(lambda: not any(cluster.seconds_away for cluster in self.clusters))
        self._asked = 0

    def close(self) -> None:
        for cluster in self.clusters:
            cluster.stop()

    def _await(self, condition: Any) -> None:
        with gevent.Timeout(_WITHIN):
            while not condition():
                gevent.sleep(0.002)

    def _index(self, socket_id: str) -> int:
        return int(socket_id.partition(".")[0]) % len(self.clusters)

    def _registry(self, socket_id: str) -> Any:
        return self.clusters[self._index(socket_id)].registry

    @property
    def _any(self) -> Any:
        """Another node each time: all have to give the same answers."""
        self._asked += 1
        return self.clusters[self._asked % len(self.clusters)]

    def connect(self, app_id: str, socket_id: str, limit: int | None) -> bool:
        return bool(self._registry(socket_id).connect(app_id, socket_id, limit))

    def disconnect(self, app_id: str, socket_id: str) -> None:
        self._registry(socket_id).disconnect(app_id, socket_id)

    def join(
        self,
        app_id: str,
        channel: str,
        socket_id: str,
        *,
        member: Member | None = None,
        max_members: int | None = None,
    ) -> Joined | None:
        before = self._any.registry.users(app_id, channel)
        joined: Joined | None = self._registry(socket_id).join(
            app_id, channel, socket_id, member=member, max_members=max_members
        )
        if joined is None or member is None:
            return joined
        is_first = member.user_id not in before
        if is_first:
            self._await_told(self._index(socket_id), (app_id, channel, "+", member.user_id))
        return Joined(
            joined.subscription_count, joined.is_first, is_first, dict(joined.roster or {})
        )

    def update(self, app_id: str, channel: str, socket_id: str, member: Member) -> Joined:
        joined = self._registry(socket_id).update(app_id, channel, socket_id, member)
        return Joined(joined.subscription_count, joined.is_first, False, dict(joined.roster))

    def leave(
        self, app_id: str, channel: str, socket_id: str, *, user_id: str | None = None
    ) -> Left:
        registry = self._registry(socket_id)
        left: Left = registry.leave(app_id, channel, socket_id, user_id=user_id)
        if user_id is None:
            return left
        is_last = user_id not in self._any.registry.users(app_id, channel)
        return Left(left.subscription_count, left.is_last, is_last)

    def _await_told(self, index: int, what: tuple[str, str, str, str]) -> None:
        self._await(lambda: what in self.letters[index].members)

    def sign_in(self, app_id: str, user_id: str, socket_id: str) -> bool:
        return self._sign(True, app_id, user_id, socket_id)

    def sign_out(self, app_id: str, user_id: str, socket_id: str) -> bool:
        return self._sign(False, app_id, user_id, socket_id)

    def _sign(self, is_in: bool, app_id: str, user_id: str, socket_id: str) -> bool:
        for letters in self.letters:
            letters.users.clear()
        was_online = self._is_signed_in(app_id, user_id)
        registry = self._registry(socket_id)
        (registry.sign_in if is_in else registry.sign_out)(app_id, user_id, socket_id)
        is_online = self._is_signed_in(app_id, user_id)
        if was_online != is_online:
            told = (app_id, user_id, is_online)
            self._await(lambda: all(letters.users == [told] for letters in self.letters))
        return was_online != is_online

    def _is_signed_in(self, app_id: str, user_id: str) -> bool:
        online: dict[str, float] = self._any.registry.online(app_id, [user_id])
        return online.get(user_id) == math.inf

    def online(self, app_id: str, user_ids: Iterable[str]) -> dict[str, float]:
        return dict(self._any.registry.online(app_id, user_ids))

    def counts(self, app_id: str, channel: str) -> Any:
        return self._any.registry.counts(app_id, channel)

    def channels(self, app_id: str, prefix: str) -> Any:
        return dict(self._any.registry.channels(app_id, prefix))

    def users(self, app_id: str, channel: str) -> list[str]:
        return list(self._any.registry.users(app_id, channel))

    def connections(self, app_id: str) -> int:
        return int(self._any.registry.connections(app_id))

    def may_tell_count(self, app_id: str, channel: str, seconds: float) -> bool:
        return bool(self._any.registry.may_tell_count(app_id, channel, seconds))

    def is_partial(self) -> bool:
        return any(cluster.registry.is_partial for cluster in self.clusters)

    # A cache: what the first node publishes, the last one shows.

    def put(self, app_id: str, channel: str, data: str, payload: bytes, ttl: float) -> None:
        cluster = self.clusters[0]
        cluster.cache.put(app_id, channel, data, payload, ttl)
        cluster.bus.publish(app_id, channel, payload, cache_seconds=ttl)
        self._await(lambda: not cluster.bus.queue_bytes)

    def get(self, app_id: str, channel: str) -> Any:
        return self.clusters[-1].cache.get(app_id, channel)


def receive(connection: socket.socket) -> Any:
    """One pickled value; raises EOFError at the end."""
    (length,) = LENGTH.unpack(_read(connection, LENGTH.size))
    return pickle.loads(_read(connection, length))


def send(connection: socket.socket, value: Any) -> None:
    pickled = pickle.dumps(value)
    connection.sendall(LENGTH.pack(len(pickled)) + pickled)


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def serve(connection: socket.socket, path: str) -> None:
    nodes: Nodes | None = None
    while True:
        try:
            name, arguments, keywords = receive(connection)
        except EOFError:
            return
        try:
            if name == "open":
                nodes = Nodes(path, *arguments)
                answer = None
            else:
                answer = getattr(nodes, name)(*arguments, **keywords)
            send(connection, (True, answer))
        except (Exception, gevent.Timeout) as error:
            send(connection, (False, f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
