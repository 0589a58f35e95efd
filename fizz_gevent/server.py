"""Furnishes the house from a configuration, runs it, and stops it kindly."""

import gc
import logging
import math
import os
from functools import partial
from typing import Any

import gevent

from fizz_gevent import __version__
from fizz_gevent.api.flask_app import create_app
from fizz_gevent.applications import furnish
from fizz_gevent.banner import Address
from fizz_gevent.certificates import load_context
from fizz_gevent.channels.rate_limit import own_bucket
from fizz_gevent.channels.tables import Tables
from fizz_gevent.clock import SystemClock
from fizz_gevent.cluster.memory import MemoryCluster
from fizz_gevent.cluster.redis_cluster import RedisCluster
from fizz_gevent.config import Config
from fizz_gevent.console_room import ConsoleRoom
from fizz_gevent.control import Answers
from fizz_gevent.heritage import Heritage
from fizz_gevent.leaving import Leaving
from fizz_gevent.loop_lag import LoopLag
from fizz_gevent.metrics.reader import Reader
from fizz_gevent.open_files import Capacity
from fizz_gevent.provider import REDIS
from fizz_gevent.refusal_summary import RefusalSummary
from fizz_gevent.reload import merged, waiting_for_restart
from fizz_gevent.service.admission import Admission
from fizz_gevent.service.back_ends import BackEnds
from fizz_gevent.service.directory import Directory
from fizz_gevent.service.inbox import NodeInbox
from fizz_gevent.service.janitor import Janitor
from fizz_gevent.service.publisher import Publisher
from fizz_gevent.service.readiness import Readiness
from fizz_gevent.service.session import Sessions
from fizz_gevent.service.subscription_counts import SubscriptionCounts
from fizz_gevent.service.subscriptions import Subscriptions
from fizz_gevent.service.users import Users
from fizz_gevent.service.watchlists import Watchlists
from fizz_gevent.stream_taps import StreamTaps, log_tap
from fizz_gevent.transport import endpoint
from fizz_gevent.transport.address import listen
from fizz_gevent.transport.deadlines import Deadlines
from fizz_gevent.transport.flusher import Flusher
from fizz_gevent.transport.listener import Listener
from fizz_gevent.transport.places import Places
from fizz_gevent.transport.proxies import Proxies
from fizz_gevent.transport.readers import Readers
from fizz_gevent.transport.shared_listener import SharedListener
from fizz_gevent.transport.stream import next_turn
from fizz_gevent.transport.websocket import Wiring
from fizz_gevent.webhooks.backlog import Backlog
from fizz_gevent.webhooks.desk import WebhookDesk
from fizz_gevent.webhooks.http_client import PooledClient
from fizz_gevent.webhooks.memory_backlog import MemoryBacklog
from fizz_gevent.webhooks.sender import Sender
from fizz_gevent.webhooks.sink import BacklogSink
from fizz_gevent.worker import Worker

_log = logging.getLogger(__name__)
_SWEEP_SECONDS = 0.5
_LATE_SECONDS = 1.0
_CACHE_SWEEP_SECONDS = 60.0


