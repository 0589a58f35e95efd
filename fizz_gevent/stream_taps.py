"""Hangs up those who watch the stream where things happen, and takes them down again."""

from collections.abc import Iterable

from fizz_gevent.application import Application
from fizz_gevent.logs import StreamTap
from fizz_gevent.ports import Tap
from fizz_gevent.service.live_stream import LiveStream, Taps
from fizz_gevent.service.publisher import Publisher
from fizz_gevent.service.session import Sessions
from fizz_gevent.transport.flusher import Flusher
from fizz_gevent.transport.listener import Listener


class StreamTaps:
    """One place that knows of both: the log of ``--debug``, and the console.

    Attributes:
        log: What ``--debug`` prints, or None.
    """

    def __init__(
        self, sessions: Sessions, flusher: Flusher, listener: Listener, publisher: Publisher
    ) -> None:
        self._sessions = sessions
        self._flusher = flusher
        self._listener = listener
        self._publisher = publisher
        self.log: StreamTap | None = None
        self._live: LiveStream | None = None
        self._live_frames = False

    def show_log(self, log: StreamTap | None) -> None:
        """Begin or end to print the stream."""
        self.log = log
        self._hang()

    def show_live(self, stream: LiveStream | None, *, frames: bool) -> None:
        """Begin or end to show the stream in consoles.

        Args:
            frames: Show each single message to each client too, which costs most.
        """
        self._live = stream
        self._live_frames = frames
        self._hang()

    def _hang(self) -> None:
        self._sessions.tap = self._listener.tap = _together(self.log, self._live)
        self._flusher.tap = _together(self.log, self._live if self._live_frames else None)
        self._publisher.audience = self._live


def log_tap(applications: Iterable[Application]) -> StreamTap:
    """A tap that logs, and knows the secrets of these applications to mask them."""
    secrets = []
    for application in applications:
        secrets.append(application.secret)
        if application.previous is not None:
            secrets.append(application.previous.secret)
    return StreamTap(secrets)


def _together(*taps: Tap | None) -> Tap | None:
    found = [tap for tap in taps if tap is not None]
    if len(found) > 1:
        return Taps(*found)
    return found[0] if found else None
