"""A node's part in a cluster over Redis: everything that talks to Redis, put together."""

import time
from collections.abc import Callable, Iterable

import gevent

from fizz_gevent.application import Application
from fizz_gevent.cluster.application_store import Documents
from fizz_gevent.cluster.commands import Commands
from fizz_gevent.cluster.membership import Membership
from fizz_gevent.cluster.redis_applications import RedisApplications
from fizz_gevent.cluster.redis_bus import RedisBus
from fizz_gevent.cluster.redis_cache import RedisEventCache
from fizz_gevent.cluster.redis_link import RedisLink
from fizz_gevent.cluster.redis_listener import RedisListener
from fizz_gevent.cluster.redis_registry import RedisRegistry
from fizz_gevent.cluster.redis_webhooks import RedisBacklog
from fizz_gevent.config import ScalingConfig
from fizz_gevent.ports import Clock, Inbox

_FLUSH_SECONDS = 2.0
_JOINS_WITHIN = 2.0
_POLL_SECONDS = 0.01


class RedisCluster:
    """Holds the registry, the bus and the cache of a node whose cluster meets in Redis.

    Args:
        family: See ``Membership``.

    Attributes:
        applications: Those that live in Redis, or what is left there of those that are gone.
    """

    def __init__(self, config: ScalingConfig, clock: Clock, family: str | None = None) -> None:
        link = RedisLink(config)
        self._link = link
        self._commands = Commands(link)
        self._membership = Membership(self._commands, link.prefix, config.lease_seconds, family)
        self._listener = RedisListener(
            link, lambda: [f"{link.prefix}:all", self._membership.own_channel]
        )
        self.cache = RedisEventCache(self._commands, link.prefix, clock)
        self.registry = RedisRegistry(self._commands, self._membership, self._listener, clock)
        self.bus = RedisBus(
            self._commands,
            self._membership,
            self._listener,
            self.registry,
            queue_size=config.queue_size,
            replay_size=config.replay_size,
        )
        self.applications = RedisApplications(self._commands, link.prefix)
        self._follows_applications = False

    def follow_applications(self, on_change: Callable[[Documents], None]) -> None:
        """Read the applications from Redis, from ``start`` on.

        Args:
            on_change: See ``RedisApplications``.
        """
        self._follows_applications = True
        self.applications.on_change = on_change
        self.bus.on_applications = self.applications.noted

    def furnish_webhooks(
        self,
        application_of: Callable[[str], Application | None],
        applications: Callable[[], Iterable[Application]],
        *,
        is_private: bool,
    ) -> RedisBacklog:
        """Have what back ends are told of noted in Redis; where it waits there."""
        backlog = RedisBacklog(
            self._commands, self._link.prefix, application_of, applications, is_private=is_private
        )
        self.registry.news_of, self._membership.news_wanted = backlog.news_of, backlog.news_wanted
        self.registry.on_news = self._membership.on_news = backlog.news
        return backlog

    def check(self) -> None:
        """Find out what would never work. Yields.

        Raises:
            ConfigError: See ``RedisLink.check``.
        """
        self._link.check()

    def start(self, inbox: Inbox) -> None:
        """Take part in the cluster, at once or as soon as Redis can be reached.

        Waits a moment for that, so that the first clients are everybody's. Yields.
        """
        self.registry.start(inbox)
        self._membership.synchronise = self.registry.synchronise
        self._membership.is_out_of_step = lambda: self.registry.is_out_of_step
        self._membership.on_new_life = lambda: self._begin_again(inbox)
        self._membership.start()
        self._listener.start()
        self.bus.start(inbox)
        if self._follows_applications:
            self.applications.start()
        until = time.monotonic() + _JOINS_WITHIN
        while self._is_missing_something and time.monotonic() < until:
            gevent.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Publish what waits, and give back all that this node holds. Yields."""
        self.applications.stop()
        self.bus.flush(_FLUSH_SECONDS)
        self._membership.leave()

    def _begin_again(self, inbox: Inbox) -> None:
        """Redis has lost its data, and numbers events and transitions from the beginning.

        Nothing that is on its way from before may be heard any more, so the listener begins again
        too; what it misses it reads from the new log. Never yields.
        """
        self._listener.drop()
        self.registry.begin_again()
        self.cache.renumber()
        inbox.renumbered()

    @property
    def _is_missing_something(self) -> bool:
        needs_applications = self._follows_applications and not self.applications.has_asked
        return self.seconds_away > 0 or needs_applications

    @property
    def seconds_away(self) -> float:
        """How long Redis has been out of reach; 0 while it is not."""
        return max(self._membership.seconds_down, self._listener.seconds_down)