class Server:
    """One node: every room, built from the configuration, around one listening socket.

    Attributes:
        answers: What this node can be asked over the control socket.
    """

    def __init__(
        self,
        config: Config,
        capacity: Capacity,
        worker: Worker | None = None,
        heritage: Heritage | None = None,
    ) -> None:
        self.config = config
        self.answers = Answers()
        server = config.server
        tls = None if server.tls.cert is None else load_context(server.tls)
        self._clock = SystemClock()
        self._readiness = Readiness()
        self._deadlines = Deadlines()
        self._flusher = Flusher(is_shared=server.scaling.enabled)
        make_bucket = own_bucket if worker is None else worker.rates.bucket
        self._tables = Tables(config.applications, self._flusher, make_bucket)
        self._cluster: MemoryCluster | RedisCluster
        if server.scaling.enabled:
            self._cluster = RedisCluster(
                server.scaling, self._clock, None if worker is None else worker.family
            )
            self._cluster.check()
        else:
            self._cluster = MemoryCluster(self._clock)
        self._applications = furnish(
            self._tables,
            self._cluster,
            self._readiness,
            self._clock,
            is_in_redis=config.provider == REDIS,
            has_private_redis=worker is not None and worker.has_private_redis,
            on_change=self._applications_changed,
        )
        registry, bus, cache = self._cluster.registry, self._cluster.bus, self._cluster.cache
        backlog = self._furnish_webhooks(worker)
        self.webhooks = Sender(backlog, PooledClient(), self._tables.application)
        sink = BacklogSink(backlog)
        counts = SubscriptionCounts(registry, bus, self._clock, sink)
        publisher = Publisher(cache, bus, self._clock, sink)
        watchlists = Watchlists(registry, self._clock)
        users = Users(registry, watchlists, bus, self._clock)
        self._inbox = NodeInbox(self._tables, users, watchlists, cache)
        self._readiness.seconds_without_redis = lambda: self._cluster.seconds_away
        self._sessions = Sessions(
            registry,
            Subscriptions(registry, cache, counts, self._clock, sink, next_turn),
            users,
            publisher,
            self._clock,
        )
        self._janitor = Janitor(self._tables, self._clock)
        directory = Directory(registry, cache)
        application = create_app(
            prefix=server.path,
            max_request_size=server.max_request_size,
            back_ends=BackEnds(self._tables, self._clock, server.path),
            publisher=publisher,
            directory=directory,
            users_service=users,
            readiness=self._readiness,
        )
        application.register_direct(endpoint.create_blueprint(), url_prefix=server.path)
        if worker is not None:
            socket = worker.listener
        elif heritage is not None:
            socket = heritage.open_listener()
        else:
            socket = listen(server.host, server.port)
        address = socket.getsockname()
        self.address: Address = address if isinstance(address, str) else address[:2]
        kind = Listener if worker is None else partial(SharedListener, balance=worker.balance)
        self._listener = kind(
            socket,
            application,
            config=server,
            tls=tls,
            max_sockets=capacity.sockets,
            max_websockets=capacity.connections,
            readiness=self._readiness,
            deadlines=self._deadlines,
            proxies=Proxies(server.trusted_proxies),
            places=Places(
                server.max_connections_per_address, None if worker is None else worker.places
            ),
        )
        self._listener.admission = Admission(
            self._tables,
            registry,
            self._readiness,
            self._clock,
            has_room=self._listener.has_room,
            has_room_from=self._listener.places.has_room,
        )
        self._wiring = self._listener.wiring = Wiring(
            self._sessions,
            self._flusher,
            Readers(),
            self._clock,
            server.max_outbox_size,
            server.close_timeout,
            self._listener.websocket_closed,
        )
        self._taps = StreamTaps(self._sessions, self._flusher, self._listener, publisher)
        self._console: ConsoleRoom | None = None
        if server.console.enabled:
            self._console = ConsoleRoom(
                config,
                tables=self._tables,
                registry=registry,
                directory=directory,
                publisher=publisher,
                sessions=self._sessions,
                listener=self._listener,
                taps=self._taps,
                clock=self._clock,
                application=application,
            )
        self._leaving = Leaving(
            self._readiness,
            self._listener,
            self._deadlines,
            self._tables,
            self.webhooks,
            self._cluster,
        )
        self._refusal_summary = RefusalSummary(
            self._listener.refusals,
            self._sessions.refusals,
            self._listener.answers,
            self._listener.offenders.take_worst,
            lambda: [table.tally.ended for table in self._tables.configured],
            lambda: self._wiring.readers.flood_count,
            self._wiring.readers.flooders.take_worst,
        )
        self._loop_lag = LoopLag()
        self.figures = Reader(
            __version__,
            self._tables.configured,
            self._flusher,
            self._listener,
            self._wiring,
            registry,
            self._loop_lag.seconds,
            None if isinstance(self._cluster, MemoryCluster) else self._cluster.bus,
            lambda: self._cluster.seconds_away == 0,
            (self.webhooks, backlog),
        )
        self.answers.add("status", lambda _: self.status())
        desk = WebhookDesk(backlog, self._tables.application)
        self.answers.add("webhooks", desk.waiting)
        self.answers.add("webhooks_failed", desk.failed)
        self.answers.add("webhooks_retry", desk.retry)

    def status(self) -> dict[str, Any]:
        """What an operator wants to know of this node, as JSON knows it. Never yields."""
        away = None if isinstance(self._cluster, MemoryCluster) else self._cluster.seconds_away
        return {
            "pid": os.getpid(),
            "connections": self._listener.open_websockets,
            "applications": {
                table.application.app_id: len(table.connections)
                for table in self._tables.configured
            },
            "redis_seconds_away": away,
            "is_draining": self._readiness.is_draining,
        }

    def _furnish_webhooks(self, worker: Worker | None) -> Backlog:
        """Where webhooks wait; what the registry decides is told there."""
        if isinstance(self._cluster, RedisCluster):
            return self._cluster.furnish_webhooks(
                self._tables.application,
                lambda: [table.application for table in self._tables],
                is_private=worker is not None and worker.has_private_redis,
            )
        backlog = MemoryBacklog(self._clock, self._tables.application)
        self._cluster.registry.on_turned = backlog.turned
        self._cluster.registry.on_moved = backlog.moved
        return backlog

    def inherit(self, heritage: Heritage) -> None:
        """Go on with what the program before this one in the process has left. Never yields."""
        if self._listener.tls is None:
            self._listener.visitors = heritage.visitors
        else:
            heritage.close_visitors()  # plain ones: nobody can speak TLS in the middle of HTTP
        if isinstance(self.webhooks.backlog, MemoryBacklog):
            self.webhooks.backlog.unpack(heritage.webhooks)

    def join(self) -> None:
        """Take part in the cluster. Yields."""
        self._cluster.start(self._inbox)

    def start(self) -> None:
        """Accept clients."""
        self.webhooks.start()
        self._listener.start()
        gevent.spawn(self._sweep_for_ever)
        if self._console is not None:
            self._console.start()
        if self.config.server.metrics.enabled:
            gevent.spawn(self._loop_lag.measure_for_ever)
        # What exists now lives as long as the process; the collector need not look at it again,
        # and at what comes later only when a lot of it has come.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)

    def show_stream(self, is_shown: bool) -> None:
        """Begin or end to print every frame and request."""
        served = [table.application for table in self._tables.configured]
        self._taps.show_log(log_tap(served) if is_shown else None)

    @property
    def is_showing_stream(self) -> bool:
        """Whether every frame and request is printed."""
        return self._taps.log is not None

    def reload(self, config: Config) -> list[str]:
        """Take over a new configuration without letting go of a client. Never yields.

        Returns:
            The keys whose new values wait for a restart.

        Raises:
            ConfigError: The certificate cannot be used; nothing has changed.
        """
        waiting = waiting_for_restart(self.config, config)
        config = merged(self.config, config)
        server = config.server
        tls = None if server.tls.cert is None else load_context(server.tls)
        self.config = config
        self._listener.reconfigure(server, tls)
        self._wiring.max_outbox_size = server.max_outbox_size
        self._wiring.close_timeout = server.close_timeout
        if config.provider != REDIS:
            self._applications.replace(config.applications)
        _log.warning("the configuration is reloaded")
        if waiting:
            _log.warning("only a restart brings into effect: %s", ", ".join(waiting))
        return waiting

    def _applications_changed(self) -> None:
        if self.is_showing_stream:
            self.show_stream(True)  # it has secrets to mask, which may be new
        if self._console is not None:
            self._console.applications_changed()

    def stop(self, *, others_serve: bool = False) -> None:
        """Accept nobody any more, let what runs end, tell every client to go elsewhere. Yields.

        Args:
            others_serve: Other processes accept from the same socket.
        """
        self._leaving.stop(self.config.server.drain_seconds, others_serve=others_serve)
        self._refusal_summary.sweep(math.inf)  # what has not been told yet

    def retire(self, heritage: Heritage) -> None:
        """Leave everything to the program that follows in this process. Yields."""
        self._leaving.retire(self.config.server.drain_seconds, heritage)

    def _sweep_for_ever(self) -> None:
        cache_sweep_at = 0.0
        due_at, is_late = self._clock.monotonic() + _SWEEP_SECONDS, False
        while True:
            gevent.sleep(_SWEEP_SECONDS)
            try:
                now = self._clock.monotonic()
                was_late, is_late = is_late, now - due_at > _LATE_SECONDS
                due_at = now + _SWEEP_SECONDS
                if is_late and not was_late:
                    continue  # the process stood still; what has come meanwhile is heard first
                self._deadlines.sweep(now)
                self._wiring.sweep()
                self._applications.sweep()
                self._janitor.sweep()
                self._refusal_summary.sweep(now)
                if now >= cache_sweep_at:
                    cache_sweep_at = now + _CACHE_SWEEP_SECONDS
                    self._cluster.cache.sweep()
            except Exception:
                _log.exception("fault in the sweep")
