"""Several nodes around one Redis, each a real process, each with a link that a test can break."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tests.harness.eventually import eventually
from tests.harness.fault_proxy import FaultProxy
from tests.harness.http_api import Answer
from tests.harness.redis_server import RedisServer
from tests.harness.server import FizzServer

LEASE = 2.0
"""Seconds; short, so that a test need not wait long for a node to be given up."""

Start = Callable[..., FizzServer]
"""The ``fizz`` fixture."""


class Cluster:
    """Nodes that share a Redis.

    Args:
        fizz: Starts servers, and stops them at the end of the test.
        redis: Running already, or to be started by the test.
        scaling: Keys of ``scaling``, beside those that every node of a cluster needs.
        is_linked: Put a proxy between each node and Redis.
        apps: As for ``FizzServer``.
        server: Further keys of ``servers.fizz``.
    """

    def __init__(
        self,
        fizz: Start,
        redis: RedisServer,
        count: int = 2,
        *,
        scaling: Mapping[str, Any] | None = None,
        is_linked: bool = False,
        apps: Sequence[Mapping[str, Any]] | None = None,
        server: Mapping[str, Any] | None = None,
    ) -> None:
        self._fizz = fizz
        self.redis = redis
        self._scaling = {"enabled": True, "lease_seconds": LEASE, **(scaling or {})}
        self._is_linked = is_linked
        self._apps = apps
        self._server = dict(server or {})
        self.nodes: list[FizzServer] = []
        self.links: list[FaultProxy] = []
        for _ in range(count):
            self.add()

    def add(self) -> FizzServer:
        """Start one more node."""
        url = self.redis.url
        if self._is_linked:
            link = FaultProxy(("127.0.0.1", self.redis.port))
            self.links.append(link)
            url = link.url
        scaling = {"server": {"url": url}, **self._scaling}
        settings = {"workers": 1, **self._server, "scaling": scaling}
        node = self._fizz(server=settings, apps=self._apps)
        self.nodes.append(node)
        return node

    def close(self) -> None:
        """Let the links go; the nodes are the fixture's."""
        for link in self.links:
            link.close()

    def await_joined(self, *nodes: FizzServer) -> None:
        """Wait until these nodes, or all, answer for the whole cluster."""
        with self.redis.client() as client:
            everybody = f"{self._scaling.get('channel', 'fizz')}:all"
            eventually(
                lambda: client.pubsub_numsub(everybody)[0][1] >= len(nodes or self.nodes),
                what="the nodes listen",
            )
        for node in nodes or self.nodes:
            eventually(partial(_is_whole, node), what="the node has joined")

    def pairs(self) -> list[tuple[FizzServer, FizzServer]]:
        """Each node with each other one."""
        return list(itertools.permutations(self.nodes, 2))

    def ask(self, path: str, **params: str) -> Any:
        """Ask every node the same; assert that all agree, and return what they say."""
        answers = [node.api().get(path, **params).json for node in self.nodes]
        for answer in answers:
            assert _sorted(answer) == _sorted(answers[0]), answers
        return answers[0]


def is_partial(node: FizzServer) -> bool:
    """Whether a node tells that it answers for itself alone."""
    answer: Answer = node.api().get("/connections")
    assert answer.status == 200, answer
    return "fizz-partial" in answer.headers


def _is_whole(node: FizzServer) -> bool:
    return not is_partial(node)


def users_in(answer: Any) -> set[str]:
    """The user ids in an answer of ``/channels/CHANNEL/users``."""
    return {user["id"] for user in answer["users"]}


def _sorted(answer: Any) -> Any:
    if isinstance(answer, dict) and isinstance(answer.get("users"), list):
        return sorted(user["id"] for user in answer["users"])
    return answer
