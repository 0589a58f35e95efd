"""The stream of what happens at applications, for those who look at it through the console."""

from collections.abc import Callable, Sequence

from fizz_gevent.application import Application
from fizz_gevent.channels.tables import Tables
from fizz_gevent.ports import Clock, Tap

_MOST_ENTRIES = 200
_MOST_BYTES = 65536
_LONGEST = 2000
"""Characters of one message that are shown."""


class LiveStream:
    """Collects entries for a moment, bounded; what does not fit is only counted.

    A tap and an audience: it is hung up where things happen only while somebody looks.

    Args:
        mask: Takes secrets and signatures out of a text.
        prefix: The path in front of ``/apps``.

    Attributes:
        watched: The applications somebody looks at.
        framed: Those of them for whose clients each single message is to be shown too.
    """

    def __init__(
        self, tables: Tables, clock: Clock, *, mask: Callable[[str], str], prefix: str
    ) -> None:
        self._tables = tables
        self._clock = clock
        self.mask = mask
        self._below = f"{prefix}/apps/"
        self.watched: frozenset[str] = frozenset()
        self.framed: frozenset[str] = frozenset()
        self._entries: dict[str, list[dict[str, object]]] = {}
        self._sizes: dict[str, int] = {}
        self._left_out: dict[str, int] = {}

    def take(self, app_id: str) -> dict[str, object] | None:
        """What has come of an application since the last call; None where nothing has."""
        entries = self._entries.pop(app_id, [])
        left_out = self._left_out.pop(app_id, 0)
        self._sizes.pop(app_id, None)
        if not entries and not left_out:
            return None
        return {"entries": entries, "left_out": left_out}

    # The audience

    def published(
        self,
        application: Application,
        channels: Sequence[str],
        name: str,
        data: str,
        socket_id: str | None,
    ) -> None:
        """An event was accepted here. Never yields."""
        if application.app_id in self.watched:
            self._add(
                application.app_id,
                "event",
                socket_id or "back end",
                data,
                name=name[:200],
                channels=list(channels[:10]),
            )

    # The tap

    def received(self, socket_id: str, payload: bytes) -> None:
        """A message has come from a client."""
        app_id = self._watched_app_of(socket_id)
        if app_id is not None:
            self._add(app_id, "received", socket_id, _text(payload))

    def sent(self, socket_id: str, payload: bytes) -> None:
        """A message goes to a client."""
        app_id = self._watched_app_of(socket_id)
        if app_id is not None and app_id in self.framed:
            self._add(app_id, "sent", socket_id, _text(payload))

    def state(self, socket_id: str, what: str) -> None:
        """A connection was opened or closed; ``what`` ends with the application's id."""
        verb, _, app_id = what.partition(" ")
        if verb in ("opened", "closed") and app_id in self.watched:
            self._add(app_id, "connection", socket_id, f"connection {verb}")

    def request(self, method: str, target: str, status: str) -> None:
        """An HTTP request was answered."""
        path = target.partition("?")[0]
        if path.startswith(self._below):
            app_id = path[len(self._below) :].partition("/")[0]
            if app_id in self.watched:
                self._add(app_id, "request", "back end", f"{method} {path} {status}")

    def _watched_app_of(self, socket_id: str) -> str | None:
        for app_id in self.watched:
            table = self._tables.by_id(app_id)
            if table is not None and socket_id in table.connections:
                return app_id
        return None

    def _add(self, app_id: str, kind: str, who: str, text: str, **more: object) -> None:
        entries = self._entries.setdefault(app_id, [])
        shown = text[:_LONGEST]
        size = self._sizes.get(app_id, 0) + len(shown) + 200
        if len(entries) >= _MOST_ENTRIES or size > _MOST_BYTES:
            self._left_out[app_id] = self._left_out.get(app_id, 0) + 1
            return
        self._sizes[app_id] = size
        entries.append(
            {
                "time": self._clock.now(),
                "kind": kind,
                "who": who,
                "text": self.mask(shown),
                "length": len(text),
                **more,
            }
        )


def _text(payload: bytes) -> str:
    return payload[: 4 * _LONGEST].decode(errors="replace")


class Taps:
    """Several who watch the stream, as one."""

    def __init__(self, *taps: Tap) -> None:
        self._taps = taps

    def received(self, socket_id: str, payload: bytes) -> None:
        """A message has come from a client."""
        for tap in self._taps:
            tap.received(socket_id, payload)

    def sent(self, socket_id: str, payload: bytes) -> None:
        """A message goes to a client."""
        for tap in self._taps:
            tap.sent(socket_id, payload)

    def state(self, socket_id: str, what: str) -> None:
        """A connection was opened, refused or closed."""
        for tap in self._taps:
            tap.state(socket_id, what)

    def request(self, method: str, target: str, status: str) -> None:
        """An HTTP request was answered."""
        for tap in self._taps:
            tap.request(method, target, status)
