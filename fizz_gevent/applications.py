"""The applications that this node serves: they come, change and go while it runs."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

import gevent

from fizz_gevent.application import Application
from fizz_gevent.application_document import read_all
from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.channels.tables import Tables
from fizz_gevent.cluster.memory import MemoryCluster
from fizz_gevent.cluster.redis_cluster import RedisCluster
from fizz_gevent.errors import ClusterUnavailable
from fizz_gevent.ports import Clock
from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.service.readiness import Readiness

_log = logging.getLogger(__name__)
_CLEARED_AFTER = 2.0
"""Seconds in which what was on its way for an application that is gone has arrived."""
_GIVEN_UP_AFTER = 120.0
_MOST_NAMED = 20


class Applications:
    """Puts others in the place of those that are served, without letting go of any other client.

    Args:
        forget: Clears away what an application that is gone for the whole cluster has left, and may
            yield; None where this node cannot know that.
        now: Monotonic seconds.
    """

    def __init__(
        self,
        tables: Tables,
        *,
        on_change: Callable[[], None],
        forget: Callable[[str], None] | None,
        now: Callable[[], float],
    ) -> None:
        self._tables = tables
        self._on_change = on_change
        self._forget = forget
        self._now = now
        self._gone: dict[ChannelTable, float] = {}
        self._complained: dict[str, str] = {}
        self._known: dict[bytes, Application] = {}

    def replace(self, applications: Iterable[Application]) -> None:
        """Serve these from now on. Never yields."""
        for table in self._tables.replace(applications):
            self._gone[table] = self._now()
        self.close_unserved()
        self._on_change()

    def take(self, documents: Mapping[str, bytes]) -> None:
        """Serve those that these documents of Redis describe. Never yields.

        A document that is damaged is told of once, and does no harm to the others.
        """
        before = [table.application for table in self._tables.configured]
        found, complaints = read_all(documents, before, self._known)
        whole = (each for each in found if each.app_id not in complaints)
        self._known = {documents[each.app_id]: each for each in whole}
        for app_id, complaint in complaints.items():
            if self._complained.get(app_id) != complaint:
                stays = any(each.app_id == app_id for each in before)
                effect = "it stays as it was" if stays else "it is not served"
                _log.error("%s; %s, and the others are", complaint, effect)
        self._complained = complaints
        if found != before:
            _tell_changes(before, found)
            self.replace(found)

    def close_unserved(self) -> None:
        """Close the clients of what is gone or disabled, those too that were being admitted when it
        went. Never yields. Protocol: §4.3, 4001 and 4003.
        """
        for table in self._gone:
            close_all(table, CloseCode.UNKNOWN_APPLICATION)
        for table in self._tables.configured:
            if not table.application.enabled:
                close_all(table, CloseCode.APPLICATION_DISABLED)

    def sweep(self) -> None:
        """Clear up behind those that are gone; called now and then. Never yields."""
        self.close_unserved()
        now = self._now()
        for table, since in list(self._gone.items()):
            is_over = now - since >= _GIVEN_UP_AFTER
            if is_over or (not table.connections and now - since >= _CLEARED_AFTER):
                del self._gone[table]
                app_id = table.application.app_id
                if self._forget is not None and self._tables.by_id(app_id) is None:
                    gevent.spawn(self._clear_up, self._forget, app_id)

    def _clear_up(self, forget: Callable[[str], None], app_id: str) -> None:
        try:
            forget(app_id)
        except ClusterUnavailable as error:
            _log.warning("what application %s has left in Redis stays there: %s", app_id, error)


def furnish(
    tables: Tables,
    cluster: MemoryCluster | RedisCluster,
    readiness: Readiness,
    clock: Clock,
    *,
    is_in_redis: bool,
    has_private_redis: bool,
    on_change: Callable[[], None],
) -> Applications:
    """What serves and clears away applications; those that live in Redis are taken from there.

    Args:
        has_private_redis: All who share this Redis have their applications from the same file.
    """
    forget = None
    # Where each node has a file of its own, an application that is gone here may be elsewhere.
    if isinstance(cluster, RedisCluster) and (is_in_redis or has_private_redis):
        forget = cluster.applications.forget
    applications = Applications(tables, on_change=on_change, forget=forget, now=clock.monotonic)
    if is_in_redis and isinstance(cluster, RedisCluster):
        followed = cluster.applications
        cluster.follow_applications(applications.take)
        readiness.knows_applications = lambda: followed.is_loaded
        tables.knows_all = lambda: followed.is_loaded and cluster.seconds_away == 0
    return applications


def close_all(table: ChannelTable, code: CloseCode) -> None:
    """Close every client of an application here. Never yields."""
    for connection in tuple(table.connections.values()):
        connection.end(code)


def _tell_changes(before: Iterable[Application], after: Iterable[Application]) -> None:
    old = {each.app_id: each for each in before}
    new = {each.app_id: each for each in after}
    words = {
        "added": [app_id for app_id in new if app_id not in old],
        "changed": [app_id for app_id in new if app_id in old and new[app_id] != old[app_id]],
        "removed": [app_id for app_id in old if app_id not in new],
    }
    told = [f"{word}: {_listed(ids)}" for word, ids in words.items() if ids]
    _log.log(logging.WARNING if old else logging.INFO, "applications %s", "; ".join(told))


def _listed(ids: Sequence[str]) -> str:
    more = len(ids) - _MOST_NAMED
    return ", ".join(ids[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
