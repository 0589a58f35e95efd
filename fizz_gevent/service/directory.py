"""Which channels there are, who is in them, and how many."""

from collections.abc import Mapping

from fizz_gevent.application import Application
from fizz_gevent.ports import CachedEvent, EventCache, Registry
from fizz_gevent.protocol.members import ChannelCounts
from fizz_gevent.protocol.names import kind_of


class Directory:
    """Answers for the whole cluster. Each method may yield."""

    def __init__(self, registry: Registry, cache: EventCache) -> None:
        self._registry = registry
        self._cache = cache

    @property
    def is_partial(self) -> bool:
        """Answers come from this node alone, because the cluster cannot be asked."""
        return self._registry.is_partial

    def channel(self, application: Application, name: str) -> ChannelCounts:
        """How busy a channel is; zeros where nobody is in it. Protocol: §12.6."""
        counts = self._registry.counts(application.app_id, name)
        if counts is None:
            return ChannelCounts(0, 0 if kind_of(name).is_presence else None)
        return counts

    def channels(self, application: Application, prefix: str = "") -> Mapping[str, ChannelCounts]:
        """The occupied channels that start with ``prefix``. Protocol: §12.5, §9.2 (hidden ones)."""
        return {
            name: counts
            for name, counts in self._registry.channels(application.app_id, prefix).items()
            if not kind_of(name).is_server_to_user
        }

    def users(self, application: Application, channel: str) -> list[str]:
        """The distinct users in a presence channel. Protocol: §12.7."""
        return self._registry.users(application.app_id, channel)

    def connections(self, application: Application) -> int:
        """How many connections the application has. Protocol: §12.10."""
        return self._registry.connections(application.app_id)

    def cached(self, application: Application, channel: str) -> CachedEvent | None:
        """What a cache channel remembers. Protocol: §12.6."""
        return self._cache.get(application.app_id, channel)
