"""The backlog of a cluster: in Redis, where no node that dies can lose it."""

import random
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import gevent

from fizz_gevent.application import Application
from fizz_gevent.cluster.commands import Commands
from fizz_gevent.errors import ClusterUnavailable
from fizz_gevent.protocol import webhooks
from fizz_gevent.protocol.deliveries import (
    BATCH_SECONDS,
    HOLD_SECONDS,
    LAST_TRY_AT,
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
from fizz_gevent.protocol.webhooks import Moment, WebhookEvent

_SLICE = 500
_BYTES_AT_ONCE = 256 * 1024
_NOTES_AT_ONCE = 200
_MAKE_MS = 3000
"""In which a node has made requests of the events that it was shown; else another may."""
_LEASE_MS = 20_000
"""Beyond the time that a try may take; then the node that makes it must be dead."""
_MOST_AT_ONCE = 16
_HOLD_NOTHING = -1
_LONGEST_WAIT = 1.0
_SHORTEST_WAIT = 0.05
_PACE = 0.01
_RETRY_SECONDS = 0.2


class RedisBacklog:
    """See ``Backlog``; all nodes of a cluster work on the same one.

    The scripts that decide who is where note each change in the same moment, so there is exactly
    one note of it and the order is that of Redis. Any node may take it from there.

    Args:
        application_of: The application of an id, as it is configured now.
        applications: All of them.
        is_private: This Redis ends together with the server.
    """

    def __init__(
        self,
        commands: Commands,
        prefix: str,
        application_of: Callable[[str], Application | None],
        applications: Callable[[], Iterable[Application]],
        *,
        is_private: bool = False,
        hold_seconds: float = HOLD_SECONDS,
        lease_ms: int = _LEASE_MS,
    ) -> None:
        self.on_more: Callable[[], None] = lambda: None
        self.waiting_count = 0
        self.dropped_count = 0
        self._commands = commands
        self._prefix = prefix
        self._application_of = application_of
        self._applications = applications
        self.is_shared = not is_private
        self._hold_ms = int(hold_seconds * 1000)
        self._lease_ms = lease_ms
        self._token = secrets.token_hex(8)
        self._notes: deque[tuple[str, bytes]] = deque()
        self._notes_bytes = 0
        self._noting: gevent.Greenlet[..., None] | None = None
        self._again_at: float | None = 0.0
        self._longest_wait = _LONGEST_WAIT

    # Events

    def news_of(self, app_id: str, channel: str) -> str:
        """What the scripts shall note of an application's channel. Never yields."""
        application = self._application_of(app_id)
        if application is None or not application.webhooks or kind_of(channel).is_server_to_user:
            return ""
        return f"sm {MOST_WAITING}"

    def news_wanted(self) -> list[str | int]:
        """What the script that takes over from dead nodes shall note. Never yields."""
        told = [each.app_id for each in self._applications() if each.webhooks]
        return [MOST_WAITING, *told]

    def note(self, app_id: str, event: WebhookEvent) -> None:
        head = f"{event.name} {app_id} {event.channel}\n"
        self._append("=", head.encode() + event.payload)

    def note_miss(self, app_id: str, event: WebhookEvent) -> None:
        head = f"{app_id}:{event.channel}\n{event.name} {app_id} {event.channel}\n"
        self._append("?", head.encode() + event.payload)

    def forget_miss(self, app_id: str, channel: str) -> None:
        self._append("!", f"{app_id}:{channel}\n".encode())

    def _append(self, sign: str, what: bytes) -> None:
        is_full = len(self._notes) >= MOST_WAITING
        if is_full or self._notes_bytes + len(what) > MOST_WAITING_BYTES:
            self.dropped_count += 1
            return
        self._notes.append((sign, what))
        self._notes_bytes += len(what)
        if self._noting is None:
            self._noting = gevent.spawn(self._bring_notes)

    def _bring_notes(self) -> None:
        """Bring what was noted here to Redis, in order, as soon as it is there."""
        while self._notes:
            count = min(len(self._notes), _NOTES_AT_ONCE)
            arguments: list[bytes | str | int] = [MOST_WAITING, int(MISS_SECONDS * 1000)]
            for index in range(count):
                arguments += self._notes[index]
            try:
                self._commands.script("webhook_note", *arguments)
            except ClusterUnavailable:
                gevent.sleep(_RETRY_SECONDS)
                continue
            for _ in range(count):
                self._notes_bytes -= len(self._notes.popleft()[1])
            self.news()
        self._noting = None

    def news(self) -> None:
        """Something may have been noted in Redis by this node's doing. Never yields."""
        self._again_at = 0.0
        self.on_more()

    # Requests

    def advance(self) -> None:
        gevent.sleep(_PACE)  # whatever comes meanwhile goes the same way
        self._again_at = None
        answer = self._commands.script(
            "webhook_advance",
            self._token,
            self._hold_ms,
            _SLICE,
            MOST_WAITING,
            _BYTES_AT_ONCE,
            _MAKE_MS,
        )
        now_ms, next_ms = int(answer[0]), int(answer[1])
        self.waiting_count = int(answer[2])
        self.dropped_count += int(answer[3])
        if next_ms:
            self._come_again((next_ms - now_ms) / 1000)
        if len(answer) > 4:
            self._make_requests(_by_application(answer[4:]), now_ms)

    def _come_again(self, seconds: float) -> None:
        # Not all nodes in the same moment, which one of them is enough for.
        at = time.monotonic() + max(_SHORTEST_WAIT, seconds) + random.uniform(0, _SHORTEST_WAIT)
        if self._again_at is None or at < self._again_at:
            self._again_at = at

    def _make_requests(self, shown: Iterable[tuple[str, list[bytes]]], now_ms: int) -> None:
        used: list[tuple[str, int]] = []
        made: list[Delivery] = []
        for app_id, entries in shown:
            application = self._application_of(app_id)
            if application is None:
                # Perhaps another node knows it, for as long as anybody would want to hear of it.
                if now_ms - int(entries[0].partition(b" ")[0]) < LAST_TRY_AT * 1000:
                    self._come_again(_LONGEST_WAIT)
                    continue
                self.dropped_count += len(entries)
                used.append((app_id, len(entries)))
                continue
            moments = [_moment(entry) for entry in entries]
            young_until = moments[0][0] + int(BATCH_SECONDS * 1000)
            is_small = len(moments) < webhooks.MOST_EVENTS_PER_REQUEST
            if application.webhook_batching and is_small and now_ms < young_until:
                self._come_again((young_until - now_ms) / 1000)
                continue
            used.append((app_id, len(entries)))
            made += webhooks.deliveries(application, moments, now=now_ms / 1000, new_id=_new_id)
        arguments: list[bytes | str | int] = [self._token, len(used)]
        for pair in used:
            arguments += pair
        for delivery in made:
            arguments += (_target(delivery), delivery.lane, delivery.encoded())
        self._commands.script("webhook_enter", *arguments)
        if used:
            self.news()

    def take(self, occupied: Mapping[Target, int], most: int, in_all: int) -> list[Taken]:
        if not self.waiting_count or in_all <= 0:
            return []
        arguments: list[str | int] = [self._lease_ms, in_all, most]
        for (app_id, target), count in occupied.items():
            arguments += (f"{app_id} {target}", most - count)
        answer = self._commands.script("webhook_take", *arguments)
        now_ms = int(answer[0])
        found = []
        for tries, request in zip(answer[1::2], answer[2::2], strict=True):
            delivery = Delivery.decoded(request)
            found.append(Taken(delivery, int(tries), (now_ms - delivery.time_ms) / 1000))
        return found

    def seconds_to_wait(self) -> float | None:
        if not any(application.webhooks for application in self._applications()):
            return None
        if self._again_at is None:
            return self._longest_wait
        return max(0.0, min(self._longest_wait, self._again_at - time.monotonic()))

    def done(self, taken: Taken) -> None:
        self._end(taken)

    def again(self, taken: Taken, seconds: float) -> None:
        self._end(taken, wait_ms=int(seconds * 1000))

    def give_up(self, taken: Taken, why: str) -> None:
        self._end(taken, why=" ".join(why.split()) or "unknown")

    def discard(self, taken: Taken) -> None:
        self.dropped_count += 1
        self._end(taken)

    def _end(self, taken: Taken, *, wait_ms: int | None = None, why: str = "") -> None:
        delivery = taken.delivery
        self._commands.script(
            "webhook_end",
            _target(delivery),
            delivery.lane,
            delivery.delivery_id,
            "" if wait_ms is None else wait_ms,
            why,
            MOST_FAILED,
        )
        self.news()

    # What an operator asks for

    def waiting(self) -> list[Waiting]:
        key = f"{self._prefix}:w"
        found = []
        for target in self._commands.ask("ZRANGE", f"{key}:due", 0, -1):
            lanes = self._commands.ask("ZRANGE", b"%b:l:%b" % (key.encode(), target), 0, -1)
            asked = [
                self._commands.begin(("LLEN", b"%b:q:%b" % (key.encode(), lane))) for lane in lanes
            ]
            app_id, _, name = target.decode().partition(" ")
            counts: list[Any] = [each.get() for each in asked]
            found.append(Waiting(app_id, name, sum(counts)))
        return found

    def failed(self) -> list[Failed]:
        return [_failed(entry) for entry in self._failed_entries()]

    def send_again(self, app_id: str | None = None) -> int:
        count = 0
        for entry in reversed(self._failed_entries()):
            old = _failed(entry).delivery
            if app_id not in (None, old.app_id):
                continue
            application = self._application_of(old.app_id)
            request = b""
            if application is None or webhooks.webhook_of(application, old.target) is None:
                self.dropped_count += 1
            else:
                seconds, micros = self._commands.ask("TIME")
                now = int(seconds) + int(micros) / 1e6
                request = webhooks.renewed(application, old, now=now, new_id=_new_id).encoded()
            done = self._commands.script("webhook_resend", entry, _target(old), old.lane, request)
            count += done if request else 0
        self.news()
        return count

    def _failed_entries(self) -> list[bytes]:
        entries: list[bytes] = self._commands.ask("LRANGE", f"{self._prefix}:w:failed", 0, -1)
        return entries

    # The end

    def hurry(self) -> None:
        if not self.is_shared:
            self._hold_ms = _HOLD_NOTHING
            self._longest_wait = _SHORTEST_WAIT
            self.news()

    def left_here(self) -> int:
        return len(self._notes) + (0 if self.is_shared else self.waiting_count)


def _new_id() -> str:
    return secrets.token_hex(8)


def _target(delivery: Delivery) -> str:
    return f"{delivery.app_id} {delivery.target}"


def _by_application(flat: list[Any]) -> Iterator[tuple[str, list[bytes]]]:
    """The events that an answer shows, by application."""
    start = 0
    while start < len(flat):
        count = int(flat[start + 1])
        yield flat[start].decode(), flat[start + 2 : start + 2 + count]
        start += 2 + count


def _moment(entry: bytes) -> Moment:
    """An event as the scripts have noted it, see ``webhook_note.lua``."""
    head, _, payload = entry.partition(b"\n")
    time_ms, sign, what = entry.split(b" ", 2)
    if sign == b"=":
        name, _, channel = head.split(b" ", 2)[2].decode().split(" ")
        return int(time_ms), WebhookEvent(name, channel, payload)
    letter, _, rest = what.decode().split(" ", 2)
    if letter == "s":
        return int(time_ms), webhooks.occupancy(rest, sign == b"+")
    channel, _, user_id = rest.partition(" ")
    return int(time_ms), webhooks.membership(channel, user_id, sign == b"+")


def _failed(entry: bytes) -> Failed:
    head, _, request = entry.partition(b"\n")
    failed_ms, _, why = head.decode().partition(" ")
    return Failed(Delivery.decoded(request), why, int(failed_ms))
