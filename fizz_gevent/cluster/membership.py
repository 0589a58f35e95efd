"""That this node lives, and which other does not any more."""

import contextlib
import logging
import random
import secrets
import time
from collections.abc import Callable
from typing import Any

import gevent

from fizz_gevent.cluster.commands import Commands
from fizz_gevent.errors import ClusterUnavailable
from fizz_gevent.protocol.users import OFFLINE_AFTER

_log = logging.getLogger(__name__)
_BEATS_PER_LEASE = 10
_LONGEST_BACK_OFF = 1.0
_REAP_SLICE = 500


class Membership:
    """Keeps this node's lease and ends those of dead nodes.

    A node is dead when its heartbeat, a counter in Redis, has stood still for a whole lease as seen
    by this node's own monotonic clock over a link that worked all the while. A Redis that was
    frozen or away, or a clock that jumped, therefore kills nobody.

    Args:
        family: What the names of all nodes begin with of which only one can live at a time: this
            one and those whose place it takes, as a worker takes that of a dead one. None where
            there are no others.

    Attributes:
        node_id: This node's name; another one each time it has been given up for dead.
        own_channel: Where on the bus this node talks to itself; stays the same.
        is_forgotten: Redis does not know the name any more.
        epoch: Names the present life of the data in Redis; empty before the first.
        position: How many events had been published in this life when last seen.
        began_at: The position from which on events are of this node's time.
        synchronise: Tells Redis all that this node holds.
        is_out_of_step: Whether that has to be done again.
        on_new_life: Called when Redis has lost its data, before this node tells it anything.
        news_wanted: How many things for back ends may wait, and the applications whose back ends
            want to know who is gone, see ``reap.lua``.
        on_news: Called when such things may have been noted. Never yields.
    """

    def __init__(
        self, commands: Commands, prefix: str, lease_seconds: float, family: str | None = None
    ) -> None:
        self._family = family or secrets.token_hex(8)
        self.prefix = prefix
        self.own_channel = f"{prefix}:n:{secrets.token_hex(8)}"
        self.lease_seconds = lease_seconds
        self.node_id = self._new_node_id()
        self.is_forgotten = True
        self.is_up = False
        self.epoch = ""
        self.position = 0
        self.began_at = 0
        self._started_at = time.monotonic()
        self._down_since: float | None = time.monotonic()
        self.synchronise: Callable[[], None] = lambda: None
        self.is_out_of_step: Callable[[], bool] = lambda: False
        self.on_new_life: Callable[[], None] = lambda: None
        self.news_wanted: Callable[[], list[str | int]] = lambda: [0]
        self.on_news: Callable[[], None] = lambda: None
        self._commands = commands
        self._commands.on_lost = self._lost
        self._seen: dict[str, tuple[int, float]] = {}
        self._looked_at = 0.0
        self._has_told_loss = False
        self._living: gevent.Greenlet[..., None] | None = None

    @property
    def seconds_down(self) -> float:
        """How long this node has taken no part in the cluster; 0 while it does."""
        return 0.0 if self._down_since is None else time.monotonic() - self._down_since

    def start(self) -> None:
        """Take part, and for ever try again."""
        self._living = gevent.spawn(self._live)

    def leave(self) -> None:
        """Give back the lease and all that depends on it: this node stops. Yields."""
        if self._living is not None:
            self._living.kill()  # or it would begin anew under another name
        self.is_up = False
        with contextlib.suppress(ClusterUnavailable):  # its lease runs out
            self._reap(self.node_id, "")

    def holdings(self) -> dict[str, set[str]]:
        """What Redis believes that this node holds, by the kind of holding. Yields.

        Raises:
            ClusterUnavailable: Redis is away.
        """
        asked = {
            kind: self._commands.begin(("HKEYS", f"{self.prefix}:h:{self.node_id}:{kind}"))
            for kind in "csmu"
        }
        answers: dict[str, list[bytes]] = {kind: each.get() or [] for kind, each in asked.items()}
        return {kind: {field.decode() for field in fields} for kind, fields in answers.items()}

    def _live(self) -> None:
        attempts = 0
        while True:
            try:
                self._join()
                attempts = 0
                while True:
                    gevent.sleep(self.lease_seconds / _BEATS_PER_LEASE)
                    self._beat()
                    if self.is_out_of_step():
                        self._synchronise()
            except ClusterUnavailable as error:
                self._note_down(error)
            except Exception:
                _log.exception("fault %s in the membership", secrets.token_hex(4))
            attempts += 1
            # Far below a lease: a node that is slow to come back would be taken for dead.
            longest = min(_LONGEST_BACK_OFF, self.lease_seconds / 10, 0.05 * 2 ** min(attempts, 6))
            gevent.sleep(random.uniform(longest / 2, longest))

    def _join(self) -> None:
        if not self._commands.is_up:
            self._commands.connect()
        self._seen.clear()
        answer: Any = None
        if not self.is_forgotten:
            answer = self._commands.script("beat", self.node_id, self.own_channel)
        if answer is None:
            self.node_id = self._new_node_id()
            answer = self._commands.script("enter", self.node_id, secrets.token_hex(8))
            self._bury_predecessors()
            if not self.epoch:
                # Redis may have come after this node and its clients, with events in between.
                life_seconds = int(answer[2]) / 1000
                is_younger = life_seconds < time.monotonic() - self._started_at
                self.began_at = 0 if is_younger else int(answer[1])
        self.is_forgotten = False
        before, self.epoch = self.epoch, answer[0].decode()
        self.position = int(answer[1])
        if before not in ("", self.epoch):
            self.on_new_life()
        self._synchronise()
        self.is_up = True
        self._down_since = None
        if self._has_told_loss:
            self._has_told_loss = False
            _log.warning("Redis is back")

    def _synchronise(self) -> None:
        """Tell Redis everything, which may take longer than a lease, and live meanwhile."""
        beating = gevent.spawn(self._only_beat)
        try:
            self.synchronise()
        finally:
            beating.kill(block=False)

    def _only_beat(self) -> None:
        while True:
            gevent.sleep(self.lease_seconds / _BEATS_PER_LEASE)
            self._commands.begin_script("beat", self.node_id, self.own_channel)

    def _beat(self) -> None:
        answer = self._commands.script("beat", self.node_id, self.own_channel)
        if answer is None or self.is_forgotten:
            self.is_forgotten = True
            raise ClusterUnavailable("this node was given up for dead and begins again")
        if answer[0].decode() != self.epoch:
            raise ClusterUnavailable("Redis has lost its data")
        self.position = int(answer[1])
        now = time.monotonic()
        if now - self._looked_at > self.lease_seconds / 2:
            self._seen.clear()  # this node was frozen, or busy: it has not seen what they did
        self._looked_at = now
        alive: dict[str, tuple[int, float]] = {}
        for node, heartbeat in zip(answer[2::2], answer[3::2], strict=True):
            name, count = node.decode(), int(heartbeat)
            seen = self._seen.get(name)
            alive[name] = (count, now) if seen is None or seen[0] != count else seen
        self._seen = alive
        for name, (count, since) in alive.items():
            if name != self.node_id and now - since >= self.lease_seconds:
                _log.warning("node %s is dead; taking over what it held", name)
                self._reap(name, str(count))
        dead: list[bytes] = self._commands.ask("HKEYS", f"{self.prefix}:dead")
        for dead_node in dead:
            self._reap(dead_node.decode(), "")  # whoever began that may have died over it

    def _bury_predecessors(self) -> None:
        """Take over at once from whoever had this node's place, for they are known to be dead."""
        nodes: list[bytes] = self._commands.ask("HKEYS", f"{self.prefix}:nodes")
        for node in nodes:
            name = node.decode()
            if name != self.node_id and name.startswith(f"{self._family}."):
                self._reap(name, "")

    def _reap(self, node_id: str, heartbeat: str) -> None:
        left = 1
        while left == 1:
            answer: Any = self._commands.script(
                "reap",
                node_id,
                heartbeat,
                _REAP_SLICE,
                int(OFFLINE_AFTER * 1000),
                *self.news_wanted(),
            )
            left = int(answer[0])
        self.on_news()

    def _lost(self, error: BaseException) -> None:
        self._note_down(error)

    def _note_down(self, error: BaseException) -> None:
        if self._down_since is None:
            self._down_since = time.monotonic()
        if not self._has_told_loss:
            self._has_told_loss = True
            _log.warning("Redis is away: %s; going on with what this node knows", error)
        self.is_up = False

    def _new_node_id(self) -> str:
        return f"{self._family}.{secrets.token_hex(4)}"
