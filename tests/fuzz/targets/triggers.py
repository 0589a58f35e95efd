"""Bodies of back ends: events that are valid in every respect, or 400 or 413.

Protocol: §12.2-§12.4, §5.
"""

import json
from collections.abc import Iterator

from fizz_gevent.application import Application
from fizz_gevent.errors import ApiError
from fizz_gevent.protocol import events, names
from fizz_gevent.protocol.triggers import Event, parse_batch, parse_trigger
from tests.fuzz.corpora import files_below

MAX_SIZE = 2048
_APP = Application(
    *("1001", "key", "secret"),
    max_channel_name_length=30,
    max_event_name_length=20,
    max_event_size=100,
    max_channels_per_event=3,
    max_events_per_batch=3,
)
DICTIONARY = (
    *(b'"name":', b'"channel":', b'"channels":[', b'"data":', b'"socket_id":"1.1"', b'"info":'),
    *(b"user_count", b"subscription_count", b'"batch":[', b"private-encrypted-", b"\\ud800"),
)


def seeds() -> Iterator[bytes]:
    """The bodies that were thought of, as they are and in a batch, and good ones."""
    good = b'{"name":"n","channels":["a","b"],"data":"{}","socket_id":"1.1","info":"user_count"}'
    one = b'{"name":"n","channel":"a","data":{"a":[1,"\xc3\xa9"]}}'
    for body in (good, one, *files_below("triggers/400", "triggers/413")):
        yield b"\x00" + body[:MAX_SIZE]
    for size in (50, 51):  # as long in characters, and too long in bytes
        yield b'\x00{"name":"n","channel":"a","data":"%b"}' % ("é" * size).encode()
    yield b'\x01{"batch":[%b,%b]}' % (one, one)


def run(data: bytes) -> None:
    """Read a body as that of one route or of the other."""
    body = data[1:]
    try:
        if data[:1] > b"\0":
            found = parse_batch(body, _APP)
            assert len(found) <= _APP.max_events_per_batch
        else:
            found = (parse_trigger(body, _APP),)
    except ApiError as refusal:
        assert refusal.status in (400, 413)
        refusal.message.encode()
        return
    json.loads(body)
    for event in found:
        _expect_valid(event)


def _expect_valid(event: Event) -> None:
    assert 1 <= len(event.channels) <= _APP.max_channels_per_event
    assert len(set(event.channels)) == len(event.channels)
    assert names.is_event_name(event.name, _APP.max_event_name_length)
    assert not event.name.startswith("pusher:")
    assert len(event.data.encode()) <= _APP.max_event_size
    assert event.socket_id is None or names.is_socket_id(event.socket_id)
    for channel in event.channels:
        assert names.is_channel_name(channel, _APP.max_channel_name_length)
        told = json.loads(events.channel_event(event.name, channel, event.data))
        assert told == {"event": event.name, "channel": channel, "data": event.data}
        assert len(event.channels) == 1 or not names.kind_of(channel).is_encrypted
