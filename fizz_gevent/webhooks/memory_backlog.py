"""The backlog of a server that is alone: in its own memory, and gone with it."""

import heapq
import itertools
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from fizz_gevent.application import Application
from fizz_gevent.ports import Clock
from fizz_gevent.protocol import webhooks
from fizz_gevent.protocol.deliveries import (
    BATCH_SECONDS,
    HOLD_SECONDS,
    MISS_SECONDS,
    MOST_FAILED,
    MOST_WAITING,
    MOST_WAITING_BYTES,
    Delivery,
    Failed,
    Taken,
    Target,
    Waiting,
)
from fizz_gevent.protocol.names import kind_of
from fizz_gevent.protocol.webhooks import WebhookEvent

Packed = list[float | int | str | None]
"""One thing that waits, as JSON knows it; what it is comes first."""


class MemoryBacklog:
    """See ``Backlog``. Never yields.

    Args:
        application_of: The application of an id, as it is configured now.
        hold_seconds: How long ``channel_vacated`` and ``member_removed`` are held back.
    """

    is_shared = False

    def __init__(
        self,
        clock: Clock,
        application_of: Callable[[str], Application | None],
        *,
        hold_seconds: float = HOLD_SECONDS,
        batch_seconds: float = BATCH_SECONDS,
        most_waiting: int = MOST_WAITING,
        most_waiting_bytes: int = MOST_WAITING_BYTES,
        most_failed: int = MOST_FAILED,
    ) -> None:
        self.on_more: Callable[[], None] = lambda: None
        self.waiting_count = 0
        self.dropped_count = 0
        self._clock = clock
        self._application_of = application_of
        self._hold_seconds = hold_seconds
        self._batch_seconds = batch_seconds
        self._most_waiting = most_waiting
        self._most_waiting_bytes = most_waiting_bytes
        self._waiting_bytes = 0
        self._events: dict[str, list[tuple[float, int, WebhookEvent]]] = {}
        # Each is held equally long, so these two stay in the order in which they fall due.
        self._held: dict[tuple[str, str, str | None], float] = {}
        self._misses: dict[tuple[str, str], float] = {}
        self._lanes: dict[str, _Lane] = {}
        self._ready: dict[Target, deque[str]] = {}
        self._later: list[tuple[float, int, str]] = []
        self._order = itertools.count()
        self._failed: deque[Failed] = deque(maxlen=most_failed)

    # Events

    def turned(self, app_id: str, channel: str, is_occupied: bool) -> None:
        """A channel was the first time subscribed to, or the last time left."""
        if self._is_told(app_id, channel):
            self._change(app_id, webhooks.occupancy(channel, is_occupied), None, is_occupied)

    def moved(self, app_id: str, channel: str, user_id: str, is_present: bool) -> None:
        """A user came into a presence channel, or has left it."""
        if self._is_told(app_id, channel):
            event = webhooks.membership(channel, user_id, is_present)
            self._change(app_id, event, user_id, is_present)

    def note(self, app_id: str, event: WebhookEvent) -> None:
        if self._refuses(len(event.payload)):
            return
        self.waiting_count += 1
        self._waiting_bytes += len(event.payload)
        now = self._clock.monotonic()
        moment = (now, int(self._clock.now() * 1000), event)
        self._events.setdefault(app_id, []).append(moment)
        self.on_more()

    def note_miss(self, app_id: str, event: WebhookEvent) -> None:
        now = self._clock.monotonic()
        while self._misses and next(iter(self._misses.values())) <= now:
            del self._misses[next(iter(self._misses))]
        key = (app_id, event.channel)
        if key not in self._misses:
            self._misses[key] = now + MISS_SECONDS
            self.note(app_id, event)

    def forget_miss(self, app_id: str, channel: str) -> None:
        self._misses.pop((app_id, channel), None)

    def _is_told(self, app_id: str, channel: str) -> bool:
        application = self._application_of(app_id)
        if application is None or not application.webhooks:
            return False
        return not kind_of(channel).is_server_to_user

    def _change(self, app_id: str, event: WebhookEvent, user_id: str | None, is_on: bool) -> None:
        """What has come is told at once; what has gone is held, and a return cancels both."""
        key = (app_id, event.channel, user_id)
        if not is_on:
            if not self._refuses(len(event.payload)):
                self.waiting_count += 1
                self._held[key] = self._clock.monotonic() + self._hold_seconds
                self.on_more()
        elif self._held.pop(key, None) is None:
            self.note(app_id, event)
        else:
            self.waiting_count -= 1

    def _refuses(self, size: int) -> bool:
        is_full = (
            self.waiting_count >= self._most_waiting
            or self._waiting_bytes + size > self._most_waiting_bytes
        )
        self.dropped_count += is_full
        return is_full

    # Requests

    def advance(self) -> None:
        now = self._clock.monotonic()
        while self._held:
            key = next(iter(self._held))
            if self._held[key] > now:
                break
            self._let_go(key)
        for app_id in list(self._events):
            application = self._application_of(app_id)
            if application is None or now >= self._gathered_at(app_id, application):
                self._make_requests(self._events.pop(app_id), application)

    def _let_go(self, key: tuple[str, str, str | None]) -> None:
        app_id, channel, user_id = key
        del self._held[key]
        self.waiting_count -= 1
        if user_id is None:
            self.note(app_id, webhooks.occupancy(channel, False))
        else:
            self.note(app_id, webhooks.membership(channel, user_id, False))

    def _gathered_at(self, app_id: str, application: Application) -> float:
        """When the events of an application are to be sent."""
        events = self._events[app_id]
        if not application.webhook_batching or len(events) >= webhooks.MOST_EVENTS_PER_REQUEST:
            return 0.0
        return events[0][0] + self._batch_seconds

    def _make_requests(
        self, events: list[tuple[float, int, WebhookEvent]], application: Application | None
    ) -> None:
        self.waiting_count -= len(events)
        self._waiting_bytes -= sum(len(event.payload) for _, _, event in events)
        if application is None:
            self.dropped_count += len(events)
            return
        pairs = [(time_ms, event) for _, time_ms, event in events]
        now, created = self._clock.now(), events[0][0]
        for delivery in webhooks.deliveries(application, pairs, now=now, new_id=_new_id):
            self._enter(delivery, created)

    def _enter(self, delivery: Delivery, created: float) -> None:
        self.waiting_count += 1
        self._waiting_bytes += len(delivery.body)
        lane = self._lanes.get(delivery.lane)
        if lane is None:
            lane = self._lanes[delivery.lane] = _Lane((delivery.app_id, delivery.target))
            self._make_ready(delivery.lane, lane)
        lane.waiting.append((delivery, created))

    def _make_ready(self, name: str, lane: "_Lane") -> None:
        self._ready.setdefault(lane.target, deque()).append(name)

    def take(self, occupied: Mapping[Target, int], most: int, in_all: int) -> list[Taken]:
        now = self._clock.monotonic()
        while self._later and self._later[0][0] <= now:
            name = heapq.heappop(self._later)[2]
            self._make_ready(name, self._lanes[name])
        found: list[Taken] = []
        for target, names in list(self._ready.items()):
            room = min(most - occupied.get(target, 0), in_all - len(found))
            for _ in range(min(len(names), room)):
                lane = self._lanes[names.popleft()]
                delivery, created = lane.waiting[0]
                found.append(Taken(delivery, lane.tries, now - created))
            if not names:
                del self._ready[target]
        return found

    def seconds_to_wait(self) -> float | None:
        times = [self._later[0][0]] if self._later else []
        if self._held:
            times.append(next(iter(self._held.values())))
        for app_id in self._events:
            application = self._application_of(app_id)
            times.append(0.0 if application is None else self._gathered_at(app_id, application))
        return max(0.0, min(times) - self._clock.monotonic()) if times else None

    def done(self, taken: Taken) -> None:
        name = taken.delivery.lane
        lane = self._lanes[name]
        delivery, _ = lane.waiting.popleft()
        lane.tries = 0
        self.waiting_count -= 1
        self._waiting_bytes -= len(delivery.body)
        if lane.waiting:
            self._make_ready(name, lane)
        else:
            del self._lanes[name]

    def again(self, taken: Taken, seconds: float) -> None:
        name = taken.delivery.lane
        self._lanes[name].tries += 1
        due = self._clock.monotonic() + seconds
        heapq.heappush(self._later, (due, next(self._order), name))

    def give_up(self, taken: Taken, why: str) -> None:
        self._failed.appendleft(Failed(taken.delivery, why, int(self._clock.now() * 1000)))
        self.done(taken)

    def discard(self, taken: Taken) -> None:
        self.dropped_count += 1
        self.done(taken)

    # What an operator asks for

    def waiting(self) -> list[Waiting]:
        counts: dict[Target, int] = {}
        for lane in self._lanes.values():
            counts[lane.target] = counts.get(lane.target, 0) + len(lane.waiting)
        return [Waiting(*target, count) for target, count in counts.items()]

    def failed(self) -> list[Failed]:
        return list(self._failed)

    def send_again(self, app_id: str | None = None) -> int:
        count = 0
        failed = list(self._failed)
        self._failed.clear()
        self._failed.extend(each for each in failed if app_id not in (None, each.delivery.app_id))
        for old in (each.delivery for each in reversed(failed)):
            if app_id not in (None, old.app_id):
                continue
            application = self._application_of(old.app_id)
            if application is None or webhooks.webhook_of(application, old.target) is None:
                self.dropped_count += 1
                continue
            delivery = webhooks.renewed(application, old, now=self._clock.now(), new_id=_new_id)
            self._enter(delivery, self._clock.monotonic())
            count += 1
        self.on_more()
        return count

    # The end

    def hurry(self) -> None:
        for key in list(self._held):
            self._let_go(key)
        self._hold_seconds = self._batch_seconds = 0.0
        self.on_more()

    def left_here(self) -> int:
        return self.waiting_count

    def packed(self) -> list[Packed]:
        """All that waits here, for the program that follows in this process.

        What is held back goes on being held: who comes back to that program is not told of.
        """
        for app_id in list(self._events):
            self._make_requests(self._events.pop(app_id), self._application_of(app_id))
        held: list[Packed] = [["held", *key, due] for key, due in self._held.items()]
        waiting: list[Packed] = [
            ["waiting", _text(delivery), created, lane.tries if position == 0 else 0]
            for lane in self._lanes.values()
            for position, (delivery, created) in enumerate(lane.waiting)
        ]
        failed: list[Packed] = [
            ["failed", _text(each.delivery), each.why, each.failed_ms] for each in self._failed
        ]
        return [*held, *waiting, *failed]

    def unpack(self, packed: Iterable[Packed]) -> None:
        """Go on with what another program has packed; the monotonic clock is the machine's."""
        for item in packed:
            match item:
                case ["held", str(app_id), str(channel), str() | None as user_id, float(due)]:
                    self._held[app_id, channel, user_id] = due
                    self.waiting_count += 1
                case ["waiting", str(text), float(created), int(tries)]:
                    delivery = Delivery.decoded(text.encode("latin-1"))
                    self._enter(delivery, created)
                    self._lanes[delivery.lane].tries += tries
                case ["failed", str(text), str(why), int(failed_ms)]:
                    delivery = Delivery.decoded(text.encode("latin-1"))
                    self._failed.append(Failed(delivery, why, failed_ms))
        self.on_more()


class _Lane:
    __slots__ = ("target", "tries", "waiting")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.tries = 0
        self.waiting: deque[tuple[Delivery, float]] = deque()


def _text(delivery: Delivery) -> str:
    return delivery.encoded().decode("latin-1")


def _new_id() -> str:
    return secrets.token_hex(8)
