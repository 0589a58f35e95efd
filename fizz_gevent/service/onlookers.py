"""Who looks through the console, and what this node tells them."""

import logging
from collections.abc import Callable, Mapping, Sequence

import orjson

from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.ports import Clock, Registry
from fizz_gevent.protocol.members import ChannelCounts
from fizz_gevent.protocol.triggers import Event
from fizz_gevent.service.incidents import Incidents
from fizz_gevent.service.live_stream import LiveStream
from fizz_gevent.service.publisher import Publisher
from fizz_gevent.service.samples import Sampler

SAMPLES = "private-samples"
STREAM = "private-stream-"
FRAMES = "private-frames-"
CONNECTIONS = "private-connections-"
"""Channels of the hidden application; behind the last three stands an application's id."""

_LOOK_SECONDS = 1.0
_STREAM_SECONDS = 0.2
_TOLD_AT_ONCE = 50

_log = logging.getLogger(__name__)


class Onlookers:
    """Asks once a second which channels of the hidden application are occupied, anywhere in the
    cluster, and publishes there what this node has to tell. While nobody looks, that question is
    all that the console costs.

    Args:
        node: A name that no other node has.
        hidden: The table of the hidden application.
        hang: Hangs the stream up where things happen, or takes it down: whether messages and
            events are wanted, and whether each single message to each client is.
    """

    def __init__(
        self,
        node: str,
        hidden: ChannelTable,
        registry: Registry,
        publisher: Publisher,
        clock: Clock,
        *,
        sampler: Sampler,
        stream: LiveStream,
        incidents: Incidents,
        hang: Callable[[bool, bool], None],
    ) -> None:
        self._node = node
        self._hidden = hidden
        self._registry = registry
        self._publisher = publisher
        self._clock = clock
        self._sampler = sampler
        self._stream = stream
        self._incidents = incidents
        self._hang = hang
        self._samples_seen_by = 0
        self._told_number = 0
        self._is_streaming = False

    def start(self) -> None:
        """Begin to look, for ever. Never yields."""
        self._clock.later(_LOOK_SECONDS, self._look_again)

    def _look_again(self) -> None:
        try:
            self.look()
        except Exception:
            _log.exception("fault in the console's samples")
        self._clock.later(_LOOK_SECONDS, self._look_again)

    def look(self) -> None:
        """See who looks, and tell them. May yield."""
        occupied = self._registry.channels(self._hidden.application.app_id, "private-")
        self._tell_sample(occupied.get(SAMPLES))
        for channel in occupied:
            if channel.startswith(CONNECTIONS):
                listed = self._sampler.connections(channel[len(CONNECTIONS) :])
                if listed is not None:
                    self._tell(channel, "connections", listed)
        framed = _ids(occupied, FRAMES)
        watched = framed | _ids(occupied, STREAM)
        if watched != self._stream.watched or framed != self._stream.framed:
            self._stream.watched, self._stream.framed = watched, framed
            self._hang(bool(watched), bool(framed))
        if watched and not self._is_streaming:
            self._is_streaming = True
            self._clock.later(_STREAM_SECONDS, self._stream_again)

    def _tell_sample(self, counts: ChannelCounts | None) -> None:
        seen_by = 0 if counts is None else counts.subscription_count
        if seen_by > self._samples_seen_by:  # somebody new has not heard what was told before
            self._told_number = max(0, self._incidents.count - _TOLD_AT_ONCE)
        self._samples_seen_by = seen_by
        if not seen_by:
            return
        sample = self._sampler.read()
        sample["incident_count"] = self._incidents.count
        sample["incidents"] = self._incidents.since(self._told_number)[-_TOLD_AT_ONCE:]
        self._told_number = self._incidents.count
        self._tell(SAMPLES, "sample", sample)

    def _stream_again(self) -> None:
        if not self._stream.watched:
            self._is_streaming = False
            return
        try:
            self._tell_stream()
        except Exception:
            _log.exception("fault in the console's stream")
        self._clock.later(_STREAM_SECONDS, self._stream_again)

    def _tell_stream(self) -> None:
        for app_id in self._stream.watched:
            taken = self._stream.take(app_id)
            if taken is not None:
                name = FRAMES if app_id in self._stream.framed else STREAM
                names = [name + app_id]
                if name == FRAMES:  # who wants less than that gets it too, and leaves it out
                    names.append(STREAM + app_id)
                for channel in names:
                    self._tell(channel, "entries", taken)

    def _tell(self, channel: str, name: str, content: Mapping[str, object]) -> None:
        data = orjson.dumps({"node": self._node, **content}).decode()
        self._publisher.publish(self._hidden, _one(name, channel, data))


def _ids(channels: Mapping[str, ChannelCounts], prefix: str) -> frozenset[str]:
    return frozenset(name[len(prefix) :] for name in channels if name.startswith(prefix))


def _one(name: str, channel: str, data: str) -> Sequence[Event]:
    return (Event(name, (channel,), data, None, ()),)
