"""The greenlets that bring webhooks to their receivers, and try again where that fails."""

import contextlib
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence

import gevent
from gevent.event import Event

from fizz_gevent.application import Application
from fizz_gevent.errors import ClusterUnavailable
from fizz_gevent.protocol.deliveries import LAST_TRY_AT, Delivery, Taken, Target, shown_url
from fizz_gevent.protocol.webhooks import webhook_of
from fizz_gevent.webhooks.backlog import Backlog
from fizz_gevent.webhooks.http_client import HttpClient, NotReached

_log = logging.getLogger(__name__)

WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""Seconds between tries; when these are used up there is one last try at the end."""
_SLACK = 5.0
_JITTER = 0.1
_MOST_AT_ONCE = 16
"""Requests to one webhook that this node makes at the same time."""
_MOST_IN_TROUBLE = 2
"""To one that does not take them: it may hang, and others need the room."""
_MOST_IN_ALL = 128
_PAUSE = 0.5
_POLL = 0.02
_PATIENCE = 1.0
_QUIET_SECONDS = 60.0


class Sender:
    """Makes the requests that wait in the backlog.

    Args:
        application_of: The application of an id, as it is configured now.

    Attributes:
        backlog: What waits, and what was given up.
        sent_count: Requests that were taken: the answer was 2xx.
        failed_count: Tries that were not.
        retried_count: Tries that were not the first of their request.
        given_up_count: Requests that were never taken.
    """

    def __init__(
        self,
        backlog: Backlog,
        client: HttpClient,
        application_of: Callable[[str], Application | None],
        *,
        waits: Sequence[float] = WAITS,
        last_try_at: float = LAST_TRY_AT,
        most_at_once: int = _MOST_AT_ONCE,
    ) -> None:
        self.sent_count = 0
        self.failed_count = 0
        self.retried_count = 0
        self.given_up_count = 0
        self.backlog = backlog
        self._client = client
        self._application_of = application_of
        self._waits = waits
        self._last_try_at = last_try_at
        self._most_at_once = most_at_once
        self._running: dict[Target, int] = {}
        self._troubles: dict[Target, _Trouble] = {}
        self._is_leaving = False
        self._woken = Event()
        self._greenlet: gevent.Greenlet[[], None] | None = None
        backlog.on_more = self._woken.set

    def start(self) -> None:
        """Begin to send, now and for ever."""
        self._greenlet = gevent.spawn(self._send_for_ever)

    def drain(self, seconds: float) -> None:
        """This node stops: send what would be lost with it, as far as time allows. Yields."""
        self._is_leaving = self.backlog.is_shared  # then others take over what is left
        self.backlog.hurry()
        now = time.monotonic()
        until, tell_at = now + seconds, now + _PATIENCE
        while (self._running or self.backlog.left_here()) and time.monotonic() < until:
            gevent.sleep(_POLL)
            if time.monotonic() >= tell_at:
                tell_at = until
                left = self.backlog.left_here()
                _log.info("webhooks waiting: %d; at most %.0f s more for them", left, until - now)
        left = self.backlog.left_here()
        if left:
            _log.error("webhooks lost, for they could not be sent in time: %d", left)
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def pause(self, seconds: float) -> None:
        """Begin no more requests, and let those end that run, as far as time allows. Yields."""
        if self._greenlet is not None:
            self._greenlet.kill()
        until = time.monotonic() + seconds
        while self._running and time.monotonic() < until:
            gevent.sleep(_POLL)

    @property
    def running_count(self) -> int:
        """Requests that are being made right now."""
        return sum(self._running.values())

    def _send_for_ever(self) -> None:
        while not self._is_leaving:
            try:
                self._woken.wait(self.backlog.seconds_to_wait())
                self._woken.clear()
                self.backlog.advance()
                room = _MOST_IN_ALL - self.running_count
                for taken in self.backlog.take(self._occupied(), self._most_at_once, room):
                    target = (taken.delivery.app_id, taken.delivery.target)
                    self._running[target] = self._running.get(target, 0) + 1
                    gevent.spawn(self._send, taken, target)
            except ClusterUnavailable:
                gevent.sleep(_PAUSE)
            except Exception:
                _log.exception("fault while webhooks were sent")
                gevent.sleep(_PAUSE)

    def _occupied(self) -> dict[Target, int]:
        """How much of the room for each target is taken, or not to be used."""
        occupied = dict(self._running)
        kept = max(0, self._most_at_once - _MOST_IN_TROUBLE)
        for target, trouble in self._troubles.items():
            if trouble.is_on:
                occupied[target] = occupied.get(target, 0) + kept
        return occupied

    def _send(self, taken: Taken, target: Target) -> None:
        try:
            self._try(taken, target)
        except ClusterUnavailable:
            pass  # it is handed out again when nobody has said how it ended
        except Exception:
            _log.exception("fault while a webhook was sent")
            with contextlib.suppress(ClusterUnavailable):
                self._failed(taken, target, "fault", 0.0)
        finally:
            self._running[target] -= 1
            if not self._running[target]:
                del self._running[target]
            self._woken.set()

    def _try(self, taken: Taken, target: Target) -> None:
        delivery = taken.delivery
        application = self._application_of(delivery.app_id)
        webhook = None if application is None else webhook_of(application, delivery.target)
        if application is None or webhook is None:
            self.backlog.discard(taken)
            return
        if taken.age > self._last_try_at + _SLACK:
            self._give_up(taken, target, "waited too long behind others that failed")
            return
        self.retried_count += taken.tries > 0
        started = time.monotonic()
        try:
            status = self._client.post(
                webhook.url,
                delivery.body,
                _headers(delivery, webhook.headers),
                allow_private=application.webhook_private_networks,
            )
        except NotReached as error:
            why = str(error)
        else:
            if 200 <= status < 300:
                self.sent_count += 1
                self.backlog.done(taken)
                self._works(target)
                return
            why = f"status {status}"
        self._failed(taken, target, why, time.monotonic() - started)

    def _failed(self, taken: Taken, target: Target, why: str, seconds: float) -> None:
        self.failed_count += 1
        self._trouble(target).begins(target, why, self._last_try_at)
        left = self._last_try_at - taken.age - seconds
        if left <= 0:
            self._give_up(taken, target, why)
            return
        if taken.tries < len(self._waits):
            wait = self._waits[taken.tries] * random.uniform(1 - _JITTER, 1 + _JITTER)
            left = min(wait, left)
        self.backlog.again(taken, left)

    def _give_up(self, taken: Taken, target: Target, why: str) -> None:
        self.given_up_count += 1
        self._trouble(target).gives_up(target, why)
        self.backlog.give_up(taken, why)

    def _trouble(self, target: Target) -> "_Trouble":
        trouble = self._troubles.get(target)
        if trouble is None:
            for other in [each for each in self._troubles if self._application_of(each[0]) is None]:
                del self._troubles[other]
            trouble = self._troubles[target] = _Trouble()
        return trouble

    def _works(self, target: Target) -> None:
        trouble = self._troubles.get(target)
        if trouble is not None:
            trouble.ends(target)


class _Trouble:
    """Tells of a webhook that fails: that it begins and ends, and what is given up, and none of
    it more than once a minute.

    Attributes:
        is_on: The latest request was not taken.
    """

    __slots__ = ("_begin_told_at", "_given_up", "_given_up_told_at", "_is_told", "is_on")

    def __init__(self) -> None:
        self.is_on = False
        self._is_told = False
        self._begin_told_at = self._given_up_told_at = float("-inf")
        self._given_up = 0

    def begins(self, target: Target, why: str, seconds: float) -> None:
        self.is_on = True
        now = time.monotonic()
        if not self._is_told and now - self._begin_told_at >= _QUIET_SECONDS:
            self._is_told, self._begin_told_at = True, now
            _log.warning(
                "webhook %s fails: %s; it is tried again for %g s", _shown(target), why, seconds
            )

    def ends(self, target: Target) -> None:
        self.is_on = False
        if self._is_told:
            self._is_told = False
            _log.warning("webhook %s works again", _shown(target))

    def gives_up(self, target: Target, why: str) -> None:
        self._given_up += 1
        now = time.monotonic()
        if now - self._given_up_told_at >= _QUIET_SECONDS:
            _log.error(
                "webhook %s: %d requests given up; the last: %s",
                _shown(target),
                self._given_up,
                why,
            )
            self._given_up_told_at, self._given_up = now, 0


def _headers(delivery: Delivery, configured: Mapping[str, str]) -> dict[str, str]:
    """What is configured, and behind it what nobody may replace. Protocol: §13."""
    own = {
        "Content-Type": "application/json",
        "X-Pusher-Key": delivery.key,
        "X-Pusher-Signature": delivery.signature,
    }
    names = {name.lower() for name in (*own, "Content-Length", "Transfer-Encoding")}
    others = {name: value for name, value in configured.items() if name.lower() not in names}
    return {"User-Agent": "Fizz", **others, **own}


def _shown(target: Target) -> str:
    """An application's webhook without what may be secret in its address."""
    app_id, name = target
    return f"{shown_url(name)} of application {app_id}"
