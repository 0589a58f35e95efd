"""Furnishes the console: its hidden application, its routes, and what this node tells it."""

import logging
import os
import secrets
from collections.abc import Callable, Mapping

from fizz_gevent import __version__, refusal_summary
from fizz_gevent.api.dispatch import FizzFlask
from fizz_gevent.channels.tables import Tables
from fizz_gevent.config import Config
from fizz_gevent.console.blueprint import create_blueprint
from fizz_gevent.console.guard import Guard
from fizz_gevent.console.keys import make_keys
from fizz_gevent.metrics.memory import resident_bytes
from fizz_gevent.ports import Clock, Registry
from fizz_gevent.service.directory import Directory
from fizz_gevent.service.incidents import IncidentLog, Incidents
from fizz_gevent.service.live_stream import LiveStream
from fizz_gevent.service.onlookers import Onlookers
from fizz_gevent.service.operators import Operators
from fizz_gevent.service.publisher import Publisher
from fizz_gevent.service.samples import Sampler
from fizz_gevent.service.session import Sessions
from fizz_gevent.stream_taps import StreamTaps, log_tap
from fizz_gevent.transport.listener import Listener
from fizz_gevent.transport.places import group_of


class ConsoleRoom:
    """All of the console that one node has.

    Args:
        listener: Of this node; its context and its proxies may be replaced.

    Attributes:
        applications_changed: To be called then: what is shown of the stream has secrets to mask.
    """

    def __init__(
        self,
        config: Config,
        *,
        tables: Tables,
        registry: Registry,
        directory: Directory,
        publisher: Publisher,
        sessions: Sessions,
        listener: Listener,
        taps: StreamTaps,
        clock: Clock,
        application: FizzFlask,
    ) -> None:
        self.applications_changed: Callable[[], None] = lambda: None
        server = config.server
        keys = make_keys(server.console.password, seed=config.seed, salt=server.scaling.channel)
        self._incidents = sessions.complaints = listener.complaints = Incidents(clock)
        self._incidents.ignored = keys.application.app_id
        stream = LiveStream(tables, clock, mask=str, prefix=server.path)

        def learn_secrets() -> None:
            stream.mask = log_tap(table.application for table in tables.configured).masked

        def hang(is_watched: bool, with_frames: bool) -> None:
            self.applications_changed = learn_secrets if is_watched else lambda: None
            learn_secrets()
            taps.show_live(stream if is_watched else None, frames=with_frames)

        def address_of(environ: Mapping[str, object]) -> str:
            headers = {name: str(value) for name, value in environ.items()}
            peer = headers.get("REMOTE_ADDR", "")
            return group_of(listener.proxies.client_address(peer, headers))

        def is_secure(environ: Mapping[str, object]) -> bool:
            if listener.tls is not None:
                return True
            headers = {name: str(value) for name, value in environ.items()}
            return listener.proxies.is_secure(headers.get("REMOTE_ADDR", ""), headers)

        self._onlookers = Onlookers(
            f"{os.uname().nodename}-{os.getpid()}-{secrets.token_hex(3)}",
            tables.hide(keys.application),
            registry,
            publisher,
            clock,
            sampler=Sampler(
                tables.configured,
                clock,
                refusals=lambda: listener.refusals,
                answers=lambda: listener.answers,
                resident_bytes=resident_bytes,
            ),
            stream=stream,
            incidents=self._incidents,
            hang=hang,
        )
        application.register_blueprint(
            create_blueprint(
                Guard(server.console, keys.session, clock, address_of, listener.note_refusal),
                keys,
                Operators(tables, publisher),
                directory,
                clock,
                prefix=server.path,
                version=__version__,
                is_secure=is_secure,
            ),
            url_prefix=server.path or None,
        )

    def start(self) -> None:
        """Begin to look whether somebody looks."""
        log = IncidentLog(self._incidents)
        # Its lines sum up what the page has been told one by one.
        log.addFilter(lambda record: record.name != refusal_summary.__name__)
        logging.getLogger("fizz_gevent").addHandler(log)
        self._onlookers.start()
