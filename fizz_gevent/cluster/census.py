"""How many there are of everything, and who: asked of Redis, or of this node while it is away."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fizz_gevent.cluster.commands import Commands
from fizz_gevent.cluster.departures import Departures
from fizz_gevent.cluster.holdings import Holdings
from fizz_gevent.cluster.rosters import Rosters
from fizz_gevent.errors import ClusterUnavailable
from fizz_gevent.ports import Clock
from fizz_gevent.protocol.members import ChannelCounts
from fizz_gevent.protocol.names import kind_of

_SCAN_COUNT = 1000
_ASK_COUNT = 500


class Census:
    """The half of a registry that only reads. Its methods yield while Redis can be reached."""

    def __init__(self, commands: Commands, prefix: str, clock: Clock) -> None:
        self._commands = commands
        self._prefix = prefix
        self._held = Holdings()
        self._departures = Departures(clock)
        self._rosters = Rosters(commands, self._held)

    @property
    def is_partial(self) -> bool:
        """Answers come from what this node knows, because Redis is away."""
        return not self._commands.is_up

    def counts(self, app_id: str, channel: str) -> ChannelCounts | None:
        is_presence = kind_of(channel).is_presence
        try:
            total = self._commands.begin(("HGET", self._key("s", app_id), channel))
            users = self._commands.begin(("HLEN", self._key("m", app_id, channel)))
            count, user_count = _number(total.get()), _number(users.get())
        except ClusterUnavailable:
            return self._counts_here(app_id, channel, self._held.count(app_id, channel))
        if not count:
            return None
        return ChannelCounts(count, user_count if is_presence else None)

    def channels(self, app_id: str, prefix: str) -> Mapping[str, ChannelCounts]:
        try:
            totals = dict(self._scan(self._key("s", app_id), prefix))
            users = {
                channel: self._commands.begin(("HLEN", self._key("m", app_id, channel)))
                for channel in totals
                if kind_of(channel).is_presence
            }
            return {
                channel: ChannelCounts(
                    count, _number(users[channel].get()) if channel in users else None
                )
                for channel, count in totals.items()
            }
        except ClusterUnavailable:
            found = {
                channel: self._counts_here(app_id, channel, count)
                for channel, count in self._held.channels(app_id, prefix)
            }
            return {channel: counts for channel, counts in found.items() if counts is not None}

    def users(self, app_id: str, channel: str) -> list[str]:
        try:
            users = self._commands.ask("HKEYS", self._key("m", app_id, channel))
        except ClusterUnavailable:
            view = self._rosters.known((app_id, channel))
            return [] if view is None else list(view.infos)
        return [user.decode() for user in users]

    def connections(self, app_id: str) -> int:
        try:
            return _number(self._commands.ask("HGET", self._key("c"), app_id))
        except ClusterUnavailable:
            return self._held.connections.get(app_id, 0)

    def may_tell_count(self, app_id: str, channel: str, seconds: float) -> bool:
        key = self._key("t", app_id, channel)
        try:
            return self._commands.ask("SET", key, 1, "NX", "PX", int(seconds * 1000)) is not None
        except ClusterUnavailable:
            return True

    def _counts_here(self, app_id: str, channel: str, count: int) -> ChannelCounts | None:
        if not count:
            return None
        if not kind_of(channel).is_presence:
            return ChannelCounts(count)
        view = self._rosters.known((app_id, channel))
        return ChannelCounts(count, 0 if view is None else len(view.infos))

    def _scan(self, key: str, prefix: str) -> Iterator[tuple[str, int]]:
        cursor: bytes | str = "0"
        pattern = f"{_escaped(prefix)}*"
        while True:
            cursor, pairs = self._commands.ask(
                "HSCAN", key, cursor, "MATCH", pattern, "COUNT", _SCAN_COUNT
            )
            for name, count in zip(pairs[::2], pairs[1::2], strict=True):
                yield name.decode(), int(count)
            if cursor in (b"0", "0"):
                return

    def online(self, app_id: str, user_ids: Iterable[str]) -> dict[str, float]:
        wanted = list(user_ids)
        slices = [wanted[start : start + _ASK_COUNT] for start in range(0, len(wanted), _ASK_COUNT)]
        try:
            asked = [self._commands.begin_script("online", app_id, *each) for each in slices]
            found: list[int] = []
            for each in asked:
                found += each.get() or []
        except ClusterUnavailable:
            return self._departures.online(app_id, wanted, self._held.users)
        return {
            user_id: math.inf if milliseconds < 0 else milliseconds / 1000
            for user_id, milliseconds in zip(wanted, found, strict=True)
            if milliseconds
        }

    def _key(self, *parts: str) -> str:
        return ":".join((self._prefix, *parts))


def _number(answer: Any) -> int:
    return int(answer or 0)


def _escaped(prefix: str) -> str:
    """The prefix with what a Redis pattern would take for a wildcard escaped."""
    return "".join(f"\\{letter}" if letter in "*?[]\\^-" else letter for letter in prefix)
